#!/usr/bin/env bash
# Breaks when a disk over the local door loses data, its identity or itself. Needs neither root nor
# a kernel door.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
rawdisk=$build/examples/rawdisk/rawdisk
ramdisk=$build/examples/ramdisk/ramdisk
disk() { timeout 60 python3 "$top/tests/tools/disk.py" "$@" >"$work/disk.out" 2>&1; }
answers() { disk "$@" || { cat "$work/disk.out"; return 1; }; }
# senses PATTERN NAME COMMAND…: it fails with that sense.
senses() {
	local pattern=$1
	shift
	if disk "$@"; then return 1; fi
	grep -qE "$pattern" "$work/disk.out" || { cat "$work/disk.out"; return 1; }
}
guid_of() { disk "$1" params && sed 's/ .*//' "$work/disk.out"; }
pid_of_disk() { "$userdrive" info "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])'; }
image=$work/disk.img
pipe='\\.\pipe\one'
cd "$work" || exit 1

expect 0 "attach a new image" "$userdrive" attach disk.img --size 8M --door "$pipe"
check "it says where" says out '^\\\\\.\\pipe\\one'
check "and how to end it" says out 'userdrive detach'
pid=$(pid_of_disk "$image")
check "its process lives" alive "$pid"
check "the image is sparse" test "$(($(stat -c %b "$image") * 512))" -lt $((1 << 20))
check "it has a partition table" answers one signature
guid=$(guid_of one)
expect 0 "list" "$userdrive" list
check "list shows it" says out "^.*pipe.one.* rawdisk .* 8 MiB .*$image"
expect 0 "list --json" "$userdrive" list --json
check "as an object" json kind url program pid size block_length source server
check "of its size" test "$(json_value 'd[0]["size"]')" = $((8 << 20))
ln -s disk.img link.img
for what in "$image" ./disk.img link.img "$pid" "$pipe"; do
	expect 0 "info $what" "$userdrive" info "$what"
	check "info names the image" says out "^source +$work/disk.img"
	expect 0 "info $what --json" "$userdrive" info "$what" --json
	check "the same disk" test "$(json_value 'd["pid"]')" = "$pid"
done
expect 0 "doctor has nothing to say" "$userdrive" doctor

check "write and read" answers one fill 100 3000 65 + check 100 3000 65 + flush
check "beyond the end" senses 'sense 5/21/00' one fill 16384 1 0
check "unmapped blocks are zero" answers one unmap 200 100 + check 200 100 0 + check 100 100 65

expect 4 "a second server" "$userdrive" attach "$image" --door '\\.\pipe\two'
check "is told who has it" says err "in use by process $pid"
expect 4 "also when it only reads" "$userdrive" attach "$image" --ro --door '\\.\pipe\two'
if command -v qemu-io >/dev/null; then
	expect 1 "QEMU is kept away" qemu-io -f raw -c 'write 0 512' "$image"
fi
expect 2 "the same name" "$userdrive" attach other.img --size 1M --door "$pipe"
check "no image is left of it" test ! -e other.img

expect 2 "a good door and a bad one" "$userdrive" attach other.img --size 1M --door '\\.\pipe\two' --door 'wormhole:'
check "no image is left of it" test ! -e other.img
check "nor the good door" test ! -e "$work/run/pipe/two/0"

expect 0 "grow" "$userdrive" resize "$image" 16M
check "the image" test "$(stat -c %s "$image")" = $((16 << 20))
check "the disk" answers one fill 32767 1 66 + check 32767 1 66
expect 3 "shrink" "$userdrive" resize disk.img 8M
check "the message says what is lost" says err '--force'
check "it is as it was" answers one check 32767 1 66
expect 1 "an odd size" "$userdrive" resize disk.img 1000
expect 0 "shrink by force" "$userdrive" resize --force "$image" 8M
check "the image" test "$(stat -c %s "$image")" = $((8 << 20))
check "behind the end" senses 'sense 5/21/00' one check 32767 1 66
check "the rest is there" answers one check 300 2000 65

expect 0 "detach" "$userdrive" detach disk.img
check "its process has ended" until_false alive "$pid"
check "nothing is left" test "$("$userdrive" list --json)" = "[]"
check "nor its socket" test ! -e "$work/run/pipe/one/0"
check "what was written is in the image" python3 -c '
import sys
f = open(sys.argv[1], "rb"); f.seek(100 * 512)
sys.exit(f.read(51200) != b"A" * 51200)' "$image"
expect 2 "detach again" "$userdrive" detach disk.img

# A crash
expect 0 "attach again" "$userdrive" attach "$image" --door "$pipe" --json
check "an object" json url program pid size
check "it is the same disk" test "$(guid_of one)" = "$guid"
check "acknowledged writes" answers one fill 10 10 70 fua + fill 20 10 71 + flush
kill -KILL "$(pid_of_disk "$image")"
check "a dead disk is gone from the list" until_true bash -c '[ "$("$1" list --json)" = "[]" ]' - "$userdrive"
expect 0 "attach after a crash" "$userdrive" attach "$image" --door "$pipe"
check "it is the same disk" test "$(guid_of one)" = "$guid"
check "with its data" answers one check 10 10 70 + check 20 10 71 + check 100 100 65
expect 0 "stop by image" "$userdrive" stop "$image"

# Images that fail
expect 0 "attach" "$userdrive" attach "$image" --door "$pipe"
truncate -s 4M "$image"
check "what is there is read" answers one check 100 100 65
check "what was cut off is an error" senses 'sense 3/11/00 info 8192' one check 8190 10 0
check "and is not made up" senses 'sense 3/0c/00' one fill 9000 1 1
check "the image stays short" test "$(stat -c %s "$image")" = $((4 << 20))
expect 0 "stop by name" "$userdrive" stop "$pipe"
truncate -s 8M "$image"
expect 0 "attach below a limit" bash -c 'ulimit -f 4096; exec "$@"' - "$userdrive" attach "$image" --door "$pipe"
check "room up to the limit" answers one fill 8000 100 1 + flush
check "no room behind it" senses 'sense 7/27/07' one fill 9000 1 1
check "the disk lives on" answers one check 8000 100 1 + flush
expect 0 "detach" "$userdrive" detach "$image"

# Protection
expect 0 "attach read-only" "$userdrive" attach "$image" --ro --door "$pipe"
check "reads" answers one check 8000 100 1
check "does not write" senses 'sense 7/27/00' one fill 0 1 1
check "nor unmap" senses 'sense 7/27/00' one unmap 0 1
check "flushes all the same" answers one flush
check "it is the same disk" test "$(guid_of one)" = "$guid"
expect 3 "resize of a read-only disk" "$userdrive" resize "$image" 16M
expect 0 "detach" "$userdrive" detach "$image"

# Past the page cache, where the file system can
timeout 50 "$userdrive" attach "$image" --direct --door "$pipe" >"$work/out" 2>"$work/err"
case $? in
0)
	check "direct I/O" answers one fill 3 2001 80 + check 3 2001 80 + unmap 3 1 + check 3 1 0 + check 4 2000 80 + flush
	expect 0 "detach" "$userdrive" detach "$image"
	;;
