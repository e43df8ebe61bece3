#!/bin/sh
# If this fails, "userdrive fuse-run" does not hand a program our libfuse, or hides how it ended.
# usage: test-fuse-run.sh USERDRIVE
set -u
userdrive=$1
failed=0

expect() { # description, expected, actual
	[ "$2" = "$3" ] && return
	echo "FAIL: $1: expected '$2', got '$3'"
	failed=1
}

folder=$("$userdrive" fuse-run --print-folder) || { echo "no folder"; exit 1; }
for library in libfuse3.so.3 libfuse3.so.4; do
	[ -r "$folder/$library" ] || { echo "FAIL: no $folder/$library"; failed=1; }
done
unset LD_LIBRARY_PATH
expect "search path" "$folder" "$("$userdrive" fuse-run sh -c 'echo $LD_LIBRARY_PATH')"
expect "search path before others" "$folder:/other" \
	"$(LD_LIBRARY_PATH=/other "$userdrive" fuse-run sh -c 'echo $LD_LIBRARY_PATH')"
expect "layout" 3.16.2 \
	"$("$userdrive" fuse-run --layout 3.16.2 sh -c 'echo $USERDRIVE_FUSE_LAYOUT')"
expect "arguments" "--help -h" "$("$userdrive" fuse-run -- sh -c 'echo "$@"' sh --help -h)"
"$userdrive" fuse-run sh -c 'exit 42'
expect "exit code" 42 $?
"$userdrive" fuse-run /nowhere/at/all 2>/dev/null
expect "no program" 127 $?
"$userdrive" fuse-run /dev/null 2>/dev/null
expect "not a program" 126 $?
"$userdrive" fuse-run 2>/dev/null
expect "nothing to run" 1 $?
"$userdrive" fuse-run --help | grep -q Examples: || { echo "FAIL: no examples"; failed=1; }
exit $failed
