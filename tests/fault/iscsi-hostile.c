/*
 * A peer that breaks the rules loses its own connection and nothing else: after each attack a well
 * behaved initiator still reads what it wrote, and at the end no descriptor is left.
 *
 * The target runs in this process; the peers are sockets that are written to byte by byte.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/log.h"
#include "transport/iscsi/digest.h"
#include "transport/iscsi/door.h"
#include "transport/iscsi/pdu.h"
#include "transport/iscsi/text.h"

enum { BLOCKS = 8192, LENGTH = 512, WAIT_MS = 20000 };
#define IQN "iqn.2026-01.com.example:victim"

/* The victim */

static unsigned char medium[BLOCKS * LENGTH];
static struct scsi_unit *unit;
static struct scsi_door_instance *instance;
static uint16_t port;

static bool
medium_submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	unsigned char *at = medium + req->lba * LENGTH;

	if (req->kind == SCSI_IO_READ)
		memcpy(req->data, at, req->size);
	else if (req->kind == SCSI_IO_WRITE)
		memcpy(at, req->data, req->size);
	*ret_res = scsi_good();
	return true;
}

static const struct scsi_backend_ops medium_ops = {
	.kinds =
		SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) | SCSI_IO_BIT(SCSI_IO_FLUSH),
	.submit = medium_submit,
};

static void
find_port(void)
{
	struct buf json = BUF_INIT;
	const char *at;

	door_iscsi.describe(instance, &json);
	at = strstr(buf_str(&json), "127.0.0.1:");
	assert_non_null(at);
	port = (uint16_t)atoi(at + 10);
	buf_fini(&json);
}

static int
victim_start(void **state)
{
	struct scsi_unit_params params = {.guid = {1},
					  .n_blocks = BLOCKS,
					  .block_length = LENGTH,
					  .max_transfer = 1 << 20,
					  .vendor = "V",
					  .product = "P",
					  .revision = "1"};
	struct scsi_door_params door = {.device_name = "iscsi://127.0.0.1:0/" IQN "?sessions=4"};
	struct scsi_door_error error = {0};
	char text[200];

	assert_int_equal(scsi_unit_create(&params, &medium_ops, NULL, text, sizeof(text), &unit),
			 0);
	assert_int_equal(scsi_unit_start(unit, 1), 0);
	assert_int_equal(door_iscsi.attach(unit, &door, &error, &instance), 0);
	assert_int_equal(door_iscsi.start(instance, &error), 0);
	find_port();
	return 0;
}

static int
victim_stop(void **state)
{
	door_iscsi.detach(instance);
	scsi_unit_stop(unit);
	scsi_unit_unref(unit);
	return 0;
}

/* A peer */

struct peer {
	int fd;
	uint32_t cmd_sn, itt;
	uint8_t bhs[ISCSI_BHS_SIZE]; /* the last that came */
	uint8_t data[1 << 16];
	uint32_t n_data;
	bool digests;
};

static void
peer_connect(struct peer *p)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	memset(p, 0, sizeof(*p));
	p->cmd_sn = 100;
	p->itt = 1;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->fd >= 0);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static void
peer_close(struct peer *p)
{
	close(p->fd);
	p->fd = -1;
}

/* The target may have closed: that is no failure of the test. */
static void
peer_write(struct peer *p, const void *bytes, size_t size)
{
	(void)!send(p->fd, bytes, size, MSG_NOSIGNAL);
}

