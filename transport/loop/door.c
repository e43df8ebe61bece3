/*
 * The loop door: a unit as /dev/loopN, from a private FUSE file and the kernel's loop
 *driver.
 *
 *	/dev/loopN -> loop driver -> FUSE file (image.c) -> scsi_unit_submit
 *	                 ^ ioctl
 *	              holder process (holder.c) <- door -> watcher thread: what happens by
 *itself
 *
 * The watcher
 *  - sees the file released while the device should be there: somebody has detached it
 *(losetup -d)
 *  - reads the partition table again when a writer closed the device (as udev does), or
 *when blocks where tables lie were written and flushed; BLKRRPART itself reaches nobody
 *in user space
 *  - follows the unit's size
 *
 * The device is not made to vanish with its last user (LO_FLAGS_AUTOCLEAR): it would be
 *gone at the first close, or a descriptor kept open would hide losetup -d from us. The
 *holder process takes it away when we die; where it was killed as well, the next start
 *does (holder_clean_dead).
 *
 *	READY --start--> SERVING --leave--> GONE --stop--> STOPPED
 *	                    |--released by somebody--> GONE (ended)   any --stop-->
 *STOPPED
 */
#include "scsi/door.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "transport/loop/door.h"
#include "transport/loop/holder.h"
#include "transport/loop/image.h"
#include "transport/loop/parts.h"
#include "transport/loop/users.h"

enum {
	DRAIN_MS = 10000,
	DETACH_MS = 30000,
	/* Tools that look into a new device are gone by then. */
	PASSING_USER_MS = 3000,
	PASSING_STEP_US = 50000,
	BLOCK_MIN = 512,
	/*
	 * Ruling 10: up to 128 answers come from other threads, and on a ring each of
	 * them keeps a thread, which may have to be made while memory is short. /dev/fuse
	 * needs none, and was as fast.
	 */
	DEFAULT_TRANSPORT = FUSEK_TRANSPORT_DEV
};

enum phase { PHASE_READY, PHASE_SERVING, PHASE_GONE, PHASE_STOPPED };

/* What the watcher is told, as bits. */
enum rumour {
	RUMOUR_RELEASED = 1,
	RUMOUR_CONNECTION_ENDED = 2,
	RUMOUR_CAPACITY = 4,
	RUMOUR_TABLE = 8,
	RUMOUR_QUIT = 16
};

struct scsi_door_instance {
	struct scsi_unit *unit;
	struct scsi_unit_listener listener;
	struct loop_image *image;
	struct holder *holder;
	void (*ended)(void *ctx, bool normally);
	void *ctx;
	char name[HOLDER_NAME_SIZE]; /* of the file: what losetup shows */
	bool read_only, direct, scan_partitions;
	enum fusek_transport transport;
	int flusher_thread; /* thread whose mark attach has set, start takes back; 0: none
			     */

	_Atomic unsigned rumours; /* enum rumour; written before wake_fd is, taken by the
				     watcher */
	int wake_fd, inotify_fd;
	pthread_t watcher;
	bool watching, listening;

	/* One start, leave, stop or change of the device at a time; taken before lock. */
	struct mutex steps;
	bool stopped, told; /* stop has been called; ended has been. Ruled by steps */

	struct mutex lock; /* rules the rest: what describe shows */
	enum phase phase;
	int number; /* /dev/loopN, or -1 */
	bool is_direct;
	struct partition_table table;
	unsigned n_scans, n_misses; /* times the table was read; partitions the kernel
				       refused last */
};

/* ---------------------------------------------------------------- can it run here */

static const char *
unusable(void)
{
	if (geteuid() != 0)
		return "loop devices need root (CAP_SYS_ADMIN)";
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return "/dev/fuse is missing: modprobe fuse, or pass the device into the "
		       "container";
	if (access("/dev/loop-control", R_OK | W_OK) < 0)
		return "/dev/loop-control is missing: modprobe loop, or pass the device "
		       "into the "
		       "container";
	return NULL;
}

/* ---------------------------------------------------------------- options */

static int
flag_option(const char *name, const char *option, bool *value,
	    struct scsi_door_error *error)
{
	char text[8];
	int n = scsi_door_option(name, option, text, sizeof(text));

