/* Breaks when a persistent reservation lets in whom it should keep out or the reverse, when the
 * wrong initiators are told of a change, or when a reservation does not survive what it should
 * survive. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "scsi-util.h"
#include "scsi/persist_priv.h"

enum { KEY_A = 0xa1, KEY_B = 0xb2, KEY_C = 0xc3 };
/* Nexuses: 0 and 1 are the fake's, 2 a third initiator, 3 the first one by target port 2 */
enum { A, B, C, A2, N_NEXUSES };
enum { WE = 1, EA = 3, WERO = 5, EARO = 6, WEAR = 7, EAAR = 8 };
static const uint8_t all_types[] = {WE, EA, WERO, EARO, WEAR, EAAR};
enum { APTPL = 0x01, ALL_TG_PT = 0x04, SPEC_I_PT = 0x08 };

struct bench {
	struct scsi_fake f;
	struct scsi_nexus *nexus[N_NEXUSES];
	char folder[32], path[64];
};

static size_t
make_id(char initiator, unsigned isid, uint8_t id[32])
{
	memset(id, 0, 32);
	id[0] = 0x45;
	id[3] = 28;
	snprintf((char *)id + 4, 28, "iqn.fake:%c,i,0x%u", initiator, isid);
	return 32;
}

static struct scsi_nexus *
open_nexus(struct bench *b, char initiator, unsigned isid, uint16_t port)
{
	uint8_t id[32];
	struct scsi_nexus_params p = {
		.initiator = "extra", .transport_id = id, .target_port = port};
	struct scsi_nexus *nexus;

	p.n_transport_id = make_id(initiator, isid, id);
	assert_int_equal(scsi_nexus_create(b->f.target, &p, &nexus), 0);
	return nexus;
}

static struct scsi_fake_reply
run(struct bench *b, unsigned who, const uint8_t *cdb, size_t n_cdb, const void *out, size_t n_out)
{
	return scsi_fake_run_at(b->nexus[who], 0, cdb, n_cdb, out, n_out, NULL, 0);
}

static struct scsi_fake_reply
tur(struct bench *b, unsigned who)
{
	return run(b, who, (const uint8_t[6]){0}, 6, NULL, 0);
}

static void
clear_attentions(struct bench *b)
{
	for (unsigned i = 0; i < N_NEXUSES; i++)
		while (tur(b, i).res.status == SCSI_CHECK_CONDITION)
			;
}

static void
bench_start(struct bench *b)
{
	scsi_fake_open(&b->f);
	assert_int_equal(scsi_target_add_port(b->f.target, 2, "iqn.fake:target,t,0x0002"), 0);
	b->nexus[A] = b->f.nexuses[0];
	b->nexus[B] = b->f.nexuses[1];
	b->nexus[C] = open_nexus(b, 'c', 3, 1);
	b->nexus[A2] = open_nexus(b, 'a', 1, 2);
	clear_attentions(b);
}

