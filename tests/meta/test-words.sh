#!/bin/sh
# Breaks when something unfinished, or an absolute path of a developer's machine, is checked in.
set -eu
cd "$(dirname "$0")/../.."

found=$(git grep -nIE 'TODO|FIXME|XXX[^X]|HACK|/root/|/home/[a-z]' -- . ':!tests/meta' ':!LICENSE' |
	grep -vE 'XXXXXX' || true)
[ -z "$found" ] || { echo "$found"; exit 1; }
