#!/bin/sh
# Breaks when the tutorial quotes code that is not in examples/tutorial/notes.c, or when that
# program does not build against the library or does not do what the tutorial says.
# Arguments: SOURCE_ROOT [BUILD_ROOT [SANITIZERS]]. Without BUILD_ROOT: the installed library.
set -eu

root=$1
build=${2:-}
sanitize=${3:-none}
tutorial=$root/docs/tutorial-file-system.md
source=$root/examples/tutorial/notes.c

fail() { echo "FAIL: $*"; exit 1; }

python3 - "$tutorial" "$source" <<'PY' || exit 1
import re, sys
text, code = open(sys.argv[1]).read(), open(sys.argv[2]).read()
blocks = re.findall(r"^```c\n(.*?)^```$", text, re.S | re.M)
missing = [b for b in blocks if b not in code]
for b in missing:
    print("not in notes.c:\n" + b)
if len(blocks) < 8:
    sys.exit("only %d code blocks found in the tutorial" % len(blocks))
sys.exit(1 if missing else 0)
PY

tmp=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-tutorial.XXXXXX")
server=
cleanup() {
	if grep -q " $tmp/mnt fuse" /proc/self/mounts; then
		fusermount3 -uz "$tmp/mnt" 2>/dev/null || umount -l "$tmp/mnt" || true
	fi
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
	fi
	rm -rf "$tmp"
}
trap cleanup EXIT

# The commands of the tutorial, told where the build tree is.
if [ -n "$build" ] && [ -d "$build/meson-uninstalled" ]; then
	PKG_CONFIG_PATH=$build/meson-uninstalled${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
	export PKG_CONFIG_PATH
fi
pkg-config --exists fsp || { echo "skip: no pkg-config file of libfsp"; exit 77; }
flags=$(pkg-config --cflags --libs fsp)
[ "$sanitize" = none ] || flags="$flags -fsanitize=$sanitize"
LD_LIBRARY_PATH=$(pkg-config --libs-only-L fsp | sed 's/-L//g; s/ *$//; s/  */:/g')${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# shellcheck disable=SC2086
${CC:-cc} -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror -g -o "$tmp/notes" "$source" $flags ||
	fail "notes.c does not compile"

"$tmp/notes" --help >"$tmp/help" || fail "notes --help: exit code $?"
grep -q max_notes "$tmp/help" || fail "--help does not show the option max_notes"

{ [ -r /dev/fuse ] && [ -w /dev/fuse ]; } || { echo "skip: /dev/fuse is not usable"; exit 77; }
mkdir "$tmp/mnt"
USERDRIVE_RUNTIME_DIR=$tmp/run
export USERDRIVE_RUNTIME_DIR
code=0
timeout 30 "$tmp/notes" -f "$tmp/mnt" -o max_notes=5 >"$tmp/log" 2>&1 &
server=$!
for _ in $(seq 100); do
	grep -q " $tmp/mnt fuse" /proc/self/mounts && break
	if ! kill -0 "$server" 2>/dev/null; then
		wait "$server" || code=$?
		server=
		cat "$tmp/log"
		[ "$code" = 3 ] && { echo "skip: FUSE cannot be mounted here"; exit 77; }
		fail "notes ended with code $code"
	fi
	sleep 0.1
done

cd "$tmp/mnt"
echo "buy milk" >shopping
[ "$(cat shopping)" = "buy milk" ] || fail "what was written is not what is read"
echo "buy bread" >>shopping
[ "$(wc -l <shopping)" = 2 ] || fail "appending"
echo short >shopping
[ "$(cat shopping)" = short ] || fail "overwriting"
echo x >b; echo y >a
[ "$(ls | tr '\n' ' ')" = "a b shopping " ] || fail "listing: $(ls)"
mv shopping list
[ "$(cat list)" = short ] || fail "renaming"
mv a list
[ "$(cat list)" = y ] || fail "renaming over a note"
truncate -s 3 b
[ "$(stat -c %s b)" = 3 ] || fail "truncating"
touch -d 2001-02-03T04:05:06Z b
[ "$(stat -c %Y b)" = 981173106 ] || fail "times"
exec 3<list
rm list
[ "$(cat <&3)" = y ] || fail "reading a removed note that is still open"
exec 3<&-
[ "$(ls)" = b ] || fail "removing"
if mkdir folder 2>/dev/null; then fail "there is one directory only"; fi
# What notes does not have is refused, and harms nothing.
if ln -s b link 2>/dev/null; then fail "there are no symbolic links"; fi
if ln b link 2>/dev/null; then fail "there are no hard links"; fi
if chown 12345 b 2>/dev/null; then fail "there are no owners"; fi
[ "$(ls)" = b ] || fail "notes is gone after operations that it does not have"
touch 1 2 3 4
if touch 5 2>/dev/null; then fail "a sixth note, though max_notes=5"; fi
cd /

if command -v fusermount3 >/dev/null; then fusermount3 -u "$tmp/mnt"; else umount "$tmp/mnt"; fi
wait "$server" || code=$?
server=
[ "$code" = 0 ] || { cat "$tmp/log"; fail "exit code $code after the unmount"; }
echo ok