static void
bench_open(struct bench *b, bool keeps_state)
{
	strcpy(b->folder, "/tmp/userdrive-pr-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->path, sizeof(b->path), "%s/state", b->folder);
	scsi_fake_init(&b->f);
	b->f.params.removable = true;
	if (keeps_state)
		strcpy(b->f.params.state_path, b->path);
	bench_start(b);
}

static void
bench_stop(struct bench *b)
{
	scsi_nexus_destroy(b->nexus[C]);
	scsi_nexus_destroy(b->nexus[A2]);
	scsi_fake_close(&b->f);
}

static void
bench_close(struct bench *b)
{
	static const char *const names[] = {"", ".new", ".corrupt"};

	bench_stop(b);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[80];

		snprintf(path, sizeof(path), "%s%s", b->path, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(b->folder), 0);
}

/* The power goes and comes back: the unit is made anew. */
static void
bench_restart(struct bench *b)
{
	struct scsi_unit_params p = b->f.params;

	bench_stop(b);
	scsi_fake_init(&b->f);
	b->f.params = p;
	bench_start(b);
}

static struct scsi_fake_reply
prout_list(struct bench *b, unsigned who, unsigned action, unsigned type, const void *list,
	   uint32_t n)
{
	uint8_t cdb[10] = {0x5f, (uint8_t)action, (uint8_t)type};

	put_be32(cdb + 5, n);
	return run(b, who, cdb, sizeof(cdb), list, n);
}

static struct scsi_fake_reply
prout(struct bench *b, unsigned who, unsigned action, unsigned type, uint64_t key,
      uint64_t action_key, uint8_t flags)
{
	uint8_t list[24] = {0};

	put_be64(list, key);
	put_be64(list + 8, action_key);
	list[20] = flags;
	return prout_list(b, who, action, type, list, sizeof(list));
}

static void
join(struct bench *b, unsigned who, uint64_t key)
{
	assert_good(prout(b, who, PR_REGISTER, 0, 0, key, 0));
}

static struct scsi_fake_reply
prin(struct bench *b, unsigned action)
{
	const uint8_t cdb[10] = {0x5e, (uint8_t)action, [7] = 0x20};

	return run(b, A, cdb, sizeof(cdb), NULL, 0);
}

/* READ KEYS gives these, in order of registration. */
static void
check_keys(struct bench *b, unsigned n, uint64_t k0, uint64_t k1, uint64_t k2)
{
	const uint64_t want[] = {k0, k1, k2};
	struct scsi_fake_reply r = prin(b, 0);

	assert_good(r);
	assert_int_equal(get_be32(r.in + 4), 8 * n);
	assert_int_equal(r.n_in, 8 + 8 * n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(get_be64(r.in + 8 + 8 * i), want[i]);
}

static void
check_reservation(struct bench *b, uint8_t type, uint64_t key)
{
	struct scsi_fake_reply r = prin(b, 1);

	assert_good(r);
	assert_int_equal(r.n_in, type ? 24 : 8);
	assert_int_equal(get_be32(r.in + 4), type ? 16 : 0);
	if (!type)
		return;
	assert_int_equal(get_be64(r.in + 8), key);
	assert_int_equal(get_be32(r.in + 16), 0);
	assert_int_equal(get_be32(r.in + 20), type << 16);
}

static uint32_t
generation(struct bench *b)
{
	return get_be32(prin(b, 0).in);
}

/* Each nexus has exactly this one pending, or none. */
static void
check_attentions(struct bench *b, enum scsi_sense a, enum scsi_sense bb, enum scsi_sense c)
{
	const enum scsi_sense want[] = {a, bb, c};

	for (unsigned i = 0; i < 3; i++) {
		if (want[i] != SENSE_NONE)
			assert_sense(tur(b, i), want[i]);
		assert_good(tur(b, i));
	}
}

static bool
is_all(unsigned type)
{
	return type >= WEAR;
}

static bool
is_registrants(unsigned type)
{
	return type >= WERO;
}

/* ---------------------------------------------------------------- table 66 */

enum allowed { NEVER, IN_WE, ALWAYS };

/* SPC-4 table 66, SBC-3 table 13: what one who has no registration may do */
static const struct {
	enum allowed allowed;
	uint8_t n_cdb;
	uint8_t cdb[16];
	uint32_t n_out;
} table[] = {
	{ALWAYS, 6, {0x00}, 0},                                        /* TEST UNIT READY */
	{ALWAYS, 6, {0x03, 0, 0, 0, 18}, 0},                           /* REQUEST SENSE */
	{ALWAYS, 6, {0x12, 0, 0, 0, 96}, 0},                           /* INQUIRY */
	{ALWAYS, 12, {0xa0, [9] = 64}, 0},                             /* REPORT LUNS */
	{ALWAYS, 10, {0x4d, 0, 0x40, [8] = 64}, 0},                    /* LOG SENSE */
	{ALWAYS, 10, {0x25}, 0},                                       /* READ CAPACITY (10) */
	{ALWAYS, 16, {0x9e, 0x10, [13] = 32}, 0},                      /* READ CAPACITY (16) */
	{ALWAYS, 6, {0x1b, 0, 0, 0, 0x01}, 0},                         /* START STOP UNIT, START */
	{ALWAYS, 6, {0x1e}, 0},                                        /* ALLOW MEDIUM REMOVAL */
	{ALWAYS, 10, {0x5e, 0, [8] = 64}, 0},                          /* PERSISTENT RESERVE IN */
	{ALWAYS, 12, {0xa3, 0x0a, [9] = 64}, 0},                       /* REPORT PORT GROUPS */
	{IN_WE, 6, {0x1a, 0, 0x3f, 0, 64}, 0},                         /* MODE SENSE (6) */
	{IN_WE, 10, {0x5a, 0, 0x3f, [8] = 64}, 0},                     /* MODE SENSE (10) */
	{IN_WE, 12, {0xa3, 0x0c, [9] = 64}, 0},                        /* REPORT OPCODES */
	{IN_WE, 6, {0x08, 0, 0, 0, 1}, 0},                             /* READ */
	{IN_WE, 10, {0x28, [8] = 1}, 0},
	{IN_WE, 12, {0xa8, [9] = 1}, 0},
	{IN_WE, 16, {0x88, [13] = 1}, 0},
	{IN_WE, 10, {0x2f, [8] = 1}, 0},                               /* VERIFY */
	{IN_WE, 10, {0x34, [8] = 1}, 0},                               /* PRE-FETCH */
	{IN_WE, 16, {0x9e, 0x12, [13] = 64}, 0},                       /* GET LBA STATUS */
	{NEVER, 6, {0x15, 0x10}, 0},                                   /* MODE SELECT */
	{NEVER, 10, {0x4c}, 0},                                        /* LOG SELECT */
	{NEVER, 6, {0x1b, 0, 0, 0, 0x00}, 0},                          /* START STOP UNIT, stop */
	{NEVER, 6, {0x1b, 0, 0, 0, 0x11}, 0},                          /* power condition */
	{NEVER, 6, {0x1e, 0, 0, 0, 0x01}, 0},                          /* PREVENT MEDIUM REMOVAL */
	{NEVER, 6, {0x0a, 0, 0, 0, 1}, 512},                           /* WRITE */
	{NEVER, 10, {0x2a, [8] = 1}, 512},
	{NEVER, 16, {0x8a, [13] = 1}, 512},
	{NEVER, 10, {0x41, [8] = 1}, 512},                             /* WRITE SAME */
	{NEVER, 10, {0x35}, 0},                                        /* SYNCHRONIZE CACHE */
	{NEVER, 10, {0x42, [8] = 24}, 24},                             /* UNMAP */
	{NEVER, 10, {0x48, 0x02}, 0},                                  /* SANITIZE */
};

static void
check_row(struct bench *b, unsigned who, size_t i, bool conflicts)
{
	static const uint8_t out[512];
	struct scsi_fake_reply r = run(b, who, table[i].cdb, table[i].n_cdb, out, table[i].n_out);

	if (conflicts != (r.res.status == SCSI_RESERVATION_CONFLICT))
		fail_msg("nexus %u, opcode %02x, byte 1 %02x: status %02x", who, table[i].cdb[0],
			 table[i].cdb[1], r.res.status);
	if (!conflicts && !scsi_ok(r.res) && r.res.key != SCSI_KEY_UNIT_ATTENTION)
		fail_msg("opcode %02x: %02x %02x %02x", table[i].cdb[0], r.res.key, r.res.asc,
			 r.res.ascq);
}

static void
test_table_66(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(all_types); t++) {
		unsigned type = all_types[t];
		bool we = type == WE || type == WERO || type == WEAR;
		struct bench b;

		bench_open(&b, false);
		join(&b, A, KEY_A);
		join(&b, B, KEY_B);
		assert_good(prout(&b, A, PR_RESERVE, type, KEY_A, 0, 0));
		for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
			bool keeps_out = table[i].allowed == NEVER ||
					 (table[i].allowed == IN_WE && !we);

			check_row(&b, A, i, false);
			check_row(&b, B, i, keeps_out && !is_registrants(type));
			check_row(&b, C, i, keeps_out);
			clear_attentions(&b);
		}
		bench_close(&b);
	}
}

