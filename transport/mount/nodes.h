/*
 * The nodes that the kernel knows: what LOOKUP hands out and FORGET takes back.
 *
 * A node has any number of names. On volumes without hard links it has one, or none once it is
 * unlinked; on volumes with them, nodes are known by IndexNumber and gather the names by which
 * they were looked up. A path is built from the newest name.
 *
 * A node lives while the kernel counts lookups on it or something here refers to it: a name below
 * it, an open handle, a request at work (door_node_get and its like, undone by door_node_put).
 *
 * Everything is ruled by the table's lock, which is taken inside and held for no engine call,
 * except the fields that say otherwise.
 */
#ifndef USERDRIVE_TRANSPORT_MOUNT_NODES_H
#define USERDRIVE_TRANSPORT_MOUNT_NODES_H

#include "base/hash.h"
#include "base/list.h"
#include "base/mutex.h"
#include "fs/contract.h"
#include "fuse/protocol.h"
#include "transport/mount/slots.h"

/* What stat needs beyond file information and descriptor: read from EAs and reparse data, kept as
 * long as the facts in the key stay the same. */
struct door_extras {
	bool valid;
	uint64_t change_time; /* key */
	uint32_t ea_size, reparse_tag;
	uint32_t lx_mode;   /* $LXMOD, 0: none */
	uint32_t format;    /* S_IFLNK, S_IFIFO …, 0: by the attributes */
	uint32_t rdev;      /* as the kernel's protocol encodes it */
	uint32_t link_size; /* bytes that readlink returns */
};

enum door_io_mode { DOOR_IO_UNDECIDED, DOOR_IO_CACHED, DOOR_IO_PASSTHROUGH };

struct door_keeper; /* handles.h */

struct door_node {
	uint64_t id;
	uint64_t n_lookups; /* the kernel's */
	uint32_t n_refs;
	struct list links; /* struct door_link.of_node, newest first */
	/* One of links: the hidden name of an O_TMPFILE file, which goes when the file is given
	 * another one (linkat) or its last handle ends. It is counted in no st_nlink. */
	struct door_link *temporary;
	struct hash_node by_index;
	uint64_t index_number;
	bool is_indexed;
	bool is_deleted; /* its last name was removed through this door */
	/* As last shown: type, permissions, owner; 0: not yet. Hints, not authority. */
	uint32_t mode, uid, gid, n_hard_links;
	struct door_extras extras;
	struct fuse_attr *epitaph; /* last attributes of a deleted node */

	/* Ruled by the handle table's lock */
	struct list handles; /* struct door_handle.of_node */
	uint32_t n_handles;
	/* A handle of the door's own that keeps a deleted node's metadata in reach while it is
	 * open; ends with the node's last handle. A device, pipe or socket is open without our
	 * knowledge, and a replaced file may be about to be opened by who has looked it up: their
	 * keeper ends with the node. */
	struct door_keeper *keeper; /* counted */
	bool keeper_stays;
	enum door_io_mode io_mode;
	uint32_t n_io; /* opens that io_mode binds */
	int backing_id;
};

struct door_link {
	struct hash_node hash; /* (parent, name) */
	struct list of_node;
	struct door_node *node, *parent; /* each counted: parent by n_refs */
	uint16_t n_units;
	uint16_t name[];
};

struct door_nodes {
	struct mutex lock;
	struct door_slots slots;
	struct hash_table by_name, by_index;
	size_t n_temporaries; /* nodes with a temporary name */
	struct door_node *root;
	bool fold_case;
	bool use_index; /* nodes are known by IndexNumber */
	/* Last look at a node that goes away: no lock held, nothing refers to it. */
	void (*gone)(void *ctx, struct door_node *node);
	void *ctx;
};

enum { DOOR_PATH_UNITS = FS_FULL_PATH_UNITS_MAX };
struct door_path {
	size_t n;
	uint16_t units[DOOR_PATH_UNITS];
};

NODISCARD int door_nodes_init(struct door_nodes *t, bool fold_case, bool use_index,
			      void (*gone)(void *ctx, struct door_node *node), void *ctx);
/* Frees every node, whatever the kernel counts. */
void door_nodes_fini(struct door_nodes *t);

/* A node by id, counted for the caller; NULL: stale or invented. */
struct door_node *door_node_get(struct door_nodes *t, uint64_t id);
void door_node_ref(struct door_nodes *t, struct door_node *node);
void door_node_put(struct door_nodes *t, struct door_node *node); /* NULL is allowed */
/* The node known as name in parent, counted, or NULL. */
struct door_node *door_node_find(struct door_nodes *t, struct door_node *parent,
				 const uint16_t *name, size_t n_units);
/* The node of an absolute path as the program spells it; *ret_parent (counted) also when only
 * the last name is unknown. */
