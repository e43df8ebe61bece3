/*
 * Storage units: creation, doors, and the dispatcher.
 *
 *	NEW       doors are attached: names are checked and taken, nothing is reachable
 *	STARTING  StartDispatcher works
 *	RUNNING   the unit serves; a thread waits for the end
 *	ENDED     everything is closed
 *
 * Shutdown only asks: it may come from a callback or from a door. The dispatcher's thread then
 * closes the doors, waits for the requests under way, makes the final Flush and ends. Requests that
 * the program does not answer even then are ended on its behalf after a grace period, or nobody
 * could wait for the dispatcher.
 */
#include "api/winspd/priv.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "api/common/wide.h"
#include "api/winspd/slots.h"
#include "base/clock.h"
#include "base/log.h"

enum { THREADS_MAX = 256 };

static const SPD_STORAGE_UNIT_INTERFACE no_interface;

/* Tests make it shorter. */
unsigned spd_cancel_grace_ms = 10000;

/* ---------------------------------------------------------------- doors */

/* The last door has ended by itself: the program hears of it, and the unit with nobody to serve
 * ends. */
static void
door_ended(void *ctx, bool normally)
{
	struct spd_door *d = ctx;
	struct spd *spd = d->spd;
	bool last = true, tell;

	mutex_lock(&spd->lock);
	d->ended = true;
	for (unsigned i = 0; i < spd->n_doors; i++)
		last = last && spd->doors[i].ended;
	tell = last && !spd->stopping && !spd->ended_told;
	spd->ended_told = spd->ended_told || tell;
	mutex_unlock(&spd->lock);
	if (!tell)
		return;
	if (!normally)
		SpdStorageUnitSetDispatcherError(&spd->pub, ERROR_DEV_NOT_EXIST);
	if (spd->ended)
		spd->ended(spd->ended_ctx, normally);
	SpdStorageUnitShutdown(&spd->pub);
}

/* With doors_lock held. */
static DWORD
door_attach(struct spd *spd, struct spd_door *d)
{
	struct scsi_door_error error = {0};
	struct scsi_door_params params = {.index = spd->index, .ended = door_ended, .ctx = d};

	d->door = scsi_door_find(d->name, &error);
	if (!d->door)
		return spd_fail_door(&error);
	params.device_name = d->name ? d->name : d->door->prefix;
	d->instance = NULL;
	if (d->door->attach(spd->unit, &params, &error, &d->instance) < 0)
		return spd_fail_door(&error);
	return ERROR_SUCCESS;
}

static void
door_detach(struct spd_door *d)
{
	if (d->instance)
		d->door->detach(d->instance);
	d->instance = NULL;
	d->started = false;
}

static DWORD
door_start(struct spd_door *d)
{
	struct scsi_door_error error = {0};

	if (d->door->start(d->instance, &error) < 0)
		return spd_fail_door(&error);
	d->started = true;
	return ERROR_SUCCESS;
}

bool
spd_device_name(PWSTR DeviceName, char **ret_name)
{
	char *name = NULL;

	if (DeviceName) {
		name = wide_utf8((const uint16_t *)DeviceName);
		if (!name)
			return false;
		if (strcasecmp(name, SPD_IOCTL_HARDWARE_ID) == 0) {
			free(name);
			name = NULL;
		}
	}
	*ret_name = name;
	return true;
}

static bool
is_in_state(struct spd *spd, enum spd_state state)
{
	bool is;

	mutex_lock(&spd->lock);
	is = spd->state == state;
	mutex_unlock(&spd->lock);
	return is;
}

/* With doors_lock held. */
static DWORD
add_door(struct spd *spd, PWSTR DeviceName)
{
	struct spd_door *d = &spd->doors[spd->n_doors];
	DWORD error;

	if (spd->n_doors == SPD_DOORS_MAX)
		return spd_fail(ERROR_CANNOT_MAKE, "a storage unit has at most %d doors",
				SPD_DOORS_MAX);
	*d = (struct spd_door){.spd = spd};
	if (!spd_device_name(DeviceName, &d->name))
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	error = door_attach(spd, d);
	if (error == ERROR_SUCCESS && is_in_state(spd, SPD_RUNNING))
		error = door_start(d);
	if (error) {
		door_detach(d);
		free(take(&d->name));
		return error;
	}
	mutex_lock(&spd->lock);
	spd->n_doors++;
	mutex_unlock(&spd->lock);
	return ERROR_SUCCESS;
}

