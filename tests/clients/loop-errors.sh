#!/bin/sh
# Breaks when an error of the program is not an I/O error of exactly that request.
. "$(dirname "$0")/loop-lib.sh"
need dd
start size=64
dd if=/dev/urandom of="$device" bs=64k count=1 oflag=direct status=none
expect "fail 2" ok
! dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct status=none 2>"$dir/log" || fail "written"
grep -q "Input/output error" "$dir/log" || fail "$(cat "$dir/log")"
dd if="$device" of=/dev/null bs=4k count=1 iflag=direct status=none
expect "fail 1" ok
! dd if="$device" of=/dev/null bs=4k count=1 iflag=direct status=none 2>"$dir/log" || fail "read"
grep -q "Input/output error" "$dir/log" || fail "$(cat "$dir/log")"
dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct status=none
expect "fail 3" ok
! dd if=/dev/zero of="$device" bs=4k count=1 conv=fsync status=none 2>/dev/null || fail "flushed"
expect "fail 0" ok
dd if=/dev/zero of="$device" bs=4k count=1 conv=fsync status=none
dd if="$device" of=/dev/null bs=4k count=1 iflag=direct status=none
[ "$(counter errors)" -gt 2 ] || fail "errors were not counted"
finish
