/* Command line of the model-based test: random rounds, replay, minimize. See model.h. */
#include "tests/model/model.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
	const char *drive_dir, *ref_dir, *log_path, *replay_path, *minimize_path,
		*profile_name;
	uint64_t seed, n_ops, seconds, state_every;
	bool keep, stats;
	enum profile profile;
};

static FILE *
log_open_file(const char *path, uint64_t seed)
{
	FILE *f = fopen(path, "w");

	check(f != NULL, "cannot write %s: %s", path, strerror(errno));
	/* Whole lines at once: after a hang, the last line is the operation that hangs.
	 */
	setvbuf(f, NULL, _IOLBF, 0);
	fprintf(f, "# fsmodel log, seed=%llu: call, verify, arguments\n",
		(unsigned long long)seed);
	return f;
}

static void
log_op(FILE *f, const struct op *op)
{
	struct buf line = {0};

	op_format(op, &line);
	fprintf(f, "%s\n", line.s);
	buf_fini(&line);
}

static void
log_write_all(const char *path, uint64_t seed, const struct ops *ops)
{
	FILE *f = log_open_file(path, seed);

	for (size_t i = 0; i < ops->n; i++)
		log_op(f, &ops->v[i]);
	fclose(f);
}

static void
log_read(const char *path, struct ops *ops)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0, number = 0;
	struct op op;

	check(f != NULL, "cannot read %s: %s", path, strerror(errno));
	while (getline(&line, &cap, f) > 0) {
		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		check(op_parse(line, &op), "%s:%zu: not an operation: %s", path, number,
		      line);
		ops_add(ops, &op);
	}
	free(line);
	fclose(f);
}

static void
report_print(const struct mismatch *m, const struct ops *ops)
{
	size_t from = ops->n > 30 ? ops->n - 30 : 0;
	struct buf text = {0};

	for (size_t i = from; i < ops->n; i++) {
		buf_printf(&text, "%6zu  ", i + 1);
		op_format(&ops->v[i], &text);
		buf_printf(&text, "\n");
	}
	printf("MISMATCH: %s\nlast operations:\n%s", m->report.s, text.s ? text.s : "");
	buf_fini(&text);
}

/* One round in fresh directories; true when both sides stayed equal. */
static bool
round_run(const struct settings *set, uint64_t seed, double until_s, struct session *se,
	  struct ops *ops)
{
	const struct op state = {.call = (uint16_t)model_call_find("state")};
	FILE *log = set->log_path ? log_open_file(set->log_path, seed) : NULL;
	bool same = true, last = false;
	struct gen gen;
	struct op op;

	gen_init(&gen, seed, set->profile, &se->ref);
	for (uint64_t i = 1; same && !last; i++) {
		last = i >= set->n_ops || (i % 64 == 0 && now_s() > until_s);
		if (last || i % set->state_every == 0)
			op = state;
		else
			gen_op(&gen, &op);
		ops_add(ops, &op);
		if (log != NULL)
			log_op(log, &op);
		same = session_step(se, &op);
	}
	if (log != NULL)
		fclose(log);
	return same;
}

static void
round_report(const struct settings *set, uint64_t seed, const struct session *se,
	     const struct ops *ops)
{
	char path[64];

	report_print(&se->mismatch, ops);
	snprintf(path, sizeof(path), "fsmodel-%llu.log", (unsigned long long)seed);
	if (set->log_path == NULL)
		log_write_all(path, seed, ops);
	printf("seed %llu, log %s (try: --minimize %s)\n", (unsigned long long)seed,
	       set->log_path ? set->log_path : path,
	       set->log_path ? set->log_path : path);
	if (set->keep)
		printf("kept: %s %s\n", se->drive.dir.path, se->ref.dir.path);
}

static void
stats_print(void)
{
	const struct call_def *def;

	for (unsigned i = 0; (def = model_call(i)) != NULL; i++)
		printf("%-18s %8llu succeeded %8llu failed\n", def->name,
		       (unsigned long long)call_counts[i][0],
		       (unsigned long long)call_counts[i][1]);
}

static int
random_main(const struct settings *set)
{
	double until_s = set->seconds ? now_s() + (double)set->seconds : 1e18;
	uint64_t seed = set->seed, n_done = 0, n_allowed = 0;
	bool same;

	do {
		struct session se;
		struct ops ops = {0};

		session_start(&se, set->drive_dir, set->ref_dir);
		same = round_run(set, seed, until_s, &se, &ops);
		if (!same)
			round_report(set, seed, &se, &ops);
		n_done += se.n_done;
		n_allowed += se.n_allowed;
		session_end(&se, !same && set->keep);
		free(ops.v);
		seed++;
	} while (same && set->seconds && now_s() < until_s);
	if (set->stats)
		stats_print();
	printf("fsmodel: %s: %llu operations, %llu declined, %llu rounds from seed "
	       "%llu\n",
	       same ? "equal" : "DIFFERENT", (unsigned long long)n_done,
	       (unsigned long long)n_allowed, (unsigned long long)(seed - set->seed),
	       (unsigned long long)set->seed);
	return same ? TEST_PASS : TEST_FAIL;
}

