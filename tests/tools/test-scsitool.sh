#!/bin/bash
# Breaks when scsitool prints something else, overlooks an error, or hangs on a target that lies.
# Argument: BUILD_ROOT.
# shellcheck source=tests/tools/lib.sh
. "$(dirname "$0")/lib.sh"

scsitool=$build/tools/scsitool/scsitool
ramdisk=$build/examples/ramdisk/ramdisk
unit='\\.\pipe\d\0'
good='/dev/null'

# asks CODE TITLE COMMAND ARGUMENT…: the unit
asks() { expect "$1" "$2" "$scsitool" "$3" "$unit" "${@:4}"; }
# exactly FILE TEXT: what was said
exactly() { printf '%s\n' "$2" | diff - "$work/$1" >"$work/diff" || { cat "$work/diff"; return 1; }; }
# ends_with LINE: the last line of what was said
ends_with() { [ "$(tail -1 "$work/out")" = "$1" ]; }

# serve NAME [OPTION…]: a disk in memory on \\.\pipe\NAME\0
serve() {
	"$ramdisk" --size 16M -p '\\.\pipe\'"$1" "${@:2}" >"$work/$1.out" 2>"$work/$1.err" </dev/null &
	children+=($!)
	until_true test -S "$work/run/pipe/$1/0.cdb" || { cat "$work/$1.err"; failed "ramdisk does not start"; finish; }
}
serve d

# The three forms, exactly
expect 0 "capacity, canonical" "$scsitool" -c capacity "$unit"
check "as WinSpd prints" exactly out 'RETURNED LOGICAL BLOCK ADDRESS=32767 7fffh
BLOCK LENGTH IN BYTES=512 200h'
asks 0 "capacity, table" capacity
check "byte, name, value" exactly out '   0    RETURNED LOGICAL BLOCK ADDRESS                32767 7fffh
   4    BLOCK LENGTH IN BYTES                         512 200h'
expect 0 "capacity, JSON" "$scsitool" --json capacity "$unit"
check "an object" exactly out '{"returned_logical_block_address":32767,"block_length_in_bytes":512}'
expect 0 "luns" "$scsitool" -c luns "$unit"
check "one LUN" exactly out 'LUN LIST LENGTH (n-7)=8
Reserved=0
LUN=0'
expect 0 "luns with an address" "$scsitool" -c luns "$unit" 0:0:0
expect 0 "capacity of a pipe by its target number" "$scsitool" -c capacity '\\.\pipe\d' 0:0:0
expect 0 "inquiry" "$scsitool" -c inquiry "$unit"
check "the product" says out '^PRODUCT IDENTIFICATION=RamDisk         $'
check "not removable" says out '^RMB=0$'
expect 0 "vpd80" "$scsitool" -c vpd80 "$unit"
check "serial number" says out '^PRODUCT SERIAL NUMBER=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
expect 0 "mode-caching" "$scsitool" -c mode-caching "$unit"
refute "no warnings" says out WARN
asks 0 "ready" ready
check "GOOD" exactly out GOOD

# Everything that can be asked answers, in all three forms, with no length that lies
for command in luns inquiry vpd0 vpd80 vpd83 vpd86 vpd8f vpdb0 vpdb1 vpdb2 'vpd page=0xb0' mode-sense \
	mode-caching mode-control capacity capacity16 request-sense 'get-lba-status lba=5' log-sense \
	'log-sense page=0x0c' opcodes 'opcode opcode=0x28' 'opcode opcode=0x9e action=0x10' tmf-list port-groups \
	pr-keys pr-reservation pr-capabilities pr-status defects copy-parameters; do
	read -r name arguments <<<"$command"
	# shellcheck disable=SC2086
	expect 0 "$command" "$scsitool" -c "$name" "$unit" $arguments
	refute "$command warns" says out 'WARN'
	# shellcheck disable=SC2086
	expect 0 "$command as JSON" "$scsitool" --json "$name" "$unit" $arguments
	check "$command: an object" json
done

