#!/bin/sh
# Breaks when a file system on the device loses data, cannot be checked, or its fstrim does not reach
# the unit. loop-filesystem.sh SERVER ext4|xfs|btrfs [NAME=VALUE]...
. "$(dirname "$0")/loop-lib.sh"
type=$1
shift
need "mkfs.$type" fstrim
grep -qw "$type" /proc/filesystems || modprobe "$type" 2>/dev/null || skip "this kernel has no $type"
start size=512 "$@"
mkdir "$dir/mnt"

"mkfs.$type" "$device" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "mkfs.$type"; }
mount -t "$type" "$device" "$dir/mnt"
expect leave "error 16 * is mounted on $dir/mnt"
mkdir "$dir/mnt/tree"
i=0
while [ $i -lt 40 ]; do
	head -c $((i * 37000 + 11)) /dev/urandom >"$dir/mnt/tree/$i"
	i=$((i + 1))
done
(cd "$dir/mnt/tree" && md5sum -- * >"$dir/sums")
umount "$dir/mnt"
# From the device again, not from a cache
mount -t "$type" "$device" "$dir/mnt"
(cd "$dir/mnt/tree" && md5sum -c --quiet "$dir/sums") || fail "what was read differs"
rm -r "$dir/mnt/tree"
sync -f "$dir/mnt"
before=$(counter n_unmapped)
fstrim "$dir/mnt"
[ "$(counter n_unmapped)" -gt "$before" ] || fail "fstrim did not reach the unit"
umount "$dir/mnt"
case $type in
ext4) fsck.ext4 -fn "$device" >"$dir/log" 2>&1 ;;
xfs) xfs_repair -n "$device" >"$dir/log" 2>&1 ;;
btrfs) btrfs check --readonly "$device" >"$dir/log" 2>&1 ;;
esac || { cat "$dir/log"; fail "the check of the file system"; }
[ "$(counter errors)" = 0 ] || fail "errors were counted"
expect leave ok
finish