/* A block door has no registration. */
static void
test_block_doors(void **state)
{
	uint8_t block[512];
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(all_types); t++) {
		unsigned type = all_types[t];
		bool we = type == WE || type == WERO || type == WEAR;
		struct scsi_io read = {.kind = SCSI_IO_READ, .n_blocks = 1, .data = block},
			       write = {.kind = SCSI_IO_WRITE, .n_blocks = 1, .data = block},
			       flush = {.kind = SCSI_IO_FLUSH};
		struct bench b;

		memset(block, 0, sizeof(block));
		bench_open(&b, false);
		join(&b, A, KEY_A);
		assert_good(prout(&b, A, PR_RESERVE, type, KEY_A, 0, 0));
		assert_int_equal(scsi_unit_io(b.f.unit, &read).status,
				 we ? SCSI_GOOD : SCSI_RESERVATION_CONFLICT);
		assert_int_equal(scsi_unit_io(b.f.unit, &write).status, SCSI_RESERVATION_CONFLICT);
		assert_int_equal(scsi_unit_io(b.f.unit, &flush).status, SCSI_GOOD);
		bench_close(&b);
	}
}

/* ---------------------------------------------------------------- REGISTER */

/* SPC-4 tables 71 and 72, row by row */
static void
test_register(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, false);
	/* not registered */
	assert_conflict(prout(&b, A, PR_REGISTER, 0, 1, KEY_A, 0));
	assert_good(prout(&b, A, PR_REGISTER, 0, 0, 0, 0));
	check_keys(&b, 0, 0, 0, 0);
	assert_int_equal(generation(&b), 0);
	assert_good(prout(&b, A, PR_REGISTER, 0, 0, KEY_A, 0));
	check_keys(&b, 1, KEY_A, 0, 0);
	assert_int_equal(generation(&b), 1);
	/* registered */
	assert_conflict(prout(&b, A, PR_REGISTER, 0, 0, KEY_B, 0));
	assert_conflict(prout(&b, A, PR_REGISTER, 0, KEY_B, 0, 0));
	assert_good(prout(&b, A, PR_REGISTER, 0, KEY_A, KEY_C, 0));
	check_keys(&b, 1, KEY_C, 0, 0);
	assert_int_equal(generation(&b), 2);
	/* the same key twice is fine, the same initiator by another port is another nexus */
	assert_good(prout(&b, B, PR_REGISTER, 0, 0, KEY_C, 0));
	assert_good(prout(&b, A2, PR_REGISTER, 0, 0, KEY_B, 0));
	check_keys(&b, 3, KEY_C, KEY_C, KEY_B);
	assert_good(prout(&b, A, PR_REGISTER, 0, KEY_C, 0, 0));
	check_keys(&b, 2, KEY_C, KEY_B, 0);
	assert_int_equal(generation(&b), 5);
	/* existing key ignored */
	assert_good(prout(&b, C, PR_REGISTER_AND_IGNORE, 0, 99, 0, 0));
	assert_good(prout(&b, C, PR_REGISTER_AND_IGNORE, 0, 99, KEY_A, 0));
	assert_good(prout(&b, C, PR_REGISTER_AND_IGNORE, 0, 98, KEY_B, 0));
	check_keys(&b, 3, KEY_C, KEY_B, KEY_B);
	assert_good(prout(&b, C, PR_REGISTER_AND_IGNORE, 0, 97, 0, 0));
	check_keys(&b, 2, KEY_C, KEY_B, 0);
	check_attentions(&b, SENSE_NONE, SENSE_NONE, SENSE_NONE);
	bench_close(&b);
}

static void
test_parameter_list(void **state)
{
	uint8_t list[64] = {0};
	struct bench b;

	(void)state;
	bench_open(&b, false);
	list[15] = 1;
	for (uint32_t n = 0; n < 64; n++) {
		struct scsi_fake_reply r =
			prout_list(&b, A, PR_REGISTER_AND_IGNORE, 0, list, n);

		if (n == 24)
			assert_good(r);
		else
			assert_sense(r, SENSE_PARAMETER_LIST_LENGTH);
	}
	/* fewer bytes come than the CDB says */
	assert_sense(scsi_fake_run_at(b.nexus[A], 0,
				      (const uint8_t[]){0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0}, 10, list,
				      23, NULL, 0),
		     SENSE_PARAMETER_LIST_LENGTH);
	assert_bad_parameter(prout(&b, A, PR_REGISTER, 0, 1, KEY_A, APTPL), 20, 0);
	assert_bad_parameter(prout(&b, A, PR_REGISTER_AND_IGNORE, 0, 1, KEY_A, SPEC_I_PT), 20, 3);
	assert_bad_parameter(prout(&b, A, PR_RESERVE, EA, 1, 0, SPEC_I_PT), 20, 3);
	assert_good(prout(&b, A, PR_RESERVE, EA, 1, 0, APTPL | ALL_TG_PT)); /* ignored */
	bench_close(&b);
}

