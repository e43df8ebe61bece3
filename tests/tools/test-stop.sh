#!/usr/bin/env bash
# Breaks when `userdrive stop` leaves a drive, loses data, or ends drives that are not meant.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fuse

mkdir "$work/a" "$work/b" "$work/c" "$work/source" "$work/other-run"
chmod 700 "$work/other-run"
mount_three() {
	local name
	for name in a b c; do
		"$userdrive" mount memfs "$work/$name" || failed "mount $name"
	done
}

mount_three
pid=$(pid_of "$work/b")
expect 0 "stop by mount point" "$userdrive" stop "$work/a"
refute "it is gone" mounted "$work/a"
expect 0 "stop by pid" "$userdrive" stop "$pid"
refute "it is gone" mounted "$work/b"
refute "its process has ended" alive "$pid"
check "the third serves on" touch "$work/c/f"
expect 2 "one that is there and one that is not" "$userdrive" stop "$work/c" "$work/a"
refute "the one that is there is stopped" mounted "$work/c"
mount_three
expect 0 "stop of several, one named twice" "$userdrive" stop "$work/a" "$work/b" "$work/c/" "$work/c"
refute "all are gone" grep -q " $work" /proc/self/mountinfo

USERDRIVE_RUNTIME_DIR=$work/other-run "$userdrive" mount memfs "$work/a"
"$userdrive" mount memfs "$work/b"
expect 0 "stop --all" "$userdrive" stop --all
refute "ends those of this runtime directory" mounted "$work/b"
check "and no others" touch "$work/a/f"
expect 0 "list leaves others out" "$userdrive" list --json
check "list leaves others out" test "$(cat "$work/out")" = "[]"
expect 0 "list --all shows them" "$userdrive" list --all
check "as foreign" says out "^$work/a .* foreign"
pid=$(USERDRIVE_RUNTIME_DIR=$work/other-run pid_of "$work/a")
expect 0 "stop of a foreign FUSE mount" "$userdrive" stop "$work/a"
refute "it is gone" mounted "$work/a"
check "its process has ended" until_false alive "$pid"
expect 0 "stop --all of none" "$userdrive" stop --all

"$userdrive" mount passthrough "$work/source" "$work/a"
exec 7>"$work/a/open"
echo "written before" >&7
pid=$(pid_of "$work/a")
expect 0 "stop while a file is open" "$userdrive" stop --timeout 20 "$work/a"
refute "it is gone" mounted "$work/a"
check "it says that files are open" says err "still open"
check "what is open can be written" bash -c 'echo "and after" >&7'
exec 7>&-
check "its process ends after the last close" until_false alive "$pid"
check "what was written is kept" test "$(tr "\n" " " <"$work/source/open")" = "written before and after "

# A drive whose requests take seconds: they are under way when it is told to end.
"$memfs" "$work/a" -o MaxDelay=8000,PercentDelay=100,direct_io,transport=dev 2>/dev/null
if mounted "$work/a"; then
	pid=$(pid_of "$work/a")
	(timeout 60 dd if=/dev/zero of="$work/a/slow" bs=4k count=4 2>/dev/null) &
	children+=($!)
	sleep 0.3
	begin=$SECONDS
	expect 0 "stop --force of a busy drive" "$userdrive" stop --force "$work/a"
	check "at once" test $((SECONDS - begin)) -lt 5
	refute "it is gone" mounted "$work/a"
	check "its program ends" until_false alive "$pid"
else
	failed "a slow drive could not be mounted"
fi

"$userdrive" mount memfs "$work/a"
pid=$(pid_of "$work/a")
kill -KILL "$pid"
until_false alive "$pid"
check "a dead drive's mount is there" mounted "$work/a"
expect 0 "list calls it dead" "$userdrive" list
check "list calls it dead" says out "^$work/a .* dead"
expect 0 "stop of a dead drive" "$userdrive" stop "$work/a"
refute "it is gone" mounted "$work/a"

"$userdrive" mount memfs "$work/a"
pid=$(pid_of "$work/a")
kill -KILL "$pid"
until_false alive "$pid"
expect 4 "doctor --dry-run tells of it" "$userdrive" doctor --dry-run --json
check "in JSON" json mount_point program pid finding action
check "and names it" test "$(json_value 'd[0]["mount_point"]')" = "$work/a"
check "it is still there" mounted "$work/a"
expect 0 "doctor cleans up" "$userdrive" doctor
refute "it is gone" mounted "$work/a"
check "its record is gone" empty_folder "$work/run/mounts"
finish