static int
replay_main(const struct settings *set)
{
	struct ops ops = {0};
	struct mismatch m;

	log_read(set->replay_path, &ops);
	session_replay(set->drive_dir, set->ref_dir, &ops, &m);
	if (m.found) {
		ops.n = MIN(ops.n, m.index + 1);
		report_print(&m, &ops);
	} else {
		printf("fsmodel: equal: %zu operations replayed\n", ops.n);
	}
	buf_fini(&m.report);
	free(ops.v);
	return m.found ? TEST_FAIL : TEST_PASS;
}

static int
minimize_main(const struct settings *set)
{
	double until_s = now_s() + (double)(set->seconds ? set->seconds : 300);
	struct ops ops = {0};
	struct mismatch m;
	char path[4096];
	bool differs;

	log_read(set->minimize_path, &ops);
	differs = ops_minimize(set->drive_dir, set->ref_dir, &ops, until_s, &m);
	if (differs) {
		snprintf(path, sizeof(path), "%s.min", set->minimize_path);
		log_write_all(path, set->seed, &ops);
		report_print(&m, &ops);
		printf("wrote %s\n", path);
		buf_fini(&m.report);
	} else {
		printf("fsmodel: equal: nothing to minimize\n");
	}
	free(ops.v);
	return differs ? TEST_FAIL : TEST_PASS;
}

static void
allow_check(void)
{
	for (size_t i = 0; i < config.allow.n; i++) {
		const char *colon = strchr(config.allow.items[i], ':');
		char name[32] = "";

		if (colon != NULL)
			snprintf(name, sizeof(name), "%.*s",
				 (int)(colon - config.allow.items[i]),
				 config.allow.items[i]);
		check(model_call_find(name) >= 0, "--allow %s: want CALL:ERRNO",
		      config.allow.items[i]);
	}
	for (size_t i = 0; i < config.without.n; i++)
		check(model_call_find(config.without.items[i]) >= 0,
		      "--without %s: no such call", config.without.items[i]);
}

static void
settings_parse(struct settings *set, int argc, char **argv)
{
	static const char *const profiles[] = {"data", "names", "mixed"};
	const struct opt opts[] = {
		{"DRIVE_DIR", OPT_ARG, &set->drive_dir,
		 "a directory of the drive under test"},
		{"REFERENCE_DIR", OPT_ARG, &set->ref_dir,
		 "a directory that is known to be right"},
		{"seed", OPT_U64, &set->seed,
		 "of the first round; from the clock when absent"},
		{"ops", OPT_U64, &set->n_ops, "operations per round (20000)"},
		{"seconds", OPT_U64, &set->seconds,
		 "repeat rounds, each with the next seed"},
		{"state-every", OPT_U64, &set->state_every,
		 "compare all state after N (250)"},
		{"profile", OPT_TEXT, &set->profile_name, "data, names or mixed"},
		{"log", OPT_TEXT, &set->log_path, "write each operation before it runs"},
		{"replay", OPT_TEXT, &set->replay_path, "run the operations of a log"},
		{"minimize", OPT_TEXT, &set->minimize_path, "shrink a log that differs"},
		{"keep", OPT_FLAG, &set->keep,
		 "leave the directories of a differing round"},
		{"stats", OPT_FLAG, &set->stats, "count results by call"},
		{"allow", OPT_LIST, &config.allow,
		 "CALL:ERRNO, what the drive cannot do"},
		{"without", OPT_LIST, &config.without, "CALL, not generated"},
		{"no-xattr", OPT_FLAG, &config.no_xattr, "no extended attributes"},
		{"no-holes", OPT_FLAG, &config.no_holes, "no punching, no SEEK_HOLE"},
		{"no-nlink", OPT_FLAG, &config.no_nlink, "do not compare link counts"},
		{"no-mtime", OPT_FLAG, &config.no_mtime, "do not compare times"},
		{"no-ino", OPT_FLAG, &config.no_ino,
		 "do not compare which files are one"},
		{"dir-mtime", OPT_FLAG, &config.dir_mtime, "directories' mtime too"},
		{"plain-names", OPT_FLAG, &config.plain_names, "ASCII letters only"},
		{"max-size", OPT_U64, &config.max_size, "largest offset (1M)"},
		{"xattr-max", OPT_U64, &config.xattr_max, "longest value (200)"},
	};

	opts_parse(argc, argv, opts, ARRAY_SIZE(opts));
	allow_check();
	for (set->profile = 0; strcmp(profiles[set->profile], set->profile_name) != 0;)
		check(++set->profile < ARRAY_SIZE(profiles), "no profile %s",
		      set->profile_name);
	check(n_data_calls + n_name_calls + n_meta_calls <= N_CALLS_MAX,
	      "too many calls");
	check(set->state_every > 0, "--state-every must not be 0");
	config.special_nodes = geteuid() == 0;
}

int
main(int argc, char **argv)
{
	struct settings set = {.seed = seed_from_clock(),
			       .n_ops = 20000,
			       .state_every = 250,
			       .profile_name = "mixed"};

	settings_parse(&set, argc, argv);
	/* A FIFO without readers answers EPIPE, which is compared. */
	signal(SIGPIPE, SIG_IGN);
	if (set.replay_path != NULL)
		return replay_main(&set);
	if (set.minimize_path != NULL)
		return minimize_main(&set);
	printf("fsmodel: seed %llu, profile %s\n", (unsigned long long)set.seed,
	       set.profile_name);
	return random_main(&set);
}
