# The disks of demo.sh, which sources it: it uses its step, did, say, work and could_not.
# shellcheck shell=bash disable=SC2154
rawdisk_image=$work/disk.img
scsitool=$build/tools/scsitool/scsitool
stgtest=$build/tools/stgtest/stgtest
attached=()
export rawdisk_image scsitool stgtest

# The programs lie in /sbin on some machines, which is not on everybody's path.
PATH=$PATH:/usr/sbin:/sbin

# Takes away what an interrupted demonstration has left. What is mounted may have pages to write, so
# it goes before its disk does.
disks_cleanup() {
	local where
	for where in "$work/ext4" "$work/btrfs"; do
		! grep -q " $where " /proc/self/mountinfo || umount "$where" 2>/dev/null || umount -l "$where"
	done
	for where in "${attached[@]}"; do
		"$userdrive" detach "$where" >/dev/null 2>&1 || "$userdrive" detach --force "$where" >/dev/null 2>&1
	done
}

# until_true COMMAND…: what comes by itself, within ten seconds
until_true() {
	local _
	for _ in $(seq 200); do
		! "$@" || return 0
		sleep 0.05
	done
	return 1
}
# allocated FILE: bytes that it takes on its file system, which are fewer than its size when it has holes
allocated() { echo $(($(stat -c %b "$1") * $(stat -c %B "$1"))); }
hash_of() { sha256sum "$1" | cut -d' ' -f1; }
# disk_info NAME EXPRESSION: of d, what the disk says
disk_info() { "$userdrive" info "$1" --json | python3 -c "import json, sys; d = json.load(sys.stdin); print($2)"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
export -f until_true allocated hash_of disk_info now_ms

# attach_or_say NAME ARGUMENTS of userdrive attach: 0 when NAME is attached, else its exit code
attach_or_say() {
	local name=$1 code
	shift
	attached+=("$name")
	timeout 60 "$userdrive" attach "$@" >"$work/log" 2>&1 </dev/null
	code=$?
	[ "$code" != 0 ] || return 0
	unset 'attached[-1]'
	echo "   could not be attached:"
	sed 's/^/     | /' "$work/log"
	return "$code"
}
describe_disk() {
	disk_info "$1" '"   Process %d, %s, serves %d MB: %s." % (d["pid"], d["program"], d["size"] >> 20,
		", ".join(o.get("device") or o["url"] for o in d["server"]["doors"]))'
}
detach_one() {
	local requests
	requests=$(disk_info "$1" '"%d reads and %d writes" % tuple(d["server"]["counters"][c] for c in ("reads", "writes"))')
	timeout 60 "$userdrive" detach "$1"
	did "It had done $requests."
}
detach() { # TITLE NAME
	step "$1" detach_one "$2"
	"$userdrive" info "$2" >/dev/null 2>&1 || unset 'attached[-1]'
}

