#!/usr/bin/env bash
# Programs of others that use the low-level API run with our libfuse3.so.3 in the system's place, and
# leave no mount behind. Breaks if one of them cannot read, write or end.
# usage: fuse-ll-programs.sh LIBRARY_DIR squashfuse_ll|fuse-overlayfs|qemu-storage-daemon|pyfuse3
set -uo pipefail

libs=$1 what=$2
here=$(cd "$(dirname "$0")" && pwd)
skip() { echo "skip: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
need() { command -v "$1" >/dev/null || skip "no $1"; }
[ "$(id -u)" = 0 ] || skip "root mounts"
[ -w /dev/fuse ] || skip "this machine has no /dev/fuse"

work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-test.XXXXXX")
server=
cleanup() {
	cd /
	umount "$work/drive" 2>/dev/null || umount -l "$work/drive" 2>/dev/null
	[ -z "$server" ] || { kill -TERM "$server"; wait "$server"; } 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM
mkdir "$work/drive" "$work/tree" "$work/upper" "$work/work" "$work/tree/sub"
cd "$work"
for i in $(seq 40); do
	head -c $((i * 7919)) /dev/urandom >"tree/sub/file $i"
done

start() {
	LD_LIBRARY_PATH=$libs timeout -s KILL 50 "$@" >log 2>&1 </dev/null &
	server=$!
	for _ in $(seq 100); do
		grep -q " $work/drive " /proc/self/mountinfo && return
		sleep 0.05
	done
	cat log
	fail "no mount"
}
finish() {
	wait "$server"
	status=$?
	server=
	[ "$status" = "$1" ] || { cat log; fail "exit status $status"; }
	grep -q " $work/drive " /proc/self/mountinfo && fail "still mounted"
	return 0
}

case $what in
squashfuse_ll)
	need squashfuse_ll
	need mksquashfs
	mksquashfs tree image -quiet -no-progress >/dev/null || skip "mksquashfs failed"
	start squashfuse_ll -f image "$work/drive"
	timeout 20 diff -r tree drive || fail "content differs"
	umount drive || fail "umount"
	finish 0
	;;
fuse-overlayfs)
	need fuse-overlayfs
	start fuse-overlayfs -f -o "lowerdir=tree,upperdir=upper,workdir=work" drive
	timeout 20 diff -r tree drive || fail "content differs"
	timeout 20 cp -r tree drive/copy || fail "cp"
	timeout 20 diff -r tree drive/copy || fail "the copy differs"
	echo more >>"drive/sub/file 1" || fail "append"
	cmp -s "drive/sub/file 1" "upper/sub/file 1" || fail "not copied up"
	rm -r drive/copy || fail "rm"
	umount drive || fail "umount"
	finish 0
	;;
qemu-storage-daemon)
	need qemu-storage-daemon
	need qemu-img
	rmdir drive && touch drive
	qemu-img create -q -f qcow2 disk 16M || fail "qemu-img"
	start qemu-storage-daemon --blockdev file,node-name=f,filename=disk \
		--blockdev qcow2,node-name=q,file=f \
		--export "fuse,id=e,node-name=q,mountpoint=$work/drive,writable=on"
	[ "$(stat -c %s drive)" = 16777216 ] || fail "size"
	head -c 4M /dev/urandom >data
	timeout 20 dd if=data of=drive bs=64k conv=notrunc,fsync status=none || fail "dd"
	timeout 20 cmp -n 4194304 data drive || fail "content differs"
	kill -TERM "$server"
	finish 0
	qemu-img check -q disk || fail "qemu-img check"
	;;
pyfuse3)
	/usr/bin/python3 -c 'import pyfuse3, trio' 2>/dev/null || skip "no python3-pyfuse3"
	start /usr/bin/python3 "$here/fuse-ll-hello.py" "$work/drive"
	[ "$(ls drive)" = message ] || fail "ls"
	[ "$(cat drive/message)" = hello ] || fail "cat"
	umount drive || fail "umount"
	finish 0
	;;
*)
	fail "$what?"
	;;
esac
exit 0
