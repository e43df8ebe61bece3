#!/bin/sh
# Breaks when the engine has a command, a page or a sense condition that docs/scsi.md lacks, or the
# document has one that the engine lacks. Arguments: SOURCE_ROOT LIST, the program scsi-list.
set -eu

doc=$1/docs/scsi.md
tmp=$(mktemp -d "${TMPDIR:-/tmp}/userdrive-scsi.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
timeout 30 "$2" >"$tmp/list"

python3 - "$doc" "$tmp/list" <<'PY'
import re, sys

text = open(sys.argv[1]).read()
have = [line.split(" ", 1) for line in open(sys.argv[2]).read().splitlines()]


def table(title):
    """The cells of each row of the table under a heading."""
    m = re.search(r"^#+ %s$(.*?)(?=^#|\Z)" % re.escape(title), text, re.S | re.M)
    if not m:
        sys.exit("docs/scsi.md has no section '%s'" % title)
    rows = re.findall(r"^\|(.*)\|$", m.group(1), re.M)[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows]


def commands():
    for code, name in (row[:2] for row in table("Commands")):
        opcode, _, action = code.strip("`h").partition("/")
        yield "%s %s %s" % (opcode.rstrip("h"), action.rstrip("h") or "-", name)


def pages(title):
    for row in table(title):
        yield row[0].strip("`").rstrip("h")


def sense():
    for row in table("Sense"):
        key, asc, ascq = row[0].strip("`").split("/")
        yield "%s %s %s %s" % (key, asc.rstrip("h"), ascq.rstrip("h"), row[1])


bad = 0
for kind, said in (("command", commands()), ("vpd", pages("VPD pages")), ("mode", pages("Mode pages")),
                   ("log", pages("Log pages")), ("sense", sense())):
    there = [rest for k, rest in have if k == kind]
    if kind == "sense":  # without the name in the code
        there = [re.sub(r"^(\S+ \S+ \S+) \S+ ", r"\1 ", rest) for rest in there]
    said = list(said)
    for what in there:
        if what not in said:
            print("not in docs/scsi.md: %s %s" % (kind, what))
            bad = 1
    for what in said:
        if what not in there:
            print("in docs/scsi.md, and not in the engine: %s %s" % (kind, what))
            bad = 1
    if not there:
        sys.exit("nothing found of kind " + kind)
if not bad:
    print("ok: %d rows" % len(have))
sys.exit(bad)
PY
