#!/usr/bin/env bash
# A drive whose program cannot see its callers (another PID name space) believes the kernel that they
# belong to a directory's group. Breaks if members cannot create there, or others can.
# usage: supplementary-group.sh BUILD_DIR uring|dev
set -uo pipefail

build=$1 transport=$2
skip() { echo "skip: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
[ "$(id -u)" = 0 ] || skip "acting for other users takes root"
[ -r /dev/fuse ] || skip "this machine has no /dev/fuse"
command -v setpriv >/dev/null || skip "no setpriv"
unshare --pid --fork true 2>/dev/null || skip "no PID name spaces here"
if [ "$transport" = uring ]; then
	[ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" = Y ] ||
		skip "FUSE over io_uring is off (fuse.enable_uring)"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-test.XXXXXX")
export USERDRIVE_RUNTIME_DIR=$work/run
server=
cleanup() {
	cd /
	umount "$work/drive" 2>/dev/null || umount -l "$work/drive" 2>/dev/null
	[ -z "$server" ] || wait "$server" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM
mkdir -m 700 "$work/run"
mkdir "$work/drive"
chmod 755 "$work"

# The mount is seen by all; the processes outside are not seen by the program.
unshare --pid --fork "$build/examples/memfs/memfs" --foreground "$work/drive" \
	-o "transport=$transport,allow_other" 2>"$work/log" </dev/null &
server=$!
for _ in $(seq 200); do
	grep -q " $work/drive " /proc/self/mountinfo && break
	sleep 0.05
done
grep -q " $work/drive " /proc/self/mountinfo || { cat "$work/log"; fail "not mounted"; }

cd "$work/drive" || exit 1
mkdir shared && chgrp 4242 shared && chmod 2770 shared || fail "the directory"
as() { setpriv --reuid 65534 --regid 65534 --groups "$1" "${@:2}"; }

as 4242,4243 touch shared/file || fail "a member cannot create a file"
[ "$(stat -c %g shared/file)" = 4242 ] || fail "the file's group is $(stat -c %g shared/file)"
as 4242 mkdir shared/dir || fail "a member cannot create a directory"
[ "$(stat -c %g:%a shared/dir)" = 4242:2755 ] || fail "the directory is $(stat -c %g:%a shared/dir)"
as 4242 mkfifo shared/pipe || fail "a member cannot create a pipe"
as 4242 ln -s target shared/link || fail "a member cannot create a link"
as 4243 touch shared/foreign 2>/dev/null && fail "somebody else can create"
exit 0
