#!/bin/bash
# Breaks when stgtest overlooks a fault of a disk, calls it by a wrong name, finds one where there is
# none, or hangs on a disk that does not answer. Argument: BUILD_ROOT.
. "$(dirname "$0")/lib.sh"

stgtest=$build/tools/stgtest/stgtest
faulty=$build/tests/fault/faulty-disk
unit='\\.\pipe\f\0'

# start_unit [OPTION…]: a faulty disk of 4096 blocks; ready when this returns.
start_unit() {
	rm -f "$work/unit.out"
	"$faulty" -f "$work/image" "$@" f >"$work/unit.out" 2>"$work/unit.err" </dev/null &
	unit_pid=$!
	until_true grep -qs ready "$work/unit.out" || { failed "faulty-disk does not start"; cat "$work/unit.err"; }
}
stop_unit() {
	kill -KILL "$unit_pid" 2>/dev/null
	wait "$unit_pid" 2>/dev/null
}
# finds FAULT NAME CODE OPTION…: planted with -F, is it found and named?
finds() {
	local fault=$1 name=$2 code=$3
	shift 3
	rm -f "$work/image"
	start_unit -F "$fault"
	expect "$code" "$fault" "$stgtest" --mode verify --seed 7 --depth 1 "$@" "$unit"
	check "$fault is called $name" says err "^$name: LBA"
	check "$fault: how to do it again" says err '^replay: stgtest --mode verify --seed 7 '
	stop_unit
}

# The WinSpd form
truncate -s 1M "$work/disk"
expect 0 "WinSpd's form" "$stgtest" -s 5 "$work/disk" 100 WR '*' '*'
check "its command line" says out '^stgtest -s 5 .*/disk 100 "WR" \* \*$'
check "its last line" says out '^OK$'
expect 0 "all letters, fixed address" "$stgtest" -s 1 "$work/disk" 50 wrfur 0x10 3
check "address in two halves" says out '"wrfur" 0:10 3$'
rm -f "$work/image"
start_unit
expect 0 "WinSpd's form on a pipe" "$stgtest" -s 9 "$unit" 200 WRUR '*' '*'
check "OK on a pipe" says out '^OK$'
stop_unit
start_unit -F corrupt:2
expect 3 "WinSpd's form, a corrupt block" "$stgtest" -s 9 "$unit" 20 WR '*' '*'
check "in WinSpd's words" says err '^Read\(Address=0:[0-9a-f]+, Count=[0-9]+\): bad buffer: after Write$'
stop_unit

# Nothing is found where nothing is wrong
rm -f "$work/image"
start_unit
expect 0 "a good unit" "$stgtest" --mode verify --depth 16 --ops 3000 "$unit"
check "says OK" says out '^OK$'
expect 0 "a good unit, sequential" "$stgtest" --mode verify --ops 500 --pattern sequential --json "$unit"
check "as JSON" json result target way seed reads writes bytes_read faults replay
check "no faults" test "$(json_value 'd["result"], d["faults"]')" = "ok []"
stop_unit
expect 0 "a good file" "$stgtest" --mode verify --ops 500 --block-length 4096 "$work/disk"

