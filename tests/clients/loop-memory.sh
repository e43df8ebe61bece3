#!/bin/sh
# Breaks when a server that has little memory waits for itself: writes of more data than it may use.
. "$(dirname "$0")/loop-lib.sh"
need mkfs.ext4 dd
# CAP_SYS_RESOURCE (bit 24): without it the kernel lets nobody say that he must not wait for I/O
[ $((0x$(sed -n 's/^CapEff:.*\(........\)$/\1/p' /proc/self/status) >> 24 & 1)) = 1 ] ||
	skip "root has no CAP_SYS_RESOURCE here, which PR_SET_IO_FLUSHER needs"

# The disk's memory counts as well: 512 MiB and a little. cgroup 1 or 2.
if [ -w /sys/fs/cgroup/memory/memory.limit_in_bytes ] || [ -d /sys/fs/cgroup/memory ]; then
	group=/sys/fs/cgroup/memory/userdrive-test-$$ limit=memory.limit_in_bytes
elif grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
	group=/sys/fs/cgroup/userdrive-test-$$ limit=memory.max
else
	skip "no memory control group can be made here"
fi
mkdir "$group" 2>/dev/null || skip "no memory control group can be made here"
remove_group() {
	cleanup
	until rmdir "$group" 2>/dev/null; do sleep 0.1; done
}
trap remove_group EXIT
echo $((640 << 20)) >"$group/$limit" || skip "$group has no memory controller"

start size=600
echo "$pid" >"$group/cgroup.procs"
mkfs.ext4 -q "$device"
mkdir "$dir/mnt"
mount "$device" "$dir/mnt"
# As if the program wrote to its own disk: the writer is under the same limit, which is what makes
# reclaim write pages out to the server that asked for memory.
# shellcheck disable=SC2016
timeout 90 sh -c 'echo $$ >"$1/cgroup.procs"; exec dd if=/dev/zero of="$2" bs=1M count=512 conv=fsync status=none' \
	- "$group" "$dir/mnt/file" || fail "the write failed"
umount "$dir/mnt"
expect leave ok
finish