/* False: the end, or a reset. */
static bool
peer_read(struct peer *p, void *bytes, size_t size)
{
	for (size_t n = 0; n < size;) {
		struct pollfd fd = {p->fd, POLLIN, 0};
		ssize_t got;

		if (poll(&fd, 1, WAIT_MS) != 1)
			fail_msg("no answer");
		got = recv(p->fd, (char *)bytes + n, size - n, 0);
		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	return true;
}

static void
expect_end(struct peer *p)
{
	char byte;

	while (peer_read(p, &byte, 1))
		;
	peer_close(p);
}

/* The next PDU from the target; false: the end. */
static bool
peer_receive(struct peer *p)
{
	uint8_t digest[4];

	if (!peer_read(p, p->bhs, sizeof(p->bhs)) || (p->digests && !peer_read(p, digest, 4)))
		return false;
	p->n_data = iscsi_segment_size(p->bhs);
	assert_true(p->n_data <= sizeof(p->data) - 4);
	if (!peer_read(p, p->data, p->n_data + iscsi_padding(p->n_data)))
		return false;
	return !p->digests || !p->n_data || peer_read(p, digest, 4);
}

static void
expect_pdu(struct peer *p, enum iscsi_opcode opcode)
{
	assert_true(peer_receive(p));
	assert_int_equal(iscsi_opcode(p->bhs), opcode);
}

static void
expect_reject(struct peer *p, enum iscsi_reject reason)
{
	expect_pdu(p, ISCSI_OP_REJECT);
	assert_int_equal(p->bhs[2], reason);
}

/* flip: which digest is spoilt */
enum { FLIP_NONE, FLIP_HEADER, FLIP_DATA };

static void
peer_send_flipped(struct peer *p, uint8_t *bhs, const void *data, uint32_t n, int flip)
{
	uint8_t digest[4], zero[4] = {0};

	put_be24(bhs + 5, n);
	peer_write(p, bhs, ISCSI_BHS_SIZE);
	if (p->digests) {
		iscsi_crc_end(iscsi_crc_add(ISCSI_CRC_START, bhs, ISCSI_BHS_SIZE), digest);
		digest[0] ^= flip == FLIP_HEADER;
		peer_write(p, digest, 4);
	}
	peer_write(p, data, n);
	peer_write(p, zero, iscsi_padding(n));
	if (p->digests && n > 0) {
		uint32_t crc = iscsi_crc_add(ISCSI_CRC_START, data, n);

		iscsi_crc_end(iscsi_crc_add(crc, zero, iscsi_padding(n)), digest);
		digest[0] ^= flip == FLIP_DATA;
		peer_write(p, digest, 4);
	}
}

static void
peer_send(struct peer *p, uint8_t *bhs, const void *data, uint32_t n)
{
	peer_send_flipped(p, bhs, data, n, FLIP_NONE);
}

/* Login */

static const char plain[] = "InitiatorName=iqn.2026-01.com.example:peer\0"
			    "TargetName=" IQN "\0SessionType=Normal\0InitialR2T=Yes\0"
			    "MaxRecvDataSegmentLength=32768\0MaxBurstLength=2048\0"
			    "MaxOutstandingR2T=2";
static const char with_digests[] = "InitiatorName=iqn.2026-01.com.example:peer\0"
				   "TargetName=" IQN "\0HeaderDigest=CRC32C\0DataDigest=CRC32C";

static void
login_header(struct peer *p, uint8_t bhs[ISCSI_BHS_SIZE], uint8_t flags, uint8_t isid)
{
	iscsi_pdu_init(bhs, ISCSI_OP_LOGIN_REQUEST, 0, p->itt);
	bhs[0] |= ISCSI_IMMEDIATE;
	bhs[1] = flags;
	bhs[ISCSI_AT_ISID] = 0x80;
	bhs[ISCSI_AT_ISID + 5] = isid;
	put_be32(bhs + ISCSI_AT_CMD_SN, p->cmd_sn);
}

enum { TO_FULL = 0x87 }; /* T, CSG operational, NSG full feature */

static uint16_t
try_login(struct peer *p, const char *text, size_t n, uint8_t flags, uint8_t isid)
{
	uint8_t bhs[ISCSI_BHS_SIZE];

	login_header(p, bhs, flags, isid);
	peer_send(p, bhs, text, (uint32_t)n);
	expect_pdu(p, ISCSI_OP_LOGIN_RESPONSE);
	return get_be16(p->bhs + 36);
}

/* Connections of an attack may still be among those that have not logged in: then it is refused,
 * and comes again. */
static void
peer_login(struct peer *p, uint8_t isid)
{
	uint8_t bhs[ISCSI_BHS_SIZE];

	for (int i = 0; i < 2000; i++) {
		peer_connect(p);
		login_header(p, bhs, TO_FULL, isid);
		peer_send(p, bhs, plain, sizeof(plain));
		if (peer_receive(p) && get_be16(p->bhs + 36) == 0) {
			assert_int_equal(p->bhs[1], TO_FULL);
			return;
		}
		peer_close(p);
		usleep(10000);
	}
	fail_msg("no login succeeds");
}

static void
peer_login_digests(struct peer *p)
{
	peer_connect(p);
	assert_int_equal(try_login(p, with_digests, sizeof(with_digests), TO_FULL, 9), 0);
	p->digests = true;
}

/* Commands */

static void
command_header(struct peer *p, uint8_t bhs[ISCSI_BHS_SIZE], uint8_t opcode, uint8_t flags,
	       uint32_t edtl, uint16_t n_blocks)
{
	iscsi_pdu_init(bhs, ISCSI_OP_SCSI_COMMAND, 0, ++p->itt);
	bhs[1] = flags | ISCSI_FINAL;
	put_be32(bhs + ISCSI_AT_TTT, edtl);
	put_be32(bhs + ISCSI_AT_CMD_SN, p->cmd_sn++);
	bhs[ISCSI_AT_CDB] = opcode;
	put_be16(bhs + ISCSI_AT_CDB + 7, n_blocks);
}

/* The status and, of a CHECK CONDITION, key, ASC and ASCQ as 0xKAABB. */
static uint32_t
expect_status(struct peer *p)
{
	expect_pdu(p, ISCSI_OP_SCSI_RESPONSE);
	assert_int_equal(get_be32(p->bhs + ISCSI_AT_ITT), p->itt);
	if (p->bhs[3] != SCSI_CHECK_CONDITION)
		return p->bhs[3];
	assert_true(p->n_data >= 2 + 18);
	return (uint32_t)(p->data[2 + 2] & 15) << 16 | (uint32_t)p->data[2 + 12] << 8 |
	       p->data[2 + 13];
}

/* The unit attention of a new nexus */
static void
clear_attention(struct peer *p)
{
	uint8_t bhs[ISCSI_BHS_SIZE];

	command_header(p, bhs, 0x00, 0, 0, 0);
	peer_send(p, bhs, NULL, 0);
	assert_int_equal(expect_status(p), 0x62900);
}

static void
peer_ready(struct peer *p, uint8_t isid)
{
	peer_login(p, isid);
	clear_attention(p);
}

static void
data_out(struct peer *p, uint8_t bhs[ISCSI_BHS_SIZE], uint32_t data_sn, uint32_t offset, bool final)
{
	uint32_t ttt = get_be32(p->bhs + ISCSI_AT_TTT); /* of the R2T that came last */

	iscsi_pdu_init(bhs, ISCSI_OP_DATA_OUT, 0, p->itt);
	bhs[1] = final ? ISCSI_FINAL : 0;
	put_be32(bhs + ISCSI_AT_TTT, ttt);
	put_be32(bhs + ISCSI_AT_DATA_SN, data_sn);
	put_be32(bhs + ISCSI_AT_BUFFER_OFFSET, offset);
}

/* WRITE(10) of four blocks, up to its R2T */
static void
begin_write(struct peer *p)
{
	uint8_t bhs[ISCSI_BHS_SIZE];

	command_header(p, bhs, 0x2a, ISCSI_COMMAND_WRITE, 2048, 4);
	peer_send(p, bhs, NULL, 0);
	expect_pdu(p, ISCSI_OP_R2T);
	assert_int_equal(get_be32(p->bhs + ISCSI_AT_RESIDUAL), 2048);
}

/* Writes by R2T and immediately, reads it back: all is well. */
static void
check_victim(void)
{
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE], bytes[2048];
	static uint8_t fill;

	memset(bytes, ++fill, sizeof(bytes));
	peer_ready(&p, 77);
	begin_write(&p);
	data_out(&p, bhs, 0, 0, true);
	peer_send(&p, bhs, bytes, 2048);
	assert_int_equal(expect_status(&p), 0);
	bytes[0] ^= 0xff;
	command_header(&p, bhs, 0x2a, ISCSI_COMMAND_WRITE, 512, 1);
	peer_send(&p, bhs, bytes, 512);
	assert_int_equal(expect_status(&p), 0);
	command_header(&p, bhs, 0x28, ISCSI_COMMAND_READ, 2048, 4);
	peer_send(&p, bhs, NULL, 0);
	expect_pdu(&p, ISCSI_OP_DATA_IN);
	assert_int_equal(p.bhs[1], ISCSI_FINAL | ISCSI_DATA_IN_STATUS);
	assert_int_equal(p.n_data, 2048);
	assert_memory_equal(p.data, bytes, 2048);
	peer_close(&p);
}

