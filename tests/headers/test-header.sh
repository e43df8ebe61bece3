#!/bin/sh
# A public header compiles alone, in every language and with every compiler that users have.
# usage: test-header.sh INCLUDE_DIR HEADER [COMPILER_OPTION ...]
set -u
include=$1 header=$2
shift 2
options=$*
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
printf '#include "%s"\n#include "%s"\nint main(void) { return 0; }\n' "$header" "$header" >"$tmp/t.c"
cp "$tmp/t.c" "$tmp/t.cpp"
failed=0 tried=0

try() {
	compiler=$1 source=$2
	shift 2
	command -v "$compiler" >/dev/null 2>&1 || return 0
	tried=$((tried + 1))
	"$compiler" "$@" -Wall -Wextra -Werror $options -I"$include" -c "$tmp/$source" -o "$tmp/t.o" && return 0
	echo "FAIL: $header: $compiler $*"
	failed=1
}

for wide in "" -fshort-wchar; do
	for c in gcc clang; do
		for std in c99 gnu99 c11 gnu11; do
			try $c t.c -std=$std -Wstrict-prototypes $wide
		done
	done
	for cxx in g++ clang++; do
		try $cxx t.cpp -std=c++17 $wide
		try $cxx t.cpp -std=gnu++20 $wide
	done
done
if [ $tried -eq 0 ]; then
	echo "skip: no compiler found"
	exit 77
fi
exit $failed
