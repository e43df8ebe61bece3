#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/stgtest/stgtest.h"

const char *const stgtest_fault_names[FAULT_COUNT] = {
	[FAULT_LOST] = "lost write",
	[FAULT_TORN] = "torn write",
	[FAULT_STALE] = "stale read",
	[FAULT_MISPLACED] = "misplaced write",
	[FAULT_FOREIGN] = "foreign block",
	[FAULT_CORRUPT] = "corrupt block",
	[FAULT_ZEROED] = "zeroed block",
	[FAULT_UNMAP] = "bad unmap",
	[FAULT_FUTURE] = "unknown generation",
	[FAULT_STATUS] = "failed request",
	[FAULT_CONNECTION] = "lost connection",
};

static void
add_option(struct buf *dst, const char *name, uint64_t value, uint64_t standard)
{
	if (value != standard)
		buf_printf(dst, " %s %llu", name, (unsigned long long)value);
}

/* A word for the shell: quoted when it has to be. */
static void
add_word(struct buf *dst, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"/:._-,+=@%[]";

	if (*word && !word[strspn(word, plain)]) {
		buf_printf(dst, " %s", word);
		return;
	}
	buf_add(dst, " '", 2);
	for (; *word; word++) {
		if (*word == '\'')
			buf_add(dst, "'\\''", 4);
		else
			buf_add(dst, word, 1);
	}
	buf_add(dst, "'", 1);
}

static void
classic_line(const struct stgtest_params *p, struct buf *dst)
{
	buf_printf(dst, " -s %llu", (unsigned long long)p->seed);
	add_word(dst, p->target);
	buf_printf(dst, " %u \"%s\"", p->n_ops, p->op_set);
	if (p->address == UINT64_MAX)
		buf_add(dst, " *", 2);
	else
		buf_printf(dst, " %x:%x", (unsigned)(p->address >> 32),
			   (unsigned)p->address);
	if (p->count == UINT32_MAX)
		buf_add(dst, " *", 2);
	else
		buf_printf(dst, " %u", p->count);
}

void
stgtest_command_line(const struct stgtest_params *p, struct buf *dst)
{
	buf_printf(dst, "%s", p->program);
	if (!p->verify) {
		classic_line(p, dst);
		return;
	}
	buf_printf(dst, " --mode verify --seed %llu --depth %u",
		   (unsigned long long)p->seed, p->disk.depth);
	add_option(dst, "--ops", p->ops, 0);
	add_option(dst, "--duration", p->duration_s, 0);
	add_option(dst, "--max-blocks", p->max_blocks, 0);
	add_option(dst, "--block-length", p->disk.block_length, 0);
	add_option(dst, "--fua", p->fua_percent, 10);
	if (p->first || p->n_blocks)
		buf_printf(dst, " --range %llu:%llu", (unsigned long long)p->first,
			   (unsigned long long)p->n_blocks);
	buf_printf(dst, " --mix %u,%u,%u,%u", p->reads, p->writes, p->flushes, p->unmaps);
	buf_printf(dst, "%s%s%s%s", p->sequential ? " --pattern sequential" : "",
		   p->no_fill ? " --no-fill" : "", p->no_sweep ? " --no-sweep" : "",
		   p->disk.direct ? " --direct" : "");
	if (p->state) {
		buf_printf(dst, " --state");
		add_word(dst, p->state);
	}
	add_word(dst, p->target);
}

void
stgtest_fault(const struct stgtest_params *params, struct stgtest_report *r,
	      enum stgtest_fault fault, uint64_t lba, uint32_t n_blocks, const char *fmt,
	      ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (params->verify || params->verify_only)
		fprintf(stderr, "%s: LBA %llu, %u block%s: %s\n",
			stgtest_fault_names[fault], (unsigned long long)lba, n_blocks,
			n_blocks == 1 ? "" : "s", text);
	buf_printf(&r->faults, "%s{\"kind\":\"%s\",\"lba\":%llu,\"blocks\":%u,\"text\":",
		   r->n_faults_all ? "," : "", stgtest_fault_names[fault],
		   (unsigned long long)lba, n_blocks);
	buf_json_string(&r->faults, text);
	buf_add(&r->faults, "}", 1);
	r->n_faults[fault]++;
	r->n_faults_all++;
}