DWORD
SpdxStorageUnitAddDoor(SPD_STORAGE_UNIT *StorageUnit, PWSTR DeviceName)
{
	struct spd *spd = spd_of(StorageUnit);
	DWORD error;
	bool open;

	spd_clear_error();
	mutex_lock(&spd->doors_lock);
	mutex_lock(&spd->lock);
	open = !spd->stopping && spd->state != SPD_ENDED;
	mutex_unlock(&spd->lock);
	error = open ? add_door(spd, DeviceName)
		     : spd_fail(ERROR_OPERATION_ABORTED, "the storage unit has been shut down");
	mutex_unlock(&spd->doors_lock);
	return error;
}

static void
detach_doors(struct spd *spd)
{
	mutex_lock(&spd->doors_lock);
	for (unsigned i = 0; i < spd->n_doors; i++)
		door_detach(&spd->doors[i]);
	mutex_unlock(&spd->doors_lock);
}

DWORD
spd_leave(struct spd *spd)
{
	DWORD result = ERROR_SUCCESS;

	mutex_lock(&spd->doors_lock);
	for (unsigned i = 0; i < spd->n_doors && result == ERROR_SUCCESS; i++) {
		struct spd_door *d = &spd->doors[i];
		struct scsi_door_error error = {0};

		if (d->instance && d->door->leave(d->instance, &error) < 0)
			result = spd_fail_door(&error);
	}
	mutex_unlock(&spd->doors_lock);
	return result;
}

void
spd_describe(struct spd *spd, struct buf *json)
{
	const char *comma = "";

	buf_add(json, "[", 1);
	mutex_lock(&spd->doors_lock);
	for (unsigned i = 0; i < spd->n_doors; i++) {
		struct spd_door *d = &spd->doors[i];

		if (!d->instance)
			continue;
		buf_printf(json, "%s{", comma);
		d->door->describe(d->instance, json);
		buf_add(json, "}", 1);
		comma = ",";
	}
	mutex_unlock(&spd->doors_lock);
	buf_add(json, "]", 1);
}

DWORD
SpdxStorageUnitDescribe(SPD_STORAGE_UNIT *StorageUnit, char *Buffer, SIZE_T Size)
{
	CLEANUP(buf_fini) struct buf json = BUF_INIT;

	spd_clear_error();
	spd_describe(spd_of(StorageUnit), &json);
	if (buf_error(&json) < 0)
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	if (json.n >= Size)
		return spd_fail(ERROR_MORE_DATA, "the description has %zu bytes", json.n + 1);
	memcpy(Buffer, json.s, json.n + 1);
	return ERROR_SUCCESS;
}

/* ---------------------------------------------------------------- creation */

static DWORD
make_unit(struct spd *spd, const struct scsi_unit_params *params, struct scsi_unit **ret_unit)
{
	char text[256] = "";
	int err = scsi_unit_create(params, &spd->ops, spd, text, sizeof(text), ret_unit);

	if (err < 0)
		return spd_fail_errno(err, "%s", text[0] ? text : strerror(-err));
	return ERROR_SUCCESS;
}

static void
spd_free(struct spd *spd)
{
	detach_doors(spd);
	if (spd->registered)
		spd_slot_release(spd->index);
	if (spd->unit) {
		/* Others may hold references; from here on no callback comes. */
		(void)scsi_unit_stop(spd->unit);
		scsi_unit_unref(spd->unit);
	}
	for (unsigned i = 0; i < spd->n_doors; i++)
		free(spd->doors[i].name);
	spd_backend_fini(spd);
	mutex_fini(&spd->doors_lock);
	mutex_fini(&spd->lock);
	cond_fini(&spd->changed);
	free(spd);
}

static struct spd *
spd_alloc(const SPD_STORAGE_UNIT_PARAMS *params, const SPD_STORAGE_UNIT_INTERFACE *interface)
{
	struct spd *spd = calloc(1, sizeof(*spd));

	if (!spd)
		return NULL;
	spd->pub.Version = sizeof(SPD_STORAGE_UNIT);
	spd->pub.StorageUnitParams = *params;
	spd->pub.Interface = interface ? interface : &no_interface;
	spd->pub.BufferAlloc = scsi_unit_alloc;
	spd->pub.BufferFree = scsi_unit_free;
	spd_params_convert(params, &spd->params);
	spd_backend_init(spd);
	mutex_init(&spd->doors_lock);
	mutex_init(&spd->lock);
	cond_init(&spd->changed);
	return spd;
}

