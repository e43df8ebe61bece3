#!/bin/bash
# Breaks when initiators that others wrote do not get from the iSCSI door what the standard says.
#
#	iscsi-clients.sh MEMDISK discovery|chap|digests|data
set -u
memdisk=$1 what=$2
iqn=iqn.2026-01.com.example:suite
dir=$(mktemp -d) || exit 1
server=
cleanup()
{
	[ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

requires()
{
	command -v "$1" >/dev/null || {
		echo "skipped: $1 is not installed"
		exit 77
	}
}

# serve DEVICE-OPTIONS MEMDISK-OPTIONS...: sets $url
serve()
{
	local options=$1
	shift
	mkfifo "$dir/out"
	"$memdisk" --door "iscsi://127.0.0.1:0/$iqn$options" --blocks 262144 "$@" \
		</dev/zero >"$dir/out" 2>"$dir/log" &
	server=$!
	while read -r line; do
		case $line in
		*'"url":'*) url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' <<<"$line") ;;
		ready) break ;;
		esac
	done <"$dir/out"
	[ -n "${url:-}" ] || fail "no server: $(cat "$dir/log")"
	address=${url#iscsi://}
	address=${address%%/*}
}

discovery()
{
	requires iscsi-ls
	serve ''
	timeout 20 iscsi-ls -s "iscsi://$address" >"$dir/ls" || fail "iscsi-ls"
	grep -q "Target:$iqn Portal:$address,1" "$dir/ls" || fail "not listed: $(cat "$dir/ls")"
	grep -q 'Lun:0.*DIRECT_ACCESS' "$dir/ls" || fail "no LUN: $(cat "$dir/ls")"
}

# may NAME SECRET [URL-OPTIONS]
may()
{
	timeout 20 iscsi-inq "iscsi://$1%$2@$address/$iqn/0${3:-}" >"$dir/inq" 2>&1
}

chap()
{
	requires iscsi-inq
	(umask 077 && printf 'user joe secret-of-joe\nmutual disk secret-of-disk\n' >"$dir/auth")
	serve "?auth=$dir/auth"
	may joe secret-of-joe || fail "the right secret: $(cat "$dir/inq")"
	may joe secret-of-jim && fail "a wrong secret came in"
	may jim secret-of-joe && fail "an unknown name came in"
	timeout 20 iscsi-inq "$url" >"$dir/inq" 2>&1 && fail "no secret came in"
	may joe secret-of-joe "?target_user=disk&target_password=secret-of-disk" ||
		fail "both ways: $(cat "$dir/inq")"
	may joe secret-of-joe "?target_user=disk&target_password=other-secret" &&
		fail "the target proved what it cannot know"
	grep -q 'secret-of' "$dir/log" && fail "a secret is in the log"
	true
}

# It offers both; the door takes nothing but a digest here, or refuses.
digests()
{
	requires iscsi-inq
	serve "?digests=header-required"
	timeout 20 iscsi-inq "$url?header_digest=crc32c" >"$dir/inq" 2>&1 ||
		fail "with a header digest: $(cat "$dir/inq")"
}

data()
{
	requires qemu-img
	serve '' --length 512 --thin
	head -c 64M /dev/urandom >"$dir/in"
	timeout 60 qemu-img convert -n -f raw -O raw "$dir/in" "$url" 2>"$dir/err" || {
		grep -q 'Unknown protocol' "$dir/err" && echo "skipped: qemu has no iSCSI" && exit 77
		fail "$(cat "$dir/err")"
	}
	timeout 60 qemu-img convert -f raw -O raw "$url" "$dir/back" || fail "reading"
	cmp -n 67108864 "$dir/in" "$dir/back" || fail "the data differ"
}

"$what" || exit 1
kill -0 "$server" 2>/dev/null || fail "the server died: $(cat "$dir/log")"
