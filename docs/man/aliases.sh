#!/bin/sh
# Prints "NAME PAGE" for each name of section 3 that has no page of its own, so that
# `man FspFileSystemDelete` finds the page that describes it. Arguments: pages.
set -eu

for page in "$@"; do
	own=$(basename "$page" .3)
	sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([A-Za-z0-9]*\).*/\1/p' "$page" | while read -r name; do
		[ "$name" = "$own" ] || echo "$name.3 $own.3"
	done
done
