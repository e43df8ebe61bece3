#!/bin/bash
# Breaks when the tools cannot use an iSCSI target, show its secret, or hang on one that lies.
# Argument: BUILD_ROOT.
# shellcheck source=tests/tools/lib.sh
. "$(dirname "$0")/lib.sh"

scsitool=$build/tools/scsitool/scsitool
stgtest=$build/tools/stgtest/stgtest
ramdisk=$build/examples/ramdisk/ramdisk
iqn=iqn.2026-01.org.example:tools

"$scsitool" inquiry iscsi://127.0.0.1:1/x/0 2>&1 | grep -q 'without libiscsi' && skip "built without libiscsi"

# serve OPTIONS: $url is where it is
serve() {
	"$ramdisk" --size 8M -p "iscsi://127.0.0.1:0/$iqn/0$1" >"$work/target.out" 2>"$work/target.err" </dev/null &
	target_pid=$!
	children+=("$target_pid")
	until_true grep -qs '^iscsi://' "$work/target.out" || { cat "$work/target.err"; failed "no target"; finish; }
	url=$(grep '^iscsi://' "$work/target.out")
	url=${url%%\?*}
}

serve ""
expect 0 "capacity" "$scsitool" -c capacity "$url"
check "16384 blocks" says out '^RETURNED LOGICAL BLOCK ADDRESS=16383 3fffh$'
expect 0 "with header digests" "$scsitool" -c capacity "$url?digest=crc32c"
expect 3 "another LUN" "$scsitool" capacity "$url" 0:0:5
check "is not there" says err 'LOGICAL UNIT NOT SUPPORTED'
expect 0 "write" "$scsitool" write "$url" lba=1 count=100 data=hex:5a
expect 0 "verify" "$scsitool" verify "$url" lba=1 count=100 data=hex:5a
expect 0 "register" "$scsitool" pr-register "$url" new-key=7
expect 0 "reserve, as the same initiator" "$scsitool" pr-reserve "$url" key=7 type=3
expect 4 "another initiator" "$scsitool" --initiator iqn.2026-01.org.example:other write "$url" data=zero
check "is kept out" says err 'RESERVATION CONFLICT'
expect 0 "clear" "$scsitool" pr-clear "$url" key=7
expect 0 "reset of the unit" "$scsitool" reset "$url"
expect 0 "reset of the target" "$scsitool" reset "$url" what=target
expect 0 "WinSpd's test" "$stgtest" -s 1 "$url" 100 WRUR '*' '*'
expect 0 "verifying test" "$stgtest" --mode verify --ops 1000 --depth 32 "$url"

# The target dies under the test
timeout 60 "$stgtest" --mode verify --state "$work/state" --ops 4000000 "$url" >"$work/out" 2>"$work/err" &
run=$!
under_way() { [ "$(stat -c %s "$work/state" 2>/dev/null || echo 0)" -gt 40000 ]; }
until_true under_way
kill -KILL "$target_pid"
wait "$run"
check "the end of the target is told" test $? = 4
check "by its name" says err '^lost connection: '

# CHAP: the secret comes from a file or the environment and is shown nowhere
(umask 077 && printf 'user me a-secret-of-16-bytes\nmutual disk the-other-of-16-bytes\n' >"$work/auth")
(umask 077 && echo a-secret-of-16-bytes >"$work/secret" && echo the-other-of-16-bytes >"$work/mutual" &&
	echo not-the-secret-at-all >"$work/wrong")
serve "?auth=$work/auth"
with_user=${url/\/\//\/\/me@}
expect 0 "CHAP" "$scsitool" capacity "$with_user?secret-file=$work/secret"
expect 0 "CHAP by the environment" env USERDRIVE_CHAP_SECRET=a-secret-of-16-bytes "$scsitool" capacity "$with_user"
expect 0 "mutual CHAP" "$scsitool" capacity \
	"$with_user?secret-file=$work/secret&mutual-user=disk&mutual-secret-file=$work/mutual"
for what in "no user|$url" "a wrong secret|$with_user?secret-file=$work/wrong" \
	"no secret|$with_user" "no such secret file|$with_user?secret-file=$work/none" \
	"a target that cannot prove itself|$with_user?secret-file=$work/secret&mutual-user=disk&mutual-secret-file=$work/wrong"; do
	expect 2 "CHAP: ${what%%|*}" "$scsitool" capacity "${what#*|}"
	refute "no secret is shown" grep -q 'secret-of\|other-of\|not-the-secret' "$work/out" "$work/err"
	check "one line" test "$(wc -l <"$work/err")" = 1
done
expect 0 "stgtest shows no secret" "$stgtest" --mode verify --ops 10 "$with_user?secret-file=$work/secret"
refute "no secret in its lines" grep -q 'secret-of' "$work/out" "$work/err"

# Targets that lie
for how in silent close noise half refuse hang die-later; do
	rm -f "$work/port"
	python3 "$top/tests/tools/iscsi-peer.py" "$how" >"$work/port" 2>"$work/peer.err" &
	peer_pid=$!
	until_true test -s "$work/port" || failed "the peer does not start: $(cat "$work/peer.err")"
	expect 2 "a target that lies: $how" "$scsitool" --timeout 1 --connect-timeout 2 inquiry \
		"iscsi://127.0.0.1:$(cat "$work/port")/$iqn/0"
	check "$how: one line" test "$(wc -l <"$work/err")" = 1
	kill -KILL "$peer_pid"
	wait "$peer_pid" 2>/dev/null
done
finish