static void
print_json(const struct stgtest_params *p, const struct stgtest_report *r,
	   const struct disk *disk, double seconds)
{
	const struct disk_geometry *g = disk_geometry(disk);
	CLEANUP(buf_fini) struct buf out = BUF_INIT, line = BUF_INIT;

	if (!p->verify_only)
		stgtest_command_line(p, &line);
	buf_printf(&out, "{\"result\":\"%s\",\"target\":",
		   r->n_faults_all || r->broken ? "failed" : "ok");
	buf_json_string(&out, p->target);
	buf_printf(&out,
		   ",\"way\":\"%s\",\"mode\":\"%s\",\"seed\":%llu,\"blocks\":%llu,"
		   "\"block_length\":%u",
		   disk_way(disk),
		   p->verify_only ? "verify-only"
		   : p->verify	  ? "verify"
				  : "winspd",
		   (unsigned long long)p->seed, (unsigned long long)g->n_blocks,
		   g->block_length);
	buf_printf(&out,
		   ",\"reads\":%llu,\"writes\":%llu,\"flushes\":%llu,\"unmaps\":%llu",
		   (unsigned long long)r->n_ops[DISK_READ],
		   (unsigned long long)r->n_ops[DISK_WRITE],
		   (unsigned long long)r->n_ops[DISK_FLUSH],
		   (unsigned long long)r->n_ops[DISK_UNMAP]);
	buf_printf(&out,
		   ",\"bytes_read\":%llu,\"bytes_written\":%llu,\"blocks_checked\":%llu",
		   (unsigned long long)r->bytes_read,
		   (unsigned long long)r->bytes_written,
		   (unsigned long long)r->n_checked);
	buf_printf(
		&out,
		",\"torn_in_flight\":%llu,\"seconds\":%.3f,\"faults\":[%s],\"replay\":",
		(unsigned long long)r->n_allowed_torn, seconds, buf_str(&r->faults));
	buf_json_string(&out, buf_str(&line));
	printf("%s}\n", buf_str(&out));
}

int
stgtest_report_end(const struct stgtest_params *p, struct stgtest_report *r,
		   const struct disk *disk)
{
	double seconds =
		r->start_ns ? (double)(clock_monotonic_ns() - r->start_ns) / 1e9 : 0;
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	bool good = !r->n_faults_all && !r->broken;

	if (p->json) {
		print_json(p, r, disk, seconds);
	} else {
		printf("%llu reads, %llu writes, %llu flushes, %llu unmaps; %llu blocks "
		       "checked",
		       (unsigned long long)r->n_ops[DISK_READ],
		       (unsigned long long)r->n_ops[DISK_WRITE],
		       (unsigned long long)r->n_ops[DISK_FLUSH],
		       (unsigned long long)r->n_ops[DISK_UNMAP],
		       (unsigned long long)r->n_checked);
		if (r->n_allowed_torn)
			printf("; %llu torn while not yet acknowledged",
			       (unsigned long long)r->n_allowed_torn);
		printf("\n");
		for (int i = 0; i < FAULT_COUNT; i++)
			if (r->n_faults[i])
				printf("%s: %llu\n", stgtest_fault_names[i],
				       (unsigned long long)r->n_faults[i]);
		printf("%s\n", good ? "OK" : "FAILED");
	}
	if (!good && !p->verify_only) {
		stgtest_command_line(p, &line);
		fprintf(stderr, "replay: %s\n", buf_str(&line));
	}
	if (good)
		return STGTEST_OK;
	return r->broken ? STGTEST_FAILED : STGTEST_BAD_DATA;
}

void
stgtest_progress(const struct stgtest_params *p, const struct stgtest_report *r,
		 const char *what, uint64_t done, uint64_t of, bool last)
{
	static uint64_t next_ns; /* one thread, one run */
	static bool shown;
	uint64_t now;

	if (p->quiet || (!p->progress && !isatty(STDERR_FILENO)))
		return;
	now = clock_monotonic_ns();
	if (last && shown)
		fprintf(stderr, "\r\033[K");
	if (last || now < next_ns)
		return;
	next_ns = now + 1000000000;
	shown = true;
	fprintf(stderr, "\r%s: %llu", what, (unsigned long long)done);
	if (of && of != UINT64_MAX)
		fprintf(stderr, " of %llu", (unsigned long long)of);
	fprintf(stderr, ", %llu MiB read, %llu MiB written, %llu faults\033[K%s",
		(unsigned long long)(r->bytes_read >> 20),
		(unsigned long long)(r->bytes_written >> 20),
		(unsigned long long)r->n_faults_all, isatty(STDERR_FILENO) ? "" : "\n");
}
