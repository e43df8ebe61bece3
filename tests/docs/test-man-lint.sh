#!/bin/sh
# Breaks when a manual page is not clean mdoc. Argument: SOURCE_ROOT.
set -eu

command -v mandoc >/dev/null || { echo "skip: mandoc is not installed"; exit 77; }
cd "$1/docs/man"

bad=0
for page in *.[1-9]; do
	mandoc -Tlint -W warning "$page" || bad=1
	# References between our own pages must lead somewhere.
	for ref in $(sed -n 's/^\.Xr \([^ ]*\) \([1-9]\).*/\1.\2/p' "$page" | sort -u); do
		case $ref in
		Fsp* | Spd* | libfsp* | libspd* | userdrive* | memfs* | passthrough* | ramdisk* | rawdisk* | scsitool* | stgtest*)
			[ -e "$ref" ] || { echo "$page: refers to $ref, which is missing"; bad=1; }
			;;
		esac
	done
done
exit "$bad"
