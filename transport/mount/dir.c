/* Listing directories. Positions: see dirlist.h. */
#include "transport/mount/door_priv.h"

#include "base/text/names.h"

enum { NAME_BYTES = NAME_MAX_UTF8_BYTES, UNKNOWN_INO = -1 };

struct listing {
	struct door *d;
	struct door_handle *h;
	size_t left; /* entries wanted from the program */
	int err;
};

static bool
take_entry(void *ctx, const struct fs_dir_info *entry)
{
	struct listing *l = ctx;

	if (l->left == 0)
		return false;
	l->left--;
	l->err = door_dirlist_add(&l->h->dir, entry, door_format(&entry->info, NULL));
	return l->err == 0;
}

/* Makes the listing reach beyond entry number, some way. 0 or -errno. */
static int
extend(struct door *d, struct door_handle *h, size_t number, size_t n_wanted)
{
	struct listing l = {.d = d, .h = h};
	struct door_dirlist *dir = &h->dir;

	while (!dir->is_complete && dir->n <= number) {
		struct fs_dir_marker marker = {dir->marker_name, dir->marker_units,
					       dir->marker_offset};
		size_t before = dir->n;
		bool started = dir->is_started, end = false;
		NTSTATUS st;

		l.left = MAX(n_wanted, 16);
		st = fs_enumerate(h->fs, started ? &marker : NULL, take_entry, &l, &end);
		if (l.err)
			return l.err;
		if (!NT_SUCCESS(st))
			return -door_errno(st);
		/* A program that neither ends nor goes on would be asked for ever. */
		dir->is_complete = end || (dir->n == before && l.left != 0);
	}
	return 0;
}

/* Where entries of a reply go. */
struct out {
	char *at;
	size_t left;
};

static bool
put_dirent(struct out *out, const struct fuse_entry_out *plus, const char *name, size_t n_name,
	   uint64_t ino, uint32_t format, uint64_t off)
{
	size_t head = plus ? sizeof(struct fuse_direntplus) : sizeof(struct fuse_dirent);
	size_t size = FUSE_DIRENT_ALIGN(head + n_name);
	struct fuse_dirent entry = {.ino = ino, .off = off, .namelen = (uint32_t)n_name,
				    .type = format >> 12};

	if (size > out->left)
		return false;
	memset(out->at, 0, size);
	if (plus)
		memcpy(out->at, plus, sizeof(*plus));
	memcpy(out->at + head - sizeof(entry), &entry, sizeof(entry));
	memcpy(out->at + head, name, n_name);
	out->at += size;
	out->left -= size;
	return true;
}

/* "." and "..", which have no lookup of their own. */
static bool
put_dots(struct door *d, struct door_handle *h, struct out *out, uint64_t position, bool plus)
{
	static const struct fuse_entry_out none;
	uint64_t ino = h->node->index_number ? h->node->index_number : h->node->id;

	if (position == 0 && !put_dirent(out, plus ? &none : NULL, ".", 1, ino, S_IFDIR, 1))
		return false;
	return position > 1 ||
	       put_dirent(out, plus ? &none : NULL, "..", 2,
			  door_node_parent_ino(&d->nodes, h->node), S_IFDIR, 2);
}

/* What a LOOKUP of the entry would answer; counted as one. Entries that are gone, or that cannot be
 * looked at, are listed by name only. */
static struct fuse_entry_out
look_up(struct door *d, struct door_node *parent, const struct door_dirent *e,
	struct door_node **ret_node)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	struct fuse_entry_out entry = {0};
	struct door_component name = {.n = e->n_units};
	struct door_path path;
	struct door_node *known;

	*ret_node = NULL;
	if (e->n_units > ARRAY_SIZE(name.units) ||
	    door_node_path(&d->nodes, parent, e->name, e->n_units, &path) < 0)
		return entry;
	memcpy(name.units, e->name, e->n_units * sizeof(*e->name));
	known = door_node_find(&d->nodes, parent, e->name, e->n_units);
	if (door_state_by_path(d, &path, known, &state) < 0 ||
	    door_entry_enter_known(d, parent, &name, known, &state, &entry, ret_node) < 0)
		memset(&entry, 0, sizeof(entry));
	door_node_put(&d->nodes, known);
	return entry;
}

