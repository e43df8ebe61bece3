# What jobs use inside the guest (busybox sh). Lines that begin with "ok: ", "FAILED: " and "skip: "
# are counted by the host; the rest is for people.
# shellcheck shell=sh
host=10.0.2.2 # the host's 127.0.0.1, as user-mode networking shows it
me=iqn.2026-01.org.example:guest
out=/tmp/out
n_failed=0
iqn_of() { echo "iqn.2026-01.org.example:$1"; }

# The shell has small ones of its own, which it prefers.
blkdiscard() { /usr/bin/blkdiscard "$@"; }
fstrim() { /usr/bin/fstrim "$@"; }
dd() { /usr/bin/dd "$@"; }

ok() { echo "ok: $*"; }
skip() { echo "skip: $*"; }
failed() {
	n_failed=$((n_failed + 1))
	echo "FAILED: $*"
	[ ! -s $out ] || tail -20 $out | sed 's/^/  | /'
	: >$out
}

# check TITLE COMMAND…: it must succeed. refute: it must not.
check() {
	_title=$1
	shift
	if "$@" >$out 2>&1 </dev/null; then ok "$_title"; else failed "$_title (exit code $?)"; fi
}
refute() {
	_title=$1
	shift
	if "$@" >$out 2>&1 </dev/null; then failed "$_title: no error"; else ok "$_title"; fi
}
# The last output has a match for each line of $1, but for the blanks that it begins with.
all_match() {
	printf '%s\n' "$1" | {
		while read -r _pattern; do
			[ -z "$_pattern" ] || grep -qE -- "$_pattern" $out || {
				echo "  nothing matches: $_pattern"
				exit 1
			}
		done
	}
}
# expect TITLE PATTERNS COMMAND…: it succeeds, and its output matches each line of PATTERNS.
# expect_code: the same with an exit code; sg_* tells the sense by it (5: ILLEGAL REQUEST, 6: UNIT
# ATTENTION, 7: DATA PROTECT, 9: no such command, 14: MISCOMPARE, 22: LBA OUT OF RANGE,
# 24: RESERVATION CONFLICT).
expect() {
	_title=$1 _patterns=$2
	shift 2
	expect_code 0 "$_title" "$_patterns" "$@"
}
expect_code() {
	_want=$1 _title=$2 _patterns=$3
	shift 3
	"$@" >$out 2>&1 </dev/null
	_got=$?
	if [ $_got != "$_want" ]; then
		failed "$_title (exit code $_got instead of $_want)"
	elif all_match "$_patterns"; then
		ok "$_title"
	else
		failed "$_title"
	fi
}
# equal TITLE WANTED GOT
equal() {
	if [ "$2" = "$3" ]; then ok "$1"; else failed "$1: '$3' instead of '$2'"; fi
}
# until_true SECONDS COMMAND…
until_true() {
	_left=$(($1 * 5))
	shift
	until "$@" >/dev/null 2>&1 </dev/null; do
		[ $_left -gt 0 ] || return 1
		_left=$((_left - 1))
		sleep 0.2
	done
}
until_false() {
	_seconds=$1
	shift
	until_true "$_seconds" not "$@"
}
not() { ! "$@"; }

# ask WORDS…: the host's answer() does something; its reply is printed.
ask() {
	echo "$*" >&3
	IFS= read -r -t 120 _reply <&3 || _reply="no answer"
	printf '%s\n' "$_reply"
}

# initiator [LINE…]: modules and iscsid, with lines for its configuration
initiator() {
	modprobe -a sd_mod sg iscsi_tcp
	mkdir -p /etc/iscsi
	echo "InitiatorName=$me" >/etc/iscsi/initiatorname.iscsi
	{
		echo "node.startup = manual"
		echo "node.session.timeo.replacement_timeout = 120"
		echo "node.conn[0].timeo.noop_out_interval = 2"
		echo "node.conn[0].timeo.noop_out_timeout = 3"
		echo "node.conn[0].timeo.login_timeout = 10"
		echo "node.session.err_timeo.abort_timeout = 10"
		echo "node.conn[0].tcp.window_size = 8388608"
		for _line; do echo "$_line"; done
	} >/etc/iscsi/iscsid.conf
	iscsid -f >/tmp/iscsid.log 2>&1 3>&- &
	until_true 30 grep ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix ||
		failed "iscsid does not run"
}

# node IQN PORT [NAME VALUE]…: a record made by hand
node() {
	_iqn=$1 _port=$2
	shift 2
	iscsiadm -m node -o new -T "$_iqn" -p "$host:$_port,1" || return 1
	while [ $# -gt 1 ]; do
		iscsiadm -m node -T "$_iqn" -p "$host:$_port" -o update -n "$1" -v "$2" || return 1
		shift 2
	done
}
login() { iscsiadm -m node -T "$1" -p "$host:$2" --login; }
logout() { iscsiadm -m node -T "$1" -p "$host:$2" --logout; }

# disk_now IQN [LUN [INITIATOR]]: its name below /dev
disk_now() {
	for _session in /sys/class/iscsi_session/session*; do
		[ "$(cat "$_session/targetname" 2>/dev/null)" = "$1" ] || continue
		[ -z "$3" ] || [ "$(cat "$_session/initiatorname")" = "$3" ] || continue
		for _block in "$_session"/device/target*/*:"${2:-0}"/block/*; do
			[ -b "/dev/${_block##*/}" ] && echo "/dev/${_block##*/}" && return 0
		done
	done
	return 1
}
# The same, waiting for it
disk_of() {
	until_true 30 disk_now "$@"
	disk_now "$@"
}
# attached IQN PORT [NAME VALUE]…: record, login, and the disk in $disk
attached() {
	_where="$1 $2"
	check "a node record for $1" node "$@"
	# shellcheck disable=SC2086
	check "login to $1" login $_where
	disk=$(disk_of "$1") || failed "no disk of $1"
}
# The value of a file below the disk's folder in sysfs
sys() { cat "/sys/block/${1#/dev/}/$2" 2>/dev/null; }
# The same disk's device for commands alone
generic() { echo "/dev/$(ls "/sys/block/${1#/dev/}/device/scsi_generic")"; }
drop_caches() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
}
md5_of() { md5sum "$1" | cut -d' ' -f1; }
# random FILE MIB
random() { dd if=/dev/urandom of="$1" bs=1M count="$2" status=none; }

conclude() {
	[ $n_failed = 0 ] && return
	echo "guest: what iscsid and the kernel said"
	sed 's/^/  | /' /tmp/iscsid.log 2>/dev/null | tail -20
	dmesg | tail -30 | sed 's/^/  | /'
}