/* Attacks on the login */

static void
garbage(void **state)
{
	struct peer p;
	uint8_t bytes[4096];

	for (unsigned seed = 0; seed < 64; seed++) {
		uint32_t x = seed * 2654435761u + 1;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			x = x * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(x >> 24);
		}
		/* Half of them at least look like a login at first. */
		if (seed & 1) {
			bytes[0] = 0x43;
			bytes[4] = bytes[5] = 0;
			bytes[6] &= 7;
		}
		peer_connect(&p);
		peer_write(&p, bytes, sizeof(bytes));
		shutdown(p.fd, SHUT_WR);
		expect_end(&p);
	}
	check_victim();
}

static void
refused_logins(void **state)
{
#define NAME "InitiatorName=iqn.2026-01.com.example:peer\0"
	static const struct {
		const char *text;
		size_t n;
		uint8_t flags;
		uint16_t status;
	} rows[] = {
#define ROW(text, flags, status) {text, sizeof(text), flags, status}
		ROW("TargetName=" IQN, TO_FULL, ISCSI_LOGIN_MISSING_PARAMETER),
		ROW(NAME, TO_FULL, ISCSI_LOGIN_MISSING_PARAMETER),
		ROW(NAME "TargetName=iqn.2026-01.com.example:other", TO_FULL,
		    ISCSI_LOGIN_NOT_FOUND),
		ROW(NAME "TargetName=" IQN "\0SessionType=Odd", TO_FULL, ISCSI_LOGIN_SESSION_TYPE),
		ROW(NAME "TargetName=" IQN "\0InitialR2T=No\0InitialR2T=No", TO_FULL,
		    ISCSI_LOGIN_INITIATOR_ERROR),
		ROW(NAME "TargetName=" IQN "\0AuthMethod=CHAP", 0x81, ISCSI_LOGIN_AUTHENTICATION),
		ROW(NAME "TargetName=" IQN "\0CHAP_N=x\0CHAP_R=0x00", 0x81,
		    ISCSI_LOGIN_INITIATOR_ERROR),
		ROW(NAME "TargetName=" IQN "\0no pair", TO_FULL, ISCSI_LOGIN_INITIATOR_ERROR),
		ROW("InitiatorName=peer\0TargetName=" IQN, TO_FULL, ISCSI_LOGIN_INITIATOR_ERROR),
		ROW(plain, 0x86, ISCSI_LOGIN_INITIATOR_ERROR), /* NSG reserved */
		ROW(plain, 0x85, ISCSI_LOGIN_INITIATOR_ERROR), /* to where it is */
		ROW(plain, 0x8c, ISCSI_LOGIN_INITIATOR_ERROR), /* CSG full feature */
		ROW(plain, 0xc7, ISCSI_LOGIN_INITIATOR_ERROR), /* T and C */
	};
	struct peer p;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		peer_connect(&p);
		assert_int_equal(try_login(&p, rows[i].text, rows[i].n, rows[i].flags, 1),
				 rows[i].status);
		expect_end(&p);
	}
	check_victim();
}