	if (n == 0)
		return 0;
	if (n > 0 && (text[0] == '\0' || strcmp(text, "1") == 0))
		*value = true;
	else if (n > 0 && strcmp(text, "0") == 0)
		*value = false;
	else
		return scsi_door_fail(error, EINVAL, "%.128s: %s is 0 or 1", name,
				      option);
	return 0;
}

static int
transport_option(const char *name, enum fusek_transport *value,
		 struct scsi_door_error *error)
{
	static const char *const names[] = {"auto", "uring", "dev"};
	static const enum fusek_transport values[] = {
		(enum fusek_transport)DEFAULT_TRANSPORT, FUSEK_TRANSPORT_URING,
		FUSEK_TRANSPORT_DEV};
	char text[8];
	int n = scsi_door_option(name, "transport", text, sizeof(text));

	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*value = values[i];
			return 0;
		}
	return n == 0 ? 0
		      : scsi_door_fail(error, EINVAL,
				       "%.128s: transport is auto, uring or dev", name);
}

static int
options_parse(struct scsi_door_instance *d, const char *name,
	      struct scsi_door_error *error)
{
	static const char *const known[] = {"ro", "partscan", "dio", "transport", NULL};
	int err;

	d->direct = d->scan_partitions = true;
	d->transport = (enum fusek_transport)DEFAULT_TRANSPORT;
	d->read_only = scsi_unit_params(d->unit)->write_protected;
	if (!name)
		return 0;
	if (name[strcspn(name, ":")] && name[strcspn(name, ":") + 1] &&
	    name[strcspn(name, ":") + 1] != '?')
		return scsi_door_fail(
			error, EINVAL,
			"%.128s: loop: takes no name; the kernel gives the number", name);
	err = scsi_door_options_check(name, known, error);
	if (!err)
		err = flag_option(name, "ro", &d->read_only, error);
	if (!err)
		err = flag_option(name, "partscan", &d->scan_partitions, error);
	if (!err)
		err = flag_option(name, "dio", &d->direct, error);
	if (!err)
		err = transport_option(name, &d->transport, error);
	/* What is protected stays so. */
	d->read_only |= scsi_unit_params(d->unit)->write_protected;
	return err;
}

/* Ruling 16: each door says what it cannot carry. */
static int
check_geometry(struct scsi_unit *unit, struct scsi_door_error *error)
{
	uint32_t length = scsi_unit_params(unit)->block_length;
	uint64_t n_blocks = scsi_unit_n_blocks(unit), size;
	long page = sysconf(_SC_PAGESIZE);

	if (length < BLOCK_MIN || length > (uint32_t)page || (length & (length - 1)))
		return scsi_door_fail(
			error, EINVAL,
			"a loop device cannot have blocks of %u bytes: they must be a "
			"power of two, 512 to %ld; iscsi: and the local door take others",
			length, page);
	if (mul_overflows(n_blocks, (uint64_t)length, &size) || size > INT64_MAX)
		return scsi_door_fail(
			error, EFBIG,
			"%llu blocks of %u bytes are more than Linux can address",
			(unsigned long long)n_blocks, length);
	return 0;
}

/* ---------------------------------------------------------------- rumours */

static void
tell(struct scsi_door_instance *d, enum rumour rumour)
{
	uint64_t one = 1;

	atomic_fetch_or(&d->rumours, rumour);
	ssize_t n = write(d->wake_fd, &one, sizeof(one));
	(void)n; /* full: the watcher is awake anyway */
}

static void
on_released(void *ctx)
{
	tell(ctx, RUMOUR_RELEASED);
}

static void
on_table_written(void *ctx)
{
	tell(ctx, RUMOUR_TABLE);
}

static void
on_connection_ended(void *ctx)
{
	tell(ctx, RUMOUR_CONNECTION_ENDED);
}

static void
on_unit_event(struct scsi_unit_listener *listener, enum scsi_unit_event event)
{
	struct scsi_door_instance *d =
		container_of(listener, struct scsi_door_instance, listener);

	if (event == SCSI_UNIT_CAPACITY_CHANGED)
		tell(d, RUMOUR_CAPACITY);
}

static enum phase
phase_of(struct scsi_door_instance *d)
{
	mutex_lock(&d->lock);
	enum phase phase = d->phase;
	mutex_unlock(&d->lock);
	return phase;
}

static void
set_phase(struct scsi_door_instance *d, enum phase phase)
{
	mutex_lock(&d->lock);
	d->phase = phase;
	mutex_unlock(&d->lock);
}

