#!/usr/bin/env bash
# Breaks when the disk programs mislead: help, wrong options, exit codes, what they leave behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
rawdisk=$build/examples/rawdisk/rawdisk
ramdisk=$build/examples/ramdisk/ramdisk
image=$work/disk.img
cd "$work" || exit 1

for program in "$rawdisk" "$ramdisk"; do
	name=$(basename "$program")
	expect 0 "$name --help" "$program" --help
	check "$name --help has examples" says out '^Examples:'
	check "$name --help has exit codes" says out '^Exit codes:'
	expect 0 "$name --version" "$program" --version
	check "$name says its version" says out "^$name [0-9.]+\$"
	expect 1 "$name with an unknown option" "$program" --no-such-option
	check "the message names it" says err "no-such-option"
	expect 1 "$name with an unknown item of -o" "$program" -o no_such_option
	check "the message names it" says err "no_such_option"
done

# refused CODE PATTERN ARGUMENT…
refused() {
	local code=$1 pattern=$2
	shift 2
	expect "$code" "rawdisk $*" "$rawdisk" "$@" -p '\\.\pipe\usage'
	check "the message says: $pattern" says err "$pattern"
	check "one line" test "$(wc -l <"$work/err")" = 1
}
refused 1 'bytes|size' disk.img --size=big
refused 1 'size' disk.img --size=0
refused 1 'block-length' disk.img --size=1M -l 8
refused 1 'partition' disk.img --size=1M --partition=apm
refused 1 'guid' disk.img --size=1M --guid=1234
refused 1 'product' disk.img --size=1M -i 12345678901234567
refused 1 'revision' disk.img --size=1M -r ''
refused 1 'neither 0 nor 1' disk.img --size=1M -W yes
refused 4 '--size' disk.img
refused 4 'multiple' disk.img --size=1000
refused 4 'contradict' disk.img --size=1M -c 3
refused 4 'does not fit' disk.img --size=8K --partition=gpt
refused 4 'cannot be made' no-such-folder/disk.img --size=1M
refused 4 'neither a file nor' /dev/null
refused 4 'which image' --size=1M
check "no image was made" test ! -e disk.img
: >empty
refused 4 'empty' empty
refused 4 'cannot be filled' -f empty -W 0
printf x >odd
refused 4 'multiple' odd
check "it is as it was" test "$(cat odd)" = x

expect 1 "ramdisk of no size" "$ramdisk" --size=0
expect 1 "ramdisk with odd blocks" "$ramdisk" -l 520
expect 4 "ramdisk of half a block" "$ramdisk" --size=1000 -p '\\.\pipe\usage'

expect 4 "attach of what is neither image nor program" "$userdrive" attach ./no-such-folder/image
check "the message names it" says err 'no-such-folder/image'
expect 1 "attach with an unknown option" "$userdrive" attach "$image" --size 1M --no-such-option
check "the message names it" says err 'no-such-option'
check "no image was made" test ! -e "$image"
expect 4 "attach of a missing image" "$userdrive" attach "$image" --door '\\.\pipe\usage'
check "the message says how to make one" says err '--size'
expect 2 "attach at a door that is none" "$userdrive" attach "$image" --size 1M --door 'wormhole:'
check "the message names it" says err 'wormhole'
check "no image is left" test ! -e "$image"
check "no disk is left" test "$("$userdrive" list --json)" = "[]"
finish
