# What the host's side of jobs uses (bash; sourced by run.sh). A job is a file with
#   programs=…   what its guest needs beyond image.sh's list (may be missing)
#   limit=…      seconds for its guest (may be missing)
#   host()       before the guest boots: images, targets, say
#   answer()     what the guest asks in the middle, by its "ask"; sets reply
#   guest()      in the guest; guest.sh has the functions, the job's variables are those of "say"
# and no code outside of functions. $dir is the job's folder.
# shellcheck shell=bash disable=SC2034
declare -A target_pid

reply=

# say NAME VALUE: a variable for the guest
say() { printf '%s=%q\n' "$1" "$2" >>"$dir/job/vars"; }

free_port() {
	python3 -c 'import socket
print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

# A process that nobody has waited for yet has ended all the same.
alive() { grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }

# start NAME PATTERN COMMAND…: runs it until stop or the job's end; returns when its output matches.
start() {
	local name=$1 pattern=$2 _
	shift 2
	[ -p "$dir/stdin" ] || mkfifo "$dir/stdin"
	: >"$dir/$name.log"
	"$@" >>"$dir/$name.log" 2>&1 <>"$dir/stdin" 7>&- 8>&- &
	target_pid[$name]=$!
	pids[$!]=$!
	disown
	for _ in $(seq 200); do
		if grep -qE "$pattern" "$dir/$name.log"; then return 0; fi
		alive "${target_pid[$name]}" || break
		sleep 0.05
	done
	echo "host: $name did not start: $(tail -3 "$dir/$name.log")"
	return 1
}

# stop NAME [SIGNAL]: and waits until it is gone
stop() {
	local pid=${target_pid[$1]:-} _
	[ -n "$pid" ] || return 0
	unset "target_pid[$1]"
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	for _ in $(seq 200); do
		alive "$pid" || break
		sleep 0.05
	done
	kill -KILL "$pid" 2>/dev/null && echo "host: $1 had to be killed"
	unset "pids[$pid]"
}

iqn_of() { echo "iqn.2026-01.org.example:$1"; }

# rawdisk NAME PORT SIZE [OPTIONS-OF-DOOR [ARGUMENT…]]: serves $dir/NAME.img as iqn_of NAME, LUN 0
rawdisk() {
	local name=$1 port=$2 size=$3 door
	door="iscsi://127.0.0.1:$port/$(iqn_of "$name")${4:+?$4}"
	shift 3
	[ $# = 0 ] || shift
	start "$name" '^iscsi://' "$build/examples/rawdisk/rawdisk" "$dir/$name.img" --foreground \
		"--size=$size" --partition=none "--door=$door" "$@"
}
# Bytes that an image has on the host's disk
allocated() { echo $(($(stat -c '%b * %B' "$1"))); }
