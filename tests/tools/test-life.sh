#!/usr/bin/env bash
# Breaks when a drive program does not begin and end as a service or a command must.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fuse

drive=$work/drive
mkdir "$drive"
umount_it() { if [ "$(id -u)" = 0 ]; then umount "$1"; else fusermount3 -u "$1"; fi; }
# ends CODE TITLE: the program in $server ends so, and leaves nothing.
ends() {
	wait "$server"
	check "$2: exit code $1" test $? = "$1"
	refute "$2: nothing is mounted" mounted "$drive"
	check "$2: no control socket is left" empty_folder "$work/run/control"
	check "$2: no mount record is left" empty_folder "$work/run/mounts"
}
has_socket() { compgen -G "$work/run/control/$server-*.sock" >/dev/null; }
foreground() { # in $server
	"$memfs" --foreground "$drive" </dev/null 2>"$work/err" &
	server=$!
	children=("$server")
	{ until_true mounted "$drive" && until_true has_socket; } ||
		failed "memfs --foreground does not serve"
}

for signal in INT TERM HUP; do
	foreground
	touch "$drive/f"
	check "in the foreground it stays our child" alive "$server"
	kill -"$signal" "$server"
	ends 0 "SIG$signal"
done
foreground
check "in the foreground it logs on standard error" says err 'protocol'
umount_it "$drive"
ends 0 "umount"
if [ "$(id -u)" = 0 ] && command -v fusermount3 >/dev/null; then
	foreground
	fusermount3 -u "$drive"
	ends 0 "fusermount3 -u"
fi
foreground
kill -KILL "$server"
wait "$server" 2>/dev/null
check "killed: the mount stays" mounted "$drive"
expect 0 "doctor cleans up" "$userdrive" doctor
refute "killed and cleaned up: nothing is mounted" mounted "$drive"

# In the background: the terminal is let go of.
timeout 20 "$memfs" "$drive" 2>&1 | cat >"$work/out"
check "the reader of its output is released" mounted "$drive"
refute "it holds no terminal, pipe or folder" bash -c '
	for fd in 0 1 2; do [ "$(readlink "/proc/$1/fd/$fd")" = /dev/null ] || exit 0; done
	[ "$(readlink "/proc/$1/cwd")" = / ] || exit 0
	exit 1' - "$(pid_of "$drive")"
check "it leads a session of its own" test "$(ps -o sid= -p "$(pid_of "$drive")" | tr -d ' ')" = "$(pid_of "$drive")"
pid=$(pid_of "$drive")
umount_it "$drive"
check "umount ends it" until_false alive "$pid"
check "no control socket is left" until_true empty_folder "$work/run/control"

# Standard streams that are closed: no file may take their place.
"$memfs" "$drive" 0<&- 1>&- 2>&-
check "with closed streams: exit code 0" test $? = 0
check "it serves" bash -c 'echo x >"$1/f" && [ "$(cat "$1/f")" = x ]' - "$drive"
"$userdrive" stop "$drive"
"$memfs" --foreground "$drive" 0<&- 1>&- 2>&- &
server=$!
children=("$server")
until_true mounted "$drive"
check "with closed streams in the foreground: it serves" bash -c 'echo x >"$1/f"' - "$drive"
expect 0 "stop" "$userdrive" stop "$drive"
ends 0 "stop"

# The parent's exit code is the program's.
expect 2 "background, no such place" "$memfs" "$work/no/such"
expect 4 "background, no such source" "$passthrough" "$work/no-such" "$drive"
expect 1 "background, bad option" "$memfs" "$drive" -o nonsense
expect 4 "background, bad descriptor" "$memfs" "$drive" -S nonsense
refute "nothing is mounted" mounted "$drive"
check "no control socket is left" empty_folder "$work/run/control"
finish
