/*
 * The bytes of a file: sparse, in chunks that hang in a radix tree. Absent chunks read zeros.
 * Whoever owns the data locks it.
 */
#ifndef MEMFS_DATA_H
#define MEMFS_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DATA_CHUNK_BITS = 16,
	DATA_CHUNK = 1 << DATA_CHUNK_BITS,
	DATA_PAGE = 4096 /* grain of holes */
};

/* Counts bytes of all files of a volume against a limit; shared by its data objects. */
struct data_budget {
	uint64_t limit;         /* bytes */
	_Atomic uint64_t used;  /* changed without a lock: pairs with itself only */
};

struct data {
	struct data_budget *budget;
	uint64_t size;      /* of the file */
	uint64_t charged;   /* bytes of memory its chunks take, of the budget */
	uint64_t n_pages;   /* 4 KiB pages that were written or reserved */
	void *root;         /* chunk, or radix node when height > 0; NULL: nothing */
	unsigned height;
	size_t small_cap;   /* capacity of chunk 0 while it is the only one, a power of two */
};

void data_init(struct data *d, struct data_budget *budget);
void data_fini(struct data *d);
/* offset + length <= size is the caller's duty. */
void data_read(const struct data *d, void *dst, uint64_t offset, size_t length);
/* Extends size as needed. false: no space (nothing or a part was written, size tells nothing
 * beyond what it was before). */
bool data_write(struct data *d, const void *src, uint64_t offset, size_t length);
/* Bytes past the new end are gone; growth reads zeros. */
void data_set_size(struct data *d, uint64_t size);
/* Memory for the range, without changing size. */
bool data_reserve(struct data *d, uint64_t offset, uint64_t length);
/* The range reads zeros; whole chunks give their memory back. */
void data_punch(struct data *d, uint64_t offset, uint64_t length);
/* First range of written or reserved pages that meets [offset, end): true and its bounds. */
bool data_next_range(const struct data *d, uint64_t offset, uint64_t end, uint64_t *ret_start,
		     uint64_t *ret_end);

#endif