# Blocks
asks 0 "write" write lba=5 count=2 data=hex:a5
asks 0 "read" read lba=6
check "in hexadecimal" says out '^000001f0  (a5 ){15}a5  \.{16}$'
asks 0 "read to a file" read lba=5 count=2 "file=$work/blocks"
check "1024 bytes" test "$(stat -c %s "$work/blocks")" = 1024
asks 0 "verify with data" verify lba=5 count=2 "data=$work/blocks"
asks 3 "verify with other data" verify lba=5 count=2 data=hex:a6
check "miscompare" says err 'MISCOMPARE DURING VERIFY OPERATION \(1Dh/00h\)'
asks 0 "compare-and-write" compare-and-write lba=5 data=hex:a5
asks 0 "write-same" write-same lba=100 count=8 data=hex:1122
asks 0 "copy" copy from=100 to=200 count=8
asks 0 "orwrite" orwrite lba=200 count=1 data=hex:8800
asks 0 "verify what came of it" verify lba=200 data=hex:9922
asks 0 "prefetch" prefetch lba=0 count=8
check "CONDITION MET or GOOD" says out '^(CONDITION MET|GOOD)$'
asks 0 "sync" sync
asks 0 "unmap" unmap lba=5 count=2
asks 0 "unmapped blocks are zeroes" verify lba=5 count=2 data=zero
asks 3 "beyond the end" read lba=32768
check "the standard's words" says err 'ILLEGAL REQUEST, LOGICAL BLOCK ADDRESS OUT OF RANGE \(21h/00h\)'
check "the sense data" says err 'SENSE KEY +5  ILLEGAL REQUEST'
expect 3 "the sense data, canonical" "$scsitool" -c verify "$unit" lba=99999999
check "NAME=VALUE" says err '^ADDITIONAL SENSE CODE=33 21h$'
expect 3 "the sense data, JSON" "$scsitool" --json verify "$unit" lba=99999999
check "an object" test "$(json_value 'd["status"], d["sense"]["additional_sense_code"]')" = "2 33"
asks 5 "a file that is too short" write lba=0 count=3 "data=$work/blocks"

# State
asks 0 "mode-select" mode-select page=10 swp=1
asks 3 "software write protect" write data=zero
check "says so" says err 'LOGICAL UNIT SOFTWARE WRITE PROTECTED \(27h/02h\)'
asks 0 "and back" mode-select page=0x0a swp=0
asks 0 "writes again" write data=zero
asks 1 "no such field" mode-select page=8 nonsense=1
asks 1 "a value that is too wide" mode-select page=8 wce=2
asks 0 "stop" stop
asks 3 "not ready" ready
asks 0 "start" start
asks 0 "ready again" ready
asks 0 "reset" reset
asks 0 "reset of the target" reset what=target
asks 0 "register" pr-register new-key=0x123
expect 0 "the key is there, for the same initiator" "$scsitool" -c pr-keys "$unit"
check "the key" says out '^RESERVATION KEY=291 123h$'
asks 0 "reserve" pr-reserve key=0x123 type=5
asks 0 "reservation" pr-reservation
check "its type in words" says out 'Write Exclusive, Registrants Only'
asks 4 "somebody else is kept out" write data=zero
check "conflict" says err 'RESERVATION CONFLICT'
expect 4 "another initiator has no key" "$scsitool" --initiator other pr-release "$unit" key=0x123 type=5
asks 0 "clear" pr-clear key=0x123
asks 0 "all may write" write data=zero
asks 0 "raw" raw 12 00 00 00 24 00 in=36
check "36 bytes" says out '^00000020  31 2e 30 20 +1\.0 $'
asks 3 "raw, an opcode that is none" raw ff 00 00 00 00 00
asks 0 "raw, data out" raw 8a000000000000000000000000010000 out=hex:55 n=512
asks 0 "it arrived" verify lba=0 data=hex:55
asks 0 "sanitize" sanitize action=block-erase
asks 3 "eject what is not removable" eject
serve r --removable
expect 0 "prevent, by a nexus that then ends" "$scsitool" prevent '\\.\pipe\r\0'
expect 0 "eject" "$scsitool" eject '\\.\pipe\r\0'
expect 0 "devpath of a pipe" "$scsitool" devpath "$unit"
check "its socket" ends_with "$work/run/pipe/d/0"

