#!/usr/bin/env bash
# make demo: mounts a drive in memory and a directory as a drive, attaches disks, runs real work on
# all of them, and says what it did and measured. Leaves nothing behind, also when it is interrupted.
# Exit 0 when all that could be run was right.
# usage: demo.sh [BUILD_DIR]
set -uo pipefail

build=$(cd "${1:-build}" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
userdrive=$build/tools/userdrive
work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-demo.XXXXXX")
# Drives of others are none of ours: a runtime directory of its own.
export USERDRIVE_RUNTIME_DIR=$work/run
export WORK=$work
mkdir -m 700 "$work/run"
failures=0
mounted=()
running=

cleanup() {
	local m
	cd /
	if [ -n "$running" ]; then
		kill -TERM "$running" 2>/dev/null
		wait "$running" 2>/dev/null
	fi
	disks_cleanup
	for m in "${mounted[@]}"; do
		"$userdrive" stop --timeout 5 "$m" >/dev/null 2>&1 || umount -l "$m" 2>/dev/null ||
			fusermount3 -uz "$m" 2>/dev/null
	done
	rm -rf --one-file-system "$work"
}
# shellcheck source-path=SCRIPTDIR source=disks.sh
. "$top/examples/demo/disks.sh"
trap cleanup EXIT
trap 'echo; echo "Interrupted; unmounting."; exit 130' INT TERM HUP

say() { printf '\n== %s\n' "$*"; }
ok() { printf '   %-44s %9s  %s\n' "$1" "$2" "$3"; }
bad() {
	printf '   %-44s    FAILED\n' "$1"
	sed 's/^/     | /' "$work/log" | tail -15
	failures=$((failures + 1))
}

# step TITLE COMMAND…: runs it with a time limit; prints how long it took and, in plain words, what
# it did: the sentence that the command leaves in $work/did.
step() {
	local title=$1 begin ms
	shift
	rm -f "$work/did"
	begin=$(date +%s%N)
	timeout 300 bash -c 'set -euo pipefail; "$@"' step "$@" >"$work/log" 2>&1 </dev/null &
	running=$!
	if wait "$running"; then
		ms=$((($(date +%s%N) - begin) / 1000000))
		did=$(cat "$work/did" 2>/dev/null)
		ok "$title" "$ms ms" "$did"
	else
		bad "$title"
	fi
	running=
}

# did SENTENCE: what the step that runs has done.
did() { printf '%s' "$*" >"$WORK/did"; }
megabytes() { echo "$((($1 + 524288) / 1048576)) MB"; }
# files_and_bytes DIRECTORY: "270 files, 3 MB"
files_and_bytes() {
	local files bytes
	files=$(find "$1" -type f | wc -l)
	bytes=$(find "$1" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }')
	echo "$files files, $(megabytes "$bytes")"
}
export -f did megabytes files_and_bytes

hashes() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0r sha256sum); }
export -f hashes

