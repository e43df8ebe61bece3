/* Directory buffers. */
#include "tests/api/test.h"
#include "base/text/names.h"

union entry {
	FSP_FSCTL_DIR_INFO info;
	UINT8 bytes[sizeof(FSP_FSCTL_DIR_INFO) + 64];
};

static void
fill(PVOID *buffer, const char *name)
{
	union entry e = {0};
	NTSTATUS st;
	size_t n = strlen(name);

	e.info.Size = (UINT16)(sizeof(e.info) + n * sizeof(WCHAR));
	for (size_t i = 0; i < n; i++)
		e.info.FileNameBuf[i] = (WCHAR)name[i];
	assert_true(FspFileSystemFillDirectoryBuffer(buffer, &e.info, &st));
}

/* Names in the buffer after marker, joined by '|'; '$' is the end mark. */
static void
read_names(PVOID *buffer, const WCHAR *marker, ULONG length, char *dst)
{
	_Alignas(8) UINT8 out[1024];
	ULONG done = 0, at = 0;

	FspFileSystemReadDirectoryBuffer(buffer, (PWSTR)marker, out, length, &done);
	*dst = 0;
	while (at < done) {
		FSP_FSCTL_DIR_INFO *info = (FSP_FSCTL_DIR_INFO *)(void *)(out + at);
		size_t n = strlen(dst), units;

		if (info->Size == 0) {
			strcat(dst, "$");
			return;
		}
		units = (info->Size - sizeof(*info)) / sizeof(WCHAR);
		for (size_t i = 0; i < units; i++)
			dst[n++] = (char)info->FileNameBuf[i];
		strcpy(dst + n, "|");
		at += (ULONG)FSP_FSCTL_DEFAULT_ALIGN_UP(info->Size);
	}
}

static void
make(PVOID *buffer, const char *const *names)
{
	NTSTATUS st;

	assert_true(FspFileSystemAcquireDirectoryBuffer(buffer, FALSE, &st));
	for (; *names; names++)
		fill(buffer, *names);
	FspFileSystemReleaseDirectoryBuffer(buffer);
}

static void
test_order(void **state)
{
	static const char *const names[] = {"b", "a", " ", "..", "B", ".", "!", NULL};
	PVOID buffer = NULL;
	char text[64];

	make(&buffer, names);
	read_names(&buffer, NULL, 1024, text);
	assert_string_equal(text, ".|..| |!|B|a|b|$");
	FspFileSystemDeleteDirectoryBuffer(&buffer);
}

static void
test_marker(void **state)
{
	static const char *const names[] = {"a", "c", "e", ".", "..", NULL};
	PVOID buffer = NULL;
	char text[64];

	make(&buffer, names);
	read_names(&buffer, u"a", 1024, text);
	assert_string_equal(text, "c|e|$");
	/* the marker's own entry may be gone */
	read_names(&buffer, u"b", 1024, text);
	assert_string_equal(text, "c|e|$");
	read_names(&buffer, u".", 1024, text);
	assert_string_equal(text, "..|a|c|e|$");
	read_names(&buffer, u"e", 1024, text);
	assert_string_equal(text, "$");
	FspFileSystemDeleteDirectoryBuffer(&buffer);
}

/* What does not fit comes next time, and no end is announced before. */
static void
test_slices(void **state)
{
	static const char *const names[] = {"a", "b", NULL};
	PVOID buffer = NULL;
	char text[64];

	make(&buffer, names);
	read_names(&buffer, NULL, 120, text);
	assert_string_equal(text, "a|");
	FspFileSystemDeleteDirectoryBuffer(&buffer);
}

static void
test_null_buffer(void **state)
{
	PVOID buffer = NULL;
	char text[64];

	read_names(&buffer, NULL, 1024, text);
	assert_string_equal(text, "$");
	FspFileSystemDeleteDirectoryBuffer(&buffer);
}

static void
test_acquire(void **state)
{
	static const char *const names[] = {"a", NULL}, *const others[] = {"z", NULL};
	PVOID buffer = NULL;
	NTSTATUS st = STATUS_UNSUCCESSFUL;
	char text[64];

	make(&buffer, names);
	assert_false(FspFileSystemAcquireDirectoryBuffer(&buffer, FALSE, &st));
	assert_status(st, STATUS_SUCCESS);
	assert_true(FspFileSystemAcquireDirectoryBufferEx(&buffer, TRUE, 1000, &st));
	fill(&buffer, others[0]);
	FspFileSystemReleaseDirectoryBuffer(&buffer);
	read_names(&buffer, NULL, 1024, text);
	assert_string_equal(text, "z|$");
	FspFileSystemDeleteDirectoryBuffer(&buffer);
}

static void
test_null_entry(void **state)
{
	PVOID buffer = NULL;
	NTSTATUS st;

	assert_true(FspFileSystemAcquireDirectoryBuffer(&buffer, FALSE, &st));
	assert_false(FspFileSystemFillDirectoryBuffer(&buffer, NULL, &st));
	assert_status(st, STATUS_INVALID_PARAMETER);
	FspFileSystemReleaseDirectoryBuffer(&buffer);
	FspFileSystemDeleteDirectoryBuffer(&buffer);
}

enum { MANY = 100000 };

/* Every entry of a large directory is listed once, in order. */
static void
test_many(void **state)
{
	PVOID buffer = NULL;
	WCHAR marker[16] = {0};
	unsigned n = 0;
	bool end = false;
	NTSTATUS st;

	assert_true(FspFileSystemAcquireDirectoryBuffer(&buffer, FALSE, &st));
	for (unsigned i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%06u", (i * 7919u) % MANY);
		fill(&buffer, name);
	}
	FspFileSystemReleaseDirectoryBuffer(&buffer);
	while (!end) {
		_Alignas(8) static UINT8 out[65536];
		ULONG done = 0, at = 0;

		FspFileSystemReadDirectoryBuffer(&buffer, n ? marker : NULL, out, sizeof(out),
						 &done);
		assert_true(done > 0);
		while (at < done && !end) {
			FSP_FSCTL_DIR_INFO *info = (FSP_FSCTL_DIR_INFO *)(void *)(out + at);
			char expected[16];

			end = info->Size == 0;
			if (end)
				break;
			snprintf(expected, sizeof(expected), "f%06u", n++);
			for (size_t i = 0; i < 7; i++) {
				assert_int_equal(info->FileNameBuf[i], expected[i]);
				marker[i] = info->FileNameBuf[i];
			}
			at += (ULONG)FSP_FSCTL_DEFAULT_ALIGN_UP(info->Size);
		}
	}
	assert_int_equal(n, MANY);
	FspFileSystemDeleteDirectoryBuffer(&buffer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),       cmocka_unit_test(test_marker),
		cmocka_unit_test(test_slices),      cmocka_unit_test(test_null_buffer),
		cmocka_unit_test(test_acquire),     cmocka_unit_test(test_null_entry),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