static uint64_t
dirent_ino(struct door *d, struct door_handle *h, const struct door_dirent *e)
{
	struct door_node *known;
	uint64_t ino = e->ino;

	if (ino != 0)
		return ino;
	known = door_node_find(&d->nodes, h->node, e->name, e->n_units);
	ino = known ? known->id : (uint32_t)UNKNOWN_INO;
	door_node_put(&d->nodes, known);
	return ino;
}

/* One entry; false: no room. */
static bool
put_entry(struct door *d, struct door_handle *h, struct out *out, const struct door_dirent *e,
	  uint64_t off, bool plus)
{
	struct fuse_entry_out entry;
	struct door_node *node;
	char name[NAME_BYTES];
	int n = name_to_posix(e->name, e->n_units, TEXT_COMPONENT, name, sizeof(name));
	size_t head = plus ? sizeof(struct fuse_direntplus) : sizeof(struct fuse_dirent);

	if (n <= 0)
		return true; /* nothing that could be shown */
	if (!plus)
		return put_dirent(out, NULL, name, (size_t)n, dirent_ino(d, h, e), e->format, off);
	/* A lookup counts, so it is made only for an entry that fits. */
	if (FUSE_DIRENT_ALIGN(head + (size_t)n) > out->left)
		return false;
	entry = look_up(d, h->node, e, &node);
	put_dirent(out, &entry, name, (size_t)n, node ? entry.attr.ino : dirent_ino(d, h, e),
		   node ? entry.attr.mode & S_IFMT : e->format, off);
	door_node_put(&d->nodes, node);
	return true;
}

static int
list(struct door *d, struct door_handle *h, uint64_t position, struct out *out, bool plus)
{
	size_t number = position > DOOR_DIR_FIRST ? position - DOOR_DIR_FIRST : 0;
	size_t n_wanted = out->left / (plus ? 176 : 40);
	struct door_dircursor cursor;
	struct door_dirent e;
	int err;

	if (position == 0)
		door_dirlist_restart(&h->dir);
	if (position < DOOR_DIR_FIRST && !put_dots(d, h, out, position, plus))
		return 0;
	err = extend(d, h, number, n_wanted);
	if (err)
		return err;
	if (!door_dirlist_seek(&h->dir, number, &cursor))
		return 0; /* a position that was never given out: the end */
	while (door_dirlist_next(&h->dir, &cursor, &e))
		if (!put_entry(d, h, out, &e, DOOR_DIR_FIRST + cursor.number, plus))
			break;
	return 0;
}

static int
read_directory(struct door *d, struct fusek_req *req, bool plus)
{
	const struct fuse_read_in *in = req->arg;
	struct door_handle *h = door_handle_get(&d->handles, in->fh);
	struct out out = {req->out, MIN(in->size, req->out_cap)};
	int err = h ? 0 : -EBADF;

	if (!err && !(h->flags & DOOR_HANDLE_DIRECTORY))
		err = -ENOTDIR;
	/* A removed directory is empty, without "." and ".." even, and has no name to ask by. */
	if (!err && h->fs && !door_node_shown(&d->nodes, h->node).is_deleted) {
		DOOR_TREE_SHARED(d);

		mutex_lock(&h->dir_lock);
		err = list(d, h, in->offset, &out, plus);
		mutex_unlock(&h->dir_lock);
	}
	door_handle_put(&d->handles, h);
	return err ? err : (int)(out.at - (char *)req->out);
}

int
door_readdir(struct door *d, struct fusek_req *req)
{
	return read_directory(d, req, false);
}

int
door_readdirplus(struct door *d, struct fusek_req *req)
{
	return read_directory(d, req, true);
}
