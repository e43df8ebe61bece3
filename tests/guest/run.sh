#!/usr/bin/env bash
# Real initiators: boots Linux in an emulated machine, where open-iscsi logs in to targets of ours
# on this one, and closes with "N passed, N failed, N skipped".
# usage: tests/guest/run.sh BUILD_DIR [JOB…]     (jobs: tests/guest/jobs)
# BUILD_DIR/guest keeps the kernel between runs, and the logs of the last one.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd) || exit 2
shift
cache=$build/guest
logs=$cache/logs
work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-guest.XXXXXX") || exit 2
export USERDRIVE_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run"
passed=0 failed=0 skipped=0
pids=() # of what runs now, each at the index of its own
# shellcheck source=tests/guest/host.sh
. "$here/host.sh"

end_processes() {
	local pid
	for pid in "${pids[@]}"; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in "${pids[@]}"; do
		timeout 5 tail --pid="$pid" -s 0.1 -f /dev/null
		kill -KILL "$pid" 2>/dev/null
	done
	pids=() target_pid=()
}
cleanup() {
	end_processes
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM HUP

summary() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
	exit
}
skip_all() {
	echo "skip: $*"
	skipped=1
	summary
}

# Questions of the guest come over its second serial line, and the answers go back the same way.
converse() { # QEMU_PID
	local line
	reply=
	exec 7<>"$dir/line.out" 8<>"$dir/line.in"
	while alive "$1"; do
		IFS= read -r -t 0.5 -u 7 line || continue
		reply=ok
		# shellcheck disable=SC2086
		answer $line
		echo "host: asked '$line', answered '$reply'" >>"$dir/host.log"
		echo "$reply" >&8
	done
	exec 7>&- 8>&-
}

boot() {
	local qemu
	mkfifo "$dir/line.in" "$dir/line.out"
	: >"$dir/console"
	timeout -k 5 "$limit" qemu-system-x86_64 -M q35,accel=tcg -cpu max -smp 1 -m 1024 \
		-display none -no-reboot -nodefaults \
		-kernel "$cache/vmlinuz" -initrd "$dir/initrd" \
		-append "console=ttyS0 loglevel=1 panic=-1 mitigations=off nokaslr rdinit=/init" \
		-serial "file:$dir/console" \
		-chardev "pipe,id=line,path=$dir/line" -serial chardev:line \
		-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng \
		-netdev user,id=net -device virtio-net-pci,netdev=net,romfile= \
		>"$dir/qemu.log" 2>&1 </dev/null &
	qemu=$!
	pids[qemu]=$qemu # the index is the number
	converse "$qemu"
	wait "$qemu"
	unset "pids[qemu]"
}

prepare() { # JOB
	dir=$work/$1
	rm -rf "$dir"
	mkdir -p "$dir/job"
	cp "$here/jobs/$1" "$dir/job/job"
	cp "$here/guest.sh" "$dir/job/"
	: >"$dir/job/vars"
	programs='' limit=300
	answer() { reply="nothing is known of $*"; }
	# shellcheck disable=SC1090
	. "$here/jobs/$1"
	host || return 1
	mkdir "$dir/extra"
	mv "$dir/job" "$dir/extra/job"
	# shellcheck disable=SC2086
	"$here/image.sh" add "$cache" "$dir/extra.cpio" "$dir/extra" $programs || return 1
	cat "$cache/base.cpio" "$dir/extra.cpio" >"$dir/initrd"
}

count() { # JOB SECONDS
	local console=$logs/$1.log good bad left end
	tr -d '\r' <"$dir/console" | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' >"$console"
	good=$(grep -c '^ok: ' "$console")
	bad=$(grep -c '^FAILED: ' "$console")
	left=$(grep -c '^skip: ' "$console")
	end=$(grep -c '^guest: finished' "$console")
	if [ "$end" = 0 ]; then
		bad=$((bad + 1))
		echo "FAILED: the guest of '$1' did not finish within $limit s; the last it said:"
		tail -5 "$console" | sed 's/^/  | /'
	elif [ $((good + bad + left)) = 0 ]; then
		bad=1
		echo "FAILED: the guest of '$1' checked nothing"
	fi
	grep -A 21 '^FAILED: ' "$console" | grep -E '^(FAILED: |  )'
	grep '^skip: ' "$console"
	printf '%-14s %3d passed, %d failed, %d skipped  %4d s\n' "$1" "$good" "$bad" "$left" "$2"
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
	cat "$dir"/*.log >"$logs/$1.host.log" 2>/dev/null
}

# An emulated machine that did not even boot says nothing about us (a kernel that patches itself was
# seen to panic): once more. A guest that did boot is not asked twice.
run() { # JOB
	local begin=$SECONDS
	if ! prepare "$1"; then
		echo "FAILED: the host's side of '$1'"
		failed=$((failed + 1))
	else
		boot
		if ! grep -q '^guest: booted' "$dir/console"; then
			echo "the guest of '$1' did not boot; once more"
			end_processes
			prepare "$1" && boot
		fi
		count "$1" $((SECONDS - begin))
	fi
	end_processes
	rm -rf "$dir"
}

[ "$(uname -m)" = x86_64 ] || skip_all "guests are x86-64, this machine is $(uname -m)"
command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
[ -x "$build/examples/rawdisk/rawdisk" ] || skip_all "rawdisk is not built"
mkdir -p "$logs"
"$here/image.sh" base "$cache" >"$logs/image.log" 2>&1 ||
	skip_all "no guest could be made: $(tail -1 "$logs/image.log")"
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(ls "$here/jobs")
for job; do
	[ -f "$here/jobs/$job" ] || { echo "run.sh: no job '$job'" >&2; exit 2; }
	run "$job"
done
summary
