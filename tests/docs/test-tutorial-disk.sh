#!/bin/sh
# Breaks when docs/tutorial-disk.md quotes code that is not in examples/tutorial/disk.c, or when that
# disk does not build against the library, or does not serve, or loses what it is given.
# usage: test-tutorial-disk.sh SOURCE_ROOT LIBSPD [STGTEST]
set -eu
root=$1 lib=$2 stgtest=${3:-}

python3 - "$root/docs/tutorial-disk.md" "$root/examples/tutorial/disk.c" <<'PY'
import re, sys
text, code = open(sys.argv[1]).read(), open(sys.argv[2]).read()
blocks = re.findall(r"^```c\n(.*?)^```$", text, re.S | re.M)
missing = [b for b in blocks if b not in code]
for b in missing:
    print("not in disk.c:\n" + b)
if len(blocks) < 8:
    sys.exit("only %d code blocks found in the tutorial" % len(blocks))
sys.exit(1 if missing else 0)
PY

if nm -D "$lib" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)_'; then
	echo "skip: the library is sanitized, programs are not"
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
if [ -n "$stgtest" ]; then
	timeout 40 "$stgtest" --mode verify --ops 500 --quiet '\\.\pipe\disk\0' >"$tmp/verify" 2>&1 ||
		{ echo "FAIL: stgtest says:"; cat "$tmp/verify"; exit 1; }
fi
kill -TERM "$pid"
wait "$pid" || { echo "FAIL: ended with $?"; exit 1; }
pid=
[ ! -e "$tmp/run/pipe/disk" ] || { echo "FAIL: left something behind"; exit 1; }
