/*
 * FspxProgramMain: a drive program's life. Signals are blocked before any thread exists and read
 * by the main thread, which also hears of the door's end and of a stop by the control socket; so
 * everything that ends the program happens on one thread, in one order:
 *
 *	dispatcher stopped (drains, unmounts), control socket away, file system deleted
 */
#include "api/winfsp/program_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/common/program.h"
#include "api/common/system.h"
#include "base/log.h"
#include "base/os/posix/daemonize.h"
#include "base/status/errno.h"
#include "base/text/names.h"

struct life {
	struct command *command;
	struct daemonize daemonize;
	struct fsp *fsp;
	struct program_events events; /* its stop: by the control socket, and when the door ends */
	atomic_bool ended; /* the door ended, and nobody here had asked for it */
	struct program_control *control;
};

static void
report(const char *text)
{
	log_error("program", "%s", text);
}

static void
door_ended(void *ctx, bool normally)
{
	struct life *life = ctx;

	if (!normally)
		atomic_store(&life->ended, true);
	program_events_stop(&life->events);
}

static int
create(struct life *life)
{
	FSPX_PROGRAM *program = life->command->program;
	FSP_FILE_SYSTEM *fs = NULL;
	char error[384] = "";
	NTSTATUS st = program->Create(program, &fs, error, sizeof(error));

	if (!NT_SUCCESS(st)) {
		if (error[0])
			report(error);
		else
			log_error("program", "the file system could not be created status=%s",
				  nt_name(st) ? nt_name(st) : "?");
		return FspxExitFileSystem;
	}
	life->fsp = fsp_of(fs);
	life->fsp->stopped = door_ended;
	life->fsp->stopped_ctx = life;
	if (life->command->debug_mask)
		FspFileSystemSetDebugLog(fs, life->command->debug_mask);
	return FspxExitSuccess;
}

static int
mount_exit_code(const struct fs_door_error *error)
{
	const char *text = error->text;

	if (strstr(text, "/dev/fuse") || strstr(text, "modprobe fuse") || strstr(text, "io_uring"))
		return FspxExitNoFuse;
	/* What fusermount3 says of a mount point is not its own trouble. */
	if (strstr(text, "fusermount3") && !strstr(text, "mountpoint") &&
	    !strstr(text, "mounting over") && error->err != EBUSY)
		return FspxExitNoFuse;
	return FspxExitMount;
}

/* A mount point as it stands on the command line. */
static NTSTATUS
set_mount_point(struct life *life)
{
	const char *point = life->command->mount_point;
	CLEANUP(free_ptr) uint16_t *wide = NULL;

	if (utf16_from_utf8(point, &wide) < 0) {
		fsp_set_error(life->fsp, EILSEQ, "%s: the mount point's name is not UTF-8", point);
		return STATUS_OBJECT_NAME_INVALID;
	}
	return FspFileSystemSetMountPoint(&life->fsp->pub, wide);
}

static int
mount_and_serve(struct life *life)
{
	struct fsp *fsp = life->fsp;
	FSP_FILE_SYSTEM *fs = &fsp->pub;
	NTSTATUS st;

	st = fsp_set_identity(fs, life->command->program->Name, life->command->source);
	if (NT_SUCCESS(st) && life->command->mount_options.n)
		st = FspxFileSystemSetMountOptions(fs, buf_str(&life->command->mount_options));
	if (NT_SUCCESS(st))
		st = set_mount_point(life);
	if (NT_SUCCESS(st))
		st = FspFileSystemStartDispatcher(fs, 0);
	if (NT_SUCCESS(st))
		return FspxExitSuccess;
	if (fsp->error.text[0])
		report(fsp->error.text);
	else
		log_error("program", "%s: cannot be mounted status=%s",
			  life->command->mount_point, nt_name(st) ? nt_name(st) : "?");
	return mount_exit_code(&fsp->error);
}

/* Live: the control socket answers, the parent returns, the service manager knows. */
static int
announce(struct life *life)
{
	const char *name = life->command->program->Name;
	bool background = life->daemonize.verdict_fd >= 0;
	int err = program_control_start(life->command, life->fsp, &life->events, &life->control);

	if (err)
		log_warn("program", "no control socket: %s", strerror(-err));
	err = daemonize_ready(&life->daemonize);
	if (err)
		return FspxExitFailed;
	if (background) {
		log_open(name, LOG_SINK_SYSTEM);
		log_set_level(LOG_LEVEL_INFO);
	}
	manager_tell("READY=1");
	return FspxExitSuccess;
}

/* Unmounts. Who has files open keeps them until they are closed, or until we are told again. */
static void
leave(struct life *life)
{
	struct fsp *fsp = life->fsp;

	if (!fsp->door || !fsp->instance || fsp->door->leave(fsp->instance) != -EBUSY)
		return;
	log_info(life->command->program->Name,
		 "%s: unmounted; files are still open and served until they are closed (stop or "
		 "signal again to end now)",
		 fsp->mount_path);
	program_events_wait(&life->events);
}

/* A mount that is no longer there was unmounted, which is as good as a stop. */
static int
end_exit_code(struct life *life)
{
	if (!atomic_load(&life->ended) || !fsp_has_fuse_mount(life->fsp->mount_path))
		return FspxExitSuccess;
	log_error("program", "%s: the connection to the kernel broke",
		  life->fsp->mount_path);
	return FspxExitFailed;
}

static void
tear_down(struct life *life)
{
	if (life->fsp)
		FspFileSystemStopDispatcher(&life->fsp->pub);
	/* Not before: who asked for the stop is still being answered. */
	program_control_stop(life->control);
	if (life->fsp) {
		FspFileSystemRemoveMountPoint(&life->fsp->pub);
		life->command->program->Delete(life->command->program, &life->fsp->pub);
	}
	program_events_fini(&life->events);
}

static int
serve(struct life *life)
{
	int code = program_debug_log(life->command->debug_file) ? FspxExitUsage : create(life);

	if (code == FspxExitSuccess)
		code = mount_and_serve(life);
	if (code == FspxExitSuccess)
		code = announce(life);
	if (code == FspxExitSuccess) {
		program_events_wait(&life->events);
		code = end_exit_code(life);
		manager_tell("STOPPING=1");
		if (!atomic_load(&life->ended))
			leave(life);
		program_signals_unblock();
	}
	tear_down(life);
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
		/* Until it is live, a command that succeeds says nothing. */
		log_set_level(LOG_LEVEL_WARN);
		err = daemonize_begin(&life.daemonize);
	}
	if (err == 0)
		err = program_events_init(&life.events);
	if (err) {
		log_error("program", "cannot start: %s", strerror(-err));
		daemonize_failed(&life.daemonize, FspxExitFailed);
		return FspxExitFailed;
	}
	return serve(&life);
}

int
FspxProgramMain(FSPX_PROGRAM *Program, int Argc, char **Argv)
{
	struct command command = {.program = Program};
	int code = FspxExitSuccess;

	program_ensure_streams();
	log_open(Program->Name, LOG_SINK_STDERR);
	if (command_parse(&command, Argc, Argv) < 0) {
		fprintf(stderr, "%s: %s\n", Program->Name, command.line.error);
		code = FspxExitUsage;
	} else if (command.action == PROGRAM_HELP) {
		command_help(Program);
	} else if (command.action == PROGRAM_VERSION) {
		printf("%s %s\n", Program->Name, Program->Version);
	} else {
		code = run(&command);
	}
	command_fini(&command);
	return code;
}