static void
test_cdb(void **state)
{
	static const uint8_t typed[] = {PR_RESERVE, PR_RELEASE, PR_PREEMPT, PR_PREEMPT_AND_ABORT};
	struct bench b;

	(void)state;
	bench_open(&b, false);
	for (unsigned action = 0; action < 32; action++) {
		const uint8_t in[10] = {0x5e, (uint8_t)action, [8] = 64};
		struct scsi_fake_reply r = run(&b, A, in, sizeof(in), NULL, 0);

		if (action < 4)
			assert_good(r);
		else
			assert_bad_cdb(r, 1, 4);
		if (action > 7)
			assert_bad_cdb(prout(&b, A, action, EA, 0, 0, 0), 1, 4);
	}
	for (size_t i = 0; i < ARRAY_SIZE(typed); i++)
		for (unsigned type = 0; type < 256; type++) {
			struct scsi_fake_reply r = prout(&b, A, typed[i], type, 0, 0, 0);

			if (type >> 4)
				assert_bad_cdb(r, 2, 7);
			else if (!memchr(all_types, (int)type, sizeof(all_types)))
				assert_bad_cdb(r, 2, 3);
			else
				assert_conflict(r);
		}
	assert_good(prout(&b, A, PR_REGISTER, 0x77, 0, KEY_A, 0)); /* ignored there */
	bench_close(&b);
}

static void
test_spec_i_pt(void **state)
{
	uint8_t list[28 + 64] = {[20] = SPEC_I_PT, [27] = 64};
	struct bench b;

	(void)state;
	bench_open(&b, false);
	make_id('b', 2, list + 28);
	make_id('c', 3, list + 60);
	assert_sense(prout_list(&b, A, PR_REGISTER, 0, list, 92), SENSE_INVALID_FIELD_IN_CDB);
	put_be64(list + 8, KEY_A);
	list[60] = 0x05; /* names a device, not a port */
	assert_bad_parameter(prout_list(&b, A, PR_REGISTER, 0, list, 92), 60, 8);
	list[60] = 0x45;
	list[27] = 63;
	assert_sense(prout_list(&b, A, PR_REGISTER, 0, list, 92), SENSE_PARAMETER_LIST_LENGTH);
	list[27] = 64;
	check_keys(&b, 0, 0, 0, 0);
	assert_good(prout_list(&b, A, PR_REGISTER, 0, list, 92));
	check_keys(&b, 3, KEY_A, KEY_A, KEY_A);
	assert_int_equal(generation(&b), 1);
	assert_good(prout(&b, C, PR_RESERVE, EARO, KEY_A, 0, 0));
	/* registered already */
	put_be64(list, KEY_A);
	assert_sense(prout_list(&b, A, PR_REGISTER, 0, list, 92), SENSE_INVALID_FIELD_IN_CDB);
	bench_close(&b);
}

static void
test_all_target_ports(void **state)
{
	struct scsi_fake_reply r;
	struct bench b;

	(void)state;
	bench_open(&b, false);
	join(&b, A2, KEY_B);
	assert_good(prout(&b, A2, PR_RESERVE, WE, KEY_B, 0, 0));
	assert_good(prout(&b, A, PR_REGISTER, 0, 0, KEY_A, ALL_TG_PT));
	check_keys(&b, 1, KEY_A, 0, 0); /* in place of the one for a single port, which held */
	check_reservation(&b, WE, KEY_A);
	r = prin(&b, 3);
	assert_int_equal(r.in[8 + 12], 0x03); /* ALL_TG_PT, R_HOLDER */
	assert_int_equal(get_be16(r.in + 8 + 18), 0);
	assert_good(prout(&b, A2, PR_RELEASE, WE, KEY_A, 0, 0));
	assert_good(prout(&b, A2, PR_REGISTER, 0, KEY_A, 0, 0));
	check_keys(&b, 0, 0, 0, 0);
	bench_close(&b);
}

/* One registration too many. */
static void
test_registration_limit(void **state)
{
	struct pr_state s = {0};
	struct pr_request req = {.action = PR_REGISTER_AND_IGNORE, .action_key = 1};
	struct scsi_result res;

	(void)state;
	for (unsigned i = 0; i <= PR_REGISTRANTS_MAX; i++) {
		req.from.target_port = 1;
		req.from.n_transport_id = (uint16_t)make_id('a', i, req.from.transport_id);
		res = pr_state_apply(&s, &req);
		assert_int_equal(res.status,
				 i < PR_REGISTRANTS_MAX ? SCSI_GOOD : SCSI_CHECK_CONDITION);
	}
	assert_int_equal(res.asc << 8 | res.ascq, 0x5504);
	pr_state_fini(&s);
}

/* ---------------------------------------------------------------- RESERVE, RELEASE */

static void
test_reserve(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(all_types); t++) {
		unsigned type = all_types[t], other = type == EA ? WE : EA;
		struct bench b;

		bench_open(&b, false);
		assert_conflict(prout(&b, A, PR_RESERVE, type, 0, 0, 0));
		join(&b, A, KEY_A);
		join(&b, B, KEY_B);
		assert_conflict(prout(&b, A, PR_RESERVE, type, KEY_B, 0, 0));
		assert_good(prout(&b, A, PR_RESERVE, type, KEY_A, 0, 0));
		assert_good(prout(&b, A, PR_RESERVE, type, KEY_A, 0, 0));
		assert_conflict(prout(&b, A, PR_RESERVE, other, KEY_A, 0, 0));
		if (is_all(type))
			assert_good(prout(&b, B, PR_RESERVE, type, KEY_B, 0, 0));
		else
			assert_conflict(prout(&b, B, PR_RESERVE, type, KEY_B, 0, 0));
		check_reservation(&b, (uint8_t)type, is_all(type) ? 0 : KEY_A);
		assert_int_equal(generation(&b), 2);
		bench_close(&b);
	}
}

