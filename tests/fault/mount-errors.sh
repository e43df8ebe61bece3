#!/usr/bin/env bash
# A drive that cannot be mounted, or not be unmounted, says what, where and what to do, and its exit
# code tells which kind of trouble it is (winfsp/ext.h FspxExit*, tools/userdrive/command.h).
# usage: mount-errors.sh BUILD_DIR
set -uo pipefail
build=$1 transport=dev
here=$(cd "$(dirname "$0")" && pwd)
# Where /dev/fuse is root's alone, users can be played only with a node of our own over it, in a
# mount name space that ends with us.
if [ "$(id -u)" = 0 ] && [ -c /dev/fuse ] && [ -z "${USERDRIVE_FAULT_NAMESPACE:-}" ] &&
	[ "$(stat -c %a /dev/fuse)" != 666 ] && unshare -m true 2>/dev/null; then
	exec env USERDRIVE_FAULT_NAMESPACE=1 unshare -m --propagation private "$0" "$@"
fi
. "$here/lib.sh"
need_mounts
if [ -n "${USERDRIVE_FAULT_NAMESPACE:-}" ]; then
	mkdir "$work/node"
	mount -t tmpfs none "$work/node" && mknod -m 666 "$work/node/fuse" c 10 229 &&
		mount --bind "$work/node/fuse" /dev/fuse || echo "  /dev/fuse stays root's"
fi
memfs=$build/examples/memfs/memfs
passthrough=$build/examples/passthrough/passthrough
no_uring=$build/tests/fault/no-uring
mkdir "$work/source" "$work/locked" "$work/point" "$work/full"
touch "$work/file" "$work/full/entry"
chmod 700 "$work/locked"

# ---- as who: a prefix for commands, and a runtime directory
as=()
become() {
	as=()
	export USERDRIVE_RUNTIME_DIR=$work/run
	[ "$1" = root ] && return
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups env "USERDRIVE_RUNTIME_DIR=$work/run-user")
	export USERDRIVE_RUNTIME_DIR=$work/run-user
	mkdir -p -m 700 "$work/run-user"
	chown 65534:65534 "$work/run-user"
}

# drive PROGRAM [ARGUMENTS]: the mount helper's form; what it leaves mounted is stopped.
drive() {
	local program=$1
	shift
	case $program in
	memfs) run "${as[@]}" "$memfs" "$@" ;;
	passthrough) run "${as[@]}" "$passthrough" "$work/source" "$@" ;;
	esac
}

stop() {
	run "${as[@]}" "$userdrive" stop "$1"
	[ "$code" = 0 ] || fail "stop $1: $code: $said"
}

# ---- what everybody meets, whichever the program and the user
common() {
	local p=$1
	drive "$p" "$work/none/deeper"
	expect "$p: its parent is missing" 2 "$work/none/deeper" 'missing|not exist|No such' 'made|create'
	drive "$p" "$work/file"
	expect "$p: a file" 2 "$work/file" 'not a directory'
	drive "$p" "$work/point" -o nonsense
	expect "$p: unknown option" 1 nonsense unknown 'help'
	drive "$p" "$work/point" -o transport=pigeon
	expect "$p: bad transport" 1 'transport=pigeon' 'auto, uring or dev'
	drive "$p" "$work/point" -o deadline=soon
	expect "$p: bad deadline" 1 'deadline=soon' milliseconds
	drive "$p" "$work/point" -o deadline
	expect "$p: deadline without a value" 1 deadline milliseconds
	drive "$p" "$work/point" -o umask=9
	expect "$p: bad umask" 1 'umask=9' octal
	drive "$p" --nonsense "$work/point"
	expect "$p: unknown long option" 1 nonsense help
	drive "$p" "$work/point" one two
	expect "$p: too many arguments" 1 'too many'
	is_mounted "$work/point" && fail "$p: something is mounted now"
}

as_root() {
	local p
	become root
	for p in memfs passthrough; do
		common "$p"
		drive "$p" "$work/full"
		expect "$p: a directory that is not empty" 0
		drive "$p" "$work/full"
		expect "$p: mounted already" 2 "$work/full" 'already' 'another|unmount'
		stop "$work/full"
		[ -e "$work/full/entry" ] || fail "$p: what was there is gone"
		drive "$p" "$work/new"
		expect "$p: missing, but its parent is there" 0
		stop "$work/new"
	done
	run "$memfs"
	expect "memfs: no mount point" 1 'mount point' help
	run "$passthrough" "$work/nowhere" "$work/point"
	expect "passthrough: no source" 4 "$work/nowhere" 'No such|not exist'
	run "$passthrough" "$work/file" "$work/point"
	expect "passthrough: source is a file" 4 "$work/file" 'directory'
	run "$memfs" "$work/point" -o MaxFileNodes=many
	expect "memfs: bad option of its own" 1 MaxFileNodes many number
}

