#!/bin/sh
# Breaks when a partition table does not become device nodes, on a kernel with parsers or without,
# at the start or when the table is written later.
. "$(dirname "$0")/loop-lib.sh"
need sfdisk mkfs.ext4 blockdev

# shown NUMBER START SIZE, in sectors of 512 bytes
shown() {
	part=/sys/block/${device#/dev/}/${device#/dev/}p$1
	[ -e "$part" ] && [ "$(cat "$part/start")" = "$2" ] && [ "$(cat "$part/size")" = "$3" ]
}
gone() { [ ! -e "/sys/block/${device#/dev/}/${device#/dev/}p$1" ]; }
write_table() { sfdisk -q --no-reread --no-tell-kernel --wipe always "$device"; }

# A table that is written while the device is there
start size=256
printf 'label: gpt\nstart=2048,size=40960\nstart=43008,size=102400\n' | write_table
until_true shown 1 2048 40960
until_true shown 2 43008 102400
[ -b "${device}p2" ] || fail "no node for partition 2"
mkfs.ext4 -q "${device}p2"
mkdir "$dir/mnt"
mount "${device}p2" "$dir/mnt"
expect leave "error 16 *${device}p2 is mounted on $dir/mnt"
shown 1 2048 40960 || fail "a partition was lost by a refused leave"

# another one: what is in use stays, what is not goes and comes
printf 'label: gpt\nstart=2048,size=20480\nstart=43008,size=102400\nstart=145408,size=2048\n' | write_table
until_true shown 1 2048 20480
until_true shown 3 145408 2048
shown 2 43008 102400 || fail "the mounted partition was touched"
umount "$dir/mnt"

# MBR with logical partitions
printf 'label: dos\nstart=2048,size=8192,type=83\nstart=10240,size=65536,type=5\nstart=12288,size=4096,type=83\nstart=18432,size=4096,type=83\n' |
	write_table
until_true shown 1 2048 8192
until_true shown 5 12288 4096
until_true shown 6 18432 4096
until_true gone 3

# BLKRRPART makes a kernel without parsers forget them: closing the writer brings them back
blockdev --rereadpt "$device" || :
: >>"$device"
until_true shown 6 18432 4096

# no table at all
dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct conv=notrunc status=none
until_true gone 1
until_true gone 6
expect leave ok
finish

# blocks of 4096 bytes
start size=256 block=4096
printf 'label: gpt\nstart=256,size=5120\n' | write_table
until_true shown 1 2048 40960
finish
[ ! -e "${device}p1" ] || [ -n "$(losetup -n -O NAME "$device")" ] || fail "a node was left"

# not wanted
start size=256 'name=loop:?partscan=0'
printf 'label: gpt\nstart=2048,size=40960\n' | write_table
case $(ask describe) in
*'"partitions"'*) fail "partitions were looked for" ;;
esac
gone 1 || fail "a partition that was not wanted"
finish
