/*
 * The smallest file system that can show what libfsp asks of one: a table of names with
 * attributes, descriptor and reparse target. Counts and records what it is called with.
 */
#ifndef USERDRIVE_TESTS_API_RAM_H
#define USERDRIVE_TESTS_API_RAM_H

#include "winfsp/ext.h"

enum { RAM_NODES_MAX = 32 };

struct ram_node {
	const WCHAR *name;
	UINT32 attributes;
	const WCHAR *sddl;   /* NULL: no descriptor */
	const WCHAR *target; /* of a symbolic link */
	BOOLEAN absolute;
};

struct ram {
	FSP_FILE_SYSTEM *fs;
	FSP_FILE_SYSTEM_INTERFACE interface;
	struct ram_node nodes[RAM_NODES_MAX];
	unsigned n_nodes;

	/* What the last calls were given, and how many there were. */
	unsigned n_creates, n_opens, n_closes, n_cleanups, n_overwrites;
	UINT32 granted_access;
	BOOLEAN had_sd;
	ULONG cleanup_flags;
	PVOID context; /* FileContext of the last operation */
	NTSTATUS create_status, overwrite_status;
	char calls[1024]; /* names asked of GetSecurityByName, joined by ' ' */
};

/* More fields of params may be set before. 0, or the status of FspFileSystemCreate. */
NTSTATUS ram_create(struct ram *ram, const FSP_FSCTL_VOLUME_PARAMS *params);
void ram_delete(struct ram *ram);
void ram_add(struct ram *ram, const WCHAR *name, UINT32 attributes, const WCHAR *sddl);
void ram_add_link(struct ram *ram, const WCHAR *name, const WCHAR *target, BOOLEAN absolute);
struct ram *ram_of(FSP_FILE_SYSTEM *fs);
/* For FspFileSystemFindReparsePoint and ResolveReparsePoints; Context is the struct ram. */
NTSTATUS ram_reparse_by_name(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, BOOLEAN is_directory,
			     PVOID buffer, PSIZE_T size);

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wgnu-variable-sized-type-not-at-end"
#endif
/* A request with its response, as the engine would send it. */
struct exchange {
	union {
		FSP_FSCTL_TRANSACT_REQ req;
		UINT8 req_bytes[FSP_FSCTL_TRANSACT_REQ_SIZEMAX];
	};
	union {
		FSP_FSCTL_TRANSACT_RSP rsp;
		UINT8 rsp_bytes[FSP_FSCTL_TRANSACT_RSP_SIZEMAX];
	};
};
#ifdef __clang__
#pragma clang diagnostic pop
#endif
/* A new one of this kind with a Hint of its own. */
void exchange_init(struct exchange *x, UINT32 kind, const WCHAR *name);
/* A Create by token (a handle of fs/security/token.h), in user mode, with traverse privilege. */
void exchange_create(struct exchange *x, const WCHAR *name, UINT32 disposition, UINT32 options,
		     UINT32 desired, UINT32 token);
/* Puts it through the library; the status. */
NTSTATUS exchange_run(struct exchange *x, struct ram *ram);

#endif
