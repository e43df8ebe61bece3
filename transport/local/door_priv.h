/* Between the local door's files. */
#ifndef USERDRIVE_TRANSPORT_LOCAL_DOOR_PRIV_H
#define USERDRIVE_TRANSPORT_LOCAL_DOOR_PRIV_H

#include <limits.h>
#include <stdatomic.h>
#include "scsi/target.h"
#include "transport/local/conn.h"
#include "transport/local/door.h"

enum { LOCAL_CDB_CONNECTIONS_MAX = 64 };

struct local_counters {
	_Atomic uint64_t n_clients, n_requests, n_refused, n_commands;
};

/* One client of the CDB socket. */
struct local_cdb_client {
	struct local_conn conn;
	struct scsi_target *target;
	struct local_counters *counters;
	pid_t pid; /* of the peer; 0: not known */
};

/*
 * Serves a client of the message socket until it goes or the connection is broken. Not fini: the
 * caller's. Returns 0, or -errno where the peer broke the protocol.
 */
int local_pipe_serve(struct local_conn *conn, struct scsi_unit *unit,
		     struct local_counters *counters);
/* The same for CDBs; its nexus lives as long as the call. */
int local_cdb_serve(struct local_cdb_client *client);

/* Parameters and single requests, for tests and fuzzers. */
void local_params_encode(const struct scsi_unit_params *p, uint64_t n_blocks,
			 uint8_t dst[LOCAL_PARAMS_SIZE]);
struct local_request {
	uint64_t hint, lba;
	uint8_t kind;
	bool fua;
	uint32_t n_blocks; /* UNMAP: ranges */
};
void local_request_decode(const uint8_t slot[LOCAL_SLOT_SIZE], struct local_request *ret);
/* Is it what the protocol allows, with that many bytes of data behind it? Ranges and rights are the
 * unit's to check. */
struct scsi_result local_request_check(const struct local_request *r, size_t n_data,
				       const struct scsi_unit_params *p);
void local_answer_encode(const struct local_request *r, struct scsi_result res,
			 uint8_t dst[LOCAL_SLOT_SIZE]);

/* \\.\pipe\NAME -> NAME with slashes. -EINVAL: empty or too long, or it would leave the directory.
 */
int local_name_decode(const char *device_name, char *dst, size_t cap);

#endif
