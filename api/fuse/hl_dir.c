/*
 * Listings. A file system gives entries with offsets, then each request is one call of it and the
 * answer is filled directly; or without, then it gives all at once and they are kept with the
 * open directory. One listing does not mix both.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/context.h"
#include "api/fuse/highlevel.h"

struct dir_entry {
	struct dir_entry *next;
	struct stat st;
	bool complete; /* st is all of it: good for the kernel's cache */
	char name[];
};

/* An open directory; the session's fh is its address. */
struct dir {
	struct mutex lock; /* one listing at a time; the program's callback runs under it */
	struct fuse *f;
	fuse_ino_t ino;
	uint64_t fh; /* the program's */
	/* what the program gave without offsets; kept says it is whole */
	struct dir_entry *first, **end;
	bool kept;
	/* where the last answer from them ended: at_pos entries are before at */
	struct dir_entry *at;
	off_t at_pos;
	/* the answer that is being made */
	fuse_req_t req;
	bool plus;
	int err;
	char *answer;
	size_t n_answer, cap_answer, size_answer;
};

static struct dir *
dir_of(const struct fuse_file_info *fi)
{
	return (struct dir *)(uintptr_t)fi->fh;
}

struct fuse_file_info
hl_dir_info(const struct fuse_file_info *fi)
{
	struct fuse_file_info info = *fi;

	info.fh = dir_of(fi)->fh;
	return info;
}

static void
entries_free(struct dir *d)
{
	while (d->first) {
		struct dir_entry *next = d->first->next;

		free(d->first);
		d->first = next;
	}
	d->end = &d->first;
	d->kept = false;
	d->at = NULL;
}

static void
dir_destroy(struct dir *d)
{
	entries_free(d);
	mutex_fini(&d->lock);
	free(d->answer);
	free(d);
}

static struct dir *
dir_create(struct fuse *f, fuse_ino_t ino)
{
	struct dir *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	mutex_init(&d->lock);
	d->f = f;
	d->ino = ino;
	d->end = &d->first;
	return d;
}

void
hl_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_file_info info = *fi;
	struct hl_op o;
	int err = hl_begin_node(&o, req, ino);
	struct dir *d = dir_create(o.f, ino);

	if (err == 0 && !d)
		err = -ENOMEM;
	if (err == 0)
		err = hl_fs_opendir(o.f->fs, hl_path(&o), &info);
	if (err < 0) {
		hl_end_err(&o, err);
		if (d)
			dir_destroy(d);
		return;
	}
	d->fh = info.fh;
	fi->keep_cache = info.keep_cache;
	fi->cache_readdir = info.cache_readdir;
	fi->fh = (uintptr_t)d;
	hl_interruptible_end(&o.intr);
	if (fuse_reply_open(req, fi) == -ENOENT) {
		hl_fs_releasedir(o.f->fs, hl_path(&o), &info);
		dir_destroy(d);
	}
	hl_end(&o);
}

/* Room for the largest answer of this request. */
static bool
answer_room(struct dir *d)
{
	char *mem;

	if (d->cap_answer >= d->size_answer)
		return true;
	mem = realloc(d->answer, d->size_answer);
	if (!mem) {
		d->err = -ENOMEM;
		return false;
	}
	d->answer = mem;
	d->cap_answer = d->size_answer;
	return true;
}

static bool
is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* What a listing with attributes says of an entry; counts a lookup when it says all. */
static NODISCARD int
plus_entry(struct dir *d, const char *name, const struct stat *st, bool complete,
	   struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){.attr = *st};
	return complete && !is_dots(name) ? hl_entry_fill(d->f, d->ino, name, e) : 0;
}

/* Adds an entry to the answer; false when it does not fit, or on an error (d->err). */
static bool
answer_add(struct dir *d, const char *name, const struct stat *st, bool complete, off_t next)
{
	size_t room = d->size_answer - d->n_answer, len;
	struct fuse_entry_param e;
	char *to;

	if (!answer_room(d))
		return false;
	to = d->answer + d->n_answer;
	if (!d->plus) {
		len = fuse_add_direntry(d->req, to, room, name, st, next);
	} else {
		/* The size is known first: a lookup that the kernel does not get to see would
		 * never be forgotten. */
		len = fuse_add_direntry_plus(d->req, NULL, 0, name, NULL, 0);
		if (len > room)
			return false;
		d->err = plus_entry(d, name, st, complete, &e);
		if (d->err < 0)
			return false;
		len = fuse_add_direntry_plus(d->req, to, room, name, &e, next);
	}
	if (len > room)
		return false;
	d->n_answer += len;
	return true;
}

