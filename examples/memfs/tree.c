#include "examples/memfs/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text/names.h"

enum { FIRST_BUCKETS = 1024 };

uint64_t
time_now(void)
{
	return clock_filetime_now();
}

size_t
wide_len(const WCHAR *s)
{
	return utf16_len((const uint16_t *)s);
}

static bool
names_equal(const struct tree *t, const WCHAR *a, size_t na, const WCHAR *b, size_t nb)
{
	if (!t->fold_case)
		return na == nb && memcmp(a, b, na * sizeof(WCHAR)) == 0;
	return utf16_compare((const uint16_t *)a, na, (const uint16_t *)b, nb, true) == 0;
}

/* ---------------------------------------------------------------- inodes and streams */

NTSTATUS
stream_create(struct tree *t, struct inode *inode, const WCHAR *name, size_t n_units,
	      struct stream **ret_stream)
{
	struct stream *s = calloc(1, sizeof(*s) + n_units * sizeof(WCHAR));

	if (!s)
		return STATUS_INSUFFICIENT_RESOURCES;
	s->inode = inode;
	s->n_units = (uint16_t)n_units;
	if (n_units)
		memcpy(s->name, name, n_units * sizeof(WCHAR));
	data_init(&s->data, &t->budget);
	if (n_units) {
		struct stream **tail = &inode->streams;

		while (*tail)
			tail = &(*tail)->next;
		*tail = s;
	} else {
		inode->unnamed = s;
	}
	*ret_stream = s;
	return STATUS_SUCCESS;
}

static void
stream_free(struct stream *s)
{
	data_fini(&s->data);
	free(s);
}

static void
inode_free(struct tree *t, struct inode *inode)
{
	while (inode->streams) {
		struct stream *next = inode->streams->next;

		stream_free(inode->streams);
		inode->streams = next;
	}
	if (inode->unnamed)
		stream_free(inode->unnamed);
	free(inode->sd);
	free(inode->reparse);
	free(inode->ea);
	free(inode->entries);
	pthread_rwlock_destroy(&inode->lock);
	t->n_inodes--;
	free(inode);
}

void
inode_release(struct tree *t, struct inode *inode)
{
	if (--inode->refs == 0)
		inode_free(t, inode);
}

