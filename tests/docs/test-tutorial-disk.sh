#!/bin/sh
# Breaks when the disk of examples/tutorial does not build against the library, or does not serve.
# usage: test-tutorial-disk.sh SOURCE_ROOT LIBSPD
set -eu
root=$1 lib=$2
if nm -D "$lib" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)_'; then
	echo "the library is sanitized"
	exit 77
fi
tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$tmp"' EXIT
mkdir "$tmp/run"
"${CC:-cc}" -Wall -Wextra -Wno-unused-parameter -Werror -I"$root/include" "$root/examples/tutorial/disk.c" \
	"$lib" -Wl,-rpath,"$(dirname "$lib")" -o "$tmp/disk"

USERDRIVE_RUNTIME_DIR=$tmp/run
export USERDRIVE_RUNTIME_DIR
"$tmp/disk" --size=0 -p '\\.\pipe\disk' 2>"$tmp/err" && { echo "FAIL: size 0 was accepted"; exit 1; }
grep -q 'a number of MiB' "$tmp/err" || { echo "FAIL:"; cat "$tmp/err"; exit 1; }
mkfifo "$tmp/out"
"$tmp/disk" --size=1 -p '\\.\pipe\disk' >"$tmp/out" &
pid=$!
read -r where <"$tmp/out"
[ "$where" = '\\.\pipe\disk\0' ] || { echo "FAIL: said '$where'"; exit 1; }
[ -S "$tmp/run/pipe/disk/0" ] || { echo "FAIL: no socket"; exit 1; }
kill -TERM "$pid"
wait "$pid" || { echo "FAIL: ended with $?"; exit 1; }
pid=
[ ! -e "$tmp/run/pipe/disk" ] || { echo "FAIL: left something behind"; exit 1; }
