#!/bin/sh
# A library exports exactly what its public headers declare.
# usage: test-exports.sh LIBRARY INCLUDE_DIR [MINIMUM FOLDER...]
set -eu
lib=$1 include=$2 minimum=${3:-100}
shift 2
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- winfsp nt
command -v nm >/dev/null 2>&1 || { echo "nm is missing"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Declarations with the export macro, one per line, then the names that a '(' or a type list of
# operations follows.
for folder; do cat "$include/$folder"/*.h; done | sed 's://.*::' |
	awk '/^#/ { next }
	     /^(FSP_API|SPD_API|NT_API) / { collecting = 1; text = "" }
	     collecting { text = text " " $0; if (/;/) { print text; collecting = 0 } }' |
	while read -r line; do
		case $line in
		*FSP_FILE_SYSTEM_OPERATION\ * | *FSP_FILE_SYSTEM_OPERATION_GUARD\ *)
			case $line in
			*\(*) echo "$line" | sed 's/(.*//' | grep -oE '[A-Za-z0-9]+$' ;;
			*) echo "$line" | grep -oE 'FspFileSystemOp[A-Za-z]+' ;;
			esac ;;
		*) echo "$line" | sed 's/(.*//' | grep -oE '[A-Za-z0-9]+ *$' | tr -d ' ' ;;
		esac
	done | sort -u >"$tmp/declared"
nm -D --defined-only "$lib" | awk '$2 == "T" || $2 == "D" || $2 == "B" || $2 == "R" { print $3 }' |
	sed 's/@.*//' | sort -u >"$tmp/exported"

[ "$(wc -l <"$tmp/declared")" -gt "$minimum" ] || { echo "FAIL: only $(wc -l <"$tmp/declared") declarations found"; exit 1; }
status=0
comm -23 "$tmp/declared" "$tmp/exported" | sed 's/^/FAIL: declared, not exported: /' >"$tmp/missing"
comm -13 "$tmp/declared" "$tmp/exported" | sed 's/^/FAIL: exported, not declared: /' >"$tmp/extra"
cat "$tmp/missing" "$tmp/extra"
[ -s "$tmp/missing" ] || [ -s "$tmp/extra" ] && status=1
exit $status
