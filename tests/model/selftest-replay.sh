#!/bin/sh
# selftest-replay.sh FSMODEL: a difference found at random replays at the same operation,
# disappears with its cause, and shrinks to the few operations that it needs.
fsmodel=$(realpath "$1")
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
mkdir "$dir/a" "$dir/b" || exit 1
cd "$dir" || exit 1

fail()
{
	echo "$1"
	cat out
	exit 1
}
operation()
{
	sed -n 's/^MISMATCH: operation \([0-9]*\).*/\1/p' out
}

export FSMODEL_PLANT=link-fd
"$fsmodel" a b --seed 5 --ops 5000 --log log >out 2>&1
[ $? -eq 1 ] || fail 'the planted difference was not found'
found=$(operation)
"$fsmodel" a b --replay log >out 2>&1
[ $? -eq 1 ] || fail 'the log does not show the difference again'
[ "$(operation)" = "$found" ] || fail "differs at another operation than $found"

(unset FSMODEL_PLANT; exec "$fsmodel" a b --replay log) >out 2>&1 ||
	fail 'the log differs without the cause'

"$fsmodel" a b --minimize log >out 2>&1
[ $? -eq 1 ] || fail 'minimizing lost the difference'
n=$(grep -vc '^#' log.min)
[ "$n" -le 8 ] || fail "minimized to $n operations, from $found"
"$fsmodel" a b --replay log.min >out 2>&1
[ $? -eq 1 ] || fail 'the minimized log does not differ'
[ -z "$(find a b -mindepth 1)" ] || fail 'directories are left behind'
