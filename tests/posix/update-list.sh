#!/bin/sh
# Writes cases.list anew: update-list.sh POSIX-SUITE
set -eu
here=$(dirname "$0")
{
	echo "# All cases: call errno case needs text."
	echo "# needs: root, user or any (who runs it); mounts, exec, dev, suid (what the mount must"
	echo "# allow); ro-dir, small-dir, planted-dir (options of the suite); optional (skipped where"
	echo "# the file system lacks the ability). Made by update-list.sh, compared by test-list.sh."
	"$1" --list
} >"$here/cases.list"
