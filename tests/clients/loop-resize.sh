#!/bin/sh
# Breaks when the device does not follow the unit's size while a file system on it is in use.
. "$(dirname "$0")/loop-lib.sh"
need mkfs.ext4 resize2fs blockdev
start size=64
mkdir "$dir/mnt"
mkfs.ext4 -q "$device"
mount "$device" "$dir/mnt"
echo kept >"$dir/mnt/file"
expect "resize 524288" ok
is_256m() { [ "$(blockdev --getsize64 "$device")" = 268435456 ]; }
until_true is_256m
# Growing a mounted ext4 needs CAP_SYS_RESOURCE, which root has not everywhere.
if ! resize2fs "$device" >"$dir/log" 2>&1; then
	grep -q "Permission denied to resize" "$dir/log" || { cat "$dir/log"; fail "resize2fs"; }
	umount "$dir/mnt"
	e2fsck -fp "$device" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "e2fsck"; }
	resize2fs "$device" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "resize2fs"; }
	mount "$device" "$dir/mnt"
fi
head -c 150000000 /dev/urandom >"$dir/mnt/large"
sum=$(md5sum <"$dir/mnt/large")
umount "$dir/mnt"
mount "$device" "$dir/mnt"
[ "$(md5sum <"$dir/mnt/large")" = "$sum" ] || fail "data in the new part"
[ "$(cat "$dir/mnt/file")" = kept ] || fail "data in the old part"
umount "$dir/mnt"
expect "resize 131072" ok
is_64m() { [ "$(blockdev --getsize64 "$device")" = 67108864 ]; }
until_true is_64m
! dd if="$device" of=/dev/null bs=4k skip=16384 count=1 iflag=direct 2>"$dir/log" ||
	grep -q "^0+0 records in" "$dir/log" || fail "blocks beyond the end were read"
finish