static void
logins_of_wrong_form(void **state)
{
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE], bytes[9000] = {0};

	/* Longer than a login may be; with additional headers; a command before the login */
	for (int i = 0; i < 3; i++) {
		peer_connect(&p);
		login_header(&p, bhs, TO_FULL, 1);
		if (i == 1)
			bhs[4] = 1;
		if (i == 2)
			bhs[0] = ISCSI_OP_SCSI_COMMAND;
		peer_send(&p, bhs, bytes, i == 0 ? 8196 : 4);
		expect_end(&p);
	}
	/* A version that nobody has; a session to join that is not there */
	peer_connect(&p);
	login_header(&p, bhs, TO_FULL, 1);
	bhs[3] = 1;
	peer_send(&p, bhs, plain, sizeof(plain));
	expect_pdu(&p, ISCSI_OP_LOGIN_RESPONSE);
	assert_int_equal(get_be16(p.bhs + 36), ISCSI_LOGIN_VERSION);
	expect_end(&p);
	peer_connect(&p);
	login_header(&p, bhs, TO_FULL, 1);
	put_be16(bhs + ISCSI_AT_TSIH, 4711);
	peer_send(&p, bhs, plain, sizeof(plain));
	expect_pdu(&p, ISCSI_OP_LOGIN_RESPONSE);
	assert_int_equal(get_be16(p.bhs + 36), ISCSI_LOGIN_NO_SESSION);
	expect_end(&p);
	check_victim();
}