/* SPC-4 5.12.11.2.2: who is told is a matter of the type. */
static void
test_release(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(all_types); t++) {
		unsigned type = all_types[t], other = type == EA ? WE : EA;
		struct bench b;

		bench_open(&b, false);
		join(&b, A, KEY_A);
		join(&b, B, KEY_B);
		assert_good(prout(&b, A, PR_RELEASE, type, KEY_A, 0, 0)); /* nothing there */
		assert_good(prout(&b, A, PR_RESERVE, type, KEY_A, 0, 0));
		assert_conflict(prout(&b, A, PR_RELEASE, type, KEY_B, 0, 0));
		assert_conflict(prout(&b, C, PR_RELEASE, type, 0, 0, 0));
		if (!is_all(type))
			assert_good(prout(&b, B, PR_RELEASE, type, KEY_B, 0, 0)); /* not its own */
		assert_sense(prout(&b, A, PR_RELEASE, other, KEY_A, 0, 0),
			     SENSE_INVALID_RELEASE_OF_RESERVATION);
		check_reservation(&b, (uint8_t)type, is_all(type) ? 0 : KEY_A);
		assert_good(prout(&b, A, PR_RELEASE, type, KEY_A, 0, 0));
		check_reservation(&b, 0, 0);
		check_attentions(&b, SENSE_NONE,
				 is_registrants(type) ? SENSE_RESERVATIONS_RELEASED : SENSE_NONE,
				 SENSE_NONE);
		check_keys(&b, 2, KEY_A, KEY_B, 0);
		bench_close(&b);
	}
}

/* The holder unregisters: the reservation goes, but an "all registrants" one waits for the last. */
static void
test_unregister_holder(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(all_types); t++) {
		unsigned type = all_types[t];
		bool told = is_registrants(type) && !is_all(type);
		struct bench b;

		bench_open(&b, false);
		join(&b, A, KEY_A);
		join(&b, B, KEY_B);
		assert_good(prout(&b, A, PR_RESERVE, type, KEY_A, 0, 0));
		assert_good(prout(&b, A, PR_REGISTER, 0, KEY_A, 0, 0));
		check_reservation(&b, is_all(type) ? (uint8_t)type : 0, 0);
		if (told)
			assert_sense(tur(&b, B), SENSE_RESERVATIONS_RELEASED);
		assert_good(tur(&b, B));
		assert_good(prout(&b, B, PR_REGISTER, 0, KEY_B, 0, 0));
		check_reservation(&b, 0, 0);
		check_attentions(&b, SENSE_NONE, SENSE_NONE, SENSE_NONE);
		bench_close(&b);
	}
}

/* ---------------------------------------------------------------- CLEAR, PREEMPT */

/* Read by B: a command of A would take the attention that is looked for. */
static uint32_t
generation_by_b(struct bench *b)
{
	const uint8_t cdb[10] = {0x5e, [8] = 64};

	return get_be32(run(b, B, cdb, sizeof(cdb), NULL, 0).in);
}

static void
test_clear(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, false);
	join(&b, A, KEY_A);
	join(&b, B, KEY_B);
	assert_good(prout(&b, A, PR_RESERVE, EA, KEY_A, 0, 0));
	assert_conflict(prout(&b, C, PR_CLEAR, 0, 0, 0, 0));
	assert_conflict(prout(&b, B, PR_CLEAR, 0, KEY_A, 0, 0));
	assert_good(prout(&b, B, PR_CLEAR, 0, KEY_B, 0, 0));
	assert_int_equal(generation_by_b(&b), 3);
	check_attentions(&b, SENSE_RESERVATIONS_PREEMPTED, SENSE_NONE, SENSE_NONE);
	check_keys(&b, 0, 0, 0, 0);
	check_reservation(&b, 0, 0);
	bench_close(&b);
}

static void
test_preempt_reservation(void **state)
{
	static const uint8_t actions[] = {PR_PREEMPT, PR_PREEMPT_AND_ABORT};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(all_types); i++) {
		unsigned type = all_types[i / 2], action = actions[i % 2];
		/* "all registrants" is preempted with key 0, which removes everybody else */
		uint64_t victim = is_all(type) ? 0 : KEY_A;
		struct bench b;

		bench_open(&b, false);
		join(&b, A, KEY_A);
		join(&b, B, KEY_B);
		join(&b, C, KEY_C);
		assert_good(prout(&b, A, PR_RESERVE, type, KEY_A, 0, 0));
		assert_conflict(prout(&b, B, action, EARO, KEY_A, victim, 0));
		assert_good(prout(&b, B, action, EARO, KEY_B, victim, 0));
		/* read by B: A is out, and EARO does not keep PERSISTENT RESERVE IN out */
		check_attentions(&b, SENSE_REGISTRATIONS_PREEMPTED, SENSE_NONE,
				 is_all(type) ? SENSE_REGISTRATIONS_PREEMPTED :
				 type != EARO ? SENSE_RESERVATIONS_RELEASED :
						SENSE_NONE);
		check_reservation(&b, EARO, KEY_B);
		check_keys(&b, is_all(type) ? 1 : 2, KEY_B, KEY_C, 0);
		assert_int_equal(generation(&b), 4);
		bench_close(&b);
	}
}

