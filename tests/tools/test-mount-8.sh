#!/usr/bin/env bash
# Breaks when mount(8), /etc/fstab and umount(8) cannot handle a drive.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fuse
need_root
[ -x /sbin/mount.fuse3 ] || skip "no /sbin/mount.fuse3 (package fuse3)"

# A private table of mounts and a private /etc/fstab: in a namespace of our own.
if [ "${2:-}" != inside ]; then
	unshare -m true 2>/dev/null || skip "no private mount namespace"
	trap - EXIT
	rmdir "$work/run" "$work"
	exec unshare -m --propagation private "$0" "$1" inside
fi

mkdir "$work/bin" "$work/drive" "$work/source" "$work/other"
ln -s "$memfs" "$passthrough" "$work/bin"
# mount(8) looks for programs in the system's folders only.
mount --bind "$work/bin" /usr/local/sbin || skip "no /usr/local/sbin"
echo kept >"$work/source/file"

expect 0 "mount -t fuse.memfs" mount -t fuse.memfs none "$work/drive" -o size=1M,mode=1777,allow_other
check "it is live" bash -c 'echo x >"$1/f"' - "$work/drive"
check "its type" test "$(findmnt -no FSTYPE "$work/drive")" = fuse.memfs
check "options reached the program" test "$(stat -c %a "$work/drive")" = 1777
expect 0 "umount" umount "$work/drive"
refute "it is gone" mounted "$work/drive"
expect 0 "mount -t fuse.passthrough" mount -t fuse.passthrough "$work/source" "$work/drive" -o ro
check "it shows the directory" test "$(cat "$work/drive/file")" = kept
expect 1 "ro has its effect" touch "$work/drive/new"
pid=$(pid_of "$work/drive")
expect 0 "umount" umount "$work/drive"
check "the program ends" until_false alive "$pid"
check "no control socket is left" until_true empty_folder "$work/run/control"
check "no mount record is left" until_true empty_folder "$work/run/mounts"
mount -t fuse.memfs none "$work/drive" -o frobnicate >"$work/out" 2>"$work/err"
check "a failure of the program is one of mount" test $? != 0
check "which says why" says err frobnicate
refute "nothing is mounted" mounted "$work/drive"

cat >"$work/fstab" <<TABLE
memfs         $work/drive  fuse.memfs        noauto,nofail,_netdev,x-systemd.automount,user,size=1M  0 0
$work/source  $work/other  fuse.passthrough  ro,noauto,nofail                                        0 0
TABLE
mount --bind "$work/fstab" /etc/fstab
expect 0 "a line of /etc/fstab: mount DIRECTORY" mount "$work/drive"
check "it is live" touch "$work/drive/f"
expect 0 "the second line" mount "$work/other"
check "it is live" test "$(cat "$work/other/file")" = kept
expect 0 "list" "$userdrive" list
check "list shows both" bash -c '[ "$(grep -c served "$1")" = 2 ]' - "$work/out"
expect 0 "mount -a leaves them as they are" mount -a
expect 0 "umount" umount "$work/drive" "$work/other"
refute "both are gone" grep -q " $work.* fuse" /proc/self/mountinfo
umount /etc/fstab /usr/local/sbin
finish
