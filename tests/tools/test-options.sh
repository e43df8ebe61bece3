#!/usr/bin/env bash
# Breaks when an option of the mount is accepted and has no effect, or another than it says.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fuse
need_root
command -v setpriv >/dev/null || skip "no setpriv"

drive=$work/drive
mkdir "$drive"
as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
# with OPTIONS: the drive is mounted anew with them.
with() {
	! mounted "$drive" || "$userdrive" stop "$drive" || failed "stop"
	"$userdrive" mount memfs "$drive" -o "$1" 2>"$work/err" || failed "mount with $1"
}
has() { [[ $(mount_line "$drive") =~ $1 ]]; }
info_says() { "$userdrive" info "$drive" --json >"$work/out"; [ "$(json_value "d['server']['$1']")" = "$2" ]; }

with ro
check "ro is shown" has ' ro[, ]'
expect 1 "ro: nothing can be made" bash -c 'LC_ALL=C touch "$1/f"' - "$drive"
check "ro: EROFS" says err 'Read-only file system'
with rw
check "rw: it can" touch "$drive/f"
refute "without allow_other nobody else gets in" as_nobody ls "$drive" 2>"$work/err"
check "EACCES" says err 'Permission denied'
with allow_other
check "allow_other: others get in" as_nobody ls "$drive"
check "allow_other is shown" has 'allow_other'
echo secret >"$drive/private"
chmod 600 "$drive/private"
refute "modes still count" as_nobody cat "$drive/private" 2>/dev/null

# Device nodes: /dev/null's number, so that nothing is read by mistake.
with nodev
check "nodev is shown" has 'nodev'
mknod "$drive/null" c 1 3
refute "nodev: the node does nothing" dd if="$drive/null" of=/dev/null count=1 status=none 2>/dev/null
with dev
refute "dev: nodev is not shown" has 'nodev'
mknod "$drive/null" c 1 3
check "dev: the node works" dd if="$drive/null" of=/dev/null count=1 status=none
for option in suid nosuid; do
	with "$option,allow_other"
	cp /usr/bin/id "$drive/id"
	chmod 4755 "$drive/id"
	got=$(as_nobody "$drive/id" -u)
	if [ "$option" = suid ]; then
		refute "suid: nosuid is not shown" has 'nosuid'
		check "suid: a set-id program has its owner's rights" test "$got" = 0
	else
		check "nosuid is shown" has 'nosuid'
		check "nosuid: a set-id program has not" test "$got" = "$(id -u nobody)"
	fi
done
with noexec
check "noexec is shown" has 'noexec'
cp /usr/bin/true "$drive/true"
refute "noexec: programs do not run" "$drive/true" 2>/dev/null
with exec
cp /usr/bin/true "$drive/true"
check "exec: they do" "$drive/true"

with fsname=my-source,subtype=mine
check "fsname and subtype are shown" has ' - fuse\.mine my-source '
with 'fsname=comma\,inside'
check "a comma in a value" has ' comma,inside '
for option in noatime sync dirsync; do
	with "$option"
	check "$option is shown" has "$option"
done

with transport=dev
check "transport=dev" info_says transport /dev/fuse
if [ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" = Y ]; then
	with transport=uring
	check "transport=uring" info_says transport io_uring
fi
with transport=dev,threads=3
for _ in 1 2 3 4 5 6; do (find "$drive" >/dev/null) & done
wait
"$userdrive" info "$drive" --json >"$work/out"
check "threads= is a limit" test "$(json_value "d['server']['threads']")" -le 3

with uid=1234,gid=4321,umask=027
touch "$drive/f"
check "uid= and gid=" test "$(stat -c %u:%g "$drive/f")" = 1234:4321
check "umask=" test "$(($(stat -c '0%a' "$drive/f") & 027))" = 0
with mode=1777,size=1M
check "mode= of the program" test "$(stat -c %a "$drive")" = 1777
refute "size= of the program" dd if=/dev/zero of="$drive/big" bs=64k count=64 conv=fsync status=none 2>/dev/null
with defaults,noauto,nofail,_netdev,x-systemd.automount,x-gvfs-hide,user,comment=mine
check "words for others are accepted" touch "$drive/f"

"$userdrive" stop "$drive"
for bad in uid=x gid=-1 umask=9 threads=0 threads=1025 transport=pigeon deadline=soon max_write=1 streams_interface=maybe fsname=; do
	expect 1 "-o $bad is refused" "$userdrive" mount memfs "$drive" -o "$bad"
	check "-o $bad is named" says err "${bad%%=*}"
	refute "-o $bad: nothing is mounted" mounted "$drive"
done
finish
