#!/bin/sh
# Breaks when a line of C is wider than 100 columns, tabs being 8.
set -eu
cd "$(dirname "$0")/../.."

found=$(git ls-files -- '*.c' '*.h' | while read -r file; do
	expand -t 8 "$file" | LC_ALL=C.UTF-8 grep -nE '^.{101}' | while read -r line; do echo "$file:$line"; done || true
done)
[ -z "$found" ] || { echo "$found"; exit 1; }
