#!/usr/bin/env bash
# Breaks when `userdrive mount` returns before the drive works, or list and info do not find it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fuse

mkdir "$work/a" "$work/b" "$work/with space" "$work/source" "$work/bin" "$work/real"

expect 0 "mount memfs" "$userdrive" mount memfs "$work/a"
check "it prints nothing, so that scripts can use it" test ! -s "$work/out"
check "data can be written at once" bash -c 'echo hello >"$1/f" && [ "$(cat "$1/f")" = hello ]' - "$work/a"
check "the type is fuse.memfs" bash -c '[[ $1 == *" - fuse.memfs "* ]]' - "$(mount_line "$work/a")"

echo kept >"$work/source/file"
expect 0 "mount passthrough" "$userdrive" mount passthrough "$work/source" "$work/b" -o ro
check "it shows the directory" test "$(cat "$work/b/file")" = kept
expect 0 "mount on a name with a space" "$userdrive" mount memfs "$work/with space"
check "it works" bash -c 'echo x >"$1/f"' - "$work/with space"

expect 0 "list" "$userdrive" list
check "list shows the first" says out "^$work/a +memfs +[0-9]+ +(io_uring|/dev/fuse) +served"
check "list shows the second" says out "^$work/b +passthrough +[0-9]+ "
expect 0 "list --json" "$userdrive" list --json
check "list --json has its keys" json mount_point program state type source options connection pid server
check "three drives" test "$(json_value 'len(d)')" = 3
check "the name with a space" test "$(json_value "sum(i['mount_point'] == '$work/with space' for i in d)")" = 1

expect 0 "info" "$userdrive" info "$work/a"
for key in "mount point" program pid state options transport because protocol threads requests started; do
	check "info tells $key" says out "^$key "
done
expect 0 "info --json" "$userdrive" info "$work/a" --json
check "info --json has its keys" json mount_point program state type source options connection pid server
pid=$(json_value 'd["pid"]')
check "the server tells its own" test "$(json_value 'd["server"]["mount_point"]')" = "$work/a"
expect 0 "info by pid" "$userdrive" info "$pid"
check "it is the same drive" says out "^mount point +$work/a\$"
expect 0 "info with a slash at the end" "$userdrive" info "$work/a/"
expect 0 "info by a relative path" bash -c 'cd "$1" && "$2" info b/../a' - "$work" "$userdrive"
ln -s "$work" "$work/real/link"
expect 0 "info through a symbolic link" "$userdrive" info "$work/real/link/a"
check "it is the same drive" says out "^mount point +$work/a\$"
expect 0 "info of the name with a space" "$userdrive" info "$work/with space"
expect 0 "doctor finds nothing wrong" "$userdrive" doctor

expect 2 "a mount point that is a file" "$userdrive" mount memfs "$work/source/file"
expect 2 "a mount point whose parent is missing" "$userdrive" mount memfs "$work/no/such"
check "the message names it" says err "$work/no/such"
expect 4 "a source that is missing" "$userdrive" mount passthrough "$work/no-such" "$work/source"
check "the message names it" says err "$work/no-such"
expect 1 "an option that is unknown" "$userdrive" mount memfs "$work/source" -o frobnicate
expect 0 "stop three" "$userdrive" stop "$work/a" "$work/b" "$work/with space"

mkdir "$work/c" "$work/d"
ln -s "$memfs" "$work/bin/my-drive"
expect 0 "a program by its path" "$userdrive" mount "$memfs" "$work/c"
expect 0 "a program in PATH" env PATH="$work/bin:$PATH" "$userdrive" mount my-drive "$work/d"
check "both are mounted" bash -c 'touch "$1/f" "$2/f"' - "$work/c" "$work/d"
expect 0 "a relative mount point" bash -c 'cd "$1" && "$2" mount memfs a' - "$work" "$userdrive"
check "is where it should be" mounted "$work/a"
expect 0 "a mount point that is made" "$userdrive" mount memfs "$work/new"
check "it works" touch "$work/new/f"
expect 0 "stop --all" "$userdrive" stop --all
refute "a mount point that was made is removed" test -e "$work/new"
refute "nothing is mounted" grep -q " $work" /proc/self/mountinfo
check "no control socket is left" until_true empty_folder "$work/run/control"
check "no mount record is left" until_true empty_folder "$work/run/mounts"
finish
