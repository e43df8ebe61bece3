#!/bin/sh
# Sources written for the original compile unchanged, with every compiler, and run.
# usage: test-spd-shape.sh LIBSPD INCLUDE_DIR SOURCE
set -u
lib=$1 include=$2 source=$3
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/run"
failed=0 tried=0

try() {
	compiler=$1 language=$2
	shift 2
	command -v "$compiler" >/dev/null 2>&1 || return 0
	tried=$((tried + 1))
	# A header of the system's C library counts its own wide characters: only L"" literals are used.
	if ! "$compiler" -x "$language" "$@" -fshort-wchar -Wall -Wextra -Wno-missing-field-initializers \
		-Werror -I"$include" "$source" -x none "$lib" -Wl,-rpath,"$(dirname "$lib")" -o "$tmp/t"; then
		echo "FAIL: $compiler $*: does not compile"
		failed=1
		return 0
	fi
	# Without -fshort-wchar in the library the process's own wide functions are not called.
	USERDRIVE_RUNTIME_DIR=$tmp/run timeout 20 "$tmp/t" 2>"$tmp/err" && grep -q 'shape runs' "$tmp/err" && return 0
	echo "FAIL: $compiler $*: does not run"
	cat "$tmp/err"
	failed=1
}

# A sanitized library wants its program built likewise.
if nm -D "$lib" | grep -qE '__(asan|tsan|ubsan)_'; then
	echo "skip: the library is sanitized, programs are not"
	exit 77
fi
for c in gcc clang; do
	for std in c99 c11 gnu11; do
		try $c c -std=$std
	done
done
for cxx in g++ clang++; do
	try $cxx c++ -std=c++17
done
[ $tried -gt 0 ] || { echo "no compiler found"; exit 77; }
exit $failed
