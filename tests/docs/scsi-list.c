/*
 * Prints what the SCSI engine has, a line each, for tests/docs/test-scsi.sh: commands from the
 * table, pages as a unit that has everything tells them.
 *
 *	command OPCODE ACTION NAME        ACTION "-": none
 *	vpd PAGE, mode PAGE, log PAGE     hexadecimal
 *	sense KEY ASC ASCQ NAME TEXT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "scsi/lu.h"

enum { ANSWER_MAX = 1024 };

static bool
submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	(void)backend;
	*ret_res = scsi_good();
	/* The whole unit is one run */
	if (req->kind == SCSI_IO_QUERY_RANGES && req->n_ranges > 0) {
		struct scsi_mapping *mapping = req->data;

		*mapping = (struct scsi_mapping){.lba = req->lba, .n_blocks = req->n_blocks};
		req->n_ranges = 1;
	}
	return true;
}

static const struct scsi_backend_ops ops = {
	.kinds = SCSI_IO_BIT(SCSI_IO_KIND_LIMIT) - 2, /* all */
	.submit = submit,
};

/* Some commands end on a worker of the unit. */
static struct mutex lock = MUTEX_INIT;
static struct cond ended;
static bool is_done;

static void
done(struct scsi_task *task)
{
	(void)task;
	mutex_lock(&lock);
	is_done = true;
	cond_signal(&ended);
	mutex_unlock(&lock);
}

static void
execute(struct scsi_task *task)
{
	is_done = false;
	scsi_task_execute(task);
	mutex_lock(&lock);
	while (!is_done)
		cond_wait(&ended, &lock);
	mutex_unlock(&lock);
}

/* Size of the answer; exits when the unit refuses. */
static size_t
ask(struct scsi_nexus *nexus, const uint8_t *cdb, uint8_t n_cdb, uint8_t *answer)
{
	struct scsi_task task = {.nexus = nexus, .n_cdb = n_cdb, .complete = done};
	struct scsi_result res;

	memcpy(task.cdb, cdb, n_cdb);
	for (int i = 0; i < 8 && !scsi_task_begin(&task); i++)
		; /* unit attentions of a new nexus */
	res = task.result;
	if (scsi_ok(res)) {
		task.data_in = answer;
		task.cap_in = ANSWER_MAX;
		execute(&task);
		res = task.result;
	}
	if (!scsi_ok(res)) {
		fprintf(stderr, "command %02x fails: %s\n", cdb[0],
			scsi_sense_text(res.asc, res.ascq));
		exit(1);
	}
	return task.n_in;
}

static void
print_commands(void)
{
	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *c = scsi_command_at(i);

		if (c->service_action < 0)
			printf("command %02X - %s\n", c->opcode, c->name);
		else
			printf("command %02X %02X %s\n", c->opcode, (unsigned)c->service_action,
			       c->name);
	}
}

static void
print_pages(struct scsi_nexus *nexus)
{
	static const uint8_t vpd[6] = {0x12, 1, 0x00, ANSWER_MAX >> 8, 0};
	static const uint8_t mode[10] = {0x5a, 8, 0x3f, 0, 0, 0, 0, ANSWER_MAX >> 8, 0};
	static const uint8_t log[10] = {0x4d, 0, 0x40, 0, 0, 0, 0, ANSWER_MAX >> 8, 0};
	uint8_t answer[ANSWER_MAX];
	size_t n = ask(nexus, vpd, sizeof(vpd), answer);

	for (size_t i = 4; i < n; i++)
		printf("vpd %02X\n", answer[i]);
	n = ask(nexus, mode, sizeof(mode), answer);
	for (size_t at = 8; at + 2 <= n; at += 2u + answer[at + 1])
		printf("mode %02X\n", answer[at] & 0x3f);
	n = ask(nexus, log, sizeof(log), answer);
	for (size_t i = 4; i < n; i++)
		printf("log %02X\n", answer[i]);
}

static void
print_sense(void)
{
#define SENSE(name, key, asc, ascq, text) \
	printf("sense %X %02X %02X %s %s\n", SCSI_KEY_##key, asc, ascq, #name, text);
#include "scsi/sense.def"
#undef SENSE
}

int
main(void)
{
	struct scsi_unit_params params = {
		.guid = {1},
		.n_blocks = 2048,
		.block_length = 512,
		.max_transfer = 65536,
		.vendor = "WinSpd",
		.product = "list",
		.revision = "1",
		.cache_supported = true,
		.unmap_supported = true,
		.removable = true,
	};
	struct scsi_nexus_params from = {.initiator = "list", .target_port = 1};
	struct scsi_unit *unit;
	struct scsi_target *target;
	struct scsi_nexus *nexus;
	char error[256] = "";

	cond_init(&ended);

	if (scsi_unit_create(&params, &ops, NULL, error, sizeof(error), &unit) < 0 ||
	    scsi_unit_start(unit, 1) < 0 || scsi_target_create("list", &target) < 0 ||
	    scsi_target_add_lun(target, 0, unit) < 0 ||
	    scsi_nexus_create(target, &from, &nexus) < 0) {
		fprintf(stderr, "no unit: %s\n", error);
		return 1;
	}
	print_commands();
	print_pages(nexus);
	print_sense();
	scsi_nexus_destroy(nexus);
	(void)scsi_target_remove_lun(target, 0);
	scsi_target_destroy(target);
	(void)scsi_unit_stop(unit);
	scsi_unit_unref(unit);
	return 0;
}
