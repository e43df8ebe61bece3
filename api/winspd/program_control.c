/* What a serving disk tells and does on request: `userdrive info`, `stop`, `detach`, `resize`. */
#include "api/winspd/program_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/control.h"

struct program_control {
	const struct command *command;
	struct spd *spd;
	struct program_events *events;
	time_t started;
	struct control_server *server;
};

static void
add_member(struct buf *json, const char *name, const char *value)
{
	buf_printf(json, ",\"%s\":", name);
	if (value)
		buf_json_string(json, value);
	else
		buf_printf(json, "null");
}

static void
add_started(struct buf *json, time_t started)
{
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&started, &tm));
	add_member(json, "started", text);
}

static void
add_unit(struct buf *json, struct spd *spd)
{
	const struct scsi_unit_params *p = scsi_unit_params(spd->unit);
	uint64_t n_blocks = scsi_unit_n_blocks(spd->unit);

	add_member(json, "guid", scsi_unit_serial(spd->unit));
	add_member(json, "product", p->product);
	buf_printf(json,
		   ",\"size\":%llu,\"blocks\":%llu,\"block_length\":%u,\"read_only\":%s,"
		   "\"cache\":%s,\"unmap\":%s,\"index\":%u",
		   (unsigned long long)n_blocks * p->block_length, (unsigned long long)n_blocks,
		   p->block_length, p->write_protected ? "true" : "false",
		   p->cache_supported ? "true" : "false", p->unmap_supported ? "true" : "false",
		   spd->index);
}

static void
add_counters(struct buf *json, struct scsi_unit *unit)
{
	static const char *const names[SCSI_IO_KIND_LIMIT] = {
		[SCSI_IO_READ] = "reads",
		[SCSI_IO_WRITE] = "writes",
		[SCSI_IO_FLUSH] = "flushes",
		[SCSI_IO_UNMAP] = "unmaps",
		[SCSI_IO_WRITE_ZEROES] = "zeroings",
		[SCSI_IO_WRITE_SAME] = "write_sames",
		[SCSI_IO_COMPARE_AND_WRITE] = "compares",
		[SCSI_IO_QUERY_RANGES] = "queries"};
	struct scsi_unit_counters c;

	scsi_unit_counters(unit, &c);
	buf_printf(json,
		   ",\"counters\":{\"bytes_read\":%llu,\"bytes_written\":%llu,\"errors\":%llu",
		   (unsigned long long)c.n_bytes_read, (unsigned long long)c.n_bytes_written,
		   (unsigned long long)c.n_errors);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i])
			buf_printf(json, ",\"%s\":%llu", names[i],
				   (unsigned long long)c.n_ios[i]);
	buf_printf(json, "}");
}

static int
info(struct program_control *control, struct buf *json)
{
	const SPDX_PROGRAM *program = control->command->program;

	buf_printf(json, "{\"name\":");
	buf_json_string(json, program->Name);
	add_member(json, "version", program->Version);
	add_member(json, "kind", "disk");
	buf_printf(json, ",\"pid\":%ld", (long)getpid());
	add_member(json, "source", control->command->source);
	add_unit(json, control->spd);
	add_started(json, control->started);
	buf_printf(json, ",\"doors\":");
	spd_describe(control->spd, json);
	add_counters(json, control->spd->unit);
	buf_printf(json, "}");
	return buf_error(json);
}

static int
stop(struct program_control *control, struct buf *json)
{
	int err = program_events_stop(control->events);

	if (err)
		return err;
	buf_printf(json, "{\"stopping\":true}");
	return buf_error(json);
}

/* Says no in words: who uses the disk is what the caller wants to know. */
static int
refusal(struct buf *json, const char *name)
{
	buf_printf(json, "{\"error\":\"%s\",\"text\":", name);
	buf_json_string(json, SpdxLastError());
	buf_printf(json, "}");
	return buf_error(json);
}

static int
leave(struct program_control *control, struct buf *json)
{
	DWORD error = spd_leave(control->spd);
	int err;

	if (error)
		return refusal(json, error == ERROR_DEVICE_IN_USE ? "EBUSY" : "EIO");
	err = program_events_stop(control->events);
	if (err)
		return err;
	buf_printf(json, "{\"left\":true}");
	return buf_error(json);
}

static int
resize(struct program_control *control, const char *number, struct buf *json)
{
	char *end;
	unsigned long long n_blocks;
	DWORD error;

	errno = 0;
	n_blocks = strtoull(number, &end, 10);
	if (errno || end == number || *end || *number == '-')
		return -EINVAL;
	error = SpdxStorageUnitResize(&control->spd->pub, n_blocks);
	if (error)
		return refusal(json, error == ERROR_NOT_SUPPORTED	 ? "EOPNOTSUPP"
				     : error == ERROR_INVALID_PARAMETER ? "EINVAL"
				     : error == ERROR_DISK_FULL		 ? "ENOSPC"
									 : "EIO");
	buf_printf(json, "{\"blocks\":%llu}", n_blocks);
	return buf_error(json);
}

static int
handle(void *ctx, const char *verb, struct buf *json_out)
{
	struct program_control *control = ctx;

	if (strcmp(verb, "info") == 0)
		return info(control, json_out);
	if (strcmp(verb, "stop") == 0)
		return stop(control, json_out);
	if (strcmp(verb, "leave") == 0)
		return leave(control, json_out);
	if (strncmp(verb, "resize ", 7) == 0)
		return resize(control, verb + 7, json_out);
	return -EOPNOTSUPP;
}

int
program_control_start(const struct command *c, struct spd *spd, struct program_events *events,
		      struct program_control **ret_control)
{
	static const struct control_ops ops = {.handle = handle};
	struct program_control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return -ENOMEM;
	control->command = c;
	control->spd = spd;
	control->events = events;
	control->started = time(NULL);
	err = control_server_start(&ops, control, &control->server);
	if (err) {
		free(control);
		return err;
	}
	*ret_control = control;
	return 0;
}

void
program_control_stop(struct program_control *control)
{
	if (!control)
		return;
	control_server_stop(control->server);
	free(control);
}