static bool
entry_keep(struct dir *d, const char *name, const struct stat *st, bool complete)
{
	size_t size = strlen(name) + 1;
	struct dir_entry *entry = malloc(sizeof(*entry) + size);

	if (!entry) {
		d->err = -ENOMEM;
		return false;
	}
	entry->next = NULL;
	entry->st = *st;
	entry->complete = complete;
	memcpy(entry->name, name, size);
	*d->end = entry;
	d->end = &entry->next;
	return true;
}

static void
shown_stat(struct dir *d, const char *name, const struct stat *st, bool complete,
	   struct stat *shown)
{
	const struct fuse_config *c = &d->f->conf;

	*shown = (struct stat){0};
	if (st && complete)
		*shown = *st;
	else if (st)
		shown->st_mode = st->st_mode;
	if (!c->use_ino)
		shown->st_ino = c->readdir_ino ? nodes_shown_ino(&d->f->nodes, d->ino, name)
					       : NODE_UNKNOWN_ID;
	else
		shown->st_ino = st ? st->st_ino : NODE_UNKNOWN_ID;
}

/* What the program calls for each entry. */
static int
fill(void *buf, const char *name, const struct stat *st, off_t off,
     enum fuse_fill_dir_flags flags)
{
	struct dir *d = buf;
	bool complete = st && d->plus && (flags & FUSE_FILL_DIR_PLUS);
	struct stat shown;

	if (flags & ~FUSE_FILL_DIR_PLUS) {
		d->err = -EIO;
		return 1;
	}
	shown_stat(d, name, st, complete, &shown);
	if (off) {
		/* Some came without an offset: where would this one be? */
		if (d->first) {
			d->err = -EIO;
			return 1;
		}
		d->kept = false;
		return !answer_add(d, name, &shown, complete, off);
	}
	if (!d->kept) {
		d->err = -EIO;
		return 1;
	}
	return !entry_keep(d, name, &shown, complete);
}

/* Calls the program. Its entries are then in the answer, or kept. */
static NODISCARD int
list(struct dir *d, fuse_req_t req, off_t off, struct fuse_file_info *fi)
{
	struct fuse_file_info info = hl_dir_info(fi);
	struct hl_op o;
	int err = hl_begin_open(&o, req, d->ino);

	entries_free(d);
	d->kept = true;
	d->err = 0;
	if (err == 0)
		err = hl_fs_readdir(o.f->fs, hl_path(&o), d, fill, off, &info,
				    d->plus ? FUSE_READDIR_PLUS : FUSE_READDIR_DEFAULTS);
	hl_end(&o);
	if (err == 0)
		err = d->err;
	if (err)
		d->kept = false;
	return err;
}

/* Kept entries have their position as offset: the first is 1. */
static NODISCARD int
answer_from_kept(struct dir *d, off_t off)
{
	bool goes_on = d->at && d->at_pos == off;
	struct dir_entry *e = goes_on ? d->at : d->first;
	off_t pos = goes_on ? off : 0;

	for (; e && pos < off; e = e->next)
		pos++;
	for (; e && answer_add(d, e->name, &e->st, e->complete, pos + 1); e = e->next)
		pos++;
	d->at = e;
	d->at_pos = pos;
	return d->err;
}

static void
read_dir(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	struct dir *d = dir_of(fi);
	int err = 0;

	mutex_lock(&d->lock);
	d->req = req;
	d->plus = plus;
	d->n_answer = 0;
	d->size_answer = size;
	d->err = 0;
	/* A listing from the start is a new one (POSIX: rewinddir). */
	if (off == 0 || !d->kept)
		err = list(d, req, off, fi);
	if (err == 0 && d->kept)
		err = answer_from_kept(d, off);
	d->req = NULL;
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_buf(req, d->answer, d->n_answer);
	mutex_unlock(&d->lock);
}

void
hl_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_dir(req, size, off, fi, false);
}

void
hl_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		  struct fuse_file_info *fi)
{
	read_dir(req, size, off, fi, true);
}

void
hl_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir *d = dir_of(fi);
	struct fuse_file_info info = hl_dir_info(fi);
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	(void)err; /* the handle goes back whatever befell the path */
	hl_fs_releasedir(o.f->fs, hl_path(&o), &info);
	hl_end(&o);
	/* A listing that is still at work in another thread ends first. */
	mutex_lock(&d->lock);
	mutex_unlock(&d->lock);
	dir_destroy(d);
	fuse_reply_err(req, 0);
}

void
hl_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fuse_file_info info = hl_dir_info(fi);
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0)
		err = hl_fs_fsyncdir(o.f->fs, hl_path(&o), datasync, &info);
	hl_end_err(&o, err);
}
