#!/usr/bin/env bash
# One binary of the low-level API of libfuse 3, built against the system's headers, does with our
# library what it does with the system's: thousands of random operations on a mount of each are
# compared; single-threaded, with threads, with late answers. Breaks if a layout, an operation or an
# answer differs.
# usage: fuse-ll-model.sh PROGRAM FSMODEL LIBRARY_DIR one|many|late TRANSPORT
set -uo pipefail

program=$(realpath "$1") fsmodel=$(realpath "$2") libs=$3 mode=$4 transport=$5
skip() { echo "skip: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
[ "$(id -u)" = 0 ] || skip "the model changes owners: root"
[ -w /dev/fuse ] || skip "this machine has no /dev/fuse"
if [ "$transport" = uring ]; then
	[ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" = Y ] ||
		skip "FUSE over io_uring is off (fuse.enable_uring)"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-test.XXXXXX")
ours= theirs=
cleanup() {
	cd /
	for d in drive ref; do
		umount "$work/$d" 2>/dev/null || umount -l "$work/$d" 2>/dev/null
	done
	[ -z "$ours" ] || wait "$ours" 2>/dev/null
	[ -z "$theirs" ] || wait "$theirs" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM
mkdir "$work/drive" "$work/ref" "$work/back1" "$work/back2"
cd "$work"

LD_LIBRARY_PATH=$libs timeout -s KILL 100 "$program" back1 drive "$mode" \
	-o "transport=$transport" &
ours=$!
env -u LD_LIBRARY_PATH timeout -s KILL 100 "$program" back2 ref one &
theirs=$!
mounted() { grep -q " $work/$1 " /proc/self/mountinfo; }
for _ in $(seq 100); do
	mounted drive && mounted ref && break
	sleep 0.05
done
mounted drive && mounted ref || fail "no mount"
mkdir drive/d ref/d || fail "mkdir"
for profile in data names mixed; do
	timeout -s KILL 60 "$fsmodel" drive/d ref/d --profile "$profile" --seed 7 --ops 3000 \
		>log 2>&1 || { tail -n 20 log; fail "$profile differs"; }
done
umount drive && umount ref || fail "umount"
wait "$ours"
status=$?
ours=
[ "$status" = 0 ] || fail "exit status $status"
exit 0
