# Sourced by the tests of the command line; each is called with the build directory. A directory, a
# runtime directory and drives of its own, which are gone at the end, also after a failure.
# shellcheck shell=bash disable=SC2034
set -uo pipefail

build=$(cd "$1" && pwd)
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
userdrive=$build/tools/userdrive
memfs=$build/examples/memfs/memfs
passthrough=$build/examples/passthrough/passthrough
work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-tools.XXXXXX")
export USERDRIVE_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run"
chmod 755 "$work"
failures=0
children=()

skip() { echo "skip: $*"; exit 77; }

cleanup() {
	local where pid
	cd /
	grep -q " $work" /proc/self/mountinfo && timeout 20 "$userdrive" stop --all --timeout 5 >/dev/null 2>&1
	for where in $(awk -v w="$work" 'index($5, w) == 1 { print $5 }' /proc/self/mountinfo | tac); do
		echo "left mounted: $where"
		umount -l "$(printf '%b' "$where")" 2>/dev/null || fusermount3 -uz "$(printf '%b' "$where")"
	done
	for pid in "${children[@]}"; do
		kill -TERM "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM

need_fuse() {
	[ -e /dev/fuse ] || skip "this machine has no /dev/fuse"
	[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || skip "not root, and no fusermount3"
}
need_root() { [ "$(id -u)" = 0 ] || skip "not root"; }

failed() {
	echo "FAILED: $*"
	sed 's/^/  | /' "$work/out" "$work/err" 2>/dev/null | tail -15
	failures=$((failures + 1))
}
# check TITLE COMMAND…: it must succeed.
check() {
	local title=$1
	shift
	if "$@"; then echo "ok: $title"; else failed "$title"; fi
}
refute() {
	local title=$1
	shift
	if "$@"; then failed "$title"; else echo "ok: $title"; fi
}
# expect CODE TITLE COMMAND…: its exit code; what it says is in $work/out and $work/err.
expect() {
	local want=$1 title=$2 got
	shift 2
	timeout 60 "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	if [ "$got" = "$want" ]; then
		echo "ok: $title"
	else
		failed "$title: exit code $got instead of $want"
	fi
}
says() { grep -qE -- "$2" "$work/$1"; } # out|err PATTERN
# json KEYS…: $work/out is an object, or a list of objects, that have these keys.
json() {
	python3 - "$work/out" "$@" <<'PY'
import json, sys
data = json.load(open(sys.argv[1]))
for item in data if isinstance(data, list) else [data]:
    missing = [k for k in sys.argv[2:] if k not in item]
    if missing:
        sys.exit("%s: missing %s" % (item, missing))
PY
}
# json_value EXPRESSION: of d, what $work/out holds.
json_value() { python3 -c "import json; d = json.load(open('$work/out')); print($1)"; }

mounted() { grep -q " $1 " /proc/self/mountinfo; }
mount_line() { grep " $1 " /proc/self/mountinfo | tail -1; }
pid_of() { "$userdrive" info "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])'; }
# until_true, until_false COMMAND…: within ten, twenty seconds.
until_true() {
	local _
	for _ in $(seq 200); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}
until_false() {
	local _
	for _ in $(seq 400); do
		"$@" || return 0
		sleep 0.05
	done
	return 1
}
# A process that nobody has waited for yet has ended all the same.
alive() { grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }
empty_folder() { [ -z "$(ls -A "$1" 2>/dev/null)" ]; }
finish() {
	[ "$failures" = 0 ] || { echo "$failures checks failed"; exit 1; }
	exit 0
}
