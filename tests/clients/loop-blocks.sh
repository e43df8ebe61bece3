#!/bin/sh
# Breaks when a unit's block length is not the device's, or when one that Linux has no use for is
# taken all the same.
. "$(dirname "$0")/loop-lib.sh"
need blockdev dd
for block in 512 1024 2048 4096; do
	start size=64 block=$block
	[ "$(blockdev --getss "$device")" = $block ] || fail "block length $block is not shown"
	[ "$(blockdev --getsize64 "$device")" = 67108864 ] || fail "the size"
	head -c $block /dev/urandom >"$dir/data"
	dd if="$dir/data" of="$device" bs=$block seek=5 oflag=direct conv=notrunc status=none
	dd if="$device" bs=$block skip=5 count=1 iflag=direct status=none | cmp - "$dir/data" ||
		fail "one block of $block bytes"
	finish
done
for block in 256 520 8192; do
	"$server" size=64 block=$block 2>"$dir/log" </dev/null && fail "blocks of $block bytes were taken"
	grep -q "blocks of $block bytes: they must be a power of two, 512 to 4096" "$dir/log" ||
		fail "no reason: $(cat "$dir/log")"
done
for name in loop:x 'loop:?speed=1' 'loop:?dio=2' 'loop:?transport=fast'; do
	"$server" size=64 name="$name" 2>"$dir/log" </dev/null && fail "$name was taken"
	grep -q "$name" "$dir/log" || fail "no reason: $(cat "$dir/log")"
done
