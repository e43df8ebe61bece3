#!/bin/sh
# Breaks when the CamelCase of the native API leaks out of the folders that speak it.
set -eu
cd "$(dirname "$0")/../.."

found=$(git ls-files 'base/*.[ch]' 'fs/*.[ch]' 'fuse/*.[ch]' 'scsi/*.[ch]' 'transport/*.[ch]' \
	'tools/*.[ch]' 'launcher/*.[ch]' |
	xargs -r grep -nE '\b(Fspx?[A-Z][A-Za-z]+|FSP_[A-Z]|Spd[A-Z][A-Za-z]+|PWSTR|PVOID|UINT32|UINT64|ULONG)\b' |
	grep -vE '^[^:]+:[0-9]+:( \*|/\*|\t+\*|//|.*/\*.*(Fsp|FSP_).*)' || true)
[ -z "$found" ] || { echo "$found"; exit 1; }
