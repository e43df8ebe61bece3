#!/usr/bin/env bash
# Breaks when the kernel goes on believing its caches after FspFileSystemNotify.
# usage: notify.sh DIRECTORY SERVER_PID
set -uo pipefail
cd "$1" || exit 1
server=$2

printf abc >watched
: >gone
[ "$(stat -c %s watched)" = 3 ] && [ ! -e born ] && [ -e gone ] || exit 1
# Without an announcement the kernel never asks again: what it knows does not expire.
ls >/dev/null
kill -USR1 "$server"
for _ in $(seq 100); do
	if [ "$(stat -c %s watched)" = 4 ] && [ -e born ] && [ ! -e gone ] &&
		[ "$(cat watched)" = 'abc!' ] && ls | grep -qx born; then
		echo "the announcement was seen"
		exit 0
	fi
	sleep 0.05
done
echo "after 5 s: $(stat -c %s watched) bytes, $(ls | tr '\n' ' ')"
exit 1
