/*
 * A file system program for tests of the volume engine: a flat list of files in memory, every
 * request recorded, and a hook by which a test misbehaves. Requests are serialised by one lock.
 */
#ifndef USERDRIVE_TESTS_UNIT_FS_FAKE_H
#define USERDRIVE_TESTS_UNIT_FS_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mutex.h"
#include "base/text/names.h"
#include "fs/volume.h"
#include "nt/file.h"

enum { FAKE_FILES = 256, FAKE_DATA = 4096, FAKE_RECORDS = 256, FAKE_NAME = 300 };

struct fake_file {
	bool used, deleted;
	unsigned refs;
	char names[2][FAKE_NAME]; /* "" : none; a second one is a hard link */
	struct fs_file_info info;
	uint8_t data[FAKE_DATA];
	uint8_t ea[512];
	uint32_t ea_size;
	uint8_t reparse[256];
	uint32_t reparse_size;
};

struct fake_record {
	uint32_t kind, info_class, flags;
	char name[FAKE_NAME];
	struct fs_context ctx;
};

struct fake {
	struct mutex lock;
	struct fs_volume *volume;
	struct fake_file files[FAKE_FILES];
	uint64_t next_index, next_context2;
	unsigned slice; /* entries per listing request; 0: as many as fit */
	struct fake_record records[FAKE_RECORDS];
	unsigned n_records;
	/* Called before the fake's own answer, without its lock; true: answered. */
	bool (*hook)(struct fake *fake, struct fs_req *req, struct fs_rsp *rsp);
	void *hook_data;
	struct token *token; /* what fake_open opens with */
	uint32_t open_flags;
	bool keep_records; /* off in thread tests */
};

/* A volume of these flags; timeouts 0 unless the test sets them in params. */
struct fs_volume_params fake_params(uint32_t flags);
struct fake *fake_create(const struct fs_volume_params *params);
void fake_destroy(struct fake *fake);

struct fake_file *fake_find(struct fake *fake, const char *name);
struct fake_file *fake_add(struct fake *fake, const char *name, uint32_t attributes);
unsigned fake_count(const struct fake *fake, uint32_t kind);
const struct fake_record *fake_last(const struct fake *fake, uint32_t kind);
void fake_forget(struct fake *fake);

size_t units(const char *text, uint16_t *dst);
enum { SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };
NTSTATUS fake_open(struct fake *fake, const char *name, uint32_t access, uint32_t share,
		   uint32_t disposition, uint32_t options, struct fs_handle **ret_handle);
/* Must succeed. */
struct fs_handle *must_open(struct fake *fake, const char *name, uint32_t access,
			    uint32_t share, uint32_t disposition, uint32_t options);
void done(struct fs_handle *handle); /* cleanup and close */
NTSTATUS fake_rename(struct fs_handle *handle, struct fs_handle *directory, const char *name,
		     uint32_t flags, bool ex);
void handle_name(struct fs_handle *handle, char *dst);

#define assert_status(call, wanted)                                                      \
	assert_int_equal((uint32_t)(call), (uint32_t)(wanted))

#endif
