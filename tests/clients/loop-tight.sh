#!/bin/sh
# Breaks when a disk whose process may use little memory waits for itself, or loses data, while a host
# writes much more than that through the loop device.
. "$(dirname "$0")/loop-lib.sh"
need mkfs.ext4 dd cmp
limit=$((48 << 20)) # bytes: the process and its image's part of the page cache
written=300         # MiB

if [ -d /sys/fs/cgroup/memory ]; then
	group=/sys/fs/cgroup/memory/userdrive-tight-$$ file=memory.limit_in_bytes
elif grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
	group=/sys/fs/cgroup/userdrive-tight-$$ file=memory.max
else
	skip "no memory control group can be made here"
fi
mkdir "$group" 2>/dev/null || skip "no memory control group can be made here"
remove_group() {
	cleanup
	until rmdir "$group" 2>/dev/null; do sleep 0.1; done
}
trap remove_group EXIT
echo "$limit" >"$group/$file" || skip "$group has no memory controller"

"$server" --foreground --size=1G "$dir/disk.img" --door=loop: >"$dir/out" 2>"$dir/err" &
pid=$!
pids=$pid
until_true grep -q '^/dev/loop' "$dir/out"
device=$(head -1 "$dir/out")
echo "$pid" >"$group/cgroup.procs"
mkfs.ext4 -q "$device"
mkdir "$dir/mnt"
mount "$device" "$dir/mnt"
head -c 1048576 /dev/urandom >"$dir/block"
for i in $(seq "$written"); do cat "$dir/block"; done |
	timeout 120 dd of="$dir/mnt/file" bs=1M conv=fsync status=none || fail "the write failed"
umount "$dir/mnt"
mount "$device" "$dir/mnt"
for i in $(seq "$written"); do cat "$dir/block"; done | cmp - "$dir/mnt/file" || fail "the data differ"
umount "$dir/mnt"
kill "$pid"
wait "$pid" || fail "the disk ended with $?"
pid=
