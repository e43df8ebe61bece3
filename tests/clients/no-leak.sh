#!/usr/bin/env bash
# Breaks when a drive's process has more descriptors, threads or resident memory after work than
# before. usage: no-leak.sh PID PROGRAM DIRECTORY [ARGUMENTS]
set -uo pipefail

pid=$1 program=$2 directory=$3
shift 3

measure() {
	local fds threads rss
	fds=$(ls "/proc/$pid/fd" | wc -l)
	threads=$(awk '/^Threads:/ { print $2 }' "/proc/$pid/status")
	rss=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status")
	echo "$fds $threads $rss"
}

# Once around first: what is allocated on first use is not a leak.
"$program" "$directory" --ops 20000 || exit 1
read -r fds threads rss <<<"$(measure)"
"$program" "$directory" "$@" || exit 1
# The kernel forgets nodes when it wants: make it want now.
[ -w /proc/sys/vm/drop_caches ] && echo 2 >/proc/sys/vm/drop_caches
sleep 1
read -r fds_after threads_after rss_after <<<"$(measure)"
echo "descriptors $fds -> $fds_after, threads $threads -> $threads_after, resident $rss -> $rss_after KiB"
# Threads come with load and go with time (a bound, not an equality); each may hold a ring.
more=$((threads_after > threads ? threads_after - threads : 0))
[ "$fds_after" -le $((fds + more)) ] || { echo "descriptors leak"; exit 1; }
[ "$threads_after" -le $((threads + 16)) ] || { echo "threads leak"; exit 1; }
[ "$rss_after" -le $((rss + 8192)) ] || { echo "memory leaks"; exit 1; }