4) check "direct I/O that is not there is told" says err 'direct' ;;
*) failed "attach --direct" ;;
esac

# A program that does not answer
expect 0 "attach" "$userdrive" attach "$image" --door "$pipe"
pid=$(pid_of_disk "$image")
kill -STOP "$pid"
expect 4 "doctor finds a silent one" "$userdrive" doctor
check "and names it" says out "process $pid.*does not answer"
kill -CONT "$pid"
expect 0 "doctor is content when it answers again" "$userdrive" doctor
expect 0 "detach" "$userdrive" detach "$image"

# Programs
expect 0 "attach ramdisk" "$userdrive" attach ramdisk --size 32M --memory 1M --door '\\.\pipe\ram' --door '\\.\pipe\ram2'
check "both doors are told" says out 'pipe.ram2'
check "write, read at the other" answers ram fill 0 100 9
check "write, read at the other" answers ram2 check 0 100 9 + check 100 1000 0
check "its memory has a limit" senses 'sense 7/27/07' ram fill 2048 8192 1
check "unmapped memory comes back" answers ram unmap 0 65536 + fill 4096 1024 2 + check 4096 1024 2
expect 3 "it has a fixed size" "$userdrive" resize '\\.\pipe\ram' 64M
expect 0 "detach by one of its names" "$userdrive" detach '\\.\pipe\ram2'
ln -s "$ramdisk" my-disk
expect 0 "a program by path" "$userdrive" attach ./my-disk --size 1M --door '\\.\pipe\mine'
expect 0 "stop --all" "$userdrive" stop --all
check "nothing is left" test "$("$userdrive" list --json)" = "[]"

# Over the network
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=iscsi://127.0.0.1:$port/iqn.2026-01.org.example:disk
expect 0 "attach over iSCSI" "$userdrive" attach "$image" --door "$url"
check "how Linux connects" says out "iscsiadm -m node -T iqn.2026-01.org.example:disk -p 127.0.0.1:$port --login"
check "how Windows connects" says out 'Connect-IscsiTarget -NodeAddress iqn.2026-01.org.example:disk'
check "how QEMU connects" says out "drive file=$url/0,format=raw"
if command -v iscsi-readcapacity16 >/dev/null; then
	expect 0 "libiscsi reads its capacity" timeout 20 iscsi-readcapacity16 "$url/0"
	check "which is right" says out 'Total size:8388608'
fi
expect 2 "a second one at the same address" "$userdrive" attach other.img --size 1M --door "$url"
check "no image is left of it" test ! -e other.img
expect 0 "detach by URL" "$userdrive" detach "$url"

# Foreground
"$userdrive" attach --foreground ramdisk --size 1M --door '\\.\pipe\fore' >"$work/fore" 2>&1 &
fore=$!
check "attach --foreground says where" until_true grep -q 'pipe.fore' "$work/fore"
check "it serves" answers fore fill 0 1 1
kill -TERM "$fore"
wait "$fore"
check "and ends when told" test $? = 0
"$rawdisk" -f winspd.img -c 2048 -l 1024 -p '\\.\pipe\classic' >"$work/classic" 2>&1 &
classic=$!
children+=("$classic")
check "WinSpd's form" until_true answers classic params
check "of that size" grep -q 'blocks=2048 length=1024' "$work/disk.out"
check "it says what it understood" grep -qF -- "-c 2048 -l 1024 -i 'RawDisk' -r '1.0' -W 1 -C 1 -U 1" "$work/classic"
kill -INT "$classic"
wait "$classic"
check "ends at the keyboard's signal" test $? = 0
check "its image stays" test "$(stat -c %s winspd.img)" = $((2 << 20))
check "nothing is left" test "$("$userdrive" list --json)" = "[]"
check "no door's socket is left" test -z "$(find "$work/run/pipe" -type s)"
# Of the one that was killed, it goes when whoever adopted it has waited for it.
for socket in "$work"/run/control/*.sock; do
	[ ! -e "$socket" ] || refute "no control socket is left" alive "$(basename "$socket" | cut -d- -f1)"
done
finish
