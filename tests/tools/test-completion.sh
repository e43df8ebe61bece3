#!/usr/bin/env bash
# Breaks when pressing TAB after userdrive offers nothing, or what does not exist.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

export PATH=$build/tools:$PATH
# offers WORD…: what is offered for the last one, on a line.
offers() {
	bash -c '. "$1/tools/completions/userdrive"; shift
		COMP_WORDS=(userdrive "$@"); COMP_CWORD=$#; _userdrive; printf "%s\n" "${COMPREPLY[@]}"' - "$top" "$@" 2>&1 |
		sort | tr '\n' ' '
}
check "commands" test "$(offers '')" = "--help --version attach detach doctor fuse-run help info list mount resize stop version "
check "the beginning of a command" test "$(offers 'do')" = "doctor "
check "help of commands" test "$(offers help 'st')" = "stop "
for command in list info stop attach detach resize doctor version; do
	for option in $(offers "$command" --); do
		check "$command $option is in its help" bash -c '"$1" help "$2" | grep -q -e "$3" || [ "$3" = --help ]' - \
			"$userdrive" "$command" "$option"
	done
done
check "options of the mount" bash -c '[[ $1 == "ro,allow_other "* ]]' - "$(offers mount memfs /mnt -o ro,allow_)"
if [ -x "$build/examples/rawdisk/rawdisk" ]; then
	"$userdrive" attach "$work/an image" --size 1M --door '\\.\pipe\c' >/dev/null
	check "images of disks" test "$(offers detach "$work/")" = "$work/an\\ image "
	check "their names" test "$(offers info '\\')" = '\\\\.\\pipe\\c\\0 '
	"$userdrive" stop --all
	check "nothing when there are none" test "$(offers resize '')" = " "
fi
if [ -e /dev/fuse ] && [ "$(id -u)" = 0 ]; then
	mkdir "$work/a" "$work/with space"
	"$userdrive" mount memfs "$work/a"
	"$userdrive" mount memfs "$work/with space"
	check "mount points" test "$(offers stop "$work/")" = "$work/a $work/with\\ space "
	check "the beginning of one" test "$(offers info "$work/w")" = "$work/with\\ space "
fi
finish
