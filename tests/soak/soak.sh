#!/usr/bin/env bash
# Breaks when a disk that works for long loses data, or its program grows: memory, descriptors, threads.
#
#	soak.sh BUILD_DIR SECONDS [DOOR…]     for so long at each door: local, iscsi, loop
#
# Two stgtests work at once, each on its half of the disk: random requests, many under way, flushes,
# unmaps, force-unit-access. A short run of the same comes first, so that what is kept for reuse is
# there when counting begins.
# shellcheck disable=SC2317
# shellcheck source-path=SCRIPTDIR source=../tools/lib.sh
. "$(dirname "$0")/../tools/lib.sh"
seconds=$2
shift 2
doors=("$@")
[ ${#doors[@]} -gt 0 ] || doors=(local iscsi loop)
blocks=262144
half=$((blocks / 2))
# Freed memory that the allocator keeps, and pages of code touched late, are no leak.
slack_kib=16384
# shellcheck source-path=SCRIPTDIR source=../durability/serve.sh
. "$(dirname "$0")/../durability/serve.sh"
passed=0 bad=0 absent=0

# What the server has now: KiB of memory, descriptors, threads
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }
descriptors() { find "/proc/$server/fd" -mindepth 1 | wc -l; }
threads() { find "/proc/$server/task" -mindepth 1 -maxdepth 1 | wc -l; }
has_descriptors() { [ "$(descriptors)" -le "$1" ]; }

# tester NAME TARGET FIRST SECONDS: in the background
tester() {
	"$stgtest" --mode verify --quiet --duration "$4" --depth 16 --mix 35,45,5,15 --fua 15 \
		--range "$3:$half" --seed "$RANDOM" --timeout 60 "$2" >"$work/$1.out" 2>"$work/$1.err" &
	testers+=("$!")
}
# Each at a socket of its own where one takes only one client.
second_target() { if [ "$1" = local ]; then echo "$target.cdb"; else echo "$target"; fi; }

# work_for SECONDS DOOR
work_for() {
	local good=0 pid testers=()
	tester one "$target" 0 "$1"
	tester two "$(second_target "$2")" "$half" "$1"
	for pid in "${testers[@]}"; do
		wait "$pid" || good=1
	done
	return "$good"
}

soak() { # DOOR
	local m0 m1 d0 d1 t0 t1
	# shellcheck disable=SC2119
	serve || return 1
	work_for 5 "$1" || return 1
	m0=$(memory) d0=$(descriptors) t0=$(threads)
	work_for "$seconds" "$1" || return 1
	until_true has_descriptors "$d0"
	m1=$(memory) d1=$(descriptors) t1=$(threads)
	sed "s/^/  $1: /" "$work/one.out" "$work/two.out"
	echo "  $1: memory $m0 -> $m1 KiB, descriptors $d0 -> $d1, threads $t0 -> $t1"
	end_server TERM || return 1
	nothing_left || return 1
	[ "$m1" -le $((m0 + slack_kib)) ] && [ "$d1" -le "$d0" ] && [ "$t1" -le "$t0" ]
}

for door in "${doors[@]}"; do
	# A door that this machine cannot have is told of, and the others go on.
	if ! why=$(choose_door "$door"); then
		echo "$door: ${why#skip: }"
		absent=$((absent + 1))
		continue
	fi
	choose_door "$door"
	if soak "$door"; then
		passed=$((passed + 1))
		echo "$door: $seconds seconds, all is well"
	else
		bad=$((bad + 1))
		failed "$door"
		sed 's/^/  | /' "$work"/{one,two}.{out,err} "$work/server.err" 2>/dev/null | tail -20
		[ -z "$server" ] || end_server KILL
		settle
	fi
	rm -f "$image" "$image".*
done
echo "soak: $passed passed, $bad failed, $absent skipped"
[ "$bad" = 0 ] || exit 1
[ "$passed" != 0 ] || exit 77
exit 0
