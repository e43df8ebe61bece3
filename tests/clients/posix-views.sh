#!/usr/bin/env bash
# The whole POSIX suite on a drive, with its other views: a read-only one, a small one that can be
# filled, and one that answers EDQUOT and EIO on purpose.
# The small drive goes without the writeback cache, which takes writes before it knows of room.
# usage: posix-views.sh BUILD_DIR DRIVE TRANSPORT SUITE_ARGUMENTS…
set -uo pipefail

build=$1 drive=$2 transport=$3
shift 3
[ "$(id -u)" = 0 ] || { echo "skip: a read-only view takes root"; exit 77; }
suite=$build/tests/posix/posix-suite
work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-test.XXXXXX")
servers=()

cleanup() {
	cd /
	umount -l "$work/ro" 2>/dev/null
	for pid in "${servers[@]}"; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in "${servers[@]}"; do
		wait "$pid" 2>/dev/null
	done
	umount -l "$work/small" "$work/planted" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM

serve() { # WHERE COMMAND…
	local where=$1
	shift
	mkdir "$where"
	"$@" --foreground "$where" 2>>"$work/log" </dev/null &
	servers+=($!)
	for _ in $(seq 200); do
		grep -q " $where " /proc/self/mountinfo && return
		sleep 0.05
	done
	cat "$work/log"
	exit 1
}

serve "$work/small" "$build/examples/memfs/memfs" -o "transport=$transport,allow_other,no_writeback,size=8M,MaxFileNodes=700"
serve "$work/planted" "$build/tests/clients/plantedfs" -o "transport=$transport,allow_other"
mkdir "$drive/view" "$work/ro"
"$suite" --prepare-ro "$drive/view" || exit 1
mount --bind "$drive/view" "$work/ro" && mount -o remount,bind,ro "$work/ro" || exit 1

"$suite" "$drive" --ro-dir "$work/ro" --small-dir "$work/small" --planted-dir "$work/planted" "$@"
code=$?
umount "$work/ro"
rm -rf "$drive/view"
exit "$code"