/* Text that goes on and on ends the login, not the memory. */
static void
endless_text(void **state)
{
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE], bytes[8192];
	bool ended = false;

	memset(bytes, 'x', sizeof(bytes));
	peer_connect(&p);
	for (int i = 0; i < 16 && !ended; i++) {
		login_header(&p, bhs, ISCSI_CONTINUE | 0x04, 1);
		peer_send(&p, bhs, bytes, sizeof(bytes));
		expect_pdu(&p, ISCSI_OP_LOGIN_RESPONSE);
		ended = get_be16(p.bhs + 36) != 0;
	}
	assert_true(ended);
	expect_end(&p);
	check_victim();
}

/* Attacks in full feature phase */

static void
broken_digests(void **state)
{
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE], bytes[512] = {0};

	peer_login_digests(&p);
	clear_attention(&p);
	command_header(&p, bhs, 0x2a, ISCSI_COMMAND_WRITE, 512, 1);
	peer_send_flipped(&p, bhs, bytes, 512, FLIP_DATA);
	expect_reject(&p, ISCSI_REJECT_DATA_DIGEST);
	/* Not counted as received: the same again is welcome. */
	peer_send(&p, bhs, bytes, 512);
	assert_int_equal(expect_status(&p), 0);
	command_header(&p, bhs, 0x2a, ISCSI_COMMAND_WRITE, 512, 1);
	peer_send_flipped(&p, bhs, bytes, 512, FLIP_HEADER);
	expect_end(&p);
	check_victim();
}

static void
data_that_nobody_asked_for(void **state)
{
	enum { CRC = 0xb4705, UNEXPECTED = 0xb0c0c, TOO_FEW = 0xb0c0d };
	static const struct {
		uint32_t data_sn, offset, n;
		uint32_t want;
	} rows[] = {
		{1, 0, 2048, CRC},	  {UINT32_MAX, 0, 2048, CRC},	  {0, 512, 512, UNEXPECTED},
		{0, 0, 2052, UNEXPECTED}, {0, UINT32_MAX, 8, UNEXPECTED}, {0, 0, 1024, TOO_FEW},
	};
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE], bytes[4096] = {0};

	peer_ready(&p, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_write(&p);
		data_out(&p, bhs, rows[i].data_sn, rows[i].offset, true);
		peer_send(&p, bhs, bytes, rows[i].n);
		assert_int_equal(expect_status(&p), rows[i].want);
	}
	/* A tag that was never given out; data of no command at all; then the right ones */
	begin_write(&p);
	data_out(&p, bhs, 0, 0, true);
	put_be32(bhs + ISCSI_AT_TTT, get_be32(p.bhs + ISCSI_AT_TTT) + 1);
	peer_send(&p, bhs, bytes, 2048);
	data_out(&p, bhs, 0, 0, true);
	uint8_t right[ISCSI_BHS_SIZE];

	memcpy(right, bhs, sizeof(right));
	put_be32(bhs + ISCSI_AT_ITT, 4711);
	peer_send(&p, bhs, bytes, 2048);
	expect_reject(&p, ISCSI_REJECT_PROTOCOL);
	peer_send(&p, right, bytes, 2048);
	assert_int_equal(expect_status(&p), 0);
	/* Unsolicited data were not agreed on */
	command_header(&p, bhs, 0x2a, ISCSI_COMMAND_WRITE, 2048, 4);
	bhs[1] &= (uint8_t)~ISCSI_FINAL;
	peer_send(&p, bhs, NULL, 0);
	put_be32(p.bhs + ISCSI_AT_TTT, ISCSI_TAG_NONE);
	data_out(&p, bhs, 0, 0, true);
	peer_send(&p, bhs, bytes, 2048);
	assert_int_equal(expect_status(&p), UNEXPECTED);
	peer_close(&p);
	check_victim();
}

