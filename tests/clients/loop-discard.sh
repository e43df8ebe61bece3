#!/bin/sh
# Breaks when discards and zeroes do not reach the unit as they should: not at all where it has no
# unmap, and with zeroes as the result where it does not promise them.
. "$(dirname "$0")/loop-lib.sh"
need blkdiscard dd

fill() { dd if=/dev/zero bs=1M count=8 status=none | tr '\0' 'x' | dd of="$device" bs=1M oflag=direct iflag=fullblock status=none; }

start size=64
fill
expect "zeroes 0 16384" no
blkdiscard -f -o 1048576 -l 1048576 "$device"
expect "zeroes 2048 2048" yes
expect "zeroes 0 2048" no
[ "$(counter n_unmapped)" = 2048 ] || fail "the discard was not one of 2048 blocks"
blkdiscard -f -z -o 4194304 -l 1048576 "$device"
expect "zeroes 8192 2048" yes
[ "$(counter n_unmapped)" = 2048 ] || fail "zeroes were unmapped"
finish

# The kernel's "write zeroes, storage may go" is the same request as a discard.
start size=64 dirt=1
fill
fallocate -p -o 1048576 -l 1048576 "$device"
expect "zeroes 2048 2048" yes
[ "$(counter n_unmapped)" = 2048 ] || fail "the unit was not told"
finish

start size=64 unmap=0
fill
# The kernel learns it by the first refusal, which it may not pass on.
blkdiscard -f -o 1048576 -l 1048576 "$device" 2>/dev/null || :
expect "zeroes 2048 2048" no
[ "$(cat "/sys/block/${device#/dev/}/queue/discard_max_bytes")" = 0 ] || fail "discard is offered"
blkdiscard -f -z -o 1048576 -l 1048576 "$device"
expect "zeroes 2048 2048" yes
[ "$(counter n_unmaps)" = 0 ] || fail "unmap reached a unit that has none"
finish
