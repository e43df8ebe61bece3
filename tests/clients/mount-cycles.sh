#!/usr/bin/env bash
# Breaks when one process that mounts and unmounts again and again keeps descriptors or memory, or
# when a mount fails. usage: mount-cycles.sh BUILD_DIR COUNT
set -uo pipefail

build=$1 count=$2
skip() { echo "skip: $*"; exit 77; }
[ -e /dev/fuse ] || skip "this machine has no /dev/fuse"
[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || skip "not root, and no fusermount3"
[ -x "$build/tests/clients/mount-cycles" ] || { echo "mount-cycles was not built"; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-test.XXXXXX")
export USERDRIVE_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run" && mkdir "$work/drive"
trap 'umount -l "$work/drive" 2>/dev/null; rm -rf "$work"' EXIT
"$build/tests/clients/mount-cycles" "$work/drive" "$count"
