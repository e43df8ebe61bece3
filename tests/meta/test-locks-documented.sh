#!/bin/sh
# Breaks when a folder has a lock that docs/locking.md does not place in the order.
set -eu
cd "$(dirname "$0")/../.."

bad=0
for file in $(git ls-files 'fs/*.[ch]' 'fuse/*.[ch]' 'transport/*.[ch]' 'api/*.[ch]' 'base/*.[ch]' 'scsi/*.[ch]' |
	xargs grep -lE '^\s+struct (mutex|rwlock) [a-z_]+;' | grep -v '^base/mutex'); do
	for lock in $(grep -oE '^\s+struct (mutex|rwlock) [a-z_]+;' "$file" | sed 's/.* //; s/;//'); do
		grep -q "\`$lock\`.*$file\|$file.*\`$lock\`" docs/locking.md || {
			echo "$file: lock '$lock' is not in docs/locking.md"
			bad=1
		}
	done
done
exit "$bad"