static void
test_preempt_registration(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, false);
	join(&b, A, KEY_A);
	join(&b, B, KEY_B);
	join(&b, C, KEY_C);
	assert_conflict(prout(&b, A, PR_PREEMPT, WE, KEY_A, 99, 0)); /* nobody has it */
	assert_bad_parameter(prout(&b, A, PR_PREEMPT, WE, KEY_A, 0, 0), 8, 8);
	assert_good(prout(&b, A, PR_PREEMPT, WE, KEY_A, KEY_B, 0)); /* no reservation */
	check_attentions(&b, SENSE_NONE, SENSE_REGISTRATIONS_PREEMPTED, SENSE_NONE);
	check_reservation(&b, 0, 0);
	check_keys(&b, 2, KEY_A, KEY_C, 0);
	join(&b, B, KEY_B);
	assert_good(prout(&b, A, PR_RESERVE, WE, KEY_A, 0, 0));
	assert_bad_parameter(prout(&b, B, PR_PREEMPT, EA, KEY_B, 0, 0), 8, 8);
	assert_good(prout(&b, C, PR_PREEMPT, EA, KEY_C, KEY_B, 0)); /* not the holder's key */
	check_reservation(&b, WE, KEY_A);
	check_attentions(&b, SENSE_NONE, SENSE_REGISTRATIONS_PREEMPTED, SENSE_NONE);
	check_keys(&b, 2, KEY_A, KEY_C, 0);
	bench_close(&b);
}

static void
test_preempt_all_registrants_by_key(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, false);
	join(&b, A, KEY_A);
	join(&b, B, KEY_B);
	assert_good(prout(&b, A, PR_RESERVE, WEAR, KEY_A, 0, 0));
	assert_good(prout(&b, A, PR_PREEMPT, EA, KEY_A, KEY_B, 0));
	check_reservation(&b, WEAR, 0);
	check_keys(&b, 1, KEY_A, 0, 0);
	assert_good(prout(&b, A, PR_PREEMPT, EA, KEY_A, KEY_A, 0)); /* itself, the last one */
	check_keys(&b, 0, 0, 0, 0);
	check_reservation(&b, 0, 0);
	check_attentions(&b, SENSE_NONE, SENSE_REGISTRATIONS_PREEMPTED, SENSE_NONE);
	bench_close(&b);
}

/* A holder may preempt itself to change the type. */
static void
test_preempt_own(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, false);
	join(&b, A, KEY_A);
	join(&b, B, KEY_B);
	assert_good(prout(&b, A, PR_RESERVE, WE, KEY_A, 0, 0));
	assert_good(prout(&b, A, PR_PREEMPT, EARO, KEY_A, KEY_A, 0));
	check_reservation(&b, EARO, KEY_A);
	check_keys(&b, 2, KEY_A, KEY_B, 0);
	check_attentions(&b, SENSE_NONE, SENSE_RESERVATIONS_RELEASED, SENSE_NONE);
	bench_close(&b);
}

/* The write of who is preempted is in the program: the status waits for its end. */
static void
test_preempt_and_abort_waits(void **state)
{
	static const uint8_t block[512] = {7}, write[10] = {0x2a, [8] = 1};
	uint8_t cdb[10] = {0x5f, PR_PREEMPT_AND_ABORT, WE, [8] = 24}, list[24] = {0};
	struct scsi_fake_task w, p;
	struct bench b;

	(void)state;
	bench_open(&b, false);
	join(&b, A, KEY_A);
	join(&b, B, KEY_B);
	assert_good(prout(&b, A, PR_RESERVE, WE, KEY_A, 0, 0));
	scsi_fake_hold(&b.f);
	assert_true(scsi_fake_begin(&w, b.nexus[A], 0, write, sizeof(write), SCSI_SIMPLE, 5));
	scsi_fake_execute(&w, block, sizeof(block));
	scsi_fake_wait_held(&b.f, 1);
	put_be64(list, KEY_B);
	put_be64(list + 8, KEY_A);
	assert_true(scsi_fake_begin(&p, b.nexus[B], 0, cdb, sizeof(cdb), SCSI_SIMPLE, 6));
	scsi_fake_execute(&p, list, sizeof(list));
	/* in force at once, but not answered */
	while (tur(&b, A).res.asc != 0x2a)
		;
	assert_false(scsi_fake_is_done(&p));
	scsi_fake_release(&b.f);
	scsi_fake_wait(&p);
	assert_true(scsi_fake_is_done(&w));
	assert_true(w.task.aborted);
	assert_int_equal(p.task.result.status, SCSI_GOOD);
	scsi_fake_task_fini(&w);
	scsi_fake_task_fini(&p);
	assert_conflict(run(&b, A, write, sizeof(write), block, sizeof(block)));
	bench_close(&b);
}

/* ---------------------------------------------------------------- REGISTER AND MOVE */

static struct scsi_fake_reply
move_to(struct bench *b, unsigned who, uint64_t key, uint64_t new_key, uint8_t flags, uint16_t port,
	char initiator, unsigned isid)
{
	uint8_t list[56] = {0};

	put_be64(list, key);
	put_be64(list + 8, new_key);
	list[17] = flags;
	put_be16(list + 18, port);
	list[23] = 32;
	make_id(initiator, isid, list + 24);
	return prout_list(b, who, PR_REGISTER_AND_MOVE, 0, list, sizeof(list));
}