static void
force_detach(struct scsi_door_instance *d)
{
	char user[256];
	int err;

	if (loop_users_find(d->number, holder_pid(d->holder), user, sizeof(user)) ==
	    LOOP_USE_HELD)
		log_warn("loop", "detached while in use device=/dev/loop%d user=\"%s\"",
			 d->number, user);
	err = holder_detach(d->holder, true, DETACH_MS);
	if (err)
		log_warn("loop", "not detached device=/dev/loop%d error=\"%s\"",
			 d->number, strerror(-err));
}

static void
rescan_locked(struct scsi_door_instance *d) REQUIRES(&d->steps)
{
	CLEANUP(free_ptr) struct partition_table *table = malloc(sizeof(*table));
	int err = !table ? -ENOMEM : loop_parts_read(d->unit, table);
	unsigned n_misses;

	if (err) {
		log_warn("loop", "partition table unread device=/dev/loop%d error=\"%s\"",
			 d->number, strerror(-err));
		return;
	}
	n_misses = loop_parts_apply(d->holder, d->number,
				    scsi_unit_params(d->unit)->block_length, table);
	mutex_lock(&d->lock);
	bool is_news = strcmp(d->table.note, table->note) != 0 && table->note[0];
	d->table = *table;
	d->n_scans++;
	d->n_misses = n_misses;
	mutex_unlock(&d->lock);
	if (is_news)
		log_warn("loop", "partition table device=/dev/loop%d note=\"%s\"",
			 d->number, table->note);
}

static void
follow_capacity_locked(struct scsi_door_instance *d) REQUIRES(&d->steps)
{
	int err = loop_image_refresh_size(d->image);

	if (!err)
		err = holder_update_capacity(d->holder);
	if (err)
		log_warn("loop", "new size not taken device=/dev/loop%d error=\"%s\"",
			 d->number, strerror(-err));
	/* The backup GPT is looked for in another place now. */
	if (d->scan_partitions)
		rescan_locked(d);
}

/* True: ended is to be called, with *ret_normally. */
static bool
examine_locked(struct scsi_door_instance *d, unsigned rumours, bool *ret_normally)
	REQUIRES(&d->steps)
{
	if (d->stopped || phase_of(d) != PHASE_SERVING)
		return false;
	if ((rumours & (RUMOUR_RELEASED | RUMOUR_CONNECTION_ENDED)) && !d->told) {
		/* A device that is detached lets the file go, and then the connection. */
		*ret_normally = rumours & RUMOUR_RELEASED;
		d->told = true;
		set_phase(d, PHASE_GONE);
		if (!*ret_normally)
			force_detach(d);
		return true;
	}
	if (rumours & RUMOUR_CAPACITY)
		follow_capacity_locked(d);
	else if ((rumours & RUMOUR_TABLE) && d->scan_partitions)
		rescan_locked(d);
	return false;
}

static void
examine(struct scsi_door_instance *d, unsigned rumours)
{
	bool normally = false;

	mutex_lock(&d->steps);
	bool has_ended = examine_locked(d, rumours, &normally);
	mutex_unlock(&d->steps);
	if (!has_ended)
		return;
	log_info("loop", "%s device=/dev/loop%d",
		 normally ? "detached by somebody" : "connection lost", d->number);
	if (d->ended)
		d->ended(d->ctx, normally);
}

/* What happened to the node: only that it was closed after writing is asked for. */
static unsigned
read_inotify(int fd)
{
	char events[4096];

	return read(fd, events, sizeof(events)) > 0 ? RUMOUR_TABLE : 0;
}

static void *
watch(void *arg)
{
	struct scsi_door_instance *d = arg;
	struct pollfd p[2] = {{.fd = d->wake_fd, .events = POLLIN},
			      {.fd = d->inotify_fd, .events = POLLIN}};

	for (;;) {
		uint64_t count;
		unsigned rumours;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		ssize_t n = read(d->wake_fd, &count, sizeof(count));
		(void)n; /* nothing there: it was the other one */
		rumours = atomic_exchange(&d->rumours, 0);
		if (d->inotify_fd >= 0)
			rumours |= read_inotify(d->inotify_fd);
		if (rumours & RUMOUR_QUIT)
			return NULL;
		if (rumours)
			examine(d, rumours);
	}
}

/* ---------------------------------------------------------------- start */

