#!/usr/bin/env bash
# Breaks when a disk whose program is killed in the middle of its work loses what it has promised. The
# next program finds the image, and stgtest what its journal has of it.
#
#	kill.sh BUILD_DIR DOOR ROUNDS     DOOR: local, cdb, iscsi, loop
# shellcheck disable=SC2317
# shellcheck source-path=SCRIPTDIR source=../tools/lib.sh
. "$(dirname "$0")/../tools/lib.sh"
# shellcheck source-path=SCRIPTDIR source=serve.sh
. "$(dirname "$0")/serve.sh"
door=$2
rounds=$3
state=$work/state
RANDOM=${KILL_SEED:-$$}
choose_door "$door"

has_size() { [ "$(stat -c %s "$state" 2>/dev/null || echo 0)" -ge "$1" ]; }
# The server is killed while stgtest is at work: some time after its journal has that many bytes.
kill_at_work() {
	until_true has_size "$1" || return 1
	sleep "0.$(printf '%03d' $((RANDOM % 350)))"
	end_server KILL
}

# work_until_killed BYTES OPTIONS…: of the journal, of the disk
work_until_killed() {
	local begun=$1 tester code
	shift
	rm -f "$state"
	serve "$@" || return 1
	"$stgtest" --mode verify --quiet --state "$state" --duration 20 --depth $((1 + RANDOM % 16)) \
		--range 0:2048 --mix 10,60,10,20 --fua 20 --timeout 10 --errors 1 --seed "$RANDOM" \
		"$target" >"$work/out" 2>"$work/err" &
	tester=$!
	kill_at_work "$begun" || { kill "$tester"; return 1; }
	wait "$tester"
	code=$?
	settle
	# A request failed, or the connection ended; never: bad data.
	[ "$code" = 4 ] || { echo "stgtest ended with $code"; return 1; }
}

# compare CODE OPTIONS…: what the disk holds against the journal
compare() {
	local want=$1 code
	shift
	serve "$@" || return 1
	timeout 60 "$stgtest" --verify-only "$state" --quiet "$target" >"$work/out" 2>"$work/err"
	code=$?
	[ "$(identity)" = "$guid" ] || { echo "it is another disk"; return 1; }
	end_server KILL # also without work
	settle
	[ "$code" = "$want" ] || { echo "--verify-only says $code"; return 1; }
}

# Of a disk without a volatile cache every acknowledged write counts, not the flushed ones alone.
round() {
	local options=()
	(($1 % 2)) && options=(-C 0)
	work_until_killed 1 "${options[@]}" && compare 0 "${options[@]}"
}

# An image from before the work is what a disk would leave that kept all in its own memory. The journal
# is long enough to have flushes.
forgetful() {
	cp "$image" "$work/before" && work_until_killed 20000 -C 0 &&
		dd if="$work/before" of="$image" conv=notrunc status=none && compare 3 -C 0
}

serve || { failed "the first start"; finish; }
guid=$(identity)
check "a clean end" end_server TERM
check "what is lost is noticed" forgetful
for ((i = 1; i <= rounds && failures == 0; i++)); do
	round "$i" || failed "round $i"
done
check "$((i - 1)) of $rounds rounds at the $door door: killed at work, every promise kept" \
	test "$failures" = 0
check "a start and an end after all" eval 'serve && end_server TERM'
check "nothing is left" nothing_left
finish
