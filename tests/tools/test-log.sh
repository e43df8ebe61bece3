#!/usr/bin/env bash
# Breaks when what happens to a drive in the background is told nowhere.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fuse
need_root

# A /dev of our own, with a listener in the place of the system's log.
if [ "${2:-}" != inside ]; then
	unshare -m true 2>/dev/null || skip "no private mount namespace"
	trap - EXIT
	rmdir "$work/run" "$work"
	exec unshare -m --propagation private "$0" "$1" inside
fi

mkdir "$work/drive" "$work/dev" "$work/fusectl"
for device in null zero random urandom fuse; do
	touch "$work/dev/$device"
	mount --bind "/dev/$device" "$work/dev/$device"
done
ln -s /proc/self/fd "$work/dev/fd"
mount --rbind "$work/dev" /dev || skip "no private /dev"
mount -t fusectl none "$work/fusectl" 2>/dev/null || skip "no fusectl"
cat >"$work/listen.py" <<'PY'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
while True:
    print(s.recv(8192).decode(errors="replace"), flush=True)
PY
python3 "$work/listen.py" >"$work/syslog" 2>&1 &
children+=($!)
until_true test -S /dev/log

unset JOURNAL_STREAM
expect 0 "a drive in the background" "$memfs" "$work/drive" -o transport=dev
"$userdrive" info "$work/drive" --json >"$work/out"
pid=$(json_value 'd["pid"]')
connection=$(json_value 'd["connection"]')
echo 1 >"$work/fusectl/$connection/abort"
check "a broken connection ends it" until_false alive "$pid"
check "the system's log tells why" until_true grep -q 'memfs.*connection to the kernel broke' "$work/syslog"
check "no control socket is left" until_true empty_folder "$work/run/control"
umount -l "$work/drive" 2>/dev/null
umount -l /dev "$work/fusectl"
umount "$work"/dev/* 2>/dev/null
finish
