/* userdrive attach: starts a disk program and says where the disk is. */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/userdrive/command.h"
#include "tools/userdrive/disks.h"
#include "tools/userdrive/drives.h"
#include "tools/userdrive/programs.h"

enum { FIND_TRIES = 200, FIND_PAUSE_MS = 50, EXIT_NO_DOOR = 3 /* SpdxExitNoDoor */ };

struct attach {
	bool json, foreground, has_door;
	bool only_asks; /* --help, --version: what the program prints is what is wanted */
	char **argv; /* of the program, NULL at its end */
	char image[8192];
};

/* ---------------------------------------------------------------- what to start */

/* Something that the system runs, and not a disk image that somebody marked executable. */
static bool
is_program_file(const char *path)
{
	struct stat st;
	char head[4] = "";

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return false;
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, head, sizeof(head)) != sizeof(head))
		return false;
	return memcmp(head, "\177ELF", 4) == 0 || memcmp(head, "#!", 2) == 0;
}

static bool
is_in_path(const char *name)
{
	const char *path = getenv("PATH");
	CLEANUP(free_ptr) char *copy = strdup(path ? path : "");
	char *save = NULL, file[8192];

	for (char *folder = copy ? strtok_r(copy, ":", &save) : NULL; folder;
	     folder = strtok_r(NULL, ":", &save)) {
		snprintf(file, sizeof(file), "%s/%s", folder, name);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

/* Else it is an image. A name without a slash that is ours is the program; ./NAME is the image. */
static bool
is_program(const char *what)
{
	char path[8192];

	if (strchr(what, '/'))
		return is_program_file(what);
	if (program_find_own(what, path, sizeof(path)))
		return true;
	return access(what, F_OK) < 0 && !strchr(what, '.') && is_in_path(what);
}

/* Absolute: later commands, from elsewhere, must mean the same image. Links stay, since the names in
 * /dev/disk/by-id are some. */
static char *
absolute_image(struct attach *a, const char *what)
{
	absolute_path(what, a->image, sizeof(a->image));
	return a->image;
}

/* The first word that is no option of our own; 0: there is none. */
static int
find_what(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--json") != 0 && strcmp(argv[i], "--foreground") != 0)
			return argv[i][0] == '-' ? 0 : i;
	return 0;
}

static bool
is_question(const char *word)
{
	static const char *const words[] = {"--help", "-h", "--version", "-V"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* --json is ours; the others are the program's, though some tell us something too. */
static int
take_arguments(struct attach *a, int n, int argc, char **argv, int what)
{
	for (int i = 1; i < argc; i++) {
		bool is_pipe = strcmp(argv[i], "-p") == 0;

		if (i == what)
			continue;
		if (strcmp(argv[i], "--json") == 0) {
			a->json = true;
			continue;
		}
		a->only_asks |= is_question(argv[i]);
		a->foreground |= is_pipe || strcmp(argv[i], "--foreground") == 0;
		a->has_door |= is_pipe || strncmp(argv[i], "--door", 6) == 0;
		a->argv[n++] = argv[i];
	}
	return n;
}

/* 0, or -1 after a message. */
static int
parse(struct attach *a, int argc, char **argv)
{
	static char rawdisk[] = "rawdisk", background[] = "--background";
	int n = 0, what = find_what(argc, argv);

	if (!what) {
		usage_error(&command_attach, "an image, or the name of a disk program, is "
					     "expected first");
		return -1;
	}
	/* One more for the image, one for --background, one for the end. */
	a->argv = calloc((size_t)argc + 3, sizeof(*a->argv));
	if (!a->argv)
		return -1;
	if (is_program(argv[what])) {
		a->argv[n++] = argv[what];
	} else {
		a->argv[n++] = rawdisk;
		a->argv[n++] = absolute_image(a, argv[what]);
	}
	n = take_arguments(a, n, argc, argv, what);
	if (!a->foreground)
		a->argv[n] = background;
	return 0;
}

/* ---------------------------------------------------------------- where it is */

/* "iscsi://HOST:PORT/IQN/LUN" in its parts. */
struct iscsi_url {
	char portal[256], host[256], port[16], name[256];
};

static bool
split_iscsi(const char *url, struct iscsi_url *u)
{
	if (sscanf(url, "iscsi://%255[^/]/%255[^/?]", u->portal, u->name) != 2)
		return false;
	const char *colon = strrchr(u->portal, ':');
	if (!colon || strchr(colon, ']')) {
		snprintf(u->host, sizeof(u->host), "%s", u->portal);
		snprintf(u->port, sizeof(u->port), "3260");
		return true;
	}
	snprintf(u->host, sizeof(u->host), "%.*s", (int)(colon - u->portal), u->portal);
	snprintf(u->port, sizeof(u->port), "%s", colon + 1);
	return true;
}

/* "0.0.0.0" is where the disk listens, not where somebody reaches it. */
static bool
is_every_address(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0;
}

/* The first address of this machine that others may reach; its name when there is none. */
static void
own_address(char *dst, size_t cap)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all) == 0)
		for (struct ifaddrs *a = all; a && !found; a = a->ifa_next)
			found = a->ifa_addr && a->ifa_addr->sa_family == AF_INET &&
				!(a->ifa_flags & IFF_LOOPBACK) &&
				getnameinfo(a->ifa_addr, sizeof(struct sockaddr_in), dst,
					    (socklen_t)cap, NULL, 0, NI_NUMERICHOST) == 0;
	freeifaddrs(all);
	if (!found && gethostname(dst, cap) < 0)
		snprintf(dst, cap, "localhost");
}

static void
reachable(struct iscsi_url *u, char *url, size_t cap)
{
	char lun[64] = "";
	const char *slash = strrchr(url, '/');

	if (!is_every_address(u->host))
		return;
	own_address(u->host, sizeof(u->host));
	snprintf(u->portal, sizeof(u->portal), "%.200s:%s", u->host, u->port);
	snprintf(lun, sizeof(lun), "%s", slash ? slash : "");
	snprintf(url, cap, "iscsi://%s/%s%s", u->portal, u->name, lun);
}

static void
print_iscsi(const char *place)
{
	char url[1024];
	struct iscsi_url u;

	if (!split_iscsi(place, &u))
		return;
	snprintf(url, sizeof(url), "%s", place);
	reachable(&u, url, sizeof(url));
	printf("  Linux    iscsiadm -m discovery -t sendtargets -p %s\n"
	       "           iscsiadm -m node -T %s -p %s --login\n",
	       u.portal, u.name, u.portal);
	printf("  Windows  New-IscsiTargetPortal -TargetPortalAddress %s -TargetPortalPortNumber "
	       "%s\n"
	       "           Connect-IscsiTarget -NodeAddress %s\n"
	       "           (or by hand: iscsicpl)\n",
	       u.host, u.port, u.name);
	printf("  QEMU     -drive file=%s,format=raw,if=virtio\n", url);
}

static void
print_door(const struct disk_door *door)
{
	printf("%s\n", door->place);
	if (strcmp(door->kind, "iscsi") == 0)
		print_iscsi(door->place);
	else if (strcmp(door->kind, "local") == 0)
		printf("  Test     stgtest '%s' 100 WR '*' '*'\n", door->place);
	else
		printf("  Linux    lsblk %s\n", door->place);
}

static void
print_disk(const struct disk *disk, bool json)
{
	char size[32], name[1100];

	if (json) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT;

		disk_json(&out, disk);
		puts(buf_str(&out));
		return;
	}
	for (size_t i = 0; i < disk->n_doors; i++)
		print_door(&disk->door[i]);
	printf("%s, %s%s%s, process %ld; 'userdrive detach %s' ends it\n",
	       disk_size_text(disk, size, sizeof(size)), disk->program,
	       disk->source[0] ? " " : "", disk->source, (long)disk->pid,
	       disk_name(disk, name, sizeof(name)));
}

