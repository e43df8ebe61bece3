/*
 * Persistent reservations. The first byte chooses: even, the rest is a state file; odd, a row of
 * PERSISTENT RESERVE OUT commands, each with a header of 4 bytes: who, service action, type, and
 * the size of its parameter list. The invariants of scsi/persist_state.c hold after each, and a
 * state goes to a file and back unchanged.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "scsi/persist_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t guid[16] = {1, 2, 3};

static void
check_state(const struct pr_state *s)
{
	size_t n_holders = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct pr_registrant *r = &s->registrants[i];

		assert(r->key != 0 && !r->gone && !r->abort && r->attention == SENSE_NONE);
		assert(pr_state_find(s, r->port.transport_id, r->port.n_transport_id,
				     r->port.target_port) == r);
		n_holders += r->is_holder;
	}
	assert(s->type == PR_NONE || pr_type_is_known(s->type));
	assert(s->type == PR_NONE || s->n > 0);
	assert(n_holders == (s->type != PR_NONE && !pr_type_is_all(s->type)));
}

static void
check_file(const struct pr_state *s)
{
	struct pr_state back;
	uint8_t *bytes, *again;
	size_t size, n_again;

	assert(pr_file_encode(s, guid, &bytes, &size) == 0);
	assert(pr_file_decode(bytes, size, guid, &back) == 0);
	assert(pr_file_encode(&back, guid, &again, &n_again) == 0);
	assert(n_again == size && memcmp(bytes, again, size) == 0);
	pr_state_fini(&back);
	free(bytes);
	free(again);
}

/* The checksum would keep the fuzzer out: it is made right. */
static void
try_file(const uint8_t *data, size_t size)
{
	struct pr_state s;
	uint8_t *bytes = malloc(size + 1);
	uint64_t h = 0xcbf29ce484222325ull;

	assert(bytes);
	memcpy(bytes, data, size);
	if (size >= 44) {
		for (size_t i = 0; i < size - 8; i++)
			h = (h ^ bytes[i]) * 0x100000001b3ull;
		put_be64(bytes + size - 8, h);
	}
	if (pr_file_decode(bytes, size, guid, &s) == 0) {
		check_state(&s);
		check_file(&s);
		pr_state_fini(&s);
	}
	free(bytes);
}

static void
fill_port(struct pr_port *port, unsigned who)
{
	static const uint8_t id[32] = {0x45, 0, 0, 28};

	port->n_transport_id = sizeof(id);
	port->target_port = (uint16_t)(1 + (who >> 2 & 1));
	memcpy(port->transport_id, id, sizeof(id));
	snprintf((char *)port->transport_id + 4, 28, "iqn.fake:%c,i,0x%u", 'a' + (who & 3),
		 (who & 3) + 1);
}

/* On a copy, as persist.c does it. */
static void
try_command(struct pr_state *s, const uint8_t *head, const uint8_t *list, size_t n)
{
	struct pr_request req = {.action = head[1] & 7, .type = head[2] & 0x0f};
	struct pr_state next;
	struct scsi_result res;

	fill_port(&req.from, head[0]);
	if (req.action != PR_REGISTER && !pr_type_is_known(req.type))
		return;
	res = pr_request_decode(list, n, &req);
	/* scsi/persist.c lets ports through that the target has: 1 and 2 */
	if (!scsi_ok(res) || (req.action == PR_REGISTER_AND_MOVE &&
			      (req.move_to_port == 0 || req.move_to_port > 2)))
		return;
	assert(pr_state_dup(s, &next) == 0);
	res = pr_state_apply(&next, &req);
	if (scsi_ok(res)) {
		pr_state_settle(&next);
		pr_state_fini(s);
		*s = next;
	} else {
		pr_state_fini(&next);
	}
	check_state(s);
}

static void
try_commands(const uint8_t *data, size_t size)
{
	struct pr_state s = {0};

	while (size >= 4) {
		size_t n = data[3] < size - 4 ? data[3] : size - 4;
		uint8_t *list = malloc(n ? n : 1);

		assert(list);
		memcpy(list, data + 4, n);
		try_command(&s, data, list, n);
		free(list);
		data += 4 + n;
		size -= 4 + n;
	}
	check_file(&s);
	pr_state_fini(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		try_commands(data + 1, size - 1);
	else
		try_file(data + 1, size - 1);
	return 0;
}
