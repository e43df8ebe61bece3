/*
 * Delta debugging (Zeller): drops ever smaller chunks of the list while the difference
 * stays. Each trial runs in fresh directories. Also turns off the stat after operations
 * where the difference does not need it.
 */
#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

struct minimizer {
	const char *drive_dir, *ref_dir;
	struct ops *ops;
	struct mismatch best; /* of the list as it is now */
	double until_s;
	size_t n_tries;
};

/* Runs a candidate; takes it over when the same call differs. */
static bool
minimizer_try(struct minimizer *mi, struct ops *candidate)
{
	struct mismatch m;

	mi->n_tries++;
	session_replay(mi->drive_dir, mi->ref_dir, candidate, &m);
	if (!m.found || m.call != mi->best.call) {
		buf_fini(&m.report);
		return false;
	}
	/* What follows the difference played no part. */
	candidate->n = MIN(candidate->n, m.index + 1);
	memcpy(mi->ops->v, candidate->v, candidate->n * sizeof(*candidate->v));
	mi->ops->n = candidate->n;
	buf_fini(&mi->best.report);
	mi->best = m;
	return true;
}

static void
candidate_without(const struct ops *ops, size_t from, size_t n, struct ops *candidate)
{
	candidate->n = 0;
	for (size_t i = 0; i < ops->n; i++)
		if (i < from || i >= from + n)
			ops_add(candidate, &ops->v[i]);
}

/* One pass with one chunk size, from the end, where the difference is; true: something
 * went. */
static bool
minimizer_pass(struct minimizer *mi, size_t chunk, struct ops *candidate)
{
	bool shrunk = false;
	size_t end = mi->ops->n;

	while (end > 0 && now_s() < mi->until_s) {
		size_t from = end > chunk ? end - chunk : 0;

		candidate_without(mi->ops, from, end - from, candidate);
		if (minimizer_try(mi, candidate))
			shrunk = true;
		end = MIN(from, mi->ops->n);
	}
	return shrunk;
}

static void
minimizer_drop_verify(struct minimizer *mi, struct ops *candidate)
{
	for (size_t i = 0; i < mi->ops->n && now_s() < mi->until_s; i++) {
		if (!mi->ops->v[i].verify)
			continue;
		candidate_without(mi->ops, 0, 0, candidate);
		candidate->v[i].verify = 0;
		minimizer_try(mi, candidate);
	}
}

bool
ops_minimize(const char *drive_dir, const char *ref_dir, struct ops *ops, double until_s,
	     struct mismatch *ret_mismatch)
{
	struct minimizer mi = {drive_dir, ref_dir, ops, .until_s = until_s};
	struct ops candidate = {0};
	size_t chunk;
	bool shrunk;

	session_replay(drive_dir, ref_dir, ops, &mi.best);
	if (!mi.best.found)
		return false;
	ops->n = MIN(ops->n, mi.best.index + 1);
	for (chunk = MAX(ops->n / 2, 1); chunk > 0 && now_s() < until_s;) {
		shrunk = minimizer_pass(&mi, chunk, &candidate);
		chunk = shrunk && chunk == 1 ? 1 : chunk / 2;
	}
	minimizer_drop_verify(&mi, &candidate);
	fprintf(stderr, "minimized to %zu operations in %zu runs\n", ops->n, mi.n_tries);
	free(candidate.v);
	*ret_mismatch = mi.best;
	return true;
}
