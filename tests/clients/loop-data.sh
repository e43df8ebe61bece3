#!/bin/sh
# Breaks when what is written to the device is not what is read from it, whatever the queue depth, the
# transport, the block length, or the thread that answers.
. "$(dirname "$0")/loop-lib.sh"
need fio
start "$@" size=192

# jobs on areas of their own, each verified; small blocks deep, large ones, then both mixed
verify() {
	timeout 120 fio --name=data --filename="$device" --direct=1 --ioengine=libaio \
		--verify=crc32c --do_verify=1 --verify_fatal=1 --size=24m --offset_increment=24m \
		--group_reporting --output="$dir/fio" "$@" || { cat "$dir/fio"; fail "fio $*"; }
}
verify --rw=randwrite --bs=4k --iodepth=32 --numjobs=4
verify --rw=write --bs=1m --iodepth=4 --numjobs=2
verify --rw=randrw --bsrange=4k-256k --blockalign=4k --iodepth=16 --numjobs=4
verify --rw=randwrite --bs=64k --iodepth=1 --fsync=8 --direct=0 --ioengine=psync

[ "$(counter errors)" = 0 ] || fail "errors were counted"
[ "$(counter n_flushes)" -gt 0 ] || fail "no flush has reached the unit"
case "$*" in
*delay=*) [ "$(counter parked)" -gt 0 ] || fail "no request was answered later" ;;
esac
finish