as_user() {
	local p
	become user
	command -v setpriv >/dev/null || { echo "  not as a user: no setpriv"; return; }
	"${as[@]}" test -w /dev/fuse || { echo "  not as a user: /dev/fuse is root's"; return; }
	"${as[@]}" test -x "$memfs" || { echo "  not as a user: $build is closed to others"; return; }
	for p in memfs passthrough; do
		common "$p"
		drive "$p" "$work/locked/point"
		expect "$p: behind a closed directory" 2 "$work/locked/point" 'permission denied'
		drive "$p" "$work/point"
		expect "$p: somebody else's directory" 2 "$work/point" 'access|permission|writable'
	done
	mkdir "$work/own"
	chown 65534:65534 "$work/own"
	run "${as[@]}" env PATH=/nonexistent "$memfs" "$work/own"
	expect "no fusermount3" 3 fusermount3 'fuse3|install'
	is_mounted "$work/own" && fail "mounted without fusermount3"
	drive memfs "$work/own"
	expect "a user's own directory" 0
	stop "$work/own"
	run "${as[@]}" "$userdrive" stop "$work/own"
	expect "a user stops nothing" 2 "$work/own" 'no drive'
}

# ---- parts of the system that are missing, in a mount name space of its own
in_namespace() {
	run unshare -m --propagation private bash -c "$1"
}

without_system_parts() {
	become root
	unshare -m true 2>/dev/null || { echo "  no mount name spaces here"; return; }
	in_namespace "mkdir $work/dev && mount -t tmpfs none $work/dev &&
		mknod -m 666 $work/dev/null c 1 3 && mknod -m 666 $work/dev/urandom c 1 9 &&
		mount --move $work/dev /dev && exec $memfs $work/point"
	expect "/dev/fuse is missing" 3 '/dev/fuse' 'not exist|missing' 'modprobe fuse'
	in_namespace "mount --bind /dev/null /dev/fuse && exec $memfs $work/point"
	expect "/dev/fuse is another device" 3 '/dev/fuse' 'not the FUSE device' mknod
	in_namespace "mkfifo $work/pipe && mount --bind $work/pipe /dev/fuse && exec $memfs $work/point"
	expect "/dev/fuse is a pipe" 3 '/dev/fuse' 'not the FUSE device'
	if [ -e /usr/bin/fusermount3 ] && [ -d "$work/own" ]; then
		become user
		in_namespace "mount --bind /dev/null /usr/bin/fusermount3 && exec ${as[*]} $memfs $work/own"
		expect "fusermount3 cannot be run" 3 fusermount3 'started|Permission|set-uid|install'
		become root
	fi
}

without_uring() {
	become root
	run "$no_uring" true
	[ "$code" = 0 ] || { echo "  no seccomp here: $said"; return; }
	run "$no_uring" "$memfs" "$work/point"
	expect "auto without io_uring" 0
	run "$userdrive" info "$work/point"
	expect "info says why" 0 '/dev/fuse' 'because.*io_uring'
	stop "$work/point"
	run "$no_uring" "$memfs" "$work/point" -o transport=uring
	expect "transport=uring without io_uring" 3 'transport=uring' 'io_uring_setup' 'transport=auto'
	is_mounted "$work/point" && fail "a drive that was refused is mounted"
	run "$memfs" "$work/point" -o transport=uring,protocol_minor=31
	expect "transport=uring with an old protocol" 3 'transport=uring' 'io_uring' '7\.42'
	is_mounted "$work/point" && fail "a drive that was refused is mounted"
	run "$memfs" "$work/point"
	expect "a drive where one was refused" 0
	stop "$work/point"
}

# ---- stopping
stopping() {
	become root
	run "$memfs" "$work/point"
	expect "memfs" 0
	local pid
	pid=$("$userdrive" list --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["pid"])')
	exec 7>"$work/point/open"
	echo one >&7
	run umount "$work/point"
	[ "$code" != 0 ] || fail "a busy drive was unmounted"
	echo two >&7 || fail "the drive does not work after a refused unmount"
	# Off the name space at once, served on until the last close.
	run "$userdrive" stop --timeout 2 "$work/point"
	expect "stop while a file is open" 0 "$work/point" unmounted "$pid" 'open'
	is_mounted "$work/point" && fail "it is still mounted"
	echo three >&7 || fail "the open file does not work after a stop"
	run "$userdrive" stop "$work/point"
	expect "stop twice" 2 "$work/point" 'no drive'
	exec 7>&-
	for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
	kill -0 "$pid" 2>/dev/null && fail "the program goes on after the last close"
	run "$userdrive" stop "$work/never"
	expect "stop of nothing" 2 "$work/never" 'no drive'
	run "$userdrive" info "$work/never"
	expect "info of nothing" 2 "$work/never" 'no drive' 'userdrive list'
	run "$userdrive" stop
	expect "stop of nothing named" 1 'mount point'
	run "$userdrive" stop --timeout soon "$work/never"
	expect "stop with a bad timeout" 1 soon seconds
	run "$userdrive" nonsense
	expect "unknown command" 1 nonsense
}

if [ "$(id -u)" != 0 ]; then
	common memfs
	common passthrough
	finish
fi
as_root
as_user
without_system_parts
without_uring
stopping
finish