static atomic_bool flusher_warned; /* once is enough for a process */

/*
 * Threads that serve a block device must not wait for I/O when they allocate: it may be
 * their own (prctl(2), PR_SET_IO_FLUSHER). Threads inherit the mark from their maker, so
 * this one wears it while the unit's workers and the session's threads are made.
 */
static void
flusher_begin(struct scsi_door_instance *d)
{
	if (prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 0 &&
	    prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0)
		d->flusher_thread = gettid();
	else if (errno == EPERM && !atomic_exchange(&flusher_warned, true))
		log_warn("loop", "without CAP_SYS_RESOURCE the disk may wait for itself when "
				 "memory runs short: do not limit its memory tightly");
}

static void
flusher_end(struct scsi_door_instance *d)
{
	if (d->flusher_thread == gettid())
		(void)prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
	d->flusher_thread = 0;
}

static int
explain_device(const struct holder_device *device, int err, struct scsi_door_error *error)
{
	if (err == -ENOENT || err == -ENXIO)
		return scsi_door_fail(
			error, -err,
			"/dev/loop%d does not exist here: mknod /dev/loop%d b 7 %d, or "
			"let udev or devtmpfs make it",
			device->number, device->number, device->number);
	if (err == -EBUSY)
		return scsi_door_fail(
			error, EBUSY,
			"no loop device could be had: others took each free one");
	return scsi_door_fail(error, -err, "/dev/loop%d: %s failed: %s", device->number,
			      device->step, strerror(-err));
}

static int
configure_device(struct scsi_door_instance *d, struct scsi_door_error *error)
{
	const struct scsi_unit_params *params = scsi_unit_params(d->unit);
	struct holder_config config = {
		.read_only = d->read_only,
		.direct = d->direct,
		.scan_partitions = d->scan_partitions,
		.block_length = params->block_length,
	};
	struct holder_device device = {.number = -1, .step = ""};

	memcpy(config.name, d->name, sizeof(config.name));
	CLEANUP(close_fd) int fd = loop_image_open(d->image, d->read_only, d->direct);
	int err;

	if (fd < 0)
		return scsi_door_fail(error, -fd, "the file under the loop device: %s",
				      strerror(-fd));
	config.image_fd = fd;
	err = holder_configure(d->holder, &config, &device);
	if (err)
		return explain_device(&device, err, error);
	mutex_lock(&d->lock);
	d->number = device.number;
	d->is_direct = device.direct;
	mutex_unlock(&d->lock);
	if (d->direct && !device.direct)
		log_warn("loop", "no direct I/O device=/dev/loop%d: the kernel copies data once more",
			 device.number);
	return 0;
}

static void
watch_node(struct scsi_door_instance *d)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/loop%d", d->number);
	d->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (d->inotify_fd < 0 ||
	    inotify_add_watch(d->inotify_fd, path, IN_CLOSE_WRITE) < 0)
		log_debug("loop", "no inotify on %s: %s", path, strerror(errno));
}

static int
start_watcher(struct scsi_door_instance *d, struct scsi_door_error *error)
{
	watch_node(d);
	int err = pthread_create(&d->watcher, NULL, watch, d);
	if (err)
		return scsi_door_fail(error, err, "a thread: %s", strerror(err));
	d->watching = true;
	scsi_unit_listen(d->unit, &d->listener);
	d->listening = true;
	return 0;
}

static int
start_locked(struct scsi_door_instance *d, struct scsi_door_error *error)
	REQUIRES(&d->steps)
{
	int err = loop_image_start(d->image, error);

	if (!err)
		err = configure_device(d, error);
	if (err)
		return err;
	set_phase(d, PHASE_SERVING);
	err = start_watcher(d, error);
	if (err)
		return err;
	if (d->scan_partitions)
		rescan_locked(d);
	log_info("loop", "attached device=/dev/loop%d blocks=%llu block_length=%u",
		 d->number, (unsigned long long)scsi_unit_n_blocks(d->unit),
		 scsi_unit_params(d->unit)->block_length);
	return 0;
}

static int
start(struct scsi_door_instance *d, struct scsi_door_error *error)
{
	mutex_lock(&d->steps);
	int err = d->stopped || phase_of(d) != PHASE_READY
			  ? scsi_door_fail(error, EINVAL,
					   "the loop door was started before")
			  : start_locked(d, error);
	flusher_end(d);
	mutex_unlock(&d->steps);
	return err;
}

