/* Any bytes as the PDUs of a login and as additional headers: the login ends in a known stage,
 * never authenticated without a secret. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "transport/iscsi/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct iscsi_auth auth;

static uint16_t
lookup(void *ctx, const struct iscsi_login *login, struct iscsi_login_policy *ret)
{
	bool guarded = *(const bool *)ctx;

	assert(login->initiator[0] && (login->discovery || login->target[0]));
	*ret = (struct iscsi_login_policy){.auth = guarded ? &auth : NULL,
					   .header_digests = 3,
					   .data_digests = 3,
					   .target_alias = "disk"};
	return ISCSI_LOGIN_OK;
}

static void
load_auth(void)
{
	static const char file[] = "user joe secret-that-nobody-guesses\nmutual me mine\n";
	char error[100];

	if (!auth.users &&
	    iscsi_auth_parse(file, sizeof(file) - 1, &auth, error, sizeof(error)) < 0)
		abort();
}

static void
check_answer(const struct iscsi_login *login, const struct iscsi_login_answer *answer)
{
	uint8_t bhs[ISCSI_BHS_SIZE];

	assert(answer->text.n <= ISCSI_LOGIN_SEGMENT);
	assert((answer->status != 0) == (login->stage == ISCSI_STAGE_FAILED));
	iscsi_login_response(login, answer, 1, bhs);
	assert(iscsi_segment_size(bhs) == answer->text.n);
}

/* The segment as the connection hands it over: with a zero byte after it */
static void
one_request(struct iscsi_login *login, const uint8_t *bhs, const uint8_t *segment, size_t n)
{
	struct iscsi_login_answer answer = {0};
	char *text = calloc(1, n + 1);

	if (!text)
		return;
	if (n > 0)
		memcpy(text, segment, n);
	iscsi_login_request(login, bhs, text, n, &answer);
	check_answer(login, &answer);
	buf_fini(&answer.text);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iscsi_login login;
	uint8_t rest[16];
	bool guarded;

	if (size < 1)
		return 0;
	load_auth();
	guarded = data[0] & 1;
	data++;
	size--;
	iscsi_login_init(&login, lookup, &guarded);
	while (size >= ISCSI_BHS_SIZE && login.stage < ISCSI_STAGE_READY) {
		const uint8_t *bhs = data;
		size_t n = MIN(iscsi_segment_size(bhs), size - ISCSI_BHS_SIZE);

		n = MIN(n, (size_t)ISCSI_LOGIN_SEGMENT);
		(void)iscsi_ahs_parse(bhs + ISCSI_BHS_SIZE, n & ~(size_t)3, rest, sizeof(rest));
		one_request(&login, bhs, bhs + ISCSI_BHS_SIZE, n);
		data += ISCSI_BHS_SIZE + n;
		size -= ISCSI_BHS_SIZE + n;
	}
	assert(!guarded ||
	       (login.stage != ISCSI_STAGE_READY && login.auth_step != ISCSI_AUTH_DONE));
	iscsi_login_fini(&login);
	return 0;
}