partition_disk() { # DEVICE
	printf 'label: gpt\nsize=160M, name=first\nname=second\n' | sfdisk --quiet --wipe always "$1"
	until_true test -b "${1}p1" -a -b "${1}p2"
	did "$(for part in 1 2; do
		printf '%s of %s, ' "${1##*/}p$part" "$(megabytes $(($(cat "/sys/class/block/${1##*/}p$part/size") * 512)))"
	done)as sfdisk wrote them."
}
make_file_systems() { # DEVICE WORK TYPES…
	local device=$1 work=$2 n=0
	shift 2
	for type; do
		n=$((n + 1))
		if [ "$type" = ext4 ]; then mkfs.ext4 -q "${device}p$n"; else "mkfs.$type" -q "${device}p$n"; fi
		mkdir -p "$work/$type"
		mount -t "$type" "${device}p$n" "$work/$type"
	done
	did "$* made and mounted; the image takes $(megabytes "$(allocated "$rawdisk_image")") of its $(megabytes "$(stat -c %s "$rawdisk_image")")."
}
copy_to_disks() { # TREE WORK TYPES…
	local tree=$1 work=$2
	shift 2
	hashes "$tree" >"$work/tree.sha256"
	for type; do
		cp -a "$tree" "$work/$type/tree"
		sync -f "$work/$type"
	done
	did "$(files_and_bytes "$tree") on each of: $*."
}
# The kernel forgets what it has cached of them: the files are read from the disk.
same_hashes() { # WORK TYPES…
	local work=$1 n=0 device
	shift
	for type; do
		device=$(findmnt -no SOURCE "$work/$type")
		umount "$work/$type"
		mount -t "$type" "$device" "$work/$type"
		hashes "$work/$type/tree" | cmp - "$work/tree.sha256"
		n=$((n + $(wc -l <"$work/tree.sha256")))
	done
	did "$n files read from the disk; all hashes are equal."
}
trim() { # WORK TYPES…
	local work=$1 full most
	shift
	for type; do
		head -c 64M /dev/urandom >"$work/$type/large"
		sync -f "$work/$type"
	done
	full=$(allocated "$rawdisk_image")
	for type; do
		rm "$work/$type/large"
		sync -f "$work/$type"
		fstrim "$work/$type"
	done
	most=$(allocated "$rawdisk_image")
	# Of each 64 MiB, what the file systems keep for themselves is far less than a half.
	[ "$most" -lt $((full - $# * 32 * 1048576)) ]
	did "64 MiB deleted on each; the image shrank from $(megabytes "$full") to $(megabytes "$most")."
}
check_file_systems() { # DEVICE WORK TYPES…
	local device=$1 work=$2 n=0
	shift 2
	for type; do
		n=$((n + 1))
		umount "$work/$type"
		case $type in
		ext4) e2fsck -fn "${device}p$n" ;;
		btrfs) btrfs check --readonly "${device}p$n" ;;
		esac
	done
	did "e2fsck and btrfs check have nothing to say."
}
mount_again() { # DEVICE WORK TYPES…
	local device=$1 work=$2 n=0
	shift 2
	until_true test -b "${device}p1" -a -b "${device}p2"
	for type; do
		n=$((n + 1))
		mount -t "$type" "${device}p$n" "$work/$type"
		hashes "$work/$type/tree" | cmp - "$work/tree.sha256"
		umount "$work/$type"
	done
	did "Same partitions, same files, same hashes."
}
export -f detach_one partition_disk make_file_systems copy_to_disks same_hashes trim check_file_systems mount_again

# The file systems of TYPES… that this kernel has
known_types() {
	for type; do
		grep -qw "$type" /proc/filesystems || modprobe "$type" 2>/dev/null || continue
		command -v "mkfs.$type" >/dev/null && printf '%s ' "$type"
	done
}

# A disk of the kernel. Sets loop_was_shown when there are files on the image.
loop_was_shown=
disk_of_this_machine() {
	local device types code
	say "A disk: userdrive attach disk.img --size 400M --door loop:"
	attach_or_say "$rawdisk_image" "$rawdisk_image" --size 400M --partition none --door loop:
	code=$?
	if [ "$code" != 0 ]; then
		could_not+=("a disk of this machine: the loop door could not be opened, see above")
		# 2 and 3: no free device, or something that the machine lacks or forbids
		[ "$code" = 2 ] || [ "$code" = 3 ] || failures=$((failures + 1))
		return
	fi
	describe_disk "$rawdisk_image"
	device=$(disk_info "$rawdisk_image" 'd["device"]')
	read -ra types <<<"$(known_types ext4 btrfs)"
	step "sfdisk: two partitions" partition_disk "$device"
	if [ "${#types[@]}" = 0 ]; then
		could_not+=("files on a disk: this kernel has neither ext4 nor btrfs")
	else
		[ "${#types[@]}" = 2 ] || could_not+=("a second file system: of ext4 and btrfs this kernel has ${types[*]} only")
		step "mkfs and mount: ${types[*]}" make_file_systems "$device" "$work" "${types[@]}"
		step "cp -a of this repository" copy_to_disks "$tree" "$work" "${types[@]}"
		step "hashes, after umount and mount" same_hashes "$work" "${types[@]}"
		step "fio, 16 MiB random writes with verify" fio_verify "$work/${types[0]}"
		trim_or_say "${types[@]}"
		step "umount and fsck" check_file_systems "$device" "$work" "${types[@]}"
	fi
	detach "userdrive detach" "$rawdisk_image"
	say "The same disk once more"
	if attach_or_say "$rawdisk_image" "$rawdisk_image" --door loop:; then
		describe_disk "$rawdisk_image"
		device=$(disk_info "$rawdisk_image" 'd["device"]')
		step "mounted again: ${types[*]}" mount_again "$device" "$work" "${types[@]}"
		detach "userdrive detach" "$rawdisk_image"
		loop_was_shown=yes
	else
		failures=$((failures + 1))
	fi
}
# Not every file system can make holes, and then neither can an image that lies on it.
trim_or_say() { # TYPES…
	head -c 1M /dev/zero >"$work/hole"
	if fallocate -p -o 0 -l 1M "$work/hole" 2>/dev/null; then
		step "large files deleted, fstrim" trim "$work" "$@"
	else
		could_not+=("fstrim: files below ${TMPDIR:-/tmp} cannot have holes")
	fi
	rm -f "$work/hole"
}

# The repository as a file system that nobody has mounted
file_system_over_network() { # URL TREE WORK
	local begin ms
	mkfs.ext4 -q -d "$2" "$3/tree.ext4" 200M
	begin=$(now_ms)
	qemu-img convert -n -f raw -O raw "$3/tree.ext4" "$1"
	ms=$(($(now_ms) - begin))
	# In the image, at its first byte, without any program of ours in between
	cmp -n "$(stat -c %s "$3/tree.ext4")" "$3/tree.ext4" "$rawdisk_image"
	e2fsck -fn "$rawdisk_image"
	did "An ext4 with $(files_and_bytes "$2") arrived in $ms ms; e2fsck finds it in the image."
}
who_is_it() { # URL
	iscsi-inq "$1" >"$WORK/inq"
	did "It calls itself $(sed -n 's/^Product:\([^ ]*\).*/\1/p' "$WORK/inq"), of vendor $(sed -n 's/^Vendor:\([^ ]*\).*/\1/p' "$WORK/inq")."
}
read_over_network() { # URL
	local begin ms size
	size=$(stat -c %s "$rawdisk_image")
	begin=$(now_ms)
	qemu-img convert -f raw -O raw "$1" "$WORK/read.img"
	ms=$(($(now_ms) - begin))
	[ "$(stat -c %s "$WORK/read.img")" = "$size" ]
	[ "$(hash_of "$WORK/read.img")" = "$(hash_of "$rawdisk_image")" ]
	did "$(megabytes "$size"), $(megabytes "$(allocated "$rawdisk_image")") of them no holes, in $ms ms; same hash as the image."
	rm -f "$WORK/read.img"
}
ask_scsi() { # TARGET
	"$scsitool" --json inquiry "$1" >"$WORK/inquiry"
	"$scsitool" --json vpd83 "$1" >"$WORK/names"
	did "$("$scsitool" -c capacity16 "$1" | awk -F'[= ]' '/^RETURNED/ { n = $(NF - 1) } /^BLOCK LENGTH/ { b = $(NF - 1) }
		END { printf "%d blocks of %d bytes", n + 1, b }'), and it says who it is."
}
export -f file_system_over_network who_is_it read_over_network ask_scsi

disk_without_kernel() {
	local url iqn=iqn.2026-01.org.example:demo
	say "Over the network and beside the kernel: userdrive attach disk.img --door iscsi:… --door '\\\\.\\pipe\\demo'"
	if ! attach_or_say "$rawdisk_image" "$rawdisk_image" --size 400M --partition none \
		--door "iscsi://127.0.0.1:0/$iqn" --door '\\.\pipe\demo'; then
		failures=$((failures + 1))
		return
	fi
	describe_disk "$rawdisk_image"
	url=$(disk_info "$rawdisk_image" '[o["url"] for o in d["server"]["doors"] if o["door"] == "iscsi"][0]')
	if ! command -v iscsi-inq >/dev/null; then
		could_not+=("other initiators: iscsi-inq is not installed (package libiscsi-bin)")
	else
		step "iscsi-inq: who is there" who_is_it "$url"
	fi
	if ! qemu-img --help 2>/dev/null | grep -qw iscsi && ! ls /usr/lib/*/qemu/block-iscsi.so >/dev/null 2>&1; then
		could_not+=("QEMU as initiator: qemu-img has no iSCSI (packages qemu-utils, qemu-block-extra)")
	else
		[ -n "$loop_was_shown" ] ||
			step "qemu-img writes a file system to it" file_system_over_network "$url" "$tree" "$work"
		step "qemu-img reads all of it" read_over_network "$url"
	fi
	step "scsitool asks the local door" ask_scsi '\\.\pipe\demo\0'
	detach "userdrive detach" "$rawdisk_image"
}

try_disk() { # TARGET
	"$stgtest" --mode verify --ops 20000 --quiet --json "$1" >"$WORK/stgtest"
	did "$(python3 - "$WORK/stgtest" <<'PY'
import json, sys
d = json.load(open(sys.argv[1]))
assert d["result"] == "ok" and not d["faults"], d
print("%d reads, %d writes, %d unmaps; all of %d MB held what it must." % (
    d["reads"], d["writes"], d["unmaps"], d["blocks"] * d["block_length"] >> 20))
PY
	)"
}
export -f try_disk

disk_in_memory() {
	say "A disk in memory: userdrive attach ramdisk --size 64M --door '\\\\.\\pipe\\ram'"
	if attach_or_say '\\.\pipe\ram' ramdisk --size 64M --door '\\.\pipe\ram'; then
		describe_disk '\\.\pipe\ram'
		step "stgtest: 20,000 requests, eight at once" try_disk '\\.\pipe\ram\0'
		detach "userdrive detach" '\\.\pipe\ram'
	else
		failures=$((failures + 1))
	fi
}

# Why this machine cannot have a disk of the loop door, if so
no_loop() {
	if [ "$(id -u)" != 0 ]; then
		echo "only root may have one"
	elif [ ! -e /dev/fuse ]; then
		echo "there is no /dev/fuse (modprobe fuse)"
	elif [ ! -e /dev/loop-control ]; then
		echo "there is no /dev/loop-control (modprobe loop)"
	fi
}

demonstrate_disks() {
	local why
	tree=$work/tree-of-disk
	git clone --quiet "$work/repository" "$tree" && rm -rf "$tree/.git"
	why=$(no_loop)
	if [ -n "$why" ]; then
		could_not+=("a disk of this machine, with partitions and mounts: $why; the same disk was shown over iSCSI and locally")
	else
		disk_of_this_machine
	fi
	disk_without_kernel
	disk_in_memory
}