/* ---------------------------------------------------------------- end */

/* Who uses it, when it is not one of the tools that only look. */
static enum loop_use
lasting_user(struct scsi_door_instance *d, char *text, size_t cap)
{
	uint64_t until = clock_monotonic_ns() + PASSING_USER_MS * 1000000ull;
	enum loop_use use;

	for (;;) {
		use = loop_users_find(d->number, holder_pid(d->holder), text, cap);
		if (use != LOOP_USE_OPEN || clock_monotonic_ns() > until)
			return use;
		usleep(PASSING_STEP_US);
	}
}

static int
leave_locked(struct scsi_door_instance *d, struct scsi_door_error *error)
	REQUIRES(&d->steps)
{
	char user[256] = "somebody uses it";
	int err;

	if (phase_of(d) != PHASE_SERVING)
		return 0;
	if (lasting_user(d, user, sizeof(user)) != LOOP_USE_NONE)
		return scsi_door_fail(error, EBUSY, "/dev/loop%d is in use: %s",
				      d->number, user);
	err = holder_detach(d->holder, false, DETACH_MS);
	if (err == -EBUSY) {
		/* In another mount namespace, or since we looked */
		(void)loop_users_find(d->number, holder_pid(d->holder), user,
				      sizeof(user));
		if (d->scan_partitions)
			rescan_locked(d);
		return scsi_door_fail(error, EBUSY, "/dev/loop%d is in use: %s",
				      d->number, user);
	}
	if (err)
		return scsi_door_fail(error, -err, "/dev/loop%d cannot be detached: %s",
				      d->number, strerror(-err));
	set_phase(d, PHASE_GONE);
	return 0;
}

static int
leave(struct scsi_door_instance *d, struct scsi_door_error *error)
{
	mutex_lock(&d->steps);
	int err = leave_locked(d, error);
	mutex_unlock(&d->steps);
	if (!err)
		loop_image_unmount(d->image);
	return err;
}

static void
stop(struct scsi_door_instance *d)
{
	mutex_lock(&d->steps);
	bool was_stopped = d->stopped;
	enum phase phase = phase_of(d);
	d->stopped = true;
	mutex_unlock(&d->steps);
	if (was_stopped)
		return;
	if (d->listening)
		scsi_unit_unlisten(d->unit, &d->listener);
	if (d->watching) {
		tell(d, RUMOUR_QUIT);
		pthread_join(d->watcher, NULL);
	}
	if (phase == PHASE_SERVING)
		force_detach(d);
	set_phase(d, PHASE_STOPPED);
	/* Requests of the last writes have been answered; what comes now is from stale
	 * users. */
	loop_image_unmount(d->image);
	loop_image_stop(d->image, DRAIN_MS);
}

static void
detach(struct scsi_door_instance *d)
{
	if (!d)
		return;
	stop(d);
	flusher_end(d);
	loop_image_destroy(d->image);
	holder_destroy(d->holder);
	close_fd(&d->inotify_fd);
	close_fd(&d->wake_fd);
	scsi_unit_unref(d->unit);
	mutex_fini(&d->lock);
	mutex_fini(&d->steps);
	free(d);
}

/* ---------------------------------------------------------------- attach */

static int
make_parts(struct scsi_door_instance *d, struct scsi_door_error *error)
{
	struct loop_image_events events = {.released = on_released,
					   .table_written = on_table_written,
					   .ended = on_connection_ended,
					   .ctx = d};
	int err;

	d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake_fd < 0)
		return scsi_door_fail(error, errno, "eventfd: %s", strerror(errno));
	/* Before the connection is there: the child must not have it. */
	err = holder_create(&d->holder);
	if (err)
		return scsi_door_fail(error, -err,
				      "the process that works the loop device: %s",
				      strerror(-err));
	holder_format_name(d->name, scsi_unit_params(d->unit)->product);
	return loop_image_create(d->unit, d->name, d->transport, &events, error,
				 &d->image);
}

static int
attach(struct scsi_unit *unit, const struct scsi_door_params *params,
       struct scsi_door_error *error, struct scsi_door_instance **ret_door)
{
	const char *why = unusable();
	struct scsi_door_instance *d;
	int err;

