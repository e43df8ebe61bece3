#!/bin/sh
# Breaks when a protected unit, or one that is to be shown read-only, can be written through the device.
. "$(dirname "$0")/loop-lib.sh"
need blockdev dd blkdiscard
for how in protected=1 'name=loop:?ro'; do
	start size=64 "$how"
	[ "$(blockdev --getro "$device")" = 1 ] || fail "$how: the device is not read-only"
	! dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct status=none 2>/dev/null ||
		fail "$how: written"
	blockdev --setrw "$device" 2>/dev/null || :
	! dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct status=none 2>/dev/null ||
		fail "$how: written after setrw"
	! blkdiscard -f "$device" 2>/dev/null || fail "$how: discarded"
	dd if="$device" of=/dev/null bs=64k count=4 iflag=direct status=none
	[ "$(counter writes)" = 0 ] || fail "$how: a write came through"
	finish
done
