/* What a serving program tells and does on request: `userdrive info` and `userdrive stop`. */
#include "api/winfsp/program_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/control.h"

enum { DESCRIPTION_MAX = 64 * 1024 };

struct program_control {
	const struct command *command;
	struct fsp *fsp;
	struct program_events *events; /* of the main thread */
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

/* The door's own members: transport, why, counters. */
static void
add_description(struct buf *json, struct fsp *fsp)
{
	CLEANUP(free_ptr) char *text = malloc(DESCRIPTION_MAX);

	if (text && fsp->door->describe &&
	    fsp->door->describe(fsp->instance, text, DESCRIPTION_MAX) >= 0 && text[0])
		buf_printf(json, ",%s", text);
}

static int
info(struct program_control *control, struct buf *json)
{
	const FSPX_PROGRAM *program = control->command->program;

	buf_printf(json, "{\"name\":");
	buf_json_string(json, program->Name);
	add_member(json, "version", program->Version);
	add_member(json, "kind", "file system");
	buf_printf(json, ",\"pid\":%ld", (long)getpid());
	add_member(json, "mount_point", control->fsp->mount_path);
	add_member(json, "source", control->command->source);
	add_member(json, "options", buf_str(&control->command->mount_options));
	add_started(json, control->started);
	add_description(json, control->fsp);
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

static int
handle(void *ctx, const char *verb, struct buf *json_out)
{
	struct program_control *control = ctx;

	if (strcmp(verb, "info") == 0)
		return info(control, json_out);
	if (strcmp(verb, "stop") == 0)
		return stop(control, json_out);
	return -EOPNOTSUPP;
}

int
program_control_start(const struct command *c, struct fsp *fsp, struct program_events *events,
		      struct program_control **ret_control)
{
	static const struct control_ops ops = {.handle = handle};
	struct program_control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return -ENOMEM;
	control->command = c;
	control->fsp = fsp;
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