	if (why)
		return scsi_door_fail(error, ENODEV, "%s", why);
	d = calloc(1, sizeof(*d));
	if (!d)
		return scsi_door_fail(error, ENOMEM, "out of memory");
	d->unit = scsi_unit_ref(unit);
	d->listener.event = on_unit_event;
	d->ended = params->ended;
	d->ctx = params->ctx;
	d->number = d->wake_fd = d->inotify_fd = -1;
	mutex_init(&d->steps);
	mutex_init(&d->lock);
	err = options_parse(d, params->device_name, error);
	if (!err)
		err = check_geometry(unit, error);
	if (!err) {
		(void)holder_clean_dead();
		err = make_parts(d, error);
	}
	if (err) {
		detach(d);
		return err;
	}
	flusher_begin(d);
	*ret_door = d;
	return 0;
}

/* ---------------------------------------------------------------- describe */

static void
describe_node(struct buf *json, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		buf_printf(json, ",\"owner\":%u,\"group\":%u,\"mode\":\"%04o\"",
			   st.st_uid, st.st_gid, st.st_mode & 07777);
}

static void
describe_partitions_locked(struct scsi_door_instance *d, struct buf *json)
	REQUIRES(&d->lock)
{
	uint32_t length = scsi_unit_params(d->unit)->block_length;

	buf_printf(json, ",\"table\":\"%s\",\"partitions\":[",
		   partition_scheme_name(d->table.scheme));
	for (unsigned i = 0; i < d->table.n; i++) {
		const struct partition *p = &d->table.item[i];

		buf_printf(
			json,
			"%s{\"device\":\"/dev/loop%dp%u\",\"start\":%llu,\"size\":%llu}",
			i ? "," : "", d->number, p->number,
			(unsigned long long)p->lba * length,
			(unsigned long long)p->n_blocks * length);
	}
	buf_printf(json, "],\"table_scans\":%u,\"partitions_refused\":%u", d->n_scans,
		   d->n_misses);
	if (d->table.note[0]) {
		buf_printf(json, ",\"table_note\":");
		buf_json_string(json, d->table.note);
	}
}

static void
describe_device(struct scsi_door_instance *d, struct buf *json)
{
	static const char *const names[] = {"ready", "serving", "gone", "stopped"};
	char path[32];

	mutex_lock(&d->lock);
	buf_printf(json, ",\"phase\":\"%s\",\"read_only\":%s,\"direct\":%s",
		   names[d->phase], d->read_only ? "true" : "false",
		   d->is_direct ? "true" : "false");
	if (d->phase == PHASE_SERVING) {
		snprintf(path, sizeof(path), "/dev/loop%d", d->number);
		buf_printf(json, ",\"device\":\"%s\"", path);
		describe_node(json, path);
		if (d->scan_partitions)
			describe_partitions_locked(d, json);
	}
	mutex_unlock(&d->lock);
}

static void
describe(struct scsi_door_instance *d, struct buf *json)
{
	struct loop_image_counters c;
	struct fusek_info info;

	loop_image_counters(d->image, &c);
	loop_image_info(d->image, &info);
	buf_printf(json, "\"door\":\"loop\"");
	describe_device(d, json);
	buf_printf(json, ",\"transport\":\"%s\",\"why\":",
		   info.transport == FUSEK_TRANSPORT_URING ? "io_uring" : "/dev/fuse");
	buf_json_string(json, info.why);
	buf_printf(json,
		   ",\"reads\":%llu,\"writes\":%llu,\"flushes\":%llu,\"unmaps\":%llu,"
		   "\"zeroes\":%llu,"
		   "\"errors\":%llu,\"bytes_read\":%llu,\"bytes_written\":%llu,"
		   "\"parked\":%llu,"
		   "\"threads\":%u",
		   (unsigned long long)c.n_reads, (unsigned long long)c.n_writes,
		   (unsigned long long)c.n_flushes, (unsigned long long)c.n_unmaps,
		   (unsigned long long)c.n_zeroes, (unsigned long long)c.n_errors,
		   (unsigned long long)c.n_bytes_read,
		   (unsigned long long)c.n_bytes_written, (unsigned long long)c.n_parked,
		   info.n_threads);
}

const struct scsi_door door_loop = {
	.name = "loop",
	.prefix = "loop:",
	.unusable = unusable,
	.attach = attach,
	.start = start,
	.leave = leave,
	.stop = stop,
	.describe = describe,
	.detach = detach,
};
