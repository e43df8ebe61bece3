#!/bin/sh
# Says after `make install` what its user may still have to do.
# usage: after-install.sh BUILD_DIR DESTDIR
set -eu

build=$1 dest=$2
option() {
	meson introspect "$build" --buildoptions |
		python3 -c 'import json, sys; print([o["value"] for o in json.load(sys.stdin)
			if o["name"] == sys.argv[1]][0])' "$1"
}
prefix=$(option prefix)
libdir=$(option libdir)
case $libdir in /*) ;; *) libdir=$prefix/$libdir ;; esac
echo "Installed below $dest$prefix."
[ -z "$dest" ] || exit 0

# The programs know where the libraries are; programs that people link ask ldconfig.
if ! /sbin/ldconfig 2>/dev/null; then
	echo "As root, 'ldconfig' makes libfsp and libspd in $libdir known to programs that link them."
elif ! /sbin/ldconfig -p | grep -qF "$libdir/libfsp.so.0" || ! /sbin/ldconfig -p | grep -qF "$libdir/libspd.so.0"; then
	echo "$libdir is not on the loader's list (/etc/ld.so.conf.d): link with"
	echo "  -Wl,-rpath,$libdir"
fi
case $prefix in
/usr | /usr/local) ;;
*) echo "'mount -t fuse.memfs' looks for memfs in /usr/local/bin and /usr/bin only." ;;
esac
