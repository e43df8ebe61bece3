#!/usr/bin/env bash
# shellcheck disable=SC2317
#
# Breaks when a full file system under an image costs more than the writes that do not fit: other data,
# the disk itself, or, once there is room again, the writes after that.
#
#	disk-full.sh BUILD_DIR
if [ "${FULL_INSIDE:-}" != yes ]; then
	# A file system of our own: as root as it is, else in a namespace where we are root.
	export FULL_INSIDE=yes
	for how in "unshare -m" "unshare -Urm"; do
		$how true 2>/dev/null && exec $how "$0" "$@"
	done
	echo "skip: this user may not mount anything, not even in a namespace"
	exit 77
fi
# shellcheck source-path=SCRIPTDIR source=../tools/lib.sh
. "$(dirname "$0")/../tools/lib.sh"
disk() { timeout 60 python3 "$top/tests/tools/disk.py" full "$@" >"$work/disk.out" 2>&1; }
good() { disk "$@" || { cat "$work/disk.out"; return 1; }; }
senses() {
	local pattern=$1
	shift
	if disk "$@"; then return 1; fi
	grep -q "$pattern" "$work/disk.out" || { cat "$work/disk.out"; return 1; }
}
mkdir "$work/small"
mount -t tmpfs -o size=4M none "$work/small" 2>/dev/null || skip "tmpfs cannot be mounted"
image=$work/small/disk.img
dd if=/dev/zero of="$work/small/filler" bs=1M count=2 status=none
"$build/examples/rawdisk/rawdisk" -f "$image" -c 16384 -p '\\.\pipe\full' >"$work/server" 2>"$work/log" &
server=$!
children+=("$server")
check "an image larger than its file system" until_true test -s "$work/server"
check "what fits" good fill 0 2048 65 + flush
check "no room is said to be no room" senses 'sense 7/27/07' fill 2048 8192 66
check "also to a write that is to be safe at once" senses 'sense 7/27/07' fill 12000 1 66 fua
check "flushes are good: nothing was lost" good flush
check "what was there is there" good check 0 2048 65
check "and may be written again" good fill 0 2048 67 fua + check 0 2048 67
check "unmapped blocks make room" good unmap 0 1024 + fill 8000 512 68 + flush + check 8000 512 68
rm "$work/small/filler"
check "room that others make is used" good fill 12000 2048 69 + flush + check 12000 2048 69
check "blocks that never fitted are zero or what was written" good check 15000 100 0
check "it lives" alive "$server"
# As soon as the writer knows, the operator does.
check "the log names the image and the reason" grep -q "$image.*ENOSPC" "$work/log"
kill -TERM "$server"
wait "$server"
check "and ends when told" test $? = 0
children=()
umount "$work/small"
finish
