#!/usr/bin/env bash
# make demo: mounts a drive in memory and a directory as a drive, runs real work on both, and says
# what it did and measured. Leaves nothing behind. Exit 0 when all that could be run was right.
set -uo pipefail

build=$(cd "${1:-build}" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
userdrive=$build/tools/userdrive
work=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-demo.XXXXXX")
export PATH="$build/examples/memfs:$build/examples/passthrough:$build/tools:$PATH"
failures=0
mounted=()

cleanup() {
	local m
	cd /
	for m in "${mounted[@]}"; do
		"$userdrive" stop "$m" >/dev/null 2>&1 || umount -l "$m" 2>/dev/null ||
			fusermount3 -uz "$m" 2>/dev/null
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
ok() { printf '   %-46s %s\n' "$1" "$2"; }
bad() {
	printf '   %-46s FAILED\n' "$1"
	sed 's/^/     | /' "$work/log" | tail -15
	failures=$((failures + 1))
}

# step TITLE COMMAND…: runs it with a time limit, prints how long it took.
step() {
	local title=$1 begin end
	shift
	begin=$(date +%s%N)
	if timeout 300 bash -c 'set -euo pipefail; "$@"' step "$@" >"$work/log" 2>&1 </dev/null; then
		end=$(date +%s%N)
		ok "$title" "$(((end - begin) / 1000000)) ms${note:+, $note}"
	else
		bad "$title"
	fi
	note=
}
note=

hashes() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0r sha256sum); }
export -f hashes

clone_and_check() {
	git clone --quiet --no-hardlinks "$1" "$2/clone"
	git -C "$2/clone" fsck --full --strict
	[ -z "$(git -C "$2/clone" status --porcelain)" ]
}
unpack_and_compile() {
	mkdir -p "$2/src"
	git -C "$1" archive HEAD base include | tar -x -C "$2/src"
	printf '#include <stdio.h>\nint main(void) { puts("compiled on a drive"); return 0; }\n' >"$2/src/hello.c"
	cd "$2/src"
	gcc -O1 -o hello hello.c
	[ "$(./hello)" = "compiled on a drive" ]
	for c in base/*.c; do
		gcc -std=gnu11 -D_GNU_SOURCE -I. -Iinclude -c "$c" -o "${c%.c}.o"
	done
	ar rcs libbase.a base/*.o
}
sqlite_wal() {
	sqlite3 "$1/demo.db" 'PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);' >/dev/null
	sqlite3 "$1/demo.db" 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000)
		INSERT INTO t SELECT i, hex(randomblob(20)) FROM n;'
	[ "$(sqlite3 "$1/demo.db" 'PRAGMA integrity_check; SELECT count(*) FROM t;')" = "$(printf 'ok\n20000')" ]
}
copy_and_compare() {
	cp -a "$1/clone" "$1/copy"
	rsync -a --checksum "$1/clone/" "$1/synced/"
	hashes "$1/clone" >"$2/a"
	hashes "$1/copy" | cmp - "$2/a"
	hashes "$1/synced" | cmp - "$2/a"
}
fio_verify() {
	fio --name=demo --directory="$1" --rw=randwrite --bs=4k --size=16m --verify=crc32c \
		--do_verify=1 --ioengine=psync --output-format=terse --minimal >/dev/null
	rm -f "$1"/demo.*
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
}
find_all() { [ "$(find "$1" -xdev | wc -l)" -gt 100 ]; }
export -f clone_and_check unpack_and_compile sqlite_wal copy_and_compare fio_verify mmap_check find_all

real_work() {
	local drive=$1
	step "git clone of this repository, git fsck" clone_and_check "$work/repository" "$drive"
	step "unpack and compile a C program" unpack_and_compile "$work/repository" "$drive"
	step "sqlite3 with WAL, 20,000 rows" sqlite_wal "$drive"
	step "cp -a and rsync, hashes compared" copy_and_compare "$drive" "$work"
	step "fio, 16 MiB random writes with verify" fio_verify "$drive"
	step "mmap written, read back" mmap_check "$drive"
	step "find over all of it" find_all "$drive"
	step "rm -rf of everything" bash -c 'cd / && rm -rf "$1"/* && [ -z "$(ls -A "$1")" ]' rm "$drive"
}

mount_or_say() { # DIRECTORY COMMAND…
	local where=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		mounted+=("$where")
		return 0
	fi
	echo "   could not be mounted:"
	sed 's/^/     | /' "$work/log"
	return 1
}

echo "Userdrive $("$userdrive" version | head -1): ordinary programs become drives."
# A commit to clone, also when this tree is an exported one.
if ! git clone --quiet --no-hardlinks --bare "$top" "$work/repository" 2>/dev/null; then
	git init --quiet "$work/tree" && cp -R "$top/base" "$top/include" "$top/fs" "$work/tree"
	git -C "$work/tree" add -A
	git -C "$work/tree" -c user.name=demo -c user.email=demo@localhost commit --quiet -m demo
	git clone --quiet --bare "$work/tree" "$work/repository"
fi

mkdir "$work/memory" "$work/backing" "$work/directory"
could_not=()
if [ ! -e /dev/fuse ]; then
	could_not+=("mounting: this machine has no /dev/fuse (try: modprobe fuse)")
else
	say "A drive in memory: userdrive mount memfs $work/memory"
	if mount_or_say "$work/memory" "$userdrive" mount memfs "$work/memory"; then
		"$userdrive" info "$work/memory" | sed 's/^/   /'
		real_work "$work/memory"
	else
		could_not+=("the drive in memory")
		[ "$(id -u)" = 0 ] && failures=$((failures + 1))
	fi
	say "A directory as a drive: userdrive mount passthrough $work/backing $work/directory"
	if mount_or_say "$work/directory" "$userdrive" mount passthrough "$work/backing" "$work/directory"; then
		"$userdrive" info "$work/directory" | sed 's/^/   /'
		real_work "$work/directory"
	else
		could_not+=("the directory as a drive")
		[ "$(id -u)" = 0 ] && failures=$((failures + 1))
	fi
	say "What is mounted now: userdrive list"
	"$userdrive" list | sed 's/^/   /'
	for m in "${mounted[@]}"; do
		step "userdrive stop $m" "$userdrive" stop "$m"
	done
	mounted=()
	step "userdrive doctor finds nothing left" "$userdrive" doctor
fi
if [ -x "$build/tests/api/api-engine" ]; then
	say "Without a mount: the engine and a file system in one process"
	step "opens, sharing, deletion, streams" "$build/tests/api/api-engine"
fi

echo
if [ "${#could_not[@]}" -gt 0 ]; then
	echo "Could not be shown here:"
	printf '  - %s\n' "${could_not[@]}"
fi
if [ "$failures" -gt 0 ]; then
	echo "$failures steps failed."
	exit 1
fi
echo "All of it was right, and nothing is left behind."
