#!/usr/bin/env bash
# A drive's program that dies takes its own mount with it and nothing else; doctor names and cleans.
# usage: crash.sh BUILD_DIR uring|dev
set -uo pipefail
build=$1 transport=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
need_mounts
evilfs=$build/tests/fault/evilfs

# at_once WHAT WORD COMMAND: fails, saying WORD, in much less than a deadline.
at_once() {
	local what=$1 word=$2 begin=$SECONDS
	shift 2
	run "$@"
	[ "$code" != 0 ] || fail "$what: succeeded"
	[ $((SECONDS - begin)) -le 5 ] || fail "$what: took $((SECONDS - begin)) s"
	grep -qE "$word" <<<"$said" || fail "$what: $said"
}

gone='not connected|connection abort|No such device|Input/output'

check_other() {
	echo ok >"$work/other/file" && [ "$(cat "$work/other/file")" = ok ] && rm "$work/other/file" ||
		fail "$1: the other process's drive suffers"
	[ "$(state other)" = served ] || fail "$1: the other drive is $(state other)"
}

# one HOW TRIGGER…: start a drive, keep a file open and a call hanging, kill it by TRIGGER, look.
one() {
	local how=$1 pid
	shift
	echo "$how"
	start drive "$evilfs" -o "transport=$transport"
	pid=$server
	echo data >"$work/drive/open"
	echo data >"$work/drive/evil-hang-read"
	for op in crash abort exit; do echo data >"$work/drive/evil-$op-read"; done
	exec 7<"$work/drive/open"
	timeout 20 cat "$work/drive/evil-hang-read" >"$work/hanging" 2>&1 &
	local hanging=$!
	sleep 0.3
	"$@" "$pid" >/dev/null 2>&1
	wait "$pid" 2>/dev/null
	local begin=$SECONDS
	wait "$hanging"
	[ $? != 0 ] && [ $((SECONDS - begin)) -le 5 ] || fail "$how: a call that hung was not ended"
	grep -qE "$gone" "$work/hanging" || fail "$how: the hanging call: $(cat "$work/hanging")"
	at_once "$how: stat" "$gone" stat "$work/drive/open"
	# By the open descriptor, not by its name.
	at_once "$how: the open file" "$gone" python3 -c 'import os; os.fsync(7); os.read(7, 1)'
	exec 7<&-
	check_other "$how"

	[ "$(state drive)" = dead ] || fail "$how: list says '$(state drive)', not dead"
	run "$userdrive" doctor --dry-run
	expect "$how: doctor --dry-run" 4 "$work/drive" evilfs "process $pid" died 'would be unmounted'
	is_mounted "$work/drive" || fail "$how: --dry-run unmounted it"
	run "$userdrive" doctor
	expect "$how: doctor" 0 "$work/drive" unmounted
	is_mounted "$work/drive" && fail "$how: doctor left it mounted"
	run "$userdrive" doctor
	expect "$how: doctor again" 0 'No drive or disk is dead'
	check_other "$how, afterwards"
}

read_crash() { timeout 10 cat "$work/drive/evil-crash-read"; }
read_abort() { timeout 10 cat "$work/drive/evil-abort-read"; }
read_exit() { timeout 10 cat "$work/drive/evil-exit-read"; }
kill_it() { kill -KILL "$1"; }

start other "$evilfs" -o "transport=$transport"
other=$server
one segfault read_crash
one abort read_abort
one _exit read_exit
one 'kill -9' kill_it
kill -TERM "$other"
wait "$other" || fail "the other drive's program ended with $?"
is_mounted "$work/other" && fail "the other drive is still mounted"
finish