DWORD
SpdStorageUnitCreate(PWSTR DeviceName, const SPD_STORAGE_UNIT_PARAMS *StorageUnitParams,
		     const SPD_STORAGE_UNIT_INTERFACE *Interface, SPD_STORAGE_UNIT **PStorageUnit)
{
	struct spd *spd;
	DWORD error;

	spd_clear_error();
	*PStorageUnit = NULL;
	error = spd_params_check(StorageUnitParams);
	if (error)
		return error;
	spd = spd_alloc(StorageUnitParams, Interface);
	if (!spd)
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	error = spd_slot_take(&StorageUnitParams->Guid, spd, &spd->index);
	if (error == ERROR_SUCCESS) {
		spd->registered = true;
		error = make_unit(spd, &spd->params, &spd->unit);
	}
	if (error == ERROR_SUCCESS) {
		mutex_lock(&spd->doors_lock);
		error = add_door(spd, DeviceName);
		mutex_unlock(&spd->doors_lock);
	}
	if (error) {
		spd_free(spd);
		return error;
	}
	spd->pub.Btl = SPD_IOCTL_BTL(0, spd->index, 0);
	spd->pub.Handle = spd;
	*PStorageUnit = &spd->pub;
	return ERROR_SUCCESS;
}

VOID
SpdStorageUnitDelete(SPD_STORAGE_UNIT *StorageUnit)
{
	if (!StorageUnit)
		return;
	SpdStorageUnitShutdown(StorageUnit);
	SpdStorageUnitWaitDispatcher(StorageUnit);
	spd_free(spd_of(StorageUnit));
}

/* ---------------------------------------------------------------- options */

static DWORD
options_convert(const SPDX_UNIT_OPTIONS *o, struct scsi_unit_params *p)
{
	uint32_t physical = o->PhysicalBlockLength ? o->PhysicalBlockLength : p->block_length;
	uint32_t ratio = physical / p->block_length;

	if (o->Size < sizeof(*o))
		return spd_fail(ERROR_INVALID_PARAMETER, "SPDX_UNIT_OPTIONS has no Size");
	if (physical % p->block_length || ratio > 128 || (ratio & (ratio - 1)) || ratio == 0)
		return spd_fail(ERROR_INVALID_PARAMETER,
				"PhysicalBlockLength %u is not BlockLength %u times a power of two "
				"up to 128",
				physical, p->block_length);
	if (o->RotationRate > UINT16_MAX)
		return spd_fail(ERROR_INVALID_PARAMETER, "RotationRate %u is more than 65535",
				o->RotationRate);
	if (o->StatePath && strlen(o->StatePath) >= sizeof(p->state_path))
		return spd_fail(ERROR_FILENAME_EXCED_RANGE, "StatePath is too long");
	p->physical_exponent = (uint8_t)__builtin_ctz(ratio);
	p->rotation = (uint16_t)o->RotationRate;
	p->removable = o->Removable;
	p->unmap_zeroes = o->UnmapZeroes;
	p->state_path[0] = 0;
	if (o->StatePath)
		strcpy(p->state_path, o->StatePath);
	return ERROR_SUCCESS;
}

/* The doors go over to a unit with other parameters: what they announce is fixed when they attach.
 * On failure back to the old one, as far as it goes. With doors_lock held. */
static DWORD
replace_unit(struct spd *spd, const struct scsi_unit_params *params)
{
	struct scsi_unit *unit, *old = spd->unit;
	DWORD error = make_unit(spd, params, &unit);

	if (error)
		return error;
	for (unsigned i = 0; i < spd->n_doors; i++)
		door_detach(&spd->doors[i]);
	spd->unit = unit;
	for (unsigned i = 0; i < spd->n_doors && error == ERROR_SUCCESS; i++)
		error = door_attach(spd, &spd->doors[i]);
	if (error == ERROR_SUCCESS) {
		spd->params = *params;
		scsi_unit_unref(old);
		return ERROR_SUCCESS;
	}
	for (unsigned i = 0; i < spd->n_doors; i++)
		door_detach(&spd->doors[i]);
	spd->unit = old;
	scsi_unit_unref(unit);
	for (unsigned i = 0; i < spd->n_doors; i++)
		(void)!door_attach(spd, &spd->doors[i]);
	return error;
}

DWORD
SpdxStorageUnitSetOptions(SPD_STORAGE_UNIT *StorageUnit, const SPDX_UNIT_OPTIONS *Options)
{
	struct spd *spd = spd_of(StorageUnit);
	struct scsi_unit_params *params = malloc(sizeof(*params));
	DWORD error;

	spd_clear_error();
	if (!params)
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	*params = spd->params;
	error = options_convert(Options, params);
	mutex_lock(&spd->doors_lock);
	if (error == ERROR_SUCCESS && !is_in_state(spd, SPD_NEW))
		error = spd_fail(ERROR_INVALID_PARAMETER, "the dispatcher has been started");
	if (error == ERROR_SUCCESS)
		error = replace_unit(spd, params);
	mutex_unlock(&spd->doors_lock);
	free(params);
	return error;
}

