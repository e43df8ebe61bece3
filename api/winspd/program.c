/*
 * SpdxProgramMain: a disk program's life. What ends it, a signal, the control socket or the end of
 * the last door, is heard by the main thread, which then does everything in one order:
 *
 *	doors closed, requests under way completed, final flush; control socket away; unit deleted
 */
#include "api/winspd/program_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/common/system.h"
#include "base/log.h"
#include "base/os/posix/daemonize.h"
#include "base/text/names.h"

struct life {
	struct command *command;
	struct daemonize daemonize;
	struct spd *spd;
	struct program_events events;
	struct program_control *control;
};

/* The dispatcher has ended: by us, or by itself. */
static void
dispatcher_ended(void *ctx)
{
	struct life *life = ctx;

	program_events_stop(&life->events);
}

static int
door_exit_code(void)
{
	switch (spd_last_door_errno()) {
	case 0:
		return SpdxExitUnit;
	case ENODEV:
	case ENXIO:
	case ENOSYS:
	case EOPNOTSUPP:
	case EPERM:
	case EACCES:
		return SpdxExitNoDoor;
	default:
		return SpdxExitDoor;
	}
}

static int
report(DWORD error, const char *text)
{
	if (text[0])
		log_error("program", "%s", text);
	else if (SpdxLastError()[0])
		log_error("program", "%s", SpdxLastError());
	else
		log_error("program", "the disk could not be created error=%u", error);
	return door_exit_code();
}

static int
create(struct life *life)
{
	struct command *c = life->command;
	CLEANUP(free_ptr) uint16_t *name = NULL;
	SPD_STORAGE_UNIT *unit = NULL;
	char error[384] = "";
	DWORD code;

	if (c->n_doors && utf16_from_utf8(c->doors[0], &name) < 0) {
		log_error("program", "%s: the name of a door is UTF-8", c->doors[0]);
		return SpdxExitDoor;
	}
	spd_clear_error();
	code = c->program->Create(c->program, (PWSTR)name, &unit, error, sizeof(error));
	if (code || !unit)
		return report(code, error);
	life->spd = spd_of(unit);
	life->spd->dispatcher_ended = dispatcher_ended;
	life->spd->dispatcher_ended_ctx = life;
	if (c->debug_mask)
		SpdStorageUnitSetDebugLog(unit, c->debug_mask);
	return SpdxExitSuccess;
}

static int
add_door(struct life *life, const char *door)
{
	CLEANUP(free_ptr) uint16_t *name = NULL;
	DWORD error;

	if (utf16_from_utf8(door, &name) < 0) {
		log_error("program", "%s: the name of a door is UTF-8", door);
		return SpdxExitDoor;
	}
	error = SpdxStorageUnitAddDoor(&life->spd->pub, (PWSTR)name);
	return error ? report(error, "") : SpdxExitSuccess;
}

static int
open_doors(struct life *life)
{
	struct command *c = life->command;
	int code = SpdxExitSuccess;
	DWORD error;

	for (unsigned i = 1; i < c->n_doors && code == SpdxExitSuccess; i++)
		code = add_door(life, c->doors[i]);
	if (code != SpdxExitSuccess)
		return code;
	error = SpdStorageUnitStartDispatcher(&life->spd->pub, c->program->ThreadCount);
	return error ? report(error, "") : SpdxExitSuccess;
}

/* A string member of what a door says of itself; false: not there. */
static bool
find_member(const char *json, const char *name, char *dst, size_t cap)
{
	char key[32];
	const char *s;
	size_t n = 0;

	snprintf(key, sizeof(key), "\"%s\":\"", name);
	s = strstr(json, key);
	if (!s)
		return false;
	for (s += strlen(key); *s && *s != '"' && n + 1 < cap; s++) {
		if (*s == '\\' && s[1])
			s++;
		dst[n++] = *s;
	}
	dst[n] = 0;
	return n > 0;
}

