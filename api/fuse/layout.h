/*
 * Layouts of the structures that programs and the library share.
 *
 * Releases of libfuse 3 before 3.17 put struct fuse_file_info, fuse_config and fuse_buf together a
 * little differently under one SONAME. The core knows one layout, that of our own headers
 * (include/fuse3, "ours"); programs have theirs. Which one that is:
 *
 *	- programs that tell their version (fuse_*_versioned): fapi_layout_of_version
 *	- all others: fapi_layout_library: fixed for libfuse.so.2 and libfuse3.so.4; for
 *	  libfuse3.so.3 that of the libfuse of the running system, or what USERDRIVE_FUSE_LAYOUT or
 *	  /etc/userdrive/fuse.conf ("layout = 3.14.0") says
 *
 * The rule that keeps the two apart: a session, a struct fuse and a layer have a layout, and what
 * crosses to or from the program is converted there, by the functions below. Functions of the
 * public API without such an object (fuse_buf_copy, fuse_fs_*) take the library's layout when a
 * program calls them; the core calls the internal forms (fapi_bufvec_copy, hl_fs_*) instead. So the
 * high-level API, which makes its session by fuse_session_new_versioned with our own version,
 * talks to the low-level one without any conversion.
 *
 * Nothing here needs a lock: the tables are constant, the choice is made once.
 */
#ifndef USERDRIVE_API_FUSE_LAYOUT_H
#define USERDRIVE_API_FUSE_LAYOUT_H

#include "api/fuse/api.h"

/* The structures of one range of releases. */
struct fapi_layout {
	const char *name;               /* the first release that has it, "3.14.1" */
	struct libfuse_version version; /* the same, in numbers */
	size_t file_info_size;
	size_t config_size;             /* 0: there is none (2.9) */
	size_t operations_size;         /* what sizeof gives in this release, for information: */
	size_t lowlevel_ops_size;       /* programs pass theirs */
	size_t buf_size;
	size_t cmdline_size;            /* 0: there is none (2.9) */
	void (*file_info_from)(struct fuse_file_info *ours, const void *theirs);
	void (*file_info_to)(void *theirs, const struct fuse_file_info *ours);
	void (*config_from)(struct fuse_config *ours, const void *theirs);
	void (*config_to)(void *theirs, const struct fuse_config *ours);
	void (*conn_from)(struct fuse_conn_info *ours, const void *theirs);
	void (*conn_to)(void *theirs, const struct fuse_conn_info *ours);
};

/* Which of the three libraries this is; one definition in each (library_*.c) and in tests. */
struct fapi_library {
	const char *soname;
	struct libfuse_version version; /* its programs', or the first guess */
	bool ambiguous;                 /* programs of several layouts load it */
};
extern const struct fapi_library fapi_library;

/* Room for a file info, a configuration and a connection of any layout. */
union fapi_file_info_store {
	struct fuse_file_info ours;
	uint64_t room[8];
};
union fapi_config_store {
	struct fuse_config ours;
	uint64_t room[65];
};

/* Ours. */
const struct fapi_layout *fapi_layout_newest(void);
/* All rows, oldest first; *ret_n of them. */
const struct fapi_layout *fapi_layout_all(size_t *ret_n);
/* That of a release; version NULL or zero: the library's. */
const struct fapi_layout *fapi_layout_of_version(const struct libfuse_version *version);
/* That of the programs of this library which do not tell theirs. */
const struct fapi_layout *fapi_layout_library(void);
/* The release that fuse_version and fuse_pkgversion answer with. */
const struct libfuse_version *fapi_layout_release(void);
/* "3.14.1", "3.14" or "2.9.9" in numbers; false: it is none. */
bool fapi_version_parse(const char *text, struct libfuse_version *ret_version);
/* No conversion is needed: pass pointers on. */
static inline bool
fapi_layout_is_ours(const struct fapi_layout *layout)
{
	return layout->file_info_size == sizeof(struct fuse_file_info);
}

/*
 * The program's view of ours for a call of it: ours itself, or *store filled. NULL stays NULL.
 * After the call fapi_file_info_leave brings what the program changed back into ours.
 */
static inline struct fuse_file_info *
fapi_file_info_enter(const struct fapi_layout *layout, union fapi_file_info_store *store,
		     struct fuse_file_info *ours)
{
	if (!ours || fapi_layout_is_ours(layout))
		return ours;
	layout->file_info_to(store, ours);
	return &store->ours;
}

static inline void
fapi_file_info_leave(const struct fapi_layout *layout, const union fapi_file_info_store *store,
		     struct fuse_file_info *ours)
{
	if (ours && !fapi_layout_is_ours(layout))
		layout->file_info_from(ours, store);
}

/* Our view of a file info that a program passes in: theirs itself, or *store filled. */
static inline const struct fuse_file_info *
fapi_file_info_read(const struct fapi_layout *layout, struct fuse_file_info *store,
		    const struct fuse_file_info *theirs)
{
	if (!theirs || fapi_layout_is_ours(layout))
		return theirs;
	layout->file_info_from(store, theirs);
	return store;
}

/*
 * Buffer vectors. Piece i of a vector of that layout; only its first buf_size bytes exist
 * (mem_size is of ours alone).
 */
static inline struct fuse_buf *
fapi_bufvec_at(const struct fapi_layout *layout, const struct fuse_bufvec *vec, size_t i)
{
	return (struct fuse_buf *)((char *)(uintptr_t)vec->buf + i * layout->buf_size);
}

/* As fuse_buf_size and fuse_buf_copy, of vectors of the given layouts. */
size_t fapi_bufvec_size(const struct fapi_layout *layout, const struct fuse_bufvec *vec);
ssize_t fapi_bufvec_copy(const struct fapi_layout *to_layout, struct fuse_bufvec *to,
			 const struct fapi_layout *from_layout, struct fuse_bufvec *from,
			 enum fuse_buf_copy_flags flags);
/* A malloc'ed copy of a vector in another layout (the pieces' memory is shared). NULL without
 * memory or with a count that no memory holds. */
struct fuse_bufvec *fapi_bufvec_convert(const struct fapi_layout *to_layout,
					const struct fapi_layout *from_layout,
					const struct fuse_bufvec *from);

/*
 * Takes over a table of operations: op_size bytes at most, zeros behind them; what is beyond ours
 * is of a newer interface and unused.
 */
void fapi_ops_take(void *ours, size_t our_size, const void *op, size_t op_size);

#endif
