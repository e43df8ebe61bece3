#!/usr/bin/env bash
# Core mount tests as an ordinary user, who mounts through fusermount3.
# usage: ci/run-as-user.sh BUILD_DIR   Root becomes "nobody" for it; others stay who they are.
set -uo pipefail

build=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
passed=0 failed=0 skipped=0

as_user=()
tmp=$(mktemp -d /tmp/userdrive-user.XXXXXX)
mode=
restore() {
	[ -z "$mode" ] || chmod "$mode" /dev/fuse
	rm -rf "$tmp"
}
trap restore EXIT
if [ "$(id -u)" = 0 ]; then
	chown nobody "$tmp"
	# Where no udev runs the device is root's alone; distributions give it to everybody.
	if [ -c /dev/fuse ] && [ "$(stat -c %a /dev/fuse)" != 666 ]; then
		mode=$(stat -c %a /dev/fuse)
		chmod 666 /dev/fuse
	fi
	as_user=(setpriv --reuid nobody --regid nogroup --clear-groups env HOME="$tmp" XDG_RUNTIME_DIR="$tmp")
	if ! setpriv --reuid nobody --regid nogroup --clear-groups test -r "$build/build.ninja" -a -r "$top/Makefile"; then
		echo "skip: an ordinary user cannot read $build"
		echo "0 passed, 0 failed, 1 skipped"
		exit 0
	fi
fi

run() { # TITLE ARGUMENTS of on-drive.sh
	local title=$1 code
	shift
	timeout 600 "${as_user[@]}" env TMPDIR="$tmp" "$top/tests/clients/on-drive.sh" "$build" "$@" >"$tmp.log" 2>&1
	code=$?
	case $code in
	0) passed=$((passed + 1)); echo "ok: $title" ;;
	77) skipped=$((skipped + 1)); echo "skipped: $title: $(grep -m1 '^skip:' "$tmp.log")" ;;
	*) failed=$((failed + 1)); echo "FAILED: $title"; tail -30 "$tmp.log" ;;
	esac
	rm -f "$tmp.log"
}

for drive in memfs passthrough; do
	for transport in uring dev; do
		on=("$drive" "$transport")
		run "posix ${on[*]}" "${on[@]}" -- "$build/tests/posix/posix-suite" {} \
			--expect "$top/tests/clients/expected/posix-$drive-user.expect"
		# A user's passthrough server meets the permissions of the files themselves: what their
		# owner may not read it cannot serve. No model of a full file system (compatibility.md).
		[ "$drive" = passthrough ] ||
			run "model ${on[*]}" "${on[@]}" -- "$build/tests/model/fsmodel" {} {ref} \
				--profile mixed --seed 2 --ops 6000
		run "processes ${on[*]}" "${on[@]}" -- "$build/tests/stress/stress-many-processes" {} --seconds 3 --processes 8
		run "names ${on[*]}" "${on[@]}" -- "$build/tests/stress/stress-names" {} --seed 2
	done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
