#!/usr/bin/env bash
# Breaks when the command line misleads: help, unknown words, exit codes, JSON that does not parse.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

expect 0 "help" "$userdrive" help
check "help names every command" says out '^  doctor '
check "help has an example" says out '^Example'
expect 0 "--help" "$userdrive" --help
expect 0 "-h" "$userdrive" -h
expect 1 "without a word: how it is used" "$userdrive"
check "on standard error" says err '^usage: '
for command in mount attach list info stop detach resize fuse-run doctor version help; do
	expect 0 "help $command" "$userdrive" help "$command"
	check "help $command has usage" says out "^usage: userdrive $command"
	check "help $command has an example" says out '^Examples?:'
	expect 0 "$command --help" "$userdrive" "$command" --help
	check "$command --help is the same" says out "^usage: userdrive $command"
	expect 1 "$command with an unknown option" "$userdrive" "$command" --no-such-option
	check "$command names itself in the message" says err "userdrive"
done
expect 1 "an unknown command" "$userdrive" explode
check "the message names it" says err "no command 'explode'"
expect 1 "help of an unknown command" "$userdrive" help explode
expect 1 "list of something" "$userdrive" list something
expect 1 "info of nothing" "$userdrive" info
expect 1 "info of two" "$userdrive" info a b
expect 1 "stop of nothing" "$userdrive" stop
expect 1 "stop of one and all" "$userdrive" stop --all /mnt
expect 1 "a time limit that is no number" "$userdrive" stop --timeout soon /mnt
expect 1 "an empty time limit" "$userdrive" stop --timeout '' /mnt
expect 1 "a time limit above a day" "$userdrive" stop --timeout 86401 /mnt
expect 1 "attach of nothing" "$userdrive" attach
expect 1 "attach of nothing, with an option" "$userdrive" attach --json
expect 1 "detach of nothing" "$userdrive" detach
expect 1 "detach of two" "$userdrive" detach a b
expect 1 "resize without a size" "$userdrive" resize a
expect 1 "resize to what is no size" "$userdrive" resize a big
expect 1 "resize to nothing" "$userdrive" resize a 0
expect 2 "detach of what is no disk" "$userdrive" detach /dev/null
check "the message says where to look" says err 'userdrive list'
expect 2 "resize of what is no disk" "$userdrive" resize /dev/null 1G
expect 1 "mount of nothing" "$userdrive" mount
expect 2 "mount of an unknown program" "$userdrive" mount no-such-program /mnt
check "the message says what is known" says err 'memfs and passthrough'
expect 2 "mount of an unknown path" "$userdrive" mount ./no-such-program /mnt
check "the message says why" says err 'No such file'
expect 2 "mount of what is no program" "$userdrive" mount "$top/README.md" /mnt
expect 2 "info of what is not mounted" "$userdrive" info "$work"
check "the message says where to look" says err 'userdrive list'
expect 2 "info of a pid without a drive" "$userdrive" info 1
expect 2 "stop of what is not mounted" "$userdrive" stop "$work"
expect 0 "version" "$userdrive" version
expect 0 "--version" "$userdrive" --version
expect 0 "-V" "$userdrive" -V
expect 0 "version --json" "$userdrive" version --json
check "version --json" json version fuse_protocol
expect 0 "list --json without drives" "$userdrive" list --json
check "an empty array" test "$(cat "$work/out")" = "[]"
expect 0 "doctor --json without drives" "$userdrive" doctor --json
check "doctor --json" json mount_point program pid finding action

for program in "$memfs" "$passthrough"; do
	name=$(basename "$program")
	expect 0 "$name --help" "$program" --help
	check "$name --help has examples" says out '^Examples:'
	check "$name --help has exit codes" says out '^Exit codes:'
	expect 0 "$name --version" "$program" --version
	check "$name says its version" says out "^$name [0-9.]+\$"
	expect 1 "$name without arguments" "$program"
	check "$name says what is missing" says err "mount point"
	expect 1 "$name with an unknown option" "$program" --no-such-option
	expect 1 "$name with an unknown option of the mount" "$program" "$work" -o no_such_option
	check "$name names it" says err "no_such_option"
done
finish
