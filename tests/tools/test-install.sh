#!/usr/bin/env bash
# Breaks when what `make install` puts down cannot be used: programs, library, headers, units.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v meson >/dev/null || skip "no meson"
command -v pkg-config >/dev/null || skip "no pkg-config"
! grep -q -- '-fsanitize' "$build/compile_commands.json" || skip "a build with sanitizers is not installed"
[ -w "$build/meson-logs" ] || skip "the build directory belongs to somebody else"

dest=$work/dest
DESTDIR=$dest meson install -C "$build" --no-rebuild --quiet >"$work/out" 2>"$work/err" </dev/null || {
	failed "meson install"
	finish
}
option() {
	meson introspect "$build" --buildoptions | python3 -c 'import json, sys
print([o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]][0])' "$1"
}
prefix=$(option prefix)
at=$dest$prefix
lib=$at/$(option libdir)
# Below /usr the loader finds the library by itself, which it cannot do for a staged tree.
unset LD_LIBRARY_PATH
[ "$prefix" != /usr ] || export LD_LIBRARY_PATH=$lib
for file in bin/userdrive bin/memfs bin/passthrough bin/rawdisk bin/ramdisk bin/scsitool bin/stgtest \
	include/winfsp/winfsp.h include/winfsp/fsctl.h include/winfsp/ext.h include/winspd/winspd.h \
	include/winspd/ioctl.h include/winspd/ext.h include/nt/types.h include/nt/scsi.h \
	share/man/man1/userdrive.1 share/man/man7/userdrive.7 share/man/man1/userdrive-attach.1 \
	share/man/man1/userdrive-detach.1 share/man/man1/userdrive-resize.1 share/man/man1/rawdisk.1 \
	share/man/man1/ramdisk.1 share/man/man1/scsitool.1 share/man/man1/stgtest.1 \
	share/man/man3/FspFileSystemCreate.3 share/doc/userdrive/tutorial-file-system.md \
	share/bash-completion/completions/userdrive share/zsh/site-functions/_userdrive \
	share/fish/vendor_completions.d/userdrive.fish \
	lib/systemd/system/userdrive-memfs@.service lib/systemd/user/userdrive-passthrough@.service \
	lib/systemd/system/userdrive-rawdisk@.service lib/systemd/user/userdrive-rawdisk@.service; do
	check "$file" test -s "$at/$file"
done
for file in libfsp.so libfsp.so.0 libfsp.a pkgconfig/fsp.pc libspd.so libspd.so.0 libspd.a pkgconfig/spd.pc; do
	check "$file" test -s "$lib/$file"
done
check "libfsp.so is a link" test "$(readlink "$lib/libfsp.so")" = libfsp.so.0
check "libspd.so is a link" test "$(readlink "$lib/libspd.so")" = libspd.so.0
for program in memfs rawdisk scsitool stgtest; do
	expect 0 "installed, $program finds its libraries" "$at/bin/$program" --version
done
if command -v systemd-analyze >/dev/null && [ "$(id -u)" = 0 ]; then
	for kind in system user; do
		for unit in "$at/lib/systemd/$kind"/*.service; do
			sed -i "s,^ExecStart=$prefix,ExecStart=$at," "$unit"
		done
	done
	expect 0 "systemd understands the units" systemd-analyze verify --man=no \
		"$at/lib/systemd/system/userdrive-memfs@mnt-x.service" \
		"$at/lib/systemd/system/userdrive-passthrough@mnt-y.service" \
		"$at/lib/systemd/system/userdrive-rawdisk@srv-disk.img.service"
fi

# Disks need no kernel.
pipe='\\.\pipe\installed'
expect 0 "the installed userdrive finds rawdisk" "$at/bin/userdrive" attach "$work/disk.img" --size 8M --door "$pipe"
expect 0 "scsitool reaches the disk" "$at/bin/scsitool" inquiry "$pipe\0"
expect 0 "stgtest is content with it" "$at/bin/stgtest" --mode verify --ops 500 --quiet "$pipe\0"
expect 0 "detach" "$at/bin/userdrive" detach "$work/disk.img"

# As somebody who writes a drive would: pkg-config, compile, mount.
export PKG_CONFIG_SYSROOT_DIR=$dest
PKG_CONFIG_PATH=$lib/pkgconfig:$(pkg-config --variable pc_path pkg-config)
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
expect 0 "the tutorial compiles against it" ${CC:-gcc} -Wall -o "$work/notes" "$top/examples/tutorial/notes.c" \
	$(pkg-config --cflags --libs fsp) -Wl,-rpath,"$lib"
# shellcheck disable=SC2046
expect 0 "the tutorial's disk compiles against it" ${CC:-gcc} -Wall -o "$work/disk" "$top/examples/tutorial/disk.c" \
	$(pkg-config --cflags --libs spd) -Wl,-rpath,"$lib"
echo '#include <winspd/winspd.h>
int main() { UINT32 Version; return (int)SpdVersion(&Version); }' >"$work/y.cc"
# shellcheck disable=SC2046
expect 0 "C++ compiles against libspd" ${CXX:-g++} -std=c++17 -o "$work/y" "$work/y.cc" \
	$(pkg-config --cflags --libs spd) -Wl,-rpath,"$lib"
expect 0 "and runs" "$work/y"
echo '#include <winfsp/winfsp.h>
int main() { return FspNtStatusFromWin32(0); }' >"$work/x.cc"
# shellcheck disable=SC2046
expect 0 "C++ compiles against it" ${CXX:-g++} -std=c++17 -o "$work/x" "$work/x.cc" $(pkg-config --cflags --libs fsp)
if [ -e /dev/fuse ] && [ "$(id -u)" = 0 ]; then
	mkdir "$work/drive" "$work/memory"
	expect 0 "it can be mounted" "$at/bin/userdrive" mount "$work/notes" "$work/drive"
	check "it works" bash -c 'echo x >"$1/f.txt" && [ "$(cat "$1/f.txt")" = x ]' - "$work/drive"
	expect 0 "the installed userdrive finds memfs" "$at/bin/userdrive" mount memfs "$work/memory"
	check "it works" touch "$work/memory/f"
	expect 0 "stop" "$at/bin/userdrive" stop --all
fi
finish
