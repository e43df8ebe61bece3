/*
 * Any bytes as a MODE SELECT parameter list; the first byte says which form. What is taken can be
 * read back: MODE SENSE of the same unit shows the values, and they are taken again unchanged.
 */
#include <assert.h>
#include <stdlib.h>
#include "scsi/mode_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	(void)backend;
	(void)req;
	*ret_res = scsi_good();
	return true;
}

static struct scsi_unit *
make_unit(bool cache)
{
	const struct scsi_backend_ops ops = {.kinds = 0x1e, .submit = submit};
	const struct scsi_unit_params p = {.guid = {1}, .n_blocks = 2048, .block_length = 512,
					   .max_transfer = 65536, .cache_supported = cache};
	struct scsi_unit *unit = NULL;
	char error[128];

	if (scsi_unit_create(&p, &ops, NULL, error, sizeof(error), &unit) < 0)
		abort();
	return unit;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scsi_unit *units[2];
	struct scsi_mode_values values = {.wce = true}, before;
	const struct scsi_lu *lu;
	uint8_t *list;
	struct scsi_result res;
	bool ten, cache;

	if (size == 0)
		return 0;
	ten = data[0] & 1;
	cache = data[0] & 2;
	if (!units[cache])
		units[cache] = make_unit(cache);
	lu = scsi_unit_lu(units[cache]);
	values.wce = cache;
	before = values;
	/* Exactly as large as the list: a read beyond it is caught */
	list = malloc(size - 1 ? size - 1 : 1);
	assert(list);
	memcpy(list, data + 1, size - 1);
	res = scsi_mode_parse(lu, ten, list, size - 1, &values);
	if (scsi_ok(res)) {
		struct scsi_mode_values again = values;

		assert(cache || !values.wce);
		assert(scsi_ok(scsi_mode_parse(lu, ten, list, size - 1, &again)));
		assert(memcmp(&again, &values, sizeof(values)) == 0);
		/* As it was: everything but the bits that may change is the same list */
		assert(scsi_ok(scsi_mode_parse(lu, ten, list, size - 1, &before)));
		assert(memcmp(&before, &values, sizeof(values)) == 0);
	} else {
		assert(res.status == SCSI_CHECK_CONDITION && res.key == SCSI_KEY_ILLEGAL_REQUEST);
		assert(!res.field_valid || res.field < size - 1);
	}
	free(list);
	return 0;
}
