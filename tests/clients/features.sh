#!/usr/bin/env bash
# What memfs and its mount options give beyond POSIX; one feature a call.
# usage: features.sh FEATURE DIRECTORY
set -uo pipefail
feature=$1
cd "$2" || exit 1

fail() { echo "$feature: $*"; exit 1; }
expect() { # WHAT COMMAND…: the command's output
	local want=$1 got
	shift
	got=$("$@" 2>&1)
	[ "$got" = "$want" ] || fail "'$*' gave '$got', expected '$want'"
}

case $feature in
streams-windows)
	echo main >file
	echo other >file:stream
	expect main cat file
	expect other cat file:stream
	expect file ls
	rm file:stream && expect main cat file
	cat file:stream 2>/dev/null && fail "a removed stream can be read"
	;;
streams-xattr)
	command -v setfattr >/dev/null || { echo "skip: no setfattr (package attr)"; exit 77; }
	echo main >file
	setfattr -n user.stream -v "other" file || fail "setfattr"
	expect other getfattr --only-values -n user.stream file
	expect main cat file
	setfattr -x user.stream file || fail "setfattr -x"
	getfattr --only-values -n user.stream file 2>/dev/null && fail "still there"
	;;
nt-xattrs)
	command -v getfattr >/dev/null || { echo "skip: no getfattr (package attr)"; exit 77; }
	: >file
	size=$(getfattr --only-values -n system.ntfs_acl file 2>/dev/null | wc -c)
	[ "$size" -ge 20 ] || fail "system.ntfs_acl has $size bytes"
	getfattr -e hex -n system.ntfs_attrib file 2>/dev/null | grep -q 0x20 || fail "no archive attribute"
	[ "$(getfattr --only-values -n system.ntfs_times file 2>/dev/null | wc -c)" = 32 ] || fail "system.ntfs_times"
	;;
case-insensitive)
	echo one >File
	expect one cat FILE
	expect File ls
	mkdir Dir && (mkdir DIR 2>/dev/null) && fail "two names that differ in case only"
	echo two >dir/x && expect two cat DIR/X
	mv File other && [ ! -e file ] || fail "the old name stayed"
	;;
limits)
	dd if=/dev/zero of=big bs=1M count=64 oflag=direct 2>err && fail "a file beyond MaxFileSize"
	grep -q "No space left" err || fail "$(tail -1 err)"
	for i in $(seq 200); do : >"n$i" 2>/dev/null || break; done
	[ "$i" -lt 200 ] || fail "more files than MaxFileNodes"
	rm -f ./* && : >again || fail "room that was given back is not there"
	;;
slow)
	for i in $(seq 20); do
		head -c 100000 /dev/urandom >"f$i"
		sha256sum <"f$i" >"s$i"
	done
	echo 3 >/proc/sys/vm/drop_caches 2>/dev/null
	for i in $(seq 20); do
		sha256sum <"f$i" | cmp -s - "s$i" || fail "f$i reads back different"
	done
	[ "$(ls | wc -l)" = 40 ] || fail "the listing lost entries"
	;;
birth-time)
	: >file
	born=$(stat -c %W file)
	[ "$born" -gt 0 ] || fail "no birth time"
	touch -d '2001-01-01' file && expect "$born" stat -c %W file
	;;
*) fail "unknown feature" ;;
esac
echo "$feature: right"