DWORD
SpdxStorageUnitResize(SPD_STORAGE_UNIT *StorageUnit, UINT64 BlockCount)
{
	struct spd *spd = spd_of(StorageUnit);
	int err;

	spd_clear_error();
	err = scsi_unit_resize(spd->unit, BlockCount);
	if (err == 0) {
		StorageUnit->StorageUnitParams.BlockCount = BlockCount;
		return ERROR_SUCCESS;
	}
	if (SpdxLastError()[0]) /* the program's own error, as backend.c has put it */
		return spd_win32_from_errno(err);
	return spd_fail_errno(err, err == -EOPNOTSUPP
					   ? "this storage unit cannot change its size: %s"
					   : "the storage unit could not be resized: %s",
			      strerror(-err));
}

VOID
SpdxStorageUnitSetEnded(SPD_STORAGE_UNIT *StorageUnit,
			VOID (*Ended)(PVOID Context, BOOLEAN Normally), PVOID Context)
{
	struct spd *spd = spd_of(StorageUnit);

	mutex_lock(&spd->lock);
	spd->ended = Ended;
	spd->ended_ctx = Context;
	mutex_unlock(&spd->lock);
}

/* ---------------------------------------------------------------- dispatcher */

static unsigned
n_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* Programs that make their own buffers; the unit's own are the doors'. */
static bool
prepare_pool(struct spd *spd, unsigned n_threads)
{
	if (!spd->pub.BufferAlloc || spd->pub.BufferAlloc == scsi_unit_alloc)
		return true;
	spd->pool_alloc = spd->pub.BufferAlloc;
	spd->pool_free = spd->pub.BufferFree;
	spd->pool = calloc(n_threads, sizeof(*spd->pool));
	spd->cap_pool = spd->pool ? n_threads : 0;
	return spd->pool != NULL;
}

/* Ends what the program does not answer, once the grace is over; until the unit has stopped. */
static void *
canceller(void *arg)
{
	struct spd *spd = arg;
	uint64_t until = clock_monotonic_ns() + spd_cancel_grace_ms * 1000000ull;

	mutex_lock(&spd->lock);
	while (spd->state != SPD_ENDED) {
		size_t n;

		if (cond_wait_until(&spd->changed, &spd->lock, until))
			continue;
		mutex_unlock(&spd->lock);
		n = spd_backend_cancel(spd);
		if (n > 0)
			log_warn("spd", "requests that the program did not answer were ended n=%zu",
				 n);
		until = clock_monotonic_ns() + 100 * 1000000ull;
		mutex_lock(&spd->lock);
	}
	mutex_unlock(&spd->lock);
	return NULL;
}

/* After stopping is set or the state is ENDED: no door comes any more. The lock only waits for one
 * on its way; doors stop without it, since a callback that they wait for may want it. */
static void
stop_doors(struct spd *spd)
{
	mutex_lock(&spd->doors_lock);
	mutex_unlock(&spd->doors_lock);
	for (unsigned i = 0; i < spd->n_doors; i++)
		if (spd->doors[i].instance)
			spd->doors[i].door->stop(spd->doors[i].instance);
}

static int
start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void
take_down(struct spd *spd)
{
	struct scsi_result flushed;
	pthread_t thread;
	bool has_canceller = start_thread(&thread, canceller, spd) == 0;

	stop_doors(spd);
	spd_slot_set_unit(spd->index, NULL);
	flushed = scsi_unit_stop(spd->unit);
	if (!scsi_ok(flushed)) {
		log_error("spd", "the final flush failed: %s",
			  scsi_sense_text(flushed.asc, flushed.ascq));
		SpdStorageUnitSetDispatcherError(&spd->pub, ERROR_IO_DEVICE);
	}
	SpdStorageUnitSetDispatcherError(&spd->pub, ERROR_OPERATION_ABORTED);
	spd_slot_release(spd->index);
	mutex_lock(&spd->lock);
	spd->registered = false;
	spd->state = SPD_ENDED;
	cond_broadcast(&spd->changed);
	mutex_unlock(&spd->lock);
	if (has_canceller)
		pthread_join(thread, NULL);
}

static void *
dispatcher(void *arg)
{
	struct spd *spd = arg;

	mutex_lock(&spd->lock);
	while (!spd->stopping)
		cond_wait(&spd->changed, &spd->lock);
	mutex_unlock(&spd->lock);
	take_down(spd);
	if (spd->dispatcher_ended)
		spd->dispatcher_ended(spd->dispatcher_ended_ctx);
	return NULL;
}