static pid_t
parent_of(pid_t pid)
{
	char path[64], line[128];
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	FILE *f = fopen(path, "re");
	while (f && !parent && fgets(line, sizeof(line), f))
		sscanf(line, "PPid: %d", &parent);
	if (f)
		fclose(f);
	return parent;
}

/* Prints our disk: the one whose process is our child, orphans having become so. */
static bool
print_ours(bool json)
{
	struct disks d;
	bool found = false;

	if (disks_read(&d) == 0)
		for (size_t i = 0; i < d.n && !found; i++)
			if (parent_of(d.disk[i].pid) == getpid()) {
				print_disk(&d.disk[i], json);
				found = true;
			}
	disks_free(&d);
	fflush(stdout);
	return found;
}

/* ---------------------------------------------------------------- the process */

static pid_t
start(const struct attach *a)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child != 0)
		return child;
	/* Programs print where their disk is; we tell more of it. */
	int null = a->only_asks ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, STDOUT_FILENO);
	int err = program_exec(a->argv);
	fprintf(stderr, "userdrive: %s: %s\n", a->argv[0],
		err == ENOENT && !strchr(a->argv[0], '/') ? "no such program" : strerror(err));
	_exit(EXIT_NO_DRIVE);
}

static int
exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
say_what_else(const struct attach *a, int code)
{
	if (code == EXIT_NO_DOOR && !a->has_door)
		fprintf(stderr,
			"userdrive: without a kernel door, a disk can be reached over the network "
			"or by programs:\n"
			"  --door=iscsi://127.0.0.1:3260/iqn.2026-01.local.userdrive:disk\n"
			"  --door='\\\\.\\pipe\\NAME'\n");
}