clone_and_check() {
	git clone --quiet --no-hardlinks "$1" "$2/clone"
	git -C "$2/clone" fsck --full --strict
	[ -z "$(git -C "$2/clone" status --porcelain)" ]
	did "$(files_and_bytes "$2/clone"), $(git -C "$2/clone" rev-list --count HEAD) commits, every object sound."
}
unpack_and_compile() {
	mkdir -p "$2/src"
	git -C "$1" archive HEAD base include | tar -x -C "$2/src"
	printf '#include <stdio.h>\nint main(void) { puts("compiled on a drive"); return 0; }\n' >"$2/src/hello.c"
	cd "$2/src" || return
	gcc -O1 -o hello hello.c
	[ "$(./hello)" = "compiled on a drive" ]
	for c in base/*.c; do
		gcc -std=gnu11 -D_GNU_SOURCE -I. -Iinclude -c "$c" -o "${c%.c}.o"
	done
	ar rcs libbase.a base/*.o
	did "$(find . -name '*.o' | wc -l) sources compiled; the new program ran from the drive."
}
sqlite_wal() {
	sqlite3 "$1/demo.db" 'PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);' >/dev/null
	sqlite3 "$1/demo.db" 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000)
		INSERT INTO t SELECT i, hex(randomblob(20)) FROM n;'
	[ "$(sqlite3 "$1/demo.db" 'PRAGMA integrity_check; SELECT count(*) FROM t;')" = "$(printf 'ok\n20000')" ]
	did "20,000 rows, $(stat -c %s "$1/demo.db") bytes; integrity_check is content."
}
copy_and_compare() {
	cp -a "$1/clone" "$1/copy"
	rsync -a --checksum "$1/clone/" "$1/synced/"
	hashes "$1/clone" >"$2/a"
	hashes "$1/copy" | cmp - "$2/a"
	hashes "$1/synced" | cmp - "$2/a"
	did "Twice $(files_and_bytes "$1/clone"); all hashes are equal."
}
fio_verify() {
	fio --name=demo --directory="$1" --rw=randwrite --bs=4k --size=16m --verify=crc32c \
		--do_verify=1 --verify_state_save=0 --ioengine=psync --output-format=json >"$WORK/fio.json"
	rm -f "$1"/demo.*
	did "$(python3 - "$WORK/fio.json" <<'PY'
import json, sys
job = json.load(open(sys.argv[1]))["jobs"][0]
rates = ["%d MB/s %s" % (job[way]["bw_bytes"] // 10**6, word)
         for way, word in (("write", "written"), ("read", "read back"))]
print("%s; every checksum was right." % ", ".join(rates))
PY
	)"
}
mmap_check() {
	python3 - "$1/mapped" <<'PY'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(fd, 1 << 20)
with mmap.mmap(fd, 1 << 20) as m:
    for at in range(0, 1 << 20, 4096):
        m[at:at + 8] = at.to_bytes(8, "little")
    m.flush()
for at in range(0, 1 << 20, 4096):
    assert os.pread(fd, 8, at) == at.to_bytes(8, "little"), at
PY
	did "256 pages through the mapping, all found again by pread."
}
find_all() {
	local n
	n=$(find "$1" -xdev | wc -l)
	[ "$n" -gt 100 ]
	did "$n names found."
}
remove_all() {
	cd /
	rm -rf "${1:?}"/*
	[ -z "$(ls -A "$1")" ]
	did "The drive is empty again."
}
export -f remove_all clone_and_check unpack_and_compile sqlite_wal copy_and_compare fio_verify mmap_check find_all

real_work() {
	local drive=$1
	step "git clone of this repository, git fsck" clone_and_check "$work/repository" "$drive"
	step "unpack and compile a C program" unpack_and_compile "$work/repository" "$drive"
	step "sqlite3 with WAL, 20,000 rows" sqlite_wal "$drive"
	step "cp -a and rsync, hashes compared" copy_and_compare "$drive" "$work"
	step "fio, 16 MiB random writes with verify" fio_verify "$drive"
	step "mmap written, read back" mmap_check "$drive"
	step "find over all of it" find_all "$drive"
	step "rm -rf of everything" remove_all "$drive"
}

mount_or_say() { # DIRECTORY COMMAND…
	local where=$1
	shift
	mounted+=("$where")
	if "$@" >"$work/log" 2>&1; then
		return 0
	fi
	unset 'mounted[-1]'
	echo "   could not be mounted:"
	sed 's/^/     | /' "$work/log"
	return 1
}

# What the serving process says of itself, in a sentence.
describe() {
	"$userdrive" info "$1" --json | python3 -c '
import json, sys
d = json.load(sys.stdin)
s = d["server"]
print("   %s, process %d, serves it with %s threads: FUSE %s over %s (%s)." % (
    d["program"], d["pid"], s["threads"], s["protocol"], s["transport"], s["why"]))'
}
# Stops what is mounted at DIRECTORY, and forgets it.
stop_one() {
	local requests
	requests=$("$userdrive" info "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["server"]["requests"])')
	"$userdrive" stop "$1"
	! grep -q " $1 " /proc/self/mountinfo
	did "It had answered $requests requests."
}
export userdrive
export -f stop_one

echo "$("$userdrive" version --json | sed 's/.*"version":"\([^"]*\)".*/Userdrive \1/'): ordinary programs become drives and disks."
# A commit to clone, also when this tree is an exported one.
# Somebody else's directory is readable all the same.
if ! git -c safe.directory="$top" -c safe.directory="$top/.git" clone --quiet --no-hardlinks --bare \
	"$top" "$work/repository" 2>/dev/null; then
	git init --quiet "$work/tree" && cp -R "$top/base" "$top/include" "$top/fs" "$work/tree"
	git -C "$work/tree" add -A
	git -C "$work/tree" -c user.name=demo -c user.email=demo@localhost commit --quiet -m demo
	git clone --quiet --bare "$work/tree" "$work/repository"
fi

mkdir "$work/memory" "$work/backing" "$work/directory"
could_not=()
demonstrate() { # TITLE DIRECTORY ARGUMENTS of userdrive mount
	local title=$1 where=$2
	shift 2
	say "$title: userdrive mount $*"
	if mount_or_say "$where" "$userdrive" mount "$@"; then
		describe "$where"
		real_work "$where"
	else
		could_not+=("$title: it could not be mounted, see above")
		[ "$(id -u)" != 0 ] || failures=$((failures + 1))
	fi
}
in_process() { # TITLE PROGRAM
	local program=$build/tests/api/$2
	[ -x "$program" ] || return 0
	step "$1" run_tests "$program"
}
run_tests() {
	cd "$WORK" || return
	"$1"
	did "$(grep -c '^\[       OK' "$WORK/log") tests."
}
export -f run_tests

if [ ! -e /dev/fuse ]; then
	could_not+=("drives that Linux mounts: this machine has no /dev/fuse (as root: modprobe fuse)")
elif [ "$(id -u)" != 0 ] && ! command -v fusermount3 >/dev/null; then
	could_not+=("drives that Linux mounts: without root, fusermount3 must be installed (package fuse3)")
else
	demonstrate "A drive in memory" "$work/memory" memfs "$work/memory"
	demonstrate "A directory as a drive" "$work/directory" passthrough "$work/backing" "$work/directory"
	if [ "${#mounted[@]}" -gt 0 ]; then
		say "What is mounted now: userdrive list"
		"$userdrive" list | sed 's/^/   /'
		say "And away with it: userdrive stop, userdrive doctor"
		for m in "${mounted[@]}"; do
			step "userdrive stop $(basename "$m")" stop_one "$m"
		done
		step "userdrive doctor finds nothing left" "$userdrive" doctor
	fi
fi
demonstrate_disks
step "userdrive doctor finds nothing left" "$userdrive" doctor
say "Without a mount: the engine and a file system in one process"
in_process "metadata of a directory's files" api-passthrough-meta
in_process "names, renames, deletions" api-passthrough-names

echo
if [ "${#could_not[@]}" -gt 0 ]; then
	echo "Could not be shown here:"
	printf '  - %s\n' "${could_not[@]}"
fi
if [ "$failures" -gt 0 ]; then
	echo "Failed: $failures. What it was is above."
	exit 1
fi
if [ "${#could_not[@]}" -gt 0 ]; then
	echo "The rest was right, and nothing is left behind."
else
	echo "All of it was right, and nothing is left behind."
fi
