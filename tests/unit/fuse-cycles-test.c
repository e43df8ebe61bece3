/*
 * Mounting and unmounting leaves nothing behind: descriptors, threads and resident memory stay
 * where they were. Arguments: transport, number of cycles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuse-nullfs.h"

static struct fusek_config config = {.name = "nulltest"};
static int n_cycles = 200;

static long
resident_kib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * 4;
}

static void
cycle(int n)
{
	struct nullfs fs;
	struct stat st;

	for (int i = 0; i < n; i++) {
		nullfs_start(&fs, &config);
		assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), 0);
		nullfs_stop(&fs);
	}
}

static void
cycles_leave_nothing_behind(void **state)
{
	cycle(20); /* the allocator's own pools fill */
	int fds = count_fds(), threads = count_threads();
	long before = resident_kib();

	cycle(n_cycles);
	printf("resident KiB before %ld after %ld\n", before, resident_kib());
	assert_int_equal(count_fds(), fds);
	assert_int_equal(count_threads(), threads);
	assert_true(IS_SANITIZED || resident_kib() - before < 1024);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(cycles_leave_nothing_behind)};

	nullfs_require_transport(argc > 1 ? argv[1] : "dev", &config);
	if (argc > 2)
		n_cycles = atoi(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
