#!/bin/sh
# Fails when the list of cases and the program disagree, or when a promise of the manual pages
# is neither tested nor excluded with a reason: test-list.sh POSIX-SUITE
set -eu
export LC_ALL=C
here=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

complain() # text, file with lines
{
	[ -s "$2" ] || return 0
	echo "$1"
	sed 's/^/  /' "$2"
	bad=1
}

lines() # file
{
	grep -v '^#' "$1" || true
}

# 1. List and program, both ways.
"$1" --list >"$tmp/program"
lines "$here/cases.list" >"$tmp/list"
diff "$tmp/list" "$tmp/program" >"$tmp/diff" || true
complain "cases.list and --list differ (run update-list.sh):" "$tmp/diff"
awk '{ print $1, $2, $3 }' "$tmp/list" | sort | uniq -d >"$tmp/twice"
complain "listed twice:" "$tmp/twice"

# 2. Promises are tested or excluded, not both, and exclusions have a reason.
awk '{ print $1, $2 }' "$tmp/list" | sort -u >"$tmp/tested"
lines "$here/promised.list" | sort -u >"$tmp/promised"
lines "$here/excluded.list" | awk 'NF < 3' >"$tmp/no-reason"
complain "excluded without a reason:" "$tmp/no-reason"
awk 'NR == FNR { if ($1 == "*") all[$2] = 1; else one[$1 " " $2] = 1; next }
	$2 in all || $0 in one' "$here/excluded.list" "$tmp/promised" | sort -u >"$tmp/excluded"
sort -u "$tmp/tested" "$tmp/excluded" | comm -23 "$tmp/promised" - >"$tmp/missing"
complain "promised, but neither tested nor excluded:" "$tmp/missing"
lines "$here/excluded.list" | awk '$1 != "*" { print $1, $2 }' | sort -u |
	comm -12 - "$tmp/tested" >"$tmp/both"
complain "both tested and excluded:" "$tmp/both"
lines "$here/excluded.list" | awk '$1 != "*" { print $1, $2 }' | sort -u |
	comm -23 - "$tmp/promised" >"$tmp/unknown"
complain "excluded, but not promised:" "$tmp/unknown"

# 3. Promises of the pages on this machine, where they are installed.
for page in chmod.2 chown.2 link.2 mkdir.2 mkfifo.3 mknod.2 open.2 posix_fallocate.3 rename.2 \
	rmdir.2 symlink.2 truncate.2 unlink.2 utimensat.2; do
	file=/usr/share/man/man${page#*.}/$page.gz
	[ -r "$file" ] || continue
	gzip -dc "$file" | awk -v call="${page%.*}" '
		/^\.SH/ { on = /ERRORS/ }
		on && /^\.T[PQ]/ { tag = 1; next }
		on && tag {
			tag = 0
			if ($0 !~ /^\.BR? /)
				next
			n = split($0, word, /[^A-Z0-9]+/)
			for (i = 1; i <= n; i++) {
				sub(/^EWOULDBLOCK$/, "EAGAIN", word[i])
				sub(/^ENOTSUP$/, "EOPNOTSUPP", word[i])
				if (word[i] ~ /^E[A-Z0-9]+$/)
					print call, word[i]
			}
		}'
done | sort -u >"$tmp/pages"
comm -23 "$tmp/pages" "$tmp/promised" >"$tmp/new"
complain "promised by the manual pages of this machine, not by promised.list:" "$tmp/new"

[ "$bad" = 0 ] && echo "$(wc -l <"$tmp/list") cases, $(wc -l <"$tmp/promised") promises"
exit "$bad"
