#!/bin/sh
# Breaks when a folder includes another that docs/architecture.md does not allow it to.
set -eu
cd "$(dirname "$0")/../.."

allowed=$(sed -n '/^<!-- edges -->$/,/^<!-- end of edges -->$/p' docs/architecture.md | grep -- '->')
[ -n "$allowed" ] || { echo "no edges found in docs/architecture.md"; exit 1; }

bad=0
for from in base fs fuse scsi transport api examples tools launcher; do
	[ -d "$from" ] || continue
	edges=$(grep -rhoE '^#include "[a-z0-9_]+/' "$from" --include='*.c' --include='*.h' |
		sed 's/#include "//; s,/$,,' | sort -u)
	for to in $edges; do
		[ "$from" = "$to" ] && continue
		# What users compile against is open to everybody.
		case $to in winfsp | winspd | nt | fuse3) continue ;; esac
		if ! printf '%s\n' "$allowed" | grep -qx "    $from -> .*\b$to\b.*"; then
			echo "$from includes $to, which docs/architecture.md does not allow:"
			grep -rnE "^#include \"$to/" "$from" --include='*.c' --include='*.h' | head -5
			bad=1
		fi
	done
done
exit "$bad"
