#!/usr/bin/env bash
# Makes what guests boot: a Linux kernel of the distribution and a file system in memory.
# usage: image.sh base DIR                     DIR/vmlinuz and DIR/base.cpio
#        image.sh add DIR OUT FOLDER PROGRAM…  OUT: an archive of FOLDER and what base.cpio lacks
# The kernel package is downloaded and unpacked, not installed: this machine's boot is left alone.
# Archives are not compressed: unpacking is what is slow in an emulated machine.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
packages="linux-image-6.12-cloud-amd64 linux-image-cloud-amd64"
modules="virtio_pci virtio_net virtio_rng sd_mod sg iscsi_tcp ntfs3 nls_utf8"
programs="iscsid iscsiadm lsblk sfdisk mkfs.ext4 e2fsck mkntfs fstrim blkdiscard blockdev dd
	sg_inq sg_vpd sg_readcap sg_modes sg_opcodes sg_luns sg_logs sg_persist sg_verify sg_unmap
	sg_write_same sg_sync sg_compare_and_write sg_reset sg_turs sg_raw sg_start
	sg_get_lba_status sg_xcopy"
export PATH=$PATH:/usr/sbin:/sbin

die() { echo "image.sh: $*" >&2; exit 1; }

# The package with the kernel itself, which the one that follows updates depends on
kernel_package() {
	local name found
	for name in $packages; do
		found=$(apt-cache depends "$name" 2>/dev/null |
			sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -1)
		[ -z "$found" ] || { echo "$found"; return; }
	done
	die "no package of: $packages"
}

kernel_unpack() { # DIR
	local package
	[ ! -d "$1/kernel" ] || return 0
	package=$(kernel_package)
	mkdir -p "$1/download"
	(cd "$1/download" && timeout 300 apt-get download "$package" >apt.log 2>&1) ||
		{ cat "$1/download/apt.log" >&2; die "cannot download $package"; }
	rm -rf "$1/kernel.part"
	dpkg-deb -x "$1"/download/*.deb "$1/kernel.part"
	rm -rf "$1/download"
	mv "$1/kernel.part" "$1/kernel"
}

# Copies programs and the libraries that they load; BASE has what need not be copied again.
stage_programs() { # TREE BASE PROGRAM…
	local tree=$1 base=$2 name path file
	shift 2
	for name; do
		path=$(command -v "$name") || die "there is no $name here"
		install -D "$(readlink -f "$path")" "$tree/usr/bin/$name"
		{ ldd "$path" 2>/dev/null || true; } | grep -o '/[^ ]*' | while read -r file; do
			[ -e "$tree$file" ] || [ -e "$base$file" ] ||
				install -D "$file" "$tree$file"
		done
	done
}

# Modules are stored unpacked: busybox loads no compressed ones.
stage_modules() { # TREE KERNEL
	local version name module to
	version=$(basename "$2"/lib/modules/*)
	for name in $modules; do
		modprobe -d "$2" -S "$version" --show-depends "$name" 2>/dev/null |
			awk '$1 == "insmod" { print $2 }' || true
	done | sort -u | while read -r module; do
		to=$1/lib/modules/$version/${module#"$2/lib/modules/$version/"}
		mkdir -p "$(dirname "$to")"
		case $module in
		*.xz) xz -dc "$module" >"${to%.xz}" ;;
		*.zst) zstd -qdc "$module" >"${to%.zst}" ;;
		*) cp "$module" "$to" ;;
		esac
	done
	cp "$2/lib/modules/$version"/modules.{builtin,builtin.modinfo,order} \
		"$1/lib/modules/$version/"
	depmod -b "$1" "$version"
}

stage_base() { # TREE KERNEL
	local applet
	mkdir -p "$1"/{bin,dev,etc,mnt,proc,root,run,sys,tmp,usr/bin,usr/sbin,var}
	install "$(command -v busybox)" "$1/bin/busybox"
	for applet in $("$1/bin/busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
	done
	echo "root:x:0:0:root:/root:/bin/sh" >"$1/etc/passwd"
	echo "root:x:0:" >"$1/etc/group"
	echo "127.0.0.1 localhost" >"$1/etc/hosts"
	install "$here/init" "$1/init"
	# shellcheck disable=SC2086
	stage_programs "$1" /nothing $programs
	stage_modules "$1" "$2"
}

archive() { (cd "$1" && find . | cpio -o -H newc --quiet) >"$2"; } # TREE FILE

base() { # DIR
	mkdir -p "$1"
	kernel_unpack "$1"
	[ -f "$1/kernel/lib/modules/$(basename "$1"/kernel/lib/modules/*)/modules.dep" ] ||
		depmod -b "$1/kernel" "$(basename "$1"/kernel/lib/modules/*)"
	cp "$1"/kernel/boot/vmlinuz-* "$1/vmlinuz"
	rm -rf "$1/tree"
	mkdir "$1/tree"
	stage_base "$1/tree" "$1/kernel"
	archive "$1/tree" "$1/base.cpio"
}

add() { # DIR OUT FOLDER PROGRAM…
	local dir=$1 out=$2 folder=$3
	shift 3
	stage_programs "$folder" "$dir/tree" "$@"
	archive "$folder" "$out"
}

case ${1:-} in
base | add) "$@" ;;
*) die "usage: image.sh base DIR | image.sh add DIR OUT FOLDER PROGRAM…" ;;
esac
