#!/bin/sh
# Breaks when a public function or an option of a program has no place in the manual pages.
# Arguments: SOURCE_ROOT [BUILD_ROOT]. Options are asked of the programs that are built.
set -eu

root=$1
build=${2:-}
man=$root/docs/man
tmp=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-man.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
bad=0

# As plain text, one space between words: what a reader can search for.
render() { mandoc -Tascii "$1" | sed 's/.\x08//g' | tr -s ' \n' '  '; }

command -v mandoc >/dev/null || { echo "skip: mandoc is not installed"; exit 77; }
for page in "$man"/*.[1-9]; do
	render "$page" >"$tmp/$(basename "$page")"
done

for header in winfsp/winfsp.h winfsp/ext.h winspd/winspd.h winspd/ioctl.h winspd/ext.h; do
	python3 - "$root/include/$header" <<'PY' >>"$tmp/functions"
import re, sys
text = re.sub(r"/\*.*?\*/", "", open(sys.argv[1]).read(), flags=re.S)
names = set()
for decl in re.findall(r"\b(?:FSP_API|SPD_API|static inline)\b([^;{]*)[;{]", text):
    names.update(re.findall(r"\b((?:Fsp|Spd)x?[A-Z][A-Za-z0-9]*)\b(?=\s*[(,]|\s*$)", decl))
# Those that a macro defines in pairs.
for api, name in re.findall(r"^(FSP|SPD)X_DEFINE_SLOT_\((\w+),", text, re.M):
    prefix = api.capitalize() + "xInterface"
    names.update((prefix + "Set" + name, prefix + "Get" + name))
print("\n".join(sorted(names)))
PY
done
[ "$(wc -l <"$tmp/functions")" -gt 150 ] || { echo "the headers could not be read"; exit 1; }
while read -r function; do
	grep -qw -- "$function" "$tmp"/*.3 || { echo "$function is in no manual page"; bad=1; }
done <"$tmp/functions"

# check_options PAGE TEXT: every option that TEXT names is in PAGE.
check_options() {
	grep -oE -- '(^|[ ,[])--?[A-Za-z][A-Za-z_-]*' "$2" | tr -d ' ,[' | sort -u |
	while read -r option; do
		grep -qE -- "(^|[^A-Za-z0-9-])$option([^A-Za-z0-9_-]|\$)" "$tmp/$1" || {
			echo "$option is not in $1"
			echo bad >"$tmp/bad"
		}
	done
}

n=0
if [ -n "$build" ]; then
	for name in memfs passthrough ramdisk rawdisk; do
		program=$build/examples/$name/$name
		[ -x "$program" ] || continue
		timeout 10 "$program" --help >"$tmp/help" || { echo "$name --help failed"; exit 1; }
		sed -n '/^Options:/,/^$/p' "$tmp/help" | grep -oE '^  .{34}' >"$tmp/options"
		check_options "$name.1" "$tmp/options"
		n=$((n + 1))
	done
	for name in scsitool stgtest; do
		program=$build/tools/$name/$name
		[ -x "$program" ] || continue
		timeout 10 "$program" --help >"$tmp/help" || { echo "$name --help failed"; exit 1; }
		sed -n '/^Options:/,/^$/p' "$tmp/help" | grep -oE '^  .{34}' >"$tmp/options"
		check_options "$name.1" "$tmp/options"
		sed -n '/^Commands:/,$s/^  \([a-z][a-z0-9-]*\) .*/\1/p' "$tmp/help" >"$tmp/commands"
		while read -r command; do
			grep -qE -- "(^|[ ,])$command([ ,]|\$)" "$tmp/$name.1" ||
				{ echo "the command $command is not in $name.1"; bad=1; }
		done <"$tmp/commands"
		n=$((n + 1))
	done
	if [ -x "$build/tools/userdrive" ]; then
		"$build/tools/userdrive" help | sed -n 's/^  \([a-z]*\) .*/\1/p' |
			grep -v '^userdrive$' >"$tmp/commands"
		while read -r command; do
			grep -qw -- "userdrive $command" "$tmp/userdrive.1" ||
				{ echo "the command $command is not in userdrive.1"; bad=1; }
			timeout 10 "$build/tools/userdrive" help "$command" >"$tmp/help"
			grep -vE '^  (memfs|passthrough|ramdisk|rawdisk|userdrive) ' "$tmp/help" >"$tmp/options" || true
			check_options userdrive.1 "$tmp/options"
		done <"$tmp/commands"
		n=$((n + 1))
	fi
fi

# Words of -o, from the tables that parse them.
sed -n 's/^	{"\([a-z_]*\)", .*/\1/p' "$root/transport/mount/options.c" \
	"$root/fuse/mount_options.c" >"$tmp/words"
sed -n 's/.*strcmp(item, "\([a-z_]*\)").*/\1/p' "$root/transport/mount/options.c" >>"$tmp/words"
sed -n 's/.*value_of(item, "\([a-z_]*\)").*/\1/p' "$root/fuse/mount_options.c" >>"$tmp/words"
[ "$(wc -l <"$tmp/words")" -gt 30 ] || { echo "the option tables could not be read"; exit 1; }
while read -r word; do
	grep -qE -- "(^| )$word[,= ]" "$tmp/userdrive.7" || { echo "option $word is not in userdrive.7"; bad=1; }
done <"$tmp/words"

# Options of doors, from the lists that they check names against, and the names that are planned.
python3 - "$root"/transport/loop/door.c "$root"/transport/iscsi/options.c <<'PY' >"$tmp/door-words"
import re, sys
for path in sys.argv[1:]:
    for words in re.findall(r"known(?:_options)?\[\] = \{(.*?)NULL\}", open(path).read(), re.S):
        print("\n".join(re.findall(r'"(\w+)"', words)))
PY
sed -n 's/^	{"\([a-z+-]*:\).*/\1/p' "$root/scsi/door.c" >>"$tmp/door-words"
[ "$(wc -l <"$tmp/door-words")" -gt 12 ] || { echo "the options of doors could not be read"; exit 1; }
while read -r word; do
	pattern=$(printf '%s' "$word" | sed 's/+/[+]/')
	grep -qE -- "(^|[^a-z])$pattern([^a-z]|\$)" "$tmp/userdrive-doors.7" || { echo "$word is not in userdrive-doors.7"; bad=1; }
done <"$tmp/door-words"

[ ! -e "$tmp/bad" ] || bad=1
[ "$bad" = 0 ] && echo "ok: $(wc -l <"$tmp/functions") functions, $(wc -l <"$tmp/words") mount options, $(wc -l <"$tmp/door-words") words of doors, $n programs"
exit "$bad"
