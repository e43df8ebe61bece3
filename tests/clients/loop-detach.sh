#!/bin/sh
# Breaks when a disk in use can be taken away, when the user is not named, or when a host's losetup -d
# does not reach the program.
. "$(dirname "$0")/loop-lib.sh"
need mkswap dd
start size=64

exec 7<"$device"
expect leave "error 16 /dev/loop* is in use: $device is open in process * (*)"
exec 7<&-

if command -v dmsetup >/dev/null && dmsetup version >/dev/null 2>&1; then
	dmsetup create "userdrive-test-$$" --table "0 2048 linear $device 0"
	expect leave "error 16 *$device is part of userdrive-test-$$"
	dmsetup remove "userdrive-test-$$"
fi
mkswap "$device" >/dev/null
if swapon "$device" 2>/dev/null; then
	expect leave "error 16 *$device is swap space"
	swapoff "$device"
fi
top=$(losetup -f --show "$device")
expect leave "error 16 *$device is under $top"
losetup -d "$top"

# What lies in the cache of the device is written before it goes.
dd if=/dev/urandom of="$device" bs=64k count=1 status=none
expect "ended" 0
expect leave ok
expect leave ok
expect "zeroes 0 128" no
case $(ask describe) in
*'"phase":"gone"'*) ;;
*) fail "the door does not say that it is gone" ;;
esac
finish

# Detached by somebody
start size=64
losetup -d "$device"
has_ended() { [ "$(ask ended)" = 1 ]; }
until_true has_ended
expect leave ok
finish

# Stopped while in use: no hang, and errors for the user
need mkfs.ext4
start size=64
mkfs.ext4 -q "$device"
mkdir "$dir/mnt"
mount "$device" "$dir/mnt"
echo quit >&8
wait "$pid" || fail "the server ended with $?"
ls "$dir/mnt" >/dev/null 2>&1 || :
umount "$dir/mnt" || umount -l "$dir/mnt"
none_left() { [ -z "$(devices_of "$pid")" ]; }
until_true none_left
pid=
