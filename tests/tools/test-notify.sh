#!/usr/bin/env bash
# Breaks when a service manager is not told that the drive is live, and that it stops.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fuse
grep -q '^#define HAVE_SYSTEMD\|HAVE_SYSTEMD' "$build/compile_commands.json" || skip "built without libsystemd"

mkdir "$work/drive"
cat >"$work/notified.py" <<'PY'
"""Runs a drive program as a service manager does; prints what it was told."""
import os, signal, socket, subprocess, sys
path, drive, *command = sys.argv[1:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
s.settimeout(20)
program = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": path})
def wait_for(word):
    while True:
        lines = s.recv(4096).decode().split("\n")
        print("\n".join(lines), flush=True)
        if word in lines:
            return
wait_for("READY=1")
assert any(line.split()[4] == drive for line in open("/proc/self/mountinfo")), "not mounted when READY"
open(drive + "/file", "w").write("x")
program.send_signal(signal.SIGTERM)
wait_for("STOPPING=1")
sys.exit(program.wait(20))
PY
expect 0 "a service in the foreground" python3 "$work/notified.py" "$work/notify" "$work/drive" "$memfs" \
	--foreground "$work/drive"
check "READY=1, then STOPPING=1" test "$(grep -xE 'READY=1|STOPPING=1' "$work/out" | tr '\n' ' ')" = "READY=1 STOPPING=1 "
refute "it is gone" mounted "$work/drive"
finish