struct door_node *door_node_find_path(struct door_nodes *t, const uint16_t *path, size_t n_units,
				      struct door_node **ret_parent, const uint16_t **ret_name,
				      size_t *ret_n);

/* What the engine said about a name that was looked up or created. */
struct door_identity {
	uint64_t index_number;
	uint32_t format; /* S_IFMT bits */
	/*
	 * A look-up that nothing keeps in order with creations and deletions: the kernel
	 * revalidates names without holding their directory. known is what the name stood for
	 * before the engine was asked (NULL: nothing); when it stands for something else
	 * meanwhile, the answer may be out of date.
	 */
	bool may_be_late;
	const struct door_node *known;
};
/*
 * Finds or makes the node of that name and counts one lookup of the kernel's. A name that used to
 * be another file (replaced behind the door) gets another node. The result is counted. -EAGAIN: the
 * look-up was late, the engine is to be asked again.
 */
NODISCARD int door_node_enter(struct door_nodes *t, struct door_node *parent,
			      const uint16_t *name, size_t n_units,
			      const struct door_identity *identity, struct door_node **ret_node);
/* A node without a name that the kernel looks up (a temporary file). */
NODISCARD int door_node_enter_nameless(struct door_nodes *t,
				       const struct door_identity *identity,
				       struct door_node **ret_node);
void door_node_forget(struct door_nodes *t, uint64_t id, uint64_t n);

/* "\a\b", with "\name" added when name is not NULL. -ENOENT: no name; -ENAMETOOLONG. */
NODISCARD int door_node_path(struct door_nodes *t, struct door_node *node, const uint16_t *name,
			     size_t n_units, struct door_path *ret_path);
/*
 * The name is gone. is_last: so is the file. node: what the name stood for, which loses nothing if
 * somebody has taken the name since; NULL: whatever it stands for.
 */
void door_node_unname(struct door_nodes *t, struct door_node *parent, const uint16_t *name,
		      size_t n_units, struct door_node *node, bool is_last);
/*
 * Before a file is deleted with its last name: a file that is made as soon as the program has done
 * so may have its number, and must not be taken for it. Undone when the deletion fails.
 */
void door_node_part_with_index(struct door_nodes *t, struct door_node *node);
void door_node_regain_index(struct door_nodes *t, struct door_node *node);
/* Makes that name of node its temporary one. */
void door_node_set_temporary(struct door_nodes *t, struct door_node *node,
			     struct door_node *parent, const uint16_t *name, size_t n_units);
/* Takes the temporary name away from the node; is_linked: the file has another name, which the node
 * may not know yet. False: it has none. */
bool door_node_unname_temporary(struct door_nodes *t, struct door_node *node, bool is_linked);
/* A node with a temporary name in parent, counted, or NULL. */
struct door_node *door_node_find_temporary(struct door_nodes *t, const struct door_node *parent);
/* After a rename. What the new name stood for loses it, or takes the old one (exchange). */
struct door_name {
	struct door_node *parent;
	const uint16_t *name;
	size_t n_units;
};
void door_node_rename(struct door_nodes *t, const struct door_name *from,
		      const struct door_name *to, bool exchange);
/*
 * After a failure by the node's path: makes another of its names the one that paths use, since a
 * file may be out of reach by one name (a directory that the program may not search, a name that
 * was removed behind the door) and not by another. False: err is not of that kind, or *n_tried,
 * which starts at 0, says that all have been.
 */
bool door_node_try_other_name(struct door_nodes *t, struct door_node *node, int err,
			      size_t *n_tried);
/* st_ino of the directory it is in; of itself for the root and for nameless nodes. */
uint64_t door_node_parent_ino(struct door_nodes *t, struct door_node *node);
bool door_node_has_name(struct door_nodes *t, struct door_node *node);

void door_node_set_extras(struct door_nodes *t, struct door_node *node,
			  const struct door_extras *extras);
struct door_extras door_node_extras(struct door_nodes *t, struct door_node *node);
/* Remembers what was shown. */
void door_node_note(struct door_nodes *t, struct door_node *node, const struct fuse_attr *attr);
/* What was remembered; mode 0: it was never shown. */
struct door_shown {
	uint32_t mode, uid, gid;
	bool is_deleted;
	bool has_temporary;  /* a name that does not count */
	bool is_temporary;   /* and no other */
};
struct door_shown door_node_shown(struct door_nodes *t, struct door_node *node);
/* Keeps attr to be shown when nothing else can tell. */
void door_node_set_epitaph(struct door_nodes *t, struct door_node *node,
			   const struct fuse_attr *attr);
bool door_node_epitaph(struct door_nodes *t, struct door_node *node, struct fuse_attr *ret_attr);
size_t door_nodes_count(struct door_nodes *t);

#endif
