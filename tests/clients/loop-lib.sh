# For tests of the loop door: source it with the path of loop-server as $1. Leaves nothing behind, also
# when the test fails.
set -eu
LC_ALL=C
server=$1
shift

skip() { echo "SKIP: $*"; exit 77; }
fail() { echo "FAIL: $*" >&2; [ ! -s "$dir/err" ] || cat "$dir/err" >&2; exit 1; }
need() {
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

[ "$(id -u)" = 0 ] || skip "loop devices need root"
[ -c /dev/fuse ] || skip "there is no /dev/fuse"
[ -c /dev/loop-control ] || skip "there is no /dev/loop-control"
need losetup
dir=$(mktemp -d /tmp/userdrive-loop.XXXXXX)
pid=

# Loop devices whose file is that of our server
devices_of() { grep -l "^/userdrive-$1-" /sys/block/loop*/loop/backing_file 2>/dev/null | cut -d/ -f4; }

cleanup() {
	trap - EXIT INT TERM HUP
	grep " $dir/" /proc/self/mounts | cut -d' ' -f2 | sort -r | while read -r where; do
		umount "$where" 2>/dev/null || umount -l "$where"
	done
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :
	for p in ${pids:-}; do
		for device in $(devices_of "$p"); do losetup -d "/dev/$device"; done
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# start NAME=VALUE...: sets device and pid; first: what the server said at the start
start() {
	rm -f "$dir/in" "$dir/out"
	mkfifo "$dir/in" "$dir/out"
	"$server" "$@" <"$dir/in" >"$dir/out" 2>>"$dir/err" &
	pid=$!
	pids="${pids:-} $pid"
	exec 8>"$dir/in" 9<"$dir/out"
	read -r first <&9 || fail "the server did not start"
	device=$(printf '%s\n' "$first" | sed -n 's/.*"device":"\(\/dev\/loop[0-9]*\)","owner.*/\1/p')
	[ -b "$device" ] || fail "no device in: $first"
}

# ask COMMAND: the server's answer
ask() {
	echo "$*" >&8
	read -r answer <&9 || fail "the server died at '$*'"
	printf '%s\n' "$answer"
}

expect() {
	got=$(ask "$1")
	case $got in
	$2) ;;
	*) fail "'$1' answered '$got', not '$2'" ;;
	esac
}

# counter NAME
counter() { ask describe | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }

# until_true COMMAND...: waits for what comes by itself; the test's own limit ends it
until_true() { until "$@"; do sleep 0.05; done; }

# Stops the server as a program ends it, and looks for what is left.
finish() {
	echo quit >&8
	wait "$pid" || fail "the server ended with $?"
	exec 8>&- 9<&-
	[ -z "$(devices_of "$pid")" ] || fail "the device is still there"
	pid=
}