static void
pdus_out_of_place(void **state)
{
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE], again[ISCSI_BHS_SIZE];

	peer_ready(&p, 1);
	/* Twice the same tag */
	begin_write(&p);
	command_header(&p, bhs, 0x00, 0, 0, 0);
	put_be32(bhs + ISCSI_AT_ITT, --p.itt);
	peer_send(&p, bhs, NULL, 0);
	expect_reject(&p, ISCSI_REJECT_TASK_IN_PROGRESS);
	p.itt++;
	/* SNACK, an opcode that is none, both directions at once */
	iscsi_pdu_init(bhs, ISCSI_OP_SNACK, 0, ISCSI_TAG_NONE);
	peer_send(&p, bhs, NULL, 0);
	expect_reject(&p, ISCSI_REJECT_SNACK);
	iscsi_pdu_init(bhs, 0x1e, 0, 5);
	put_be32(bhs + ISCSI_AT_CMD_SN, p.cmd_sn++);
	peer_send(&p, bhs, NULL, 0);
	expect_reject(&p, ISCSI_REJECT_NOT_SUPPORTED);
	command_header(&p, bhs, 0x28, ISCSI_COMMAND_READ | ISCSI_COMMAND_WRITE, 512, 1);
	peer_send(&p, bhs, NULL, 0);
	assert_int_equal(expect_status(&p), 0xb0e00);
	/* Numbers outside the window go without a word: what is answered next is the one inside. */
	command_header(&p, bhs, 0x00, 0, 0, 0);
	memcpy(again, bhs, sizeof(again));
	put_be32(again + ISCSI_AT_CMD_SN, p.cmd_sn - 2);
	peer_send(&p, again, NULL, 0);
	put_be32(again + ISCSI_AT_CMD_SN, p.cmd_sn + 1000);
	peer_send(&p, again, NULL, 0);
	peer_send(&p, bhs, NULL, 0);
	assert_int_equal(expect_status(&p), 0);
	peer_close(&p);
	check_victim();
}

/* Two commands in the wrong order run in the right one. */
static void
numbers_out_of_order(void **state)
{
	struct peer p;
	uint8_t first[ISCSI_BHS_SIZE], second[ISCSI_BHS_SIZE], bytes[512] = {1};

	peer_ready(&p, 1);
	command_header(&p, first, 0x00, 0, 0, 0);
	command_header(&p, second, 0x2a, ISCSI_COMMAND_WRITE, 512, 1);
	peer_send(&p, second, bytes, 512);
	peer_send(&p, first, NULL, 0);
	p.itt--;
	assert_int_equal(expect_status(&p), 0);
	p.itt++;
	assert_int_equal(expect_status(&p), 0);
	peer_close(&p);
	check_victim();
}

static void
lengths_beyond_all_limits(void **state)
{
	static const uint8_t opcodes[] = {ISCSI_OP_NOP_OUT, ISCSI_OP_TEXT_REQUEST,
					  ISCSI_OP_SCSI_COMMAND, ISCSI_OP_DATA_OUT};
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE];

	for (size_t i = 0; i < sizeof(opcodes); i++) {
		peer_ready(&p, 1);
		iscsi_pdu_init(bhs, opcodes[i], 0xffffff, 7);
		put_be32(bhs + ISCSI_AT_CMD_SN, p.cmd_sn);
		peer_write(&p, bhs, sizeof(bhs));
		expect_end(&p);
	}
	check_victim();
}

/* Cut off after any number of bytes of a session with a write under way. */
static void
cut_anywhere(void **state)
{
	uint8_t script[2048], bhs[ISCSI_BHS_SIZE];
	size_t n = 0, n_login;
	struct peer p = {.cmd_sn = 100, .itt = 1};

	login_header(&p, bhs, TO_FULL, 3);
	put_be24(bhs + 5, sizeof(plain));
	memcpy(script, bhs, sizeof(bhs));
	memcpy(script + sizeof(bhs), plain, sizeof(plain));
	n = n_login = sizeof(bhs) + ALIGN_UP(sizeof(plain), (size_t)4);
	memset(script + sizeof(bhs) + sizeof(plain), 0, iscsi_padding(sizeof(plain)));
	for (int i = 0; i < 3; i++) {
		command_header(&p, bhs, i ? 0x2a : 0x00, i ? ISCSI_COMMAND_WRITE : 0, i ? 2048 : 0,
			       i ? 4 : 0);
		put_be24(bhs + 5, i == 2 ? 256 : 0);
		memcpy(script + n, bhs, sizeof(bhs));
		n += sizeof(bhs);
	}
	memset(script + n, 5, 256);
	n += 256;
	for (size_t cut = 0; cut <= n; cut += cut < n_login ? 7 : 3) {
		peer_connect(&p);
		peer_write(&p, script, cut);
		peer_close(&p);
	}
	check_victim();
}

/* Attacks on resources */

/* More reads than the window takes, and no answer is read. */
static void
deaf_peer(void **state)
{
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE];
	int small = 4096;

	peer_ready(&p, 1);
	setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 300; i++) {
		command_header(&p, bhs, 0x28, ISCSI_COMMAND_READ, 1 << 20, 2048);
		peer_send(&p, bhs, NULL, 0);
	}
	check_victim();
	peer_close(&p);
}

