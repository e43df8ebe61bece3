#!/bin/sh
# Breaks when a disk whose program was killed hangs its users, or leaves a device behind for ever.
. "$(dirname "$0")/loop-lib.sh"
need mkfs.ext4 dd
mkdir "$dir/mnt"
none_left() { [ -z "$(devices_of "$dead")" ]; }
kill_server() {
	dead=$pid
	kill -9 "$@"
	wait "$dead" 2>/dev/null || :
	exec 8>&- 9<&-
	pid=
}
children_of() { cat "/proc/$1/task/"*/children; }

# With nothing in use the child process takes the device away at once.
start size=64
dd if=/dev/urandom of="$device" bs=1M count=8 status=none
kill_server "$pid"
until_true none_left

# Mounted, with writes under way and more in the cache
start size=256
mkfs.ext4 -q "$device"
mount "$device" "$dir/mnt"
dd if=/dev/zero of="$dir/mnt/a" bs=1M count=100 status=none
dd if=/dev/zero of="$dir/mnt/b" bs=1M count=100 oflag=direct status=none 2>/dev/null &
writer=$!
kill_server "$pid"
wait "$writer" || :
timeout 60 sync -f "$dir/mnt" 2>/dev/null || [ $? != 124 ] || fail "sync hangs"
! timeout 60 dd if="$device" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null ||
	fail "a dead disk was read"
timeout 60 umount "$dir/mnt" || fail "the dead disk cannot be unmounted"
until_true none_left

# The child as well: the next start of any disk cleans up.
start size=64
# shellcheck disable=SC2046
kill_server "$pid" $(children_of "$pid")
[ -n "$(devices_of "$dead")" ] || echo "another test has cleaned up already"
start size=64
until_true none_left
finish

# The child alone: the disk goes on.
start size=64
# shellcheck disable=SC2046
kill -9 $(children_of "$pid")
dd if=/dev/urandom of="$device" bs=1M count=1 oflag=direct status=none
expect "resize 262144" ok
is_128m() { [ "$(blockdev --getsize64 "$device")" = 134217728 ]; }
until_true is_128m
expect leave ok
finish