static void
test_move(void **state)
{
	uint8_t list[88] = {[19] = 1, [23] = 64};
	struct bench b;

	(void)state;
	bench_open(&b, false);
	assert_conflict(move_to(&b, A, KEY_A, KEY_C, 0, 1, 'c', 3));
	join(&b, A, KEY_A);
	join(&b, B, KEY_B);
	assert_conflict(move_to(&b, A, KEY_B, KEY_C, 0, 1, 'c', 3));
	assert_sense(move_to(&b, A, KEY_A, KEY_C, 0, 1, 'c', 3), SENSE_INVALID_FIELD_IN_CDB);
	assert_good(prout(&b, A, PR_RESERVE, WE, KEY_A, 0, 0));
	assert_sense(move_to(&b, B, KEY_B, KEY_C, 0, 1, 'c', 3), SENSE_INVALID_FIELD_IN_CDB);
	assert_bad_parameter(move_to(&b, A, KEY_A, 0, 0, 1, 'c', 3), 8, 8);
	assert_bad_parameter(move_to(&b, A, KEY_A, KEY_C, 0, 9, 'c', 3), 18, 8);
	assert_bad_parameter(move_to(&b, A, KEY_A, KEY_C, 0, 1, 'a', 1), 24, 8);
	assert_bad_parameter(move_to(&b, A, KEY_A, KEY_C, APTPL, 1, 'c', 3), 17, 0);
	make_id('b', 2, list + 24);
	make_id('c', 3, list + 56);
	assert_bad_parameter(prout_list(&b, A, PR_REGISTER_AND_MOVE, 0, list, 88), 20, 8);
	list[23] = 0;
	assert_bad_parameter(prout_list(&b, A, PR_REGISTER_AND_MOVE, 0, list, 24), 20, 8);
	assert_sense(prout_list(&b, A, PR_REGISTER_AND_MOVE, 0, list, 56),
		     SENSE_PARAMETER_LIST_LENGTH);
	check_reservation(&b, WE, KEY_A);
	assert_good(move_to(&b, A, KEY_A, KEY_C, 0, 1, 'c', 3));
	check_reservation(&b, WE, KEY_C);
	check_keys(&b, 3, KEY_A, KEY_B, KEY_C);
	assert_int_equal(generation(&b), 3);
	/* on to one that is registered, leaving for good */
	assert_good(move_to(&b, C, KEY_C, KEY_A, 0x02, 1, 'b', 2));
	check_reservation(&b, WE, KEY_A);
	check_keys(&b, 2, KEY_A, KEY_A, 0);
	assert_good(prout(&b, B, PR_RELEASE, WE, KEY_A, 0, 0));
	assert_good(prout(&b, B, PR_RESERVE, EAAR, KEY_A, 0, 0));
	assert_conflict(move_to(&b, B, KEY_A, KEY_C, 0, 1, 'c', 3));
	bench_close(&b);
}

/* ---------------------------------------------------------------- PERSISTENT RESERVE IN */

static void
test_in_replies(void **state)
{
	uint8_t keys[24] = {0, 0, 0, 2, 0, 0, 0, 16, [15] = KEY_A, [23] = KEY_B};
	uint8_t reservation[24] = {0, 0, 0, 2, 0, 0, 0, 16, [15] = KEY_A, [21] = WERO};
	uint8_t capabilities[8] = {0, 8, 0x1c, 0x80, 0xea, 0x01};
	uint8_t full[8 + 2 * 56] = {0, 0, 0, 2, 0, 0, 0, 112};
	const struct {
		const uint8_t *bytes;
		size_t n;
	} want[] = {{keys, 24}, {reservation, 24}, {capabilities, 8}, {full, sizeof(full)}};
	struct bench b;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *d = full + 8 + 56 * i;

		d[7] = i ? KEY_B : KEY_A;
		d[12] = !i; /* R_HOLDER */
		d[13] = i ? 0 : WERO;
		d[19] = 1;
		d[23] = 32;
		make_id(i ? 'b' : 'a', i + 1, d + 24);
	}
	bench_open(&b, false);
	join(&b, A, KEY_A);
	join(&b, B, KEY_B);
	assert_good(prout(&b, A, PR_RESERVE, WERO, KEY_A, 0, 0));
	for (uint8_t i = 0; i < 4; i++) {
		const uint8_t cdb[10] = {0x5e, i};

		check_truncation(&b.f, cdb, sizeof(cdb), 7, 2, want[i].bytes, want[i].n);
	}
	bench_close(&b);
}

/* ---------------------------------------------------------------- APTPL */

static void
test_aptpl(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(all_types); t++) {
		unsigned type = all_types[t];
		struct bench b;

		bench_open(&b, true);
		assert_int_equal(prin(&b, 2).in[2], 0x1d);
		assert_int_equal(prin(&b, 2).in[3], 0x80);
		assert_good(prout(&b, A, PR_REGISTER, 0, 0, KEY_A, APTPL));
		assert_int_equal(prin(&b, 2).in[3], 0x81);
		assert_good(prout(&b, B, PR_REGISTER, 0, 0, KEY_B, APTPL));
		assert_good(prout(&b, B, PR_RESERVE, type, KEY_B, 0, 0));
		bench_restart(&b);
		check_keys(&b, 2, KEY_A, KEY_B, 0);
		check_reservation(&b, (uint8_t)type, is_all(type) ? 0 : KEY_B);
		assert_int_equal(generation(&b), 0);
		assert_int_equal(prin(&b, 2).in[3], 0x81);
		assert_conflict(run(&b, C, (const uint8_t[10]){0x2a, [8] = 1}, 10, "", 1));
		/* the last REGISTER decides: without APTPL nothing comes back */
		assert_good(prout(&b, A, PR_REGISTER, 0, KEY_A, KEY_C, 0));
		bench_restart(&b);
		check_keys(&b, 0, 0, 0, 0);
		check_reservation(&b, 0, 0);
		bench_close(&b);
	}
}

