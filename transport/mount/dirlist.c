#include "transport/mount/dirlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dir_record {
	uint64_t ino;
	uint32_t format;
	uint16_t n_units;
	uint16_t name[];
};

void
door_dirlist_init(struct door_dirlist *l)
{
	*l = (struct door_dirlist){0};
}

void
door_dirlist_fini(struct door_dirlist *l)
{
	free(l->bytes);
	free(l->index);
	door_dirlist_init(l);
}

void
door_dirlist_restart(struct door_dirlist *l)
{
	l->n_bytes = l->n_index = l->n = 0;
	l->is_complete = l->is_started = false;
	l->marker_units = 0;
	l->marker_offset = 0;
}

/* Room for n more items of that size. */
static int
grow(void **items, size_t *cap, size_t n, size_t more, size_t size)
{
	size_t want = *cap ? *cap : 256;
	void *grown;

	if (*cap - n >= more)
		return 0;
	while (want - n < more)
		want *= 2;
	grown = realloc(*items, want * size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*cap = want;
	return 0;
}

static bool
is_dots(const uint16_t *name, size_t n)
{
	return n >= 1 && n <= 2 && name[0] == '.' && name[n - 1] == '.';
}

static size_t
record_size(size_t n_units)
{
	return ALIGN_UP(offsetof(struct dir_record, name) + n_units * sizeof(uint16_t), 8);
}

int
door_dirlist_add(struct door_dirlist *l, const struct fs_dir_info *entry, uint32_t format)
{
	size_t n_units = (entry->size - sizeof(*entry)) / sizeof(uint16_t);
	size_t size = record_size(n_units);

	if (n_units == 0 || n_units > ARRAY_SIZE(l->marker_name))
		return 0; /* the engine lets no such name through */
	if (!is_dots(entry->name, n_units)) {
		struct dir_record *r;

		if (grow((void **)&l->bytes, &l->cap, l->n_bytes, size, 1) < 0 ||
		    grow((void **)&l->index, &l->cap_index, l->n_index, 1, sizeof(size_t)) < 0)
			return -ENOMEM;
		if (l->n % DOOR_DIRLIST_STRIDE == 0)
			l->index[l->n_index++] = l->n_bytes;
		r = (struct dir_record *)(l->bytes + l->n_bytes);
		r->ino = entry->info.index_number;
		r->format = format;
		r->n_units = (uint16_t)n_units;
		memcpy(r->name, entry->name, n_units * sizeof(uint16_t));
		l->n_bytes += size;
		l->n++;
	}
	memcpy(l->marker_name, entry->name, n_units * sizeof(uint16_t));
	l->marker_units = n_units;
	l->marker_offset = entry->next_offset;
	l->is_started = true;
	return 0;
}

bool
door_dirlist_seek(const struct door_dirlist *l, size_t number, struct door_dircursor *ret_cursor)
{
	struct door_dirent skipped;

	if (number > l->n)
		return false;
	if (number == l->n) {
		*ret_cursor = (struct door_dircursor){l->n_bytes, number};
		return true;
	}
	ret_cursor->number = number / DOOR_DIRLIST_STRIDE * DOOR_DIRLIST_STRIDE;
	ret_cursor->at = l->index[number / DOOR_DIRLIST_STRIDE];
	while (ret_cursor->number < number)
		(void)door_dirlist_next(l, ret_cursor, &skipped);
	return true;
}

bool
door_dirlist_next(const struct door_dirlist *l, struct door_dircursor *cursor,
		  struct door_dirent *ret_entry)
{
	const struct dir_record *r;

	if (cursor->at >= l->n_bytes)
		return false;
	r = (const struct dir_record *)(l->bytes + cursor->at);
	*ret_entry = (struct door_dirent){r->ino, r->format, r->n_units, r->name};
	cursor->at += record_size(r->n_units);
	cursor->number++;
	return true;
}
