# For the shell tests of this folder; sourced. Gives: a work directory with a runtime directory of
# its own, drives by name, checks that say what they expected, and an end that leaves nothing behind.
#   $build, $transport: from the command line of the test

skip() { echo "skip: $*"; exit 77; }

need_mounts() {
	[ -e /dev/fuse ] || skip "this machine has no /dev/fuse"
	[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || skip "not root, and no fusermount3"
	if [ "${transport:-dev}" = uring ]; then
		[ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" = Y ] ||
			skip "FUSE over io_uring is off (fuse.enable_uring)"
	fi
}

work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-fault.XXXXXX")
export USERDRIVE_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run"
chmod 755 "$work"
ulimit -c 0
failures=0
servers=()
userdrive=$build/tools/userdrive

cleanup() {
	cd /
	for pid in "${servers[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	wait 2>/dev/null
	# Background drives too: whatever still serves below the work directory.
	for socket in "$work"/run*/control/*.sock "$work"/run*/userdrive/control/*.sock; do
		pid=${socket##*/}
		[ -S "$socket" ] && kill -KILL "${pid%%-*}" 2>/dev/null
	done
	for where in $(awk -v w="$work/" 'index($5, w) == 1 { print $5 }' /proc/self/mountinfo); do
		umount -l "$where" 2>/dev/null || fusermount3 -uz "$where" 2>/dev/null
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

finish() {
	[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
	exit 0
}

is_mounted() { grep -q " $1 " /proc/self/mountinfo; }

# start NAME PROGRAM [ARGUMENTS]: serves $work/NAME in the foreground; its pid is in $server.
start() {
	local name=$1
	shift
	mkdir -p "$work/$name"
	"$1" --foreground "$work/$name" "${@:2}" 2>>"$work/$name.log" </dev/null &
	server=$!
	servers+=("$server")
	for _ in $(seq 200); do
		is_mounted "$work/$name" && break
		kill -0 "$server" 2>/dev/null || break
		sleep 0.05
	done
	is_mounted "$work/$name" || { cat "$work/$name.log"; fail "$name was not mounted"; finish; }
	# Live when the control socket answers.
	for _ in $(seq 100); do
		"$userdrive" info "$work/$name" 2>/dev/null | grep -q served && break
		sleep 0.05
	done
}

# run COMMAND: its exit code in $code, what it said in $said. It has 20 seconds.
run() {
	said=$(timeout 20 "$@" 2>&1 </dev/null)
	code=$?
}

# expect WHAT CODE WORD…: the last run ended with CODE and said each WORD (an extended regex).
expect() {
	local what=$1 wanted=$2 word
	shift 2
	[ "$code" = "$wanted" ] || fail "$what: exit code $code, not $wanted: $said"
	for word; do
		grep -qiE -- "$word" <<<"$said" || fail "$what: '$word' is not said in: $said"
	done
	echo "  $what: $code: $(head -n 1 <<<"$said")"
}

# state NAME: of the drive, as userdrive list --json has it.
state() {
	"$userdrive" list --json | python3 -c '
import json, sys
print(" ".join(d["state"] for d in json.load(sys.stdin) if d["mount_point"] == sys.argv[1]))
' "$work/$1"
}
