#!/usr/bin/env bash
# A file with two names stays in reach by one of them when the other is not: its directory may not be
# searched by the server (an ordinary user's), or the name is gone behind the drive.
# usage: two-names.sh DRIVE BACKING
set -uo pipefail

fail() { echo "FAILED: $*"; exit 1; }
cd "$1" || exit 1
backing=$2

prepare() {
	mkdir "$1" "$1/a" "$1/b" && echo data >"$1/a/file" && ln "$1/a/file" "$1/b/file" ||
		fail "$1: preparations"
	stat "$1/a/file" "$1/b/file" >/dev/null || fail "$1: stat"
}

works() {
	[ "$(cat "$1")" = data ] || fail "$1 cannot be read"
	chmod 600 "$1" || fail "$1: chmod"
	setfattr -n user.x -v y "$1" || fail "$1: setfattr"
	echo more >>"$1" || fail "$1 cannot be written"
	sleep 0.01
	[ "$(stat -c %a "$1")" = 600 ] || fail "$1: stat"
}

prepare closed
chmod 0 "$backing/closed/b"
works closed/a/file
chmod 700 "$backing/closed/b"
prepare closed2
chmod 0 "$backing/closed2/a"
works closed2/b/file
chmod 700 "$backing/closed2/a"

prepare removed
rm "$backing/removed/b/file"
works removed/a/file
prepare removed2
rm "$backing/removed2/a/file"
works removed2/b/file
exit 0
