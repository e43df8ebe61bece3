#!/bin/sh
# selftest.sh EXIT PROGRAM [ARGS…]: runs a test program in fresh directories, @A and @B in its
# arguments, and demands that exit code. PLANT_LIB: a library to preload into it.
wanted=$1
program=$(realpath "$2")
shift 2

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
mkdir "$dir/a" "$dir/b" || exit 1
cd "$dir" || exit 1

for arg; do
	shift
	case $arg in
	@A) arg=$dir/a ;;
	@B) arg=$dir/b ;;
	esac
	set -- "$@" "$arg"
done

env ${PLANT_LIB:+LD_PRELOAD="$PLANT_LIB"} "$program" "$@"
code=$?
if [ $code -eq 77 ]; then
	exit 77
fi
if [ $code -ne "$wanted" ]; then
	echo "exit code $code, not $wanted"
	exit 1
fi
left=$(find a b -mindepth 1)
if [ "$wanted" -eq 0 ] && [ -n "$left" ]; then
	echo "left behind: $left"
	exit 1
fi