# Each fault by its name. 64 writes fill the disk.
finds lose:64 'lost write' 3 --mix 1,0,0,0 --ops 10
finds tear:64 'torn write' 3 --mix 1,0,0,0 --ops 10
finds tear-block:64 'torn write' 3 --mix 1,0,0,0 --ops 10
check "torn within a block" says err 'within the block: generation 64 .* meet at byte 256'
finds misplace:64 'misplaced write' 3 --mix 1,0,0,0 --ops 10
check "where it belongs" says err '^misplaced write: LBA 127, 1 block: holds what was written to LBA 4032 '
finds corrupt:64 'corrupt block' 3 --mix 1,0,0,0 --ops 10
check "how much of it" says err '1 of 512 bytes differ'
finds delay:80 'stale read' 3 --mix 50,50,0,0 --ops 200
finds zero:80 'zeroed block' 3 --mix 50,50,0,0 --ops 50
finds unmap-more:1 'zeroed block' 3 --mix 90,0,0,10 --ops 300
finds fail-write:70 'failed request' 4 --mix 50,50,0,0 --ops 50
check "its sense" says err 'CHECK CONDITION: MEDIUM ERROR, WRITE ERROR \(0Ch/00h\), information'
finds fail-read:3 'failed request' 4 --mix 1,0,0,0 --ops 10
finds close:10 'lost connection' 4
finds short:10 'lost connection' 4
check "cut off" says err 'in the middle of a message'
finds wrong-hint:10 'lost connection' 4
finds wrong-kind:10 'lost connection' 4
finds garbage:10 'lost connection' 4
finds huge:10 'lost connection' 4
check "too long" says err 'a message of 4294967295 bytes'
finds hang:10 'lost connection' 4 --timeout 1
check "no answer" says err 'no answer within the time limit'

# Units that are none
for fault in no-params bad-params short-params; do
	start_unit -F "$fault"
	expect 2 "$fault" "$stgtest" --mode verify --connect-timeout 1 "$unit"
	check "$fault: one line" test "$(wc -l <"$work/err")" = 1
	stop_unit
done

# After a crash: what was flushed is there, or it is told what is not.
rm -f "$work/image"
start_unit
expect 0 "a run with a journal" "$stgtest" --mode verify --state "$work/state" --ops 500 "$unit"
stop_unit
start_unit
expect 0 "a kill after it" "$stgtest" --verify-only "$work/state"
check "all is there" says out '^OK$'
stop_unit
rm -f "$work/image"
start_unit -F lie
expect 0 "a unit that lies about flush" "$stgtest" --mode verify --state "$work/state" --fua 0 --ops 500 "$unit"
stop_unit
start_unit
expect 3 "is found out" "$stgtest" --verify-only "$work/state" "$unit"
check "as lost writes" says err '^lost write: LBA .* was acknowledged and flushed'
stop_unit
rm -f "$work/image"
start_unit
rm -f "$work/state"
timeout 60 "$stgtest" --mode verify --state "$work/state" --ops 4000000 --depth 16 "$unit" >"$work/out" 2>"$work/err" &
run=$!
# Well beyond the fill, with flushes
well_under_way() { [ "$(stat -c %s "$work/state" 2>/dev/null || echo 0)" -gt 40000 ]; }
until_true well_under_way
stop_unit
wait "$run"
check "a kill during the run ends it" test $? = 4
start_unit
expect 0 "and what was flushed is there" "$stgtest" --verify-only "$work/state"
stop_unit

# Usage
expect 1 "no arguments" "$stgtest"
expect 1 "no such option" "$stgtest" --nonsense x
expect 1 "a seed that is no number" "$stgtest" -s x "$work/disk" 1
expect 1 "letters that are no requests" "$stgtest" "$work/disk" 1 RXW
expect 1 "two disks" "$stgtest" --mode verify a b
expect 1 "no such mode" "$stgtest" --mode quick "$work/disk"
expect 1 "an empty range" "$stgtest" --mode verify --range 0:0 "$work/disk"
expect 1 "a state file that is none" "$stgtest" --verify-only "$work/disk"
expect 2 "no such file" "$stgtest" --mode verify "$work/none"
check "which one" says err '/none: No such file'
expect 2 "no such pipe" "$stgtest" '\\.\pipe\none\0' 1
check "who does not serve" says err 'no program serves it'
expect 2 "a pipe name with a way out" "$stgtest" '\\.\pipe\..\..\x\0' 1
expect 2 "an empty file" "$stgtest" /dev/null 1
expect 0 "help" "$stgtest" --help
check "examples" says out '^Examples:'
expect 0 "version" "$stgtest" --version
check "version" says out '^stgtest [0-9]'
finish
