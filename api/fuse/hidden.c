/*
 * Removing what is open. File systems that know paths only would fail operations on a file whose
 * name is gone; so an open file is renamed to .fuse_hiddenXXXXXXXXXXXXXXXX in its directory, and
 * removed with its last release.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/highlevel.h"

#define HIDDEN_TRIES 10
#define HIDDEN_NAME_MAX 64

bool
hl_is_open(struct fuse *f, fuse_ino_t parent, const char *name)
{
	struct node *n;
	bool open;

	mutex_lock(&f->nodes.lock);
	n = nodes_child_locked(&f->nodes, parent, name);
	open = n && n->n_opens > 0;
	mutex_unlock(&f->nodes.lock);
	return open;
}

/* A name that the table does not have; empty when the file is gone. */
static void
hidden_name(struct fuse *f, fuse_ino_t parent, const char *name, char *buf)
{
	struct node *n;

	mutex_lock(&f->nodes.lock);
	n = nodes_child_locked(&f->nodes, parent, name);
	buf[0] = 0;
	if (n) {
		do
			snprintf(buf, HIDDEN_NAME_MAX, ".fuse_hidden%08x%08x",
				 (unsigned)n->id, ++f->n_hidden);
		while (nodes_child_locked(&f->nodes, parent, buf));
	}
	mutex_unlock(&f->nodes.lock);
}

/* path with its last name replaced; malloc'ed. */
static char *
sibling(const char *path, const char *name)
{
	char *to;

	if (asprintf(&to, "%.*s/%s", (int)(strrchr(path, '/') - path), path, name) < 0)
		return NULL;
	return to;
}

/* The open file that is hidden now, or was closed meanwhile: then nobody else removes it. */
static bool
mark_hidden(struct fuse *f, fuse_ino_t parent, const char *name)
{
	struct node *n;
	bool is_open;

	mutex_lock(&f->nodes.lock);
	n = nodes_child_locked(&f->nodes, parent, name);
	is_open = n && n->n_opens > 0;
	if (is_open)
		n->hidden = true;
	mutex_unlock(&f->nodes.lock);
	return is_open;
}

static NODISCARD int
hide_as(struct fuse *f, const char *path, const char *to, fuse_ino_t parent, const char *name,
	const char *to_name)
{
	int err = hl_fs_rename(f->fs, path, to, 0);

	if (err == 0)
		err = nodes_rename(&f->nodes, parent, name, parent, to_name);
	if (err < 0 || mark_hidden(f, parent, to_name))
		return err;
	err = hl_fs_unlink(f->fs, to);
	nodes_remove(&f->nodes, parent, to_name);
	return err;
}

int
hl_hide(struct fuse *f, const char *path, fuse_ino_t parent, const char *name)
{
	char to_name[HIDDEN_NAME_MAX];

	for (int i = 0; i < HIDDEN_TRIES; i++) {
		CLEANUP(free_ptr) char *to = NULL;
		struct stat st;

		hidden_name(f, parent, name, to_name);
		to = to_name[0] ? sibling(path, to_name) : NULL;
		if (!to)
			return to_name[0] ? -ENOMEM : -ENOENT;
		memset(&st, 0, sizeof(st));
		if (hl_fs_getattr(f->fs, to, &st, NULL) == -ENOENT)
			return hide_as(f, path, to, parent, name, to_name);
	}
	return -EBUSY;
}

/* The parent and name of a hidden node whose last opening went; NULL: nothing to remove. */
static char *
take_hidden(struct fuse *f, fuse_ino_t ino, bool closed, fuse_ino_t *ret_parent)
{
	struct node *n;
	char *name = NULL;

	mutex_lock(&f->nodes.lock);
	n = nodes_get_locked(&f->nodes, ino);
	if (n && closed && n->n_opens)
		n->n_opens--;
	if (n && n->hidden && n->name && (!closed || n->n_opens == 0)) {
		n->hidden = false;
		name = strdup(n->name);
		*ret_parent = n->parent->id;
	}
	mutex_unlock(&f->nodes.lock);
	return name;
}

static void
remove_hidden(struct fuse *f, fuse_ino_t parent, const char *name)
{
	struct path_want want = {.id = parent, .name = name, .write = true};
	struct path_lock l;

	if (path_lock(&f->nodes, &l, &want, 1) < 0)
		return;
	if (hl_fs_unlink(f->fs, l.path[0]) == 0)
		nodes_remove(&f->nodes, parent, name);
	path_unlock(&f->nodes, &l);
}

void
hl_closed(struct fuse *f, fuse_ino_t ino)
{
	fuse_ino_t parent;
	CLEANUP(free_ptr) char *name = take_hidden(f, ino, true, &parent);

	if (name)
		remove_hidden(f, parent, name);
}

/* The id of any hidden node; 0: none. */
static fuse_ino_t
any_hidden(struct fuse *f)
{
	fuse_ino_t id = 0;

	mutex_lock(&f->nodes.lock);
	for (struct hash_node *h = hash_first(&f->nodes.by_id); h && !id;
	     h = hash_next(&f->nodes.by_id, h)) {
		struct node *n = container_of(h, struct node, by_id);

		if (n->hidden && n->name)
			id = n->id;
	}
	mutex_unlock(&f->nodes.lock);
	return id;
}

void
hl_hidden_purge(struct fuse *f)
{
	fuse_ino_t id, parent;

	while ((id = any_hidden(f))) {
		CLEANUP(free_ptr) char *name = take_hidden(f, id, false, &parent);

		if (name)
			remove_hidden(f, parent, name);
	}
}
