#!/bin/sh
# Runs the tests of a build directory and closes with "N passed, N failed, N skipped".
# usage: ci/run-tests.sh BUILD_DIR [core|slow|all] [meson test arguments]
set -eu

build=$1
tier=${2:-core}
[ $# -lt 2 ] && shift 1 || shift 2
top=$(cd "$(dirname "$0")/.." && pwd)

case $tier in
core) select="--no-suite slow" ;;
slow) select="--suite slow" ;;
all) select= ;;
*) echo "run-tests.sh: unknown tier '$tier' (core, slow, all)" >&2; exit 2 ;;
esac

# FUSE over io_uring is switched off on a fresh kernel; root may turn it on for the run.
uring=/sys/module/fuse/parameters/enable_uring
before=
if [ -w "$uring" ] && [ "$(cat $uring)" = N ]; then
	before=N
	echo Y >"$uring" || before=
fi
restore() {
	[ -z "$before" ] || echo "$before" >"$uring"
}
trap restore EXIT

# The log of an earlier run must not be counted when this one does not get as far as a test.
log=$build/meson-logs/testlog.json
rm -f "$log"
code=0
# shellcheck disable=SC2086
meson test -C "$build" $select --print-errorlogs --num-processes 2 "$@" </dev/null || code=$?
python3 "$top/ci/count-tests.py" "$log" || code=1
exit "$code"
