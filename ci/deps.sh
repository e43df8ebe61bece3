#!/bin/sh
# Installs what a tier needs on Debian 12, or says what is missing elsewhere.
# usage: ci/deps.sh build|test|demo|guest|check [BUILD_DIR]
# A build directory that is there already is configured again when something was installed: what
# was missing then may be found now.
set -eu

tier=${1:-build}
build_dir=${2:-}
build="gcc g++ make pkg-config meson ninja-build liburing-dev libutf8proc-dev libsystemd-dev
	libcmocka-dev nettle-dev libiscsi-dev"
# File systems for disks, and initiators that others wrote.
disks="fdisk e2fsprogs btrfs-progs libiscsi-bin qemu-utils qemu-block-extra"
test="$build $disks xfsprogs sg3-utils fio fuse3 clang python3 attr acl procps util-linux manpages-dev mandoc"
demo="$build $disks fuse3 git fio sqlite3 rsync findutils procps util-linux python3"
guest="$build python3 qemu-system-x86 busybox-static cpio kmod xz-utils zstd open-iscsi sg3-utils
	ntfs-3g e2fsprogs fdisk fio util-linux"
check="$test $demo clang-tidy cppcheck valgrind libclang-rt-14-dev"

case $tier in
build) want=$build ;;
test) want=$test ;;
demo) want=$demo ;;
guest) want=$guest ;;
check) want=$check ;;
*) echo "ci/deps.sh: unknown tier '$tier' (build, test, demo, guest, check)" >&2; exit 2 ;;
esac

missing=
for package in $want; do
	status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
	[ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "ci/deps.sh: this is not a Debian system; please install the equivalents of:$missing" >&2
	exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
	if command -v sudo >/dev/null; then
		as_root=sudo
	else
		echo "ci/deps.sh: not root and no sudo; please install:$missing" >&2
		exit 1
	fi
fi
echo "Installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
if ! { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends $missing; } \
	>"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	echo "ci/deps.sh: apt-get could not install:$missing" >&2
	exit 1
fi
[ ! -f "$build_dir/build.ninja" ] || meson setup --reconfigure "$build_dir" >"$log" 2>&1 || cat "$log" >&2