/* Pings without end and no answer read: the target stops reading, not growing. */
static void
deaf_pings(void **state)
{
	struct peer p;
	uint8_t bhs[ISCSI_BHS_SIZE], bytes[8192] = {0};

	peer_ready(&p, 1);
	for (int i = 0; i < 5000; i++) {
		iscsi_pdu_init(bhs, ISCSI_OP_NOP_OUT, sizeof(bytes), 9);
		bhs[0] |= ISCSI_IMMEDIATE;
		if (send(p.fd, bhs, sizeof(bhs), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(bhs) ||
		    send(p.fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(bytes))
			break;
	}
	check_victim();
	peer_close(&p);
}

/* The connections that nobody logs in on are few; others are closed at once. */
static void
flood(void **state)
{
	enum { N = 400 };
	static struct peer peers[N];
	unsigned n_ended = 0;

	for (int i = 0; i < N; i++) {
		peer_connect(&peers[i]);
		peer_write(&peers[i], "C", 1); /* the first byte of a login, and never the second */
	}
	for (int i = 0; i < N; i++) {
		struct pollfd fd = {peers[i].fd, POLLIN, 0};

		/* The last ones have been refused when the first ones were taken */
		if (i >= N / 2) {
			assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
			n_ended++;
		}
		peer_close(&peers[i]);
	}
	assert_int_equal(n_ended, N / 2);
}

static unsigned
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void
after_the_flood(void **state)
{
	check_victim();
}

static void
more_sessions_than_allowed(void **state)
{
	struct peer p[5];
	int n = 0;

	/* Those of earlier tests may still be on their way out */
	for (int tries = 0; n < 4 && tries < 2000; tries++) {
		peer_connect(&p[n]);
		if (try_login(&p[n], plain, sizeof(plain), TO_FULL, (uint8_t)(10 + n)) == 0)
			n++;
		else
			expect_end(&p[n]);
	}
	assert_int_equal(n, 4);
	peer_connect(&p[4]);
	assert_int_equal(try_login(&p[4], plain, sizeof(plain), TO_FULL, 20),
			 ISCSI_LOGIN_NO_RESOURCES);
	expect_end(&p[4]);
	/* The same initiator port again is no fifth: it replaces its own. */
	peer_connect(&p[4]);
	assert_int_equal(try_login(&p[4], plain, sizeof(plain), TO_FULL, 10), 0);
	expect_end(&p[0]);
	for (int i = 1; i < 5; i++)
		peer_close(&p[i]);
	after_the_flood(state);
}

/* The end */

static void
the_target_says_farewell(void **state)
{
	struct scsi_door_error error = {0};
	struct peer p;

	peer_ready(&p, 1);
	assert_int_equal(door_iscsi.leave(instance, &error), -EBUSY);
	assert_non_null(strstr(error.text, "com.example:peer"));
	door_iscsi.stop(instance);
	expect_pdu(&p, ISCSI_OP_ASYNC);
	assert_int_equal(p.bhs[36], ISCSI_ASYNC_SESSION_DROP);
	expect_end(&p);
	assert_int_equal(door_iscsi.leave(instance, &error), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(garbage),
		cmocka_unit_test(refused_logins),
		cmocka_unit_test(logins_of_wrong_form),
		cmocka_unit_test(endless_text),
		cmocka_unit_test(broken_digests),
		cmocka_unit_test(data_that_nobody_asked_for),
		cmocka_unit_test(pdus_out_of_place),
		cmocka_unit_test(numbers_out_of_order),
		cmocka_unit_test(lengths_beyond_all_limits),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(deaf_peer),
		cmocka_unit_test(deaf_pings),
		cmocka_unit_test(flood),
		cmocka_unit_test(after_the_flood),
		cmocka_unit_test(more_sessions_than_allowed),
		cmocka_unit_test(the_target_says_farewell),
	};
	unsigned n_fds = count_fds(), n_left;
	int n_failed;

	log_set_level(LOG_LEVEL_ERROR);
	n_failed = cmocka_run_group_tests(tests, victim_start, victim_stop);
	n_left = count_fds();
	if (n_left != n_fds)
		fprintf(stderr, "descriptors: %u before, %u after\n", n_fds, n_left);
	return n_failed + (n_left != n_fds);
}