/* Scripts read from it what they are to use: a line per door, the node where there is one. */
static void
print_doors(struct spd *spd)
{
	for (unsigned i = 0; i < spd->n_doors; i++) {
		struct spd_door *d = &spd->doors[i];
		CLEANUP(buf_fini) struct buf json = BUF_INIT;
		char where[1024];

		d->door->describe(d->instance, &json);
		if (find_member(buf_str(&json), "device", where, sizeof(where)) ||
		    find_member(buf_str(&json), "url", where, sizeof(where)))
			printf("%s\n", where);
	}
	fflush(stdout);
}

/* Live: the control socket answers, the parent returns, the service manager knows. */
static int
announce(struct life *life)
{
	bool background = life->daemonize.verdict_fd >= 0;
	int err = program_control_start(life->command, life->spd, &life->events, &life->control);

	if (err)
		log_warn("program", "no control socket: %s", strerror(-err));
	print_doors(life->spd);
	if (daemonize_ready(&life->daemonize) < 0)
		return SpdxExitFailed;
	if (background) {
		log_open(life->command->program->Name, LOG_SINK_SYSTEM);
		log_set_level(LOG_LEVEL_INFO);
	}
	manager_tell("READY=1");
	return SpdxExitSuccess;
}

static int
end_exit_code(struct life *life)
{
	DWORD error;

	SpdStorageUnitGetDispatcherError(&life->spd->pub, &error);
	if (error == ERROR_SUCCESS || error == ERROR_OPERATION_ABORTED)
		return SpdxExitSuccess;
	log_error("program", "the disk ended with error %u", error);
	return SpdxExitFailed;
}

static void
tear_down(struct life *life)
{
	if (life->spd) {
		SpdStorageUnitShutdown(&life->spd->pub);
		SpdStorageUnitWaitDispatcher(&life->spd->pub);
	}
	/* Not before: who asked for the stop is still being answered. */
	program_control_stop(life->control);
}

static int
serve(struct life *life)
{
	int code = program_debug_log(life->command->debug_file) ? SpdxExitUsage : create(life);

	if (code == SpdxExitSuccess)
		code = open_doors(life);
	if (code == SpdxExitSuccess)
		code = announce(life);
	if (code == SpdxExitSuccess) {
		program_events_wait(&life->events);
		manager_tell("STOPPING=1");
		program_signals_unblock();
	}
	tear_down(life);
	if (code == SpdxExitSuccess)
		code = end_exit_code(life);
	if (life->spd)
		life->command->program->Delete(life->command->program, &life->spd->pub);
	program_events_fini(&life->events);
	daemonize_failed(&life->daemonize, code);
	return code;
}

static int
run(struct command *command)
{
	struct life life = {.command = command, .daemonize = DAEMONIZE_NONE,
			    .events = PROGRAM_EVENTS_NONE};
	int err = 0;

	if (command_is_background(command)) {
		/* Until it is live, a command that succeeds says nothing but where the disk is. */
		log_set_level(LOG_LEVEL_WARN);
		err = daemonize_begin(&life.daemonize);
	}
	if (err == 0)
		err = program_events_init(&life.events);
	if (err) {
		log_error("program", "cannot start: %s", strerror(-err));
		program_events_fini(&life.events);
		daemonize_failed(&life.daemonize, SpdxExitFailed);
		return SpdxExitFailed;
	}
	return serve(&life);
}

int
SpdxProgramMain(SPDX_PROGRAM *Program, int Argc, char **Argv)
{
	struct command command = {.program = Program};

	program_ensure_streams();
	log_open(Program->Name, LOG_SINK_STDERR);
	if (command_parse(&command, Argc, Argv) < 0) {
		fprintf(stderr, "%s: %s\n", Program->Name, command.line.error);
		return SpdxExitUsage;
	}
	if (command.action == PROGRAM_HELP) {
		command_help(Program);
		return SpdxExitSuccess;
	}
	if (command.action == PROGRAM_VERSION) {
		printf("%s %s\n", Program->Name, Program->Version);
		return SpdxExitSuccess;
	}
	return run(&command);
}