static int
attach_background(const struct attach *a)
{
	int status;
	pid_t child;

	/* What the program leaves in the background becomes our child, so that it can be told from
	 * other disks. It is nobody's when we end. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = start(a);
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		fprintf(stderr, "userdrive: %s: %s\n", a->argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	int code = exit_code(status);
	if (code) {
		say_what_else(a, code);
		return code;
	}
	if (!a->only_asks && !print_ours(a->json))
		fprintf(stderr, "userdrive: %s runs, and has no control socket; where its disk is "
				"cannot be told\n", a->argv[0]);
	return EXIT_OK;
}

static pid_t foreground_child;

static void
pass_on(int signal_number)
{
	kill(foreground_child, signal_number);
}

/* Says where the disk is as soon as it is there, then waits for the end. */
static int
attach_foreground(const struct attach *a)
{
	const struct timespec pause = {.tv_nsec = FIND_PAUSE_MS * 1000000};
	struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
	int status = 0, tries = 0;

	foreground_child = start(a);
	if (foreground_child < 0) {
		fprintf(stderr, "userdrive: %s: %s\n", a->argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	while (waitpid(foreground_child, &status, WNOHANG) == 0 && tries++ < FIND_TRIES) {
		if (print_ours(a->json)) {
			waitpid(foreground_child, &status, 0);
			break;
		}
		nanosleep(&pause, NULL);
	}
	if (tries > FIND_TRIES)
		waitpid(foreground_child, &status, 0);
	say_what_else(a, exit_code(status));
	return exit_code(status);
}

static int
run_attach(int argc, char **argv)
{
	struct attach a = {0};
	int code = EXIT_USAGE;

	if (parse(&a, argc, argv) == 0)
		code = a.foreground ? attach_foreground(&a) : attach_background(&a);
	free(a.argv);
	return code;
}

const struct command command_attach = {
	.name = "attach",
	.arguments = "[--json] [--foreground] IMAGE|PROGRAM [ARGUMENT…] [--door DEVICENAME]… "
		     "[-o OPTION[,OPTION…]]",
	.summary = "start a disk; returns when it is there, and says where",
	.help = "  IMAGE …             a file or block device, served by rawdisk\n"
		"  ramdisk …           a disk in memory\n"
		"  PROGRAM …           any other disk program, by path or from $PATH\n"
		"  --door DEVICENAME   how it is reached, more than one may be given:\n"
		"                        loop:                    a block device of this machine\n"
		"                        iscsi://ADDR:PORT/IQN    over the network\n"
		"                        '\\\\.\\pipe\\NAME'          by programs of this machine\n"
		"                      (default: the best that this kernel has)\n"
		"  --size SIZE         of a new image or of a ramdisk, as in 10G\n"
		"  -o OPTION[,…]       options of the program: 'rawdisk --help' lists them\n"
		"  --foreground        stay until the disk ends\n"
		"  --json              an object: \"device\" or \"url\", \"pid\", \"size\", "
		"\"server\"\n"
		"\nExamples:\n"
		"  userdrive attach disk.img --size 10G\n"
		"  userdrive attach disk.img --door iscsi://127.0.0.1:3260/"
		"iqn.2026-01.org.example:disk\n"
		"  userdrive attach ramdisk --size 1G --door '\\\\.\\pipe\\ram'\n"
		"\nThe exit code is the program's.\n",
	.run = run_attach,
};
