# fish completion for userdrive

function __userdrive_mount_points
	userdrive list --json 2>/dev/null | string match -ra '"mount_point":"[^"\\\\]*"' | cut -d'"' -f4
end

function __userdrive_disks
	userdrive list --json 2>/dev/null | string match -ra '"(?:device|url)":"[^"\\\\]*"' | cut -d'"' -f4
end

complete -c userdrive -f
complete -c userdrive -n __fish_use_subcommand -a mount -d 'start a drive program'
complete -c userdrive -n __fish_use_subcommand -a attach -d 'start a disk'
complete -c userdrive -n __fish_use_subcommand -a list -d 'show the drives that are mounted, and the disks'
complete -c userdrive -n __fish_use_subcommand -a info -d 'show what is known of one drive or disk'
complete -c userdrive -n __fish_use_subcommand -a stop -d 'finish what is under way, then unmount or detach'
complete -c userdrive -n __fish_use_subcommand -a detach -d 'end a disk that nobody uses'
complete -c userdrive -n __fish_use_subcommand -a resize -d 'change the size of a disk while it is used'
complete -c userdrive -n __fish_use_subcommand -a fuse-run -d 'run a FUSE program with our libfuse'
complete -c userdrive -n __fish_use_subcommand -a doctor -d 'find drives whose program died or hangs'
complete -c userdrive -n __fish_use_subcommand -a version -d 'show the version'
complete -c userdrive -n __fish_use_subcommand -a help -d 'show how a command is used'
complete -c userdrive -n '__fish_seen_subcommand_from mount' -a 'memfs passthrough (__fish_complete_directories)'
complete -c userdrive -n '__fish_seen_subcommand_from mount' -s o -x -d 'options of the program and the mount'
complete -c userdrive -n '__fish_seen_subcommand_from attach' -F -a 'rawdisk ramdisk'
complete -c userdrive -n '__fish_seen_subcommand_from attach' -l door -x -d 'how it is reached'
complete -c userdrive -n '__fish_seen_subcommand_from attach' -l size -x -d 'of a new image'
complete -c userdrive -n '__fish_seen_subcommand_from attach' -l foreground -d 'stay until the disk ends'
complete -c userdrive -n '__fish_seen_subcommand_from attach' -s o -x -d 'options of the program'
complete -c userdrive -n '__fish_seen_subcommand_from info stop detach resize' -a '(__userdrive_disks)'
complete -c userdrive -n '__fish_seen_subcommand_from detach' -s f -l force -d 'also when it is used'
complete -c userdrive -n '__fish_seen_subcommand_from resize' -s f -l force -d 'also smaller'
complete -c userdrive -n '__fish_seen_subcommand_from info stop' -a '(__userdrive_mount_points)'
complete -c userdrive -n '__fish_seen_subcommand_from stop' -s f -l force -d 'end it now'
complete -c userdrive -n '__fish_seen_subcommand_from stop' -l timeout -x -d 'seconds to wait'
complete -c userdrive -n '__fish_seen_subcommand_from stop' -l all -d 'every drive of yours'
complete -c userdrive -n '__fish_seen_subcommand_from list' -s a -l all -d 'also mounts of other programs'
complete -c userdrive -n '__fish_seen_subcommand_from doctor' -s n -l dry-run -d 'only look'
complete -c userdrive -n '__fish_seen_subcommand_from list info attach doctor version' -l json -d 'for scripts'