static void
flip_byte(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void
test_damaged_file(void **state)
{
	char aside[80];
	struct bench b;

	(void)state;
	bench_open(&b, true);
	assert_good(prout(&b, A, PR_REGISTER, 0, 0, KEY_A, APTPL));
	flip_byte(b.path, 40);
	bench_restart(&b);
	check_keys(&b, 0, 0, 0, 0);
	snprintf(aside, sizeof(aside), "%s.corrupt", b.path);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(access(b.path, F_OK), -1);
	/* and it works on */
	assert_good(prout(&b, A, PR_REGISTER, 0, 0, KEY_A, APTPL));
	bench_restart(&b);
	check_keys(&b, 1, KEY_A, 0, 0);
	bench_close(&b);
}

/* Every byte of the file counts, every shorter file is refused, so is another unit's. */
static void
test_file_format(void **state)
{
	const uint8_t guid[16] = {1, 2, 3}, other[16] = {1, 2, 4};
	struct pr_state s = {0}, back;
	struct pr_request req = {.action = PR_REGISTER_AND_IGNORE, .from = {.target_port = 1}};
	uint8_t *bytes;
	size_t size;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		req.action_key = i + 1;
		req.from.n_transport_id = (uint16_t)make_id('a', i, req.from.transport_id);
		assert_true(scsi_ok(pr_state_apply(&s, &req)));
	}
	req.action = PR_RESERVE;
	req.type = EA;
	req.key = 3;
	assert_true(scsi_ok(pr_state_apply(&s, &req)));
	assert_int_equal(pr_file_encode(&s, guid, &bytes, &size), 0);
	assert_int_equal(pr_file_decode(bytes, size, guid, &back), 0);
	assert_int_equal(back.n, 3);
	assert_int_equal(back.type, EA);
	assert_true(back.registrants[2].is_holder && !back.registrants[1].is_holder);
	pr_state_fini(&back);
	assert_int_equal(pr_file_decode(bytes, size, other, &back), -EBADMSG);
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(pr_file_decode(bytes, i, guid, &back), -EBADMSG);
		bytes[i] ^= 1;
		assert_int_equal(pr_file_decode(bytes, size, guid, &back), -EBADMSG);
		bytes[i] ^= 1;
	}
	free(bytes);
	pr_state_fini(&s);
}

/* What cannot be saved is not in force. */
static void
test_save_fails(void **state)
{
	char moved[64];
	struct bench b;

	(void)state;
	bench_open(&b, true);
	join(&b, B, KEY_B);
	snprintf(moved, sizeof(moved), "%s-away", b.folder);
	assert_int_equal(rename(b.folder, moved), 0);
	assert_sense(prout(&b, A, PR_REGISTER, 0, 0, KEY_A, APTPL),
		     SENSE_INSUFFICIENT_REGISTRATION_RESOURCES);
	check_keys(&b, 1, KEY_B, 0, 0);
	assert_int_equal(generation(&b), 1);
	assert_int_equal(rename(moved, b.folder), 0);
	assert_good(prout(&b, A, PR_REGISTER, 0, 0, KEY_A, APTPL));
	bench_close(&b);
}

/* ---------------------------------------------------------------- threads */

struct worker {
	struct bench *b;
	unsigned who;
};

static void *
churn(void *arg)
{
	struct worker *w = arg;
	uint64_t key = KEY_A + w->who;

	for (unsigned i = 0; i < 200; i++) {
		(void)prout(w->b, w->who, PR_REGISTER_AND_IGNORE, 0, 0, key, 0);
		(void)prout(w->b, w->who, PR_RESERVE, WERO, key, 0, 0);
		(void)prin(w->b, 3);
		(void)run(w->b, w->who, (const uint8_t[10]){0x28, [8] = 1}, 10, NULL, 0);
		(void)prout(w->b, w->who, PR_PREEMPT_AND_ABORT, WERO, key,
			    KEY_A + (w->who + 1) % 3, 0);
		(void)prout(w->b, w->who, i % 2 ? PR_CLEAR : PR_RELEASE, WERO, key, 0, 0);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t threads[3];
	struct worker workers[3];
	struct scsi_fake_reply r;
	struct bench b;

	(void)state;
	bench_open(&b, false);
	for (unsigned i = 0; i < 3; i++) {
		workers[i] = (struct worker){&b, i};
		assert_int_equal(pthread_create(&threads[i], NULL, churn, &workers[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	clear_attentions(&b);
	r = prin(&b, 0);
	assert_good(r);
	assert_in_range(get_be32(r.in + 4), 0, 24);
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_66),
		cmocka_unit_test(test_block_doors),
		cmocka_unit_test(test_register),
		cmocka_unit_test(test_parameter_list),
		cmocka_unit_test(test_cdb),
		cmocka_unit_test(test_spec_i_pt),
		cmocka_unit_test(test_all_target_ports),
		cmocka_unit_test(test_registration_limit),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_unregister_holder),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_preempt_reservation),
		cmocka_unit_test(test_preempt_registration),
		cmocka_unit_test(test_preempt_all_registrants_by_key),
		cmocka_unit_test(test_preempt_own),
		cmocka_unit_test(test_preempt_and_abort_waits),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_in_replies),
		cmocka_unit_test(test_aptpl),
		cmocka_unit_test(test_damaged_file),
		cmocka_unit_test(test_file_format),
		cmocka_unit_test(test_save_fails),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