NTSTATUS
inode_create(struct tree *t, bool directory, struct inode **ret_inode)
{
	struct stream *unnamed;

	if (t->n_inodes >= t->max_inodes)
		return STATUS_CANNOT_MAKE;
	struct inode *inode = calloc(1, sizeof(*inode));
	if (!inode)
		return STATUS_INSUFFICIENT_RESOURCES;
	pthread_rwlock_init(&inode->lock, NULL);
	t->n_inodes++;
	if (stream_create(t, inode, NULL, 0, &unnamed) != STATUS_SUCCESS) {
		inode_free(t, inode);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	inode->index = ++t->next_index;
	inode->attributes = directory ? FILE_ATTRIBUTE_DIRECTORY : 0;
	inode->nlink = directory ? 2 : 0;
	inode->creation_time = inode->last_access_time = inode->last_write_time =
		inode->change_time = time_now();
	*ret_inode = inode;
	return STATUS_SUCCESS;
}

struct stream *
inode_find_stream(struct tree *t, struct inode *inode, const WCHAR *name, size_t n_units)
{
	for (struct stream *s = inode->streams; s; s = s->next)
		/* Stream names are compared without case on every volume, as NTFS does. */
		if (utf16_compare((const uint16_t *)s->name, s->n_units, (const uint16_t *)name,
				  n_units, t->fold_case) == 0)
			return s;
	return NULL;
}

void
stream_open(struct stream *s)
{
	s->opens++;
	s->inode->refs++;
}

void
stream_unlink(struct stream *s)
{
	struct stream **pp = &s->inode->streams;

	while (*pp && *pp != s)
		pp = &(*pp)->next;
	if (*pp)
		*pp = s->next;
	s->unlinked = true;
	if (s->opens == 0)
		stream_free(s);
}

void
stream_close(struct tree *t, struct stream *s)
{
	pthread_rwlock_wrlock(&t->lock);
	struct inode *inode = s->inode;
	if (--s->opens == 0 && s->unlinked)
		stream_free(s);
	inode_release(t, inode);
	pthread_rwlock_unlock(&t->lock);
}

/* ---------------------------------------------------------------- names */

static uint32_t
name_hash(const struct tree *t, const struct inode *dir, const WCHAR *name, size_t n_units)
{
	uint32_t h = utf16_hash((const uint16_t *)name, n_units, t->fold_case);

	return h ^ (uint32_t)(dir->index * 0x9E3779B97F4A7C15ull >> 32);
}

struct entry *
tree_find(const struct tree *t, const struct inode *dir, const WCHAR *name, size_t n_units)
{
	uint32_t h = name_hash(t, dir, name, n_units);

	for (struct entry *e = t->buckets[h & (t->n_buckets - 1)]; e; e = e->next)
		if (e->hash == h && e->dir == dir &&
		    names_equal(t, e->name, e->n_units, name, n_units))
			return e;
	return NULL;
}

static void
rehash(struct tree *t)
{
	size_t n = t->n_buckets * 2;
	struct entry **buckets = calloc(n, sizeof(*buckets));

	if (!buckets)
		return; /* longer chains, nothing worse */
	for (size_t i = 0; i < t->n_buckets; i++)
		while (t->buckets[i]) {
			struct entry *e = t->buckets[i];

			t->buckets[i] = e->next;
			e->next = buckets[e->hash & (n - 1)];
			buckets[e->hash & (n - 1)] = e;
		}
	free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n;
}

static void
hash_insert(struct tree *t, struct entry *e)
{
	if (t->n_names++ >= t->n_buckets)
		rehash(t);
	struct entry **head = &t->buckets[e->hash & (t->n_buckets - 1)];
	e->next = *head;
	*head = e;
}

static void
hash_remove(struct tree *t, struct entry *e)
{
	struct entry **pp = &t->buckets[e->hash & (t->n_buckets - 1)];

	while (*pp != e)
		pp = &(*pp)->next;
	*pp = e->next;
	t->n_names--;
}

/* ---------------------------------------------------------------- directories */

/* Index of the first slot with a cookie above after. Slots of removed entries are NULL, so the
 * search walks to a live neighbour. */
static size_t
slot_after(const struct inode *dir, uint64_t after)
{
	size_t low = 0, high = dir->n_entries;

	while (low < high) {
		size_t mid = low + (high - low) / 2, probe = mid;

		while (probe < high && !dir->entries[probe])
			probe++;
		if (probe == high)
			high = mid;
		else if (dir->entries[probe]->cookie <= after)
			low = probe + 1;
		else
			high = mid;
	}
	return low;
}

struct entry *
dir_next(const struct inode *dir, uint64_t after)
{
	for (size_t i = slot_after(dir, after); i < dir->n_entries; i++)
		if (dir->entries[i] && dir->entries[i]->cookie > after)
			return dir->entries[i];
	return NULL;
}

static void
dir_compact(struct inode *dir)
{
	size_t n = 0;

	for (size_t i = 0; i < dir->n_entries; i++)
		if (dir->entries[i])
			dir->entries[n++] = dir->entries[i];
	dir->n_entries = n;
}

static NTSTATUS
dir_add(struct inode *dir, struct entry *e)
{
	if (dir->n_entries == dir->cap_entries && dir->n_live < dir->n_entries / 2)
		dir_compact(dir);
	if (dir->n_entries == dir->cap_entries) {
		size_t cap = dir->cap_entries ? dir->cap_entries * 2 : 8;
		struct entry **entries = realloc(dir->entries, cap * sizeof(*entries));

		if (!entries)
			return STATUS_INSUFFICIENT_RESOURCES;
		dir->entries = entries;
		dir->cap_entries = cap;
	}
	dir->entries[dir->n_entries++] = e;
	dir->n_live++;
	return STATUS_SUCCESS;
}

static void
dir_remove(struct inode *dir, struct entry *e)
{
	size_t i = slot_after(dir, e->cookie - 1);

	while (dir->entries[i] != e)
		i++;
	dir->entries[i] = NULL;
	dir->n_live--;
	while (dir->n_entries && !dir->entries[dir->n_entries - 1])
		dir->n_entries--;
	/* Emptying a large directory from its front must not leave a long run of holes. */
	if (dir->n_entries > 64 && dir->n_live < dir->n_entries / 4)
		dir_compact(dir);
}

static void
touch_dir(struct inode *dir)
{
	pthread_rwlock_wrlock(&dir->lock);
	dir->last_write_time = dir->change_time = time_now();
	pthread_rwlock_unlock(&dir->lock);
}

static void
touch_change(struct inode *inode)
{
	pthread_rwlock_wrlock(&inode->lock);
	inode->change_time = time_now();
	pthread_rwlock_unlock(&inode->lock);
}

static bool
is_directory(const struct inode *inode)
{
	return (inode->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

static struct entry *
entry_create(struct tree *t, struct inode *dir, const WCHAR *name, size_t n_units,
	     struct inode *inode)
{
	struct entry *e = malloc(sizeof(*e) + n_units * sizeof(WCHAR));

	if (!e)
		return NULL;
	e->dir = dir;
	e->inode = inode;
	e->cookie = ++t->next_cookie;
	e->n_units = (uint16_t)n_units;
	memcpy(e->name, name, n_units * sizeof(WCHAR));
	e->hash = name_hash(t, dir, name, n_units);
	return e;
}

/* Puts an entry into place, without reference, link count or times. */
static NTSTATUS
attach(struct tree *t, struct entry *e)
{
	NTSTATUS st = dir_add(e->dir, e);

	if (NT_SUCCESS(st))
		hash_insert(t, e);
	return st;
}

static void
detach(struct tree *t, struct entry *e)
{
	hash_remove(t, e);
	dir_remove(e->dir, e);
}

/* A directory knows its one name, and counts as a link (its "..") of its parent. */
static void
adopt(struct entry *e)
{
	if (is_directory(e->inode)) {
		e->inode->self = e;
		e->dir->nlink++;
	}
}

static void
disown(struct entry *e)
{
	if (is_directory(e->inode)) {
		e->inode->self = NULL;
		e->dir->nlink--;
	}
}

NTSTATUS
tree_link(struct tree *t, struct inode *dir, const WCHAR *name, size_t n_units,
	  struct inode *inode)
{
	struct entry *e = entry_create(t, dir, name, n_units, inode);

	if (!e)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (!NT_SUCCESS(attach(t, e))) {
		free(e);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	adopt(e);
	if (!is_directory(inode))
		inode->nlink++;
	inode->refs++;
	touch_dir(dir);
	touch_change(inode);
	return STATUS_SUCCESS;
}

void
tree_unlink(struct tree *t, struct entry *e)
{
	struct inode *inode = e->inode;

	detach(t, e);
	disown(e);
	inode->nlink = is_directory(inode) ? 0 : inode->nlink - 1;
	touch_dir(e->dir);
	touch_change(inode);
	free(e);
	inode_release(t, inode);
}

NTSTATUS
tree_move(struct tree *t, struct entry *e, struct inode *to_dir, const WCHAR *name,
	  size_t n_units, struct entry *target)
{
	struct inode *inode = e->inode, *from_dir = e->dir;
	struct entry *moved = entry_create(t, to_dir, name, n_units, inode);

	if (!moved)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (!NT_SUCCESS(attach(t, moved))) {
		free(moved);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	if (target)
		tree_unlink(t, target);
	disown(e);
	detach(t, e);
	free(e);
	adopt(moved);
	touch_dir(from_dir);
	if (to_dir != from_dir)
		touch_dir(to_dir);
	touch_change(inode);
	return STATUS_SUCCESS;
}

NTSTATUS
tree_exchange(struct tree *t, struct entry *a, struct entry *b)
{
	struct inode *ia = a->inode, *ib = b->inode;

	(void)t;
	disown(a);
	disown(b);
	a->inode = ib;
	b->inode = ia;
	adopt(a);
	adopt(b);
	touch_dir(a->dir);
	if (b->dir != a->dir)
		touch_dir(b->dir);
	touch_change(ia);
	if (ib != ia)
		touch_change(ib);
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- walking */

static NTSTATUS
walk_last(struct tree *t, struct walk *w, const WCHAR *name, size_t n_units)
{
	const WCHAR *colon = name;

	while (colon < name + n_units && *colon != u':')
		colon++;
	w->last = name;
	w->n_last = (size_t)(colon - name);
	if (colon < name + n_units) {
		w->stream = colon + 1;
		w->n_stream = (size_t)(name + n_units - w->stream);
	}
	if (w->n_last == 0) { /* "\:stream" */
		w->inode = w->dir;
		return STATUS_SUCCESS;
	}
	w->entry = tree_find(t, w->dir, name, w->n_last);
	w->inode = w->entry ? w->entry->inode : NULL;
	return STATUS_SUCCESS;
}

NTSTATUS
tree_walk(struct tree *t, PWSTR path, struct walk *ret_walk, UINT32 *ret_index)
{
	struct walk w = {.dir = t->root};
	const WCHAR *p = path;

	while (*p == u'\\')
		p++;
	if (!*p) {
		w.inode = t->root;
		w.last = p;
		*ret_walk = w;
		return STATUS_SUCCESS;
	}
	for (;;) {
		const WCHAR *end = p;

		while (*end && *end != u'\\')
			end++;
		if (!*end) {
			NTSTATUS st = walk_last(t, &w, p, (size_t)(end - p));

			*ret_walk = w;
			return st;
		}
		struct entry *e = tree_find(t, w.dir, p, (size_t)(end - p));
		if (!e)
			return STATUS_OBJECT_PATH_NOT_FOUND;
		if (e->inode->attributes & FILE_ATTRIBUTE_REPARSE_POINT) {
			if (ret_index)
				*ret_index = (UINT32)(end + 1 - path);
			return STATUS_REPARSE;
		}
		if (!is_directory(e->inode))
			return STATUS_NOT_A_DIRECTORY;
		w.dir = e->inode;
		p = end + 1;
	}
}

/* Units of dir's path without a final backslash: 0 for the root. */
static size_t
dir_path(const struct tree *t, const struct inode *dir, WCHAR *dst, size_t cap)
{
	size_t n;

	if (dir == t->root || !dir->self)
		return 0;
	n = dir_path(t, dir->self->dir, dst, cap);
	if (n + 1 + dir->self->n_units > cap)
		return n;
	dst[n++] = u'\\';
	memcpy(dst + n, dir->self->name, dir->self->n_units * sizeof(WCHAR));
	return n + dir->self->n_units;
}

size_t
walk_true_name(const struct tree *t, const struct walk *w, const struct stream *stream,
	       WCHAR *dst, size_t cap)
{
	size_t n = dir_path(t, w->dir, dst, cap);
	size_t n_last = w->entry ? w->entry->n_units : 0;
	size_t n_stream = stream->n_units ? stream->n_units + 1u : 0;

	if (n + 1 + n_last + n_stream > cap)
		return 0;
	dst[n++] = u'\\';
	if (n_last)
		memcpy(dst + n, w->entry->name, n_last * sizeof(WCHAR));
	n += n_last;
	if (n_stream) {
		dst[n++] = u':';
		memcpy(dst + n, stream->name, stream->n_units * sizeof(WCHAR));
		n += stream->n_units;
	}
	return n;
}

bool
dir_is_inside(const struct tree *t, const struct inode *dir, const struct inode *ancestor)
{
	for (; dir != ancestor; dir = dir->self->dir)
		if (dir == t->root || !dir->self)
			return false;
	return true;
}

/* ---------------------------------------------------------------- life */

int
tree_init(struct tree *t, bool fold_case, uint64_t max_inodes, uint64_t max_bytes,
	  const void *root_sd, size_t root_sd_size)
{
	*t = (struct tree){.fold_case = fold_case, .max_inodes = max_inodes};
	t->budget.limit = max_bytes;
	pthread_rwlock_init(&t->lock, NULL);
	t->next_cookie = FIRST_COOKIE;
	t->n_buckets = FIRST_BUCKETS;
	t->buckets = calloc(t->n_buckets, sizeof(*t->buckets));
	if (!t->buckets || !NT_SUCCESS(inode_create(t, true, &t->root)))
		goto fail;
	t->root->refs = 1;
	t->root->sd = malloc(root_sd_size);
	if (!t->root->sd)
		goto fail;
	memcpy(t->root->sd, root_sd, root_sd_size);
	t->root->sd_size = root_sd_size;
	return 0;
fail:
	tree_fini(t);
	return -1;
}

void
tree_fini(struct tree *t)
{
	/* Contexts are closed by now: what is left hangs on names. An inode goes with its last. */
	for (size_t i = 0; t->buckets && i < t->n_buckets; i++)
		while (t->buckets[i]) {
			struct entry *e = t->buckets[i];

			t->buckets[i] = e->next;
			inode_release(t, e->inode);
			free(e);
		}
	if (t->root)
		inode_release(t, t->root);
	free(t->buckets);
	pthread_rwlock_destroy(&t->lock);
}
