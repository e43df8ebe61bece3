#!/usr/bin/env bash
# Breaks when more connections than a door takes cost a disk its clients, descriptors or memory.
#
#	disk-crowd.sh BUILD_DIR N     so many attempts of each kind
# shellcheck source-path=SCRIPTDIR source=../tools/lib.sh
. "$(dirname "$0")/../tools/lib.sh"
n=$2
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
iqn=iqn.2026-01.org.example:crowd
"$build/examples/rawdisk/rawdisk" -f "$work/disk.img" -c 2048 -p '\\.\pipe\crowd' \
	-p "iscsi://127.0.0.1:$port/$iqn?sessions=8" >"$work/server" 2>"$work/log" &
server=$!
children+=("$server")
check "the disk is there" until_true grep -q crowd "$work/server"
check "$n attempts of each kind, and all is as before" timeout 200 python3 "$top/tests/fault/disk-crowd.py" \
	"$server" "$port" "$iqn" 8 "$work/run/pipe/crowd/0" "$n"
check "it lives" alive "$server"
kill -TERM "$server"
wait "$server"
check "and ends when told" test $? = 0
children=()
finish
