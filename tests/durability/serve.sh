# Sourced after tests/tools/lib.sh by what starts a disk again and again: rawdisk in the foreground at
# one door, as a child.
# shellcheck shell=bash disable=SC2034,SC2154
rawdisk=$build/examples/rawdisk/rawdisk
stgtest=$build/tools/stgtest/stgtest
image=$work/disk.img
server=
target=
blocks=${blocks:-16384}
served=() # every process that was one

# Children are killed at the end, whichever is the one then.
stop_children() {
	[ -z "$server" ] || kill -KILL "$server" 2>/dev/null
	[ "${door:-}" != loop ] || release_loops
	cleanup
}
trap stop_children EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# choose_door local|cdb|iscsi|loop: sets device_name, and target where that is known beforehand
choose_door() {
	case $1 in
	local | cdb)
		device_name='\\.\pipe\durable'
		target='\\.\pipe\durable\0'
		[ "$1" = local ] || target=$target.cdb
		;;
	iscsi)
		device_name=iscsi://127.0.0.1:$(free_port)/iqn.2026-01.org.example:durable
		target=$device_name/0
		# Exit code 2 and these words: stgtest was built without libiscsi.
		if "$stgtest" --mode verify --quiet "$target" 2>&1 | grep -q 'without libiscsi\|not built'; then
			skip "stgtest was built without libiscsi"
		fi
		;;
	loop)
		need_root
		need_fuse
		[ -e /dev/loop-control ] || skip "this machine has no loop devices"
		device_name=loop:
		;;
	*) echo "no such door: $1" && exit 2 ;;
	esac
}

# The program says where the disk is once it is there.
is_ready() { [ -s "$work/server.out" ]; }
is_ready_or_dead() { is_ready || ! alive "$server"; }
# serve OPTIONS…: starts the server, waits until it serves; sets server and target
serve() {
	rm -f "$work/server.out"
	"$rawdisk" -f "$image" -c "$blocks" "$@" -p "$device_name" \
		>"$work/server.out" 2>"$work/server.err" </dev/null &
	server=$!
	served+=("$server")
	until_true is_ready_or_dead
	if ! is_ready; then
		cat "$work/server.err"
		return 1
	fi
	[ "$device_name" != loop: ] || target=$(grep -o '/dev/loop[0-9]*' "$work/server.out" | head -1)
	[ -n "$target" ]
}
# end_server TERM|KILL: true when it ended as that should end it
end_server() {
	local code
	kill -"$1" "$server"
	wait "$server" 2>/dev/null
	code=$?
	server=
	[ "$code" = "$([ "$1" = KILL ] && echo 137 || echo 0)" ]
}

# What makes it the same disk, as text
identity() {
	python3 -c '
import os, sys
try:
    text = os.getxattr(sys.argv[1], "user.userdrive.disk").decode()
except OSError:
    text = open(sys.argv[1] + ".userdrive").read()
print(text)' "$image"
}

# Loop devices whose file was that of one of our servers
loops() {
	local pid
	for pid in "${served[@]}"; do
		grep -l "^/userdrive-$pid-" /sys/block/loop*/loop/backing_file 2>/dev/null | cut -d/ -f4
	done
}
no_loops() { [ -z "$(loops)" ]; }
# After a kill: what the program cannot do any more is done by others.
settle() { [ "$device_name" != loop: ] || until_true no_loops; }
release_loops() {
	local device
	for device in $(loops); do losetup -d "/dev/$device"; done
}
nothing_left() {
	no_loops && [ -z "$(find "$work/run/pipe" -type s 2>/dev/null)" ] &&
		! grep -q " $work" /proc/self/mountinfo
}