# Ways in without CDBs
truncate -s 64K "$work/file"
expect 0 "write to a file" "$scsitool" write "$work/file" lba=1 data=hex:77
expect 0 "read from a file" "$scsitool" read "$work/file" lba=1
check "what was written" says out '^00000000  (77 ){15}77'
expect 2 "inquiry of a file" "$scsitool" inquiry "$work/file"
check "why not" says err 'takes no SCSI commands'
expect 2 "beyond the end of a file" "$scsitool" read "$work/file" lba=128

# Peers that lie: a clear error, in time
peer() {
	rm -f "$work/peer"
	python3 "$top/tests/tools/cdb-peer.py" "$work/run/pipe/p/0.cdb" "$1" >"$work/peer" 2>&1 &
	peer_pid=$!
	until_true grep -qs ready "$work/peer" || failed "the peer does not start: $(cat "$work/peer")"
}
end_peer() {
	kill -KILL "$peer_pid" 2>/dev/null
	wait "$peer_pid" 2>/dev/null
	rm -f "$work/run/pipe/p/0.cdb"
}
# lies HOW CODE PATTERN
lies() {
	peer "$1"
	expect "$2" "a peer that lies: $1" "$scsitool" --bare --timeout 1 --connect-timeout 1 inquiry '\\.\pipe\p\0'
	check "$1: says $3" says err "$3"
	end_peer
}
lies silent 2 'no greeting'
lies bad-hello 2 'is no unit'
lies old-version 2 'version 99'
lies no-limit 2 'limit of 0 bytes'
lies huge-hello 2 'message of 2147483647 bytes'
lies hang 2 'no answer within the time limit'
lies close 2 'closed the connection'
lies half 2 'in the middle of a message'
for how in unknown-tag too-much lying-length sense-beyond short-answer empty noise; do
	lies "$how" 2 'answered what was not asked'
done
lies huge 2 'message of 4294967295 bytes'
lies long-sense 3 'without sense data that can be read'
lies odd-status 4 '.'
peer good
expect 0 "an answer without data" "$scsitool" -c --bare inquiry '\\.\pipe\p\0'
check "nothing is made up" test ! -s "$work/out"
expect 2 "a capacity of no bytes" "$scsitool" read '\\.\pipe\p\0'
check "is an error" says err 'READ CAPACITY returned 0 bytes'
end_peer

# Usage
expect 1 "no command" "$scsitool"
expect 1 "no such command" "$scsitool" nonsense "$good"
expect 1 "no device" "$scsitool" inquiry
expect 1 "no such option" "$scsitool" --nonsense inquiry "$good"
asks 1 "an argument that the command does not take" inquiry lba=1
asks 1 "a number that is too large" prevent lba=x
asks 1 "a value beyond its field" mode-sense page=64
asks 1 "a required argument" vpd
expect 1 "an address that is none" "$scsitool" capacity "$unit" 0:0:0:0
expect 1 "another bus" "$scsitool" capacity "$unit" 1:0:0
asks 1 "a CDB that is too short" raw 12
expect 2 "no such device" "$scsitool" inquiry "$work/none"
expect 2 "no such pipe" "$scsitool" inquiry '\\.\pipe\none\0'
expect 2 "a character device that is no disk" "$scsitool" inquiry "$good"
expect 2 "an iSCSI target that is not there" "$scsitool" inquiry iscsi://127.0.0.1:1/iqn.2026-01.org.example:x/0
expect 2 "a secret in the URL" "$scsitool" inquiry iscsi://me%secret@127.0.0.1/iqn/0
refute "is not repeated" says err 'secret@'
expect 0 "help" "$scsitool" --help
check "examples" says out '^Examples:'
expect 0 "version" "$scsitool" --version
finish
