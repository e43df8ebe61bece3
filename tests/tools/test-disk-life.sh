#!/usr/bin/env bash
# Breaks when a disk of the kernel (loop door) loses data, goes away under its users, or stays behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_root
need_fuse
[ -e /dev/loop-control ] || skip "this machine has no loop devices"
for program in losetup mkfs.ext4 blkid; do
	command -v "$program" >/dev/null || skip "no $program"
done
image=$work/disk.img
mkdir "$work/mnt" "$work/small"
cd "$work" || exit 1
device_of() { "$userdrive" info "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["device"])'; }
is_loop() { losetup -l -n -O NAME "$1" >/dev/null 2>&1 && [ -n "$(losetup -n -O BACK-FILE "$1" 2>/dev/null)" ]; }

expect 0 "attach" timeout 50 "$userdrive" attach disk.img --size 64M --partition none --door loop:
if [ ! -s "$work/out" ]; then finish; fi
device=$(device_of "$image")
check "it is a block device" test -b "$device"
check "of its size" test "$(blockdev --getsize64 "$device")" = $((64 << 20))
expect 0 "list" "$userdrive" list
check "list shows it" says out "^$device .* rawdisk .* 64 MiB .*$image"
check "and no mount of its own" test "$(grep -c fuse "$work/out")" = 0
expect 0 "info by device" "$userdrive" info "$device"
expect 0 "mkfs" mkfs.ext4 -q "$device"
expect 0 "mount" mount "$device" "$work/mnt"
dd if=/dev/urandom of="$work/mnt/data" bs=1M count=20 status=none
sum=$(md5sum <"$work/mnt/data")
expect 3 "detach while it is mounted" timeout 50 "$userdrive" detach "$device"
check "names the mount" says err "$work/mnt"
check "and changes nothing" cmp "$work/mnt/data" "$work/mnt/data"

expect 0 "resize" timeout 50 "$userdrive" resize "$image" 128M
check "the device knows" until_true bash -c '[ "$(blockdev --getsize64 "$1")" = $((128 << 20)) ]' - "$device"
timeout 50 resize2fs "$device" >"$work/out" 2>&1 </dev/null
if says out 'Permission denied'; then
	echo "not done: ext4 may not grow while it is mounted here (CAP_SYS_RESOURCE)"
else
	check "the file system grows while it is mounted" test "$(df -k --output=size "$work/mnt" | tail -1)" -gt 100000
fi
expect 0 "fstrim" fstrim "$work/mnt"
expect 0 "umount" umount "$work/mnt"
expect 0 "detach" timeout 50 "$userdrive" detach "$device"
refute "the device is free" is_loop "$device"
check "nothing is left" test "$("$userdrive" list --json)" = "[]"
refute "no mount is left" grep -q " $work" /proc/self/mountinfo

expect 0 "attach the same image" timeout 50 "$userdrive" attach "$image" --door loop:
device=$(device_of "$image")
expect 0 "mount" mount "$device" "$work/mnt"
check "the data is there" test "$(md5sum <"$work/mnt/data")" = "$sum"
echo synced >"$work/mnt/synced"
sync "$work/mnt/synced"
pid=$("$userdrive" info "$image" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
kill -KILL "$pid"
until_false alive "$pid"
check "a dead disk does not hang its users" timeout 30 bash -c 'cat "$1"/* >/dev/null 2>&1; touch "$1/x" 2>/dev/null; sync -f "$1" 2>/dev/null; true' - "$work/mnt"
expect 0 "umount" umount -l "$work/mnt"
expect 0 "attach after a crash" timeout 50 "$userdrive" attach "$image" --door loop:
device=$(device_of "$image")
expect 0 "mount" mount "$device" "$work/mnt"
check "what was synced is there" test "$(cat "$work/mnt/synced")" = synced
check "the data is there" test "$(md5sum <"$work/mnt/data")" = "$sum"
umount "$work/mnt"
expect 0 "stop" timeout 50 "$userdrive" stop "$image"

expect 0 "attach read-only" timeout 50 "$userdrive" attach "$image" --ro --door loop:
device=$(device_of "$image")
check "the kernel knows" test "$(blockdev --getro "$device")" = 1
expect 0 "detach" timeout 50 "$userdrive" detach "$image"

# No room behind the disk
if mount -t tmpfs -o size=16M none "$work/small" 2>/dev/null; then
	expect 0 "attach an image larger than its room" timeout 50 "$userdrive" attach "$work/small/image" --size 64M --door loop:
	device=$(device_of "$work/small/image")
	refute "more than there is room" bash -c 'dd if=/dev/zero of="$1" bs=1M count=60 oflag=direct status=none 2>/dev/null' - "$device"
	check "what fitted is read" dd if="$device" of=/dev/null bs=1M count=8 iflag=direct status=none
	expect 0 "detach" timeout 50 "$userdrive" detach "$work/small/image"
	umount "$work/small"
fi

# A block device as image
truncate -s 8M "$work/under"
under=$(losetup -f --show "$work/under") && {
	for round in 1 2; do
		expect 0 "attach a block device" timeout 50 "$userdrive" attach "$under" --door '\\.\pipe\device'
		timeout 20 python3 "$top/tests/tools/disk.py" device params >"$work/params.$round" || failed "params"
		check "write" timeout 20 python3 "$top/tests/tools/disk.py" device fill 0 16384 5 + flush
		expect 4 "it is in use" timeout 50 "$userdrive" attach "$under" --door '\\.\pipe\other'
		expect 0 "detach" timeout 50 "$userdrive" detach "$under"
	done
	check "it is the same disk" cmp "$work/params.1" "$work/params.2"
	check "what was written is below" python3 -c '
import sys
sys.exit(open(sys.argv[1], "rb").read() != b"\5" * (8 << 20))' "$work/under"
	check "nothing was put into /dev" test ! -e "$under.userdrive" -a ! -e "$under.pr"
	mkfs.ext4 -q "$under" && mount "$under" "$work/mnt" && {
		expect 4 "one that is mounted" timeout 50 "$userdrive" attach "$under" --door '\\.\pipe\device'
		check "says so" says err 'in use'
		umount "$work/mnt"
	}
	losetup -d "$under"
}

# Partitions
expect 0 "attach with a partition table" timeout 50 "$userdrive" attach parts.img --size 64M --partition gpt --door loop:
device=$(device_of "$work/parts.img")
if command -v sfdisk >/dev/null; then
	expect 0 "the table is good" sfdisk --verify "$device"
	check "no complaint" test -z "$(grep -iE 'error|corrupt|mismatch' "$work/err" "$work/out" | grep -v 'No errors')"
fi
check "the partition is there" until_true test -b "${device}p1"
expect 0 "mkfs" mkfs.ext4 -q "${device}p1"
expect 0 "mount" mount "${device}p1" "$work/mnt"
expect 3 "detach while a partition is mounted" timeout 50 "$userdrive" detach "${device}p1"
expect 0 "umount" umount "$work/mnt"
expect 0 "detach by partition" timeout 50 "$userdrive" detach "${device}p1"
check "no partition is left" test ! -b "${device}p1"
expect 0 "doctor has nothing to say" "$userdrive" doctor
check "no loop device is left" test -z "$(losetup -l -n -O BACK-FILE | grep -F "$work")"
finish