static DWORD
serve(struct spd *spd, unsigned n_threads)
{
	DWORD error = ERROR_SUCCESS;
	int err = prepare_pool(spd, n_threads) ? scsi_unit_start(spd->unit, n_threads) : -ENOMEM;

	if (err < 0)
		return spd_fail_errno(err, "the dispatcher could not be started: %s",
				      strerror(-err));
	for (unsigned i = 0; i < spd->n_doors && error == ERROR_SUCCESS; i++)
		error = door_start(&spd->doors[i]);
	if (error == ERROR_SUCCESS) {
		err = start_thread(&spd->thread, dispatcher, spd);
		if (err < 0)
			error = spd_fail_errno(err, "the dispatcher could not be started: %s",
					       strerror(-err));
	}
	return error;
}

/* NEW -> STARTING, or why not. */
static DWORD
begin_start(struct spd *spd)
{
	DWORD error = ERROR_SUCCESS;

	mutex_lock(&spd->lock);
	if (spd->stopping)
		error = ERROR_OPERATION_ABORTED;
	else if (spd->state != SPD_NEW)
		error = ERROR_INVALID_PARAMETER;
	else
		spd->state = SPD_STARTING;
	mutex_unlock(&spd->lock);
	if (error == ERROR_OPERATION_ABORTED)
		return spd_fail(error, "the storage unit has been shut down");
	return error ? spd_fail(error, "the dispatcher has been started before") : error;
}

DWORD
SpdStorageUnitStartDispatcher(SPD_STORAGE_UNIT *StorageUnit, ULONG ThreadCount)
{
	struct spd *spd = spd_of(StorageUnit);
	unsigned n_threads = MIN(ThreadCount ? ThreadCount : n_cpus(), (unsigned)THREADS_MAX);
	DWORD error;

	spd_clear_error();
	mutex_lock(&spd->doors_lock);
	error = begin_start(spd);
	if (error) {
		mutex_unlock(&spd->doors_lock);
		return error;
	}
	error = serve(spd, n_threads);
	mutex_lock(&spd->lock);
	spd->state = error ? SPD_ENDED : SPD_RUNNING;
	spd->has_thread = error == ERROR_SUCCESS;
	mutex_unlock(&spd->lock);
	if (error == ERROR_SUCCESS) {
		StorageUnit->DispatcherThread = spd;
		StorageUnit->DispatcherThreadId = (DWORD)getpid();
		StorageUnit->DispatcherThreadCount = n_threads;
		spd_slot_set_unit(spd->index, spd->unit);
	}
	mutex_unlock(&spd->doors_lock);
	if (error) {
		stop_doors(spd);
		(void)scsi_unit_stop(spd->unit);
	}
	return error;
}

VOID
SpdStorageUnitShutdown(SPD_STORAGE_UNIT *StorageUnit)
{
	struct spd *spd = spd_of(StorageUnit);

	mutex_lock(&spd->lock);
	spd->stopping = true;
	cond_broadcast(&spd->changed);
	mutex_unlock(&spd->lock);
}

VOID
SpdStorageUnitWaitDispatcher(SPD_STORAGE_UNIT *StorageUnit)
{
	struct spd *spd = spd_of(StorageUnit);
	bool join;

	mutex_lock(&spd->lock);
	while (spd->state == SPD_STARTING || spd->state == SPD_RUNNING)
		cond_wait(&spd->changed, &spd->lock);
	join = spd->has_thread;
	spd->has_thread = false;
	mutex_unlock(&spd->lock);
	if (join)
		pthread_join(spd->thread, NULL);
}

VOID
SpdStorageUnitSetBufferAllocatorF(SPD_STORAGE_UNIT *StorageUnit, PVOID (*BufferAlloc)(size_t),
				  VOID (*BufferFree)(PVOID))
{
	SpdStorageUnitSetBufferAllocator(StorageUnit, BufferAlloc, BufferFree);
}

VOID
SpdStorageUnitGetDispatcherErrorF(SPD_STORAGE_UNIT *StorageUnit, DWORD *PDispatcherError)
{
	SpdStorageUnitGetDispatcherError(StorageUnit, PDispatcherError);
}

VOID
SpdStorageUnitSetDispatcherErrorF(SPD_STORAGE_UNIT *StorageUnit, DWORD DispatcherError)
{
	SpdStorageUnitSetDispatcherError(StorageUnit, DispatcherError);
}

VOID
SpdStorageUnitSetDebugLogF(SPD_STORAGE_UNIT *StorageUnit, UINT32 DebugLog)
{
	SpdStorageUnitSetDebugLog(StorageUnit, DebugLog);
}
