#!/bin/sh
# If this fails, a program linked against libfuse does not find a name, or finds one that it must not.
#
# The names that a library exports, each with its version (name@@VERSION is what new links get), are
# compared with the table of the libfuse it stands for. Names that are not written yet are listed in
# MISSING, exactly: a name leaves that list in the change that brings it.
# usage: test-fuse-exports.sh LIBRARY TABLE MISSING
# With UPDATE=1 in the environment MISSING is written anew.
set -u
library=$1 table=$2 missing=$3
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C
failed=0

# version nodes themselves are absolute symbols
nm -D --defined-only --with-symbol-versions "$library" | awk '$2 != "A" { print $3 }' |
	sort >"$tmp/exported" || exit 1
sort "$table" >"$tmp/table"
sort "$missing" 2>/dev/null >"$tmp/missing" || :

comm -13 "$tmp/table" "$tmp/exported" >"$tmp/extra"
if [ -s "$tmp/extra" ]; then
	echo "exported, but not in the table:"
	cat "$tmp/extra"
	failed=1
fi
comm -23 "$tmp/table" "$tmp/exported" >"$tmp/lacking"
if [ -n "${UPDATE:-}" ]; then
	cp "$tmp/lacking" "$missing"
elif ! diff "$tmp/missing" "$tmp/lacking" >"$tmp/diff"; then
	echo "the list of missing names is not right (> lacks an entry, < has one too many):"
	cat "$tmp/diff"
	echo "to write it anew: UPDATE=1 $0 $*"
	failed=1
fi
echo "$(wc -l <"$tmp/exported") exported, $(wc -l <"$tmp/lacking") missing"
exit $failed
