/* Any bytes as text: pairs lie inside it, values stay in their ranges, what is answered is text
 * again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "transport/iscsi/chap.h"
#include "transport/iscsi/negotiate.h"
#include "transport/iscsi/pdu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_value(const struct iscsi_pair *pair)
{
	uint8_t binary[ISCSI_BINARY_MAX];
	char name[ISCSI_NAME_MAX + 1], line[64];
	const char *list = pair->value, *item;
	uint32_t number;
	size_t n;

	(void)!iscsi_text_number(pair->value, &number);
	(void)!iscsi_text_bool(pair->value, &number);
	assert(iscsi_text_binary(pair->value, binary, sizeof(binary)) <= ISCSI_BINARY_MAX);
	if (iscsi_name_parse(pair->value, name) == 0)
		assert(strlen(name) == pair->n_value);
	while (iscsi_text_item(&list, &item, &n))
		assert(item >= pair->value && item + n <= pair->value + pair->n_value);
	assert(strlen(iscsi_printable(pair->value, pair->n_value, line, sizeof(line))) <
	       sizeof(line));
}

static void
check_active(const struct iscsi_negotiation *n)
{
	assert(n->active[ISCSI_KEY_MAX_RECV_SEGMENT] >= 512);
	assert(n->active[ISCSI_KEY_MAX_BURST] >= 512 &&
	       n->active[ISCSI_KEY_MAX_BURST] <= ISCSI_OUR_MAX_BURST);
	assert(n->active[ISCSI_KEY_FIRST_BURST] >= 512);
	assert(n->active[ISCSI_KEY_MAX_R2T] >= 1 &&
	       n->active[ISCSI_KEY_MAX_R2T] <= ISCSI_OUR_MAX_R2T);
	assert(n->active[ISCSI_KEY_RECOVERY_LEVEL] == 0);
	assert(n->active[ISCSI_KEY_HEADER_DIGEST] == ISCSI_DIGEST_NONE ||
	       n->active[ISCSI_KEY_HEADER_DIGEST] == ISCSI_DIGEST_CRC32C);
}

static void
negotiate_all(const char *text, size_t size, enum iscsi_phase phase, bool discovery)
{
	struct iscsi_negotiation n;
	struct buf reply = BUF_INIT;
	struct iscsi_text t;
	struct iscsi_pair pair;
	enum iscsi_key key;
	int more;

	iscsi_negotiation_init(&n, 3, 3);
	n.discovery = discovery;
	iscsi_text_begin(&t, text, size);
	while ((more = iscsi_text_next(&t, &pair)) > 0) {
		assert(pair.value >= text && pair.value + pair.n_value <= text + size);
		check_value(&pair);
		if (iscsi_negotiate(&n, phase, &pair, &reply, &key) == ISCSI_OFFER_YOURS)
			assert(strcmp(iscsi_key_name(key), pair.key) == 0);
	}
	check_active(&n);
	iscsi_negotiation_declare(&n, &reply);
	iscsi_text_begin(&t, buf_str(&reply), reply.n);
	while ((more = iscsi_text_next(&t, &pair)) > 0)
		;
	assert(more == 0);
	buf_fini(&reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iscsi_auth auth;
	char error[200], *text;

	if (size < 1 || size > 65536)
		return 0;
	text = calloc(1, size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	negotiate_all(text, size - 1, (enum iscsi_phase)(1 << data[0] % 3), data[0] & 0x80);
	if (iscsi_auth_parse(text, size - 1, &auth, error, sizeof(error)) == 0)
		iscsi_auth_fini(&auth);
	free(text);
	return 0;
}
