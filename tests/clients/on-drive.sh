#!/usr/bin/env bash
# Runs a client program on a freshly mounted drive and leaves nothing behind, also when it fails.
# usage: on-drive.sh BUILD_DIR memfs|passthrough uring|dev|auto [-o OPTIONS] -- COMMAND [ARGUMENTS]
#   {} in COMMAND is a directory on the drive, {ref} one on the file system of $TMPDIR,
#   {backing} (passthrough) the directory behind the drive.
# Exit 77 with a line "skip: reason" when this machine cannot mount such a drive.
set -uo pipefail

build=$1 program=$2 transport=$3
shift 3
options=transport=$transport
while [ "$1" != -- ]; do
	case $1 in
	-o) options=$options,$2; shift 2 ;;
	*) echo "on-drive.sh: '$1' is not expected" >&2; exit 2 ;;
	esac
done
shift

skip() { echo "skip: $*"; exit 77; }
allowed=${USERDRIVE_TEST_TRANSPORTS:-uring dev auto}
case " $allowed " in *" $transport "*) ;; *) skip "transport $transport is left out of this run" ;; esac
[ -e /dev/fuse ] || skip "this machine has no /dev/fuse"
[ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse is not open to this user"
[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || skip "not root, and no fusermount3"
if [ "$transport" = uring ]; then
	[ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" = Y ] ||
		skip "FUSE over io_uring is off (fuse.enable_uring)"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-test.XXXXXX")
# Drives of other tests are none of ours: a runtime directory of its own.
export USERDRIVE_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run"
mkdir "$work/drive" "$work/ref" "$work/backing"
chmod 755 "$work"
server=

cleanup() {
	cd /
	if [ -n "$server" ]; then
		kill -TERM "$server" 2>/dev/null
		for _ in $(seq 100); do
			kill -0 "$server" 2>/dev/null || break
			sleep 0.05
		done
		kill -KILL "$server" 2>/dev/null
		wait "$server" 2>/dev/null
	fi
	if grep -q " $work/drive " /proc/self/mountinfo; then
		umount -l "$work/drive" 2>/dev/null || fusermount3 -uz "$work/drive" 2>/dev/null
	fi
	# A model may have taken its own permissions away.
	chmod -R u+rwx "$work" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM

case $program in
memfs) server_command=("$build/examples/memfs/memfs" --foreground "$work/drive" -o "$options") ;;
passthrough)
	server_command=("$build/examples/passthrough/passthrough" --foreground "$work/backing" "$work/drive" -o "$options")
	;;
*) server_command=("$program" --foreground "$work/drive" -o "$options") ;;
esac
"${server_command[@]}" 2>"$work/server.log" </dev/null &
server=$!
for _ in $(seq 200); do
	grep -q " $work/drive " /proc/self/mountinfo && break
	kill -0 "$server" 2>/dev/null || { cat "$work/server.log"; echo "the drive did not start"; exit 1; }
	sleep 0.05
done
grep -q " $work/drive " /proc/self/mountinfo || { cat "$work/server.log"; echo "the drive was not mounted"; exit 1; }

command=()
for word in "$@"; do
	word=${word//\{\}/$work/drive}
	word=${word//\{ref\}/$work/ref}
	word=${word//\{backing\}/$work/backing}
	command+=("${word//\{server\}/$server}")
done
"${command[@]}" </dev/null
code=$?

# The drive must have survived, and must go when it is told to.
if ! kill -0 "$server" 2>/dev/null; then
	echo "the drive's program has died:"
	cat "$work/server.log"
	exit 1
fi
kill -TERM "$server"
wait "$server"
ended=$?
server=
if [ "$ended" != 0 ]; then
	echo "the drive's program ended with code $ended:"
	cat "$work/server.log"
	[ "$code" = 0 ] && code=1
fi
if grep -q " $work/drive " /proc/self/mountinfo; then
	echo "the drive is still mounted"
	[ "$code" = 0 ] && code=1
fi
[ "$code" = 0 ] || tail -20 "$work/server.log"
exit "$code"
