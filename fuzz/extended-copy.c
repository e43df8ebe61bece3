/* The EXTENDED COPY parameter list and the UNMAP list, as an initiator may send them: no read beyond
 * what came, no request outside of the medium, and sense that the standard allows. The first byte
 * says which of the two it is. */
#include <stdlib.h>
#include <string.h>
#include "base/endian.h"
#include "tests/unit/scsi-fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COPY = 0x83, UNMAP = 0x42, N_BLOCKS = 64 };

static struct scsi_fake *
fake_get(void)
{
	static struct scsi_fake f;
	static bool is_open;

	if (!is_open) {
		is_open = true;
		scsi_fake_init(&f);
		f.params.n_blocks = N_BLOCKS;
		scsi_fake_open(&f);
		scsi_fake_clear_attentions(&f);
	}
	return &f;
}

static void
check(const struct scsi_result *res, bool is_copy)
{
	if (res->status == SCSI_GOOD)
		return;
	if (res->status != SCSI_CHECK_CONDITION)
		abort();
	if (res->key != SCSI_KEY_ILLEGAL_REQUEST && !(is_copy && res->key == SCSI_KEY_COPY_ABORTED))
		abort();
}

static void
run_copy(struct scsi_fake *f, const uint8_t *list, size_t size)
{
	uint8_t cdb[16] = {COPY}, status[16] = {0x84};
	struct scsi_fake_reply r;

	put_be32(cdb + 10, (uint32_t)size);
	r = scsi_fake_run(f, 0, cdb, sizeof(cdb), list, size);
	check(&r.res, true);
	status[1] = 0x04;
	status[2] = size > 0 ? list[0] : 0;
	put_be32(status + 10, 4096);
	r = scsi_fake_run(f, 0, status, sizeof(status), NULL, 0);
	check(&r.res, false);
}

static void
run_unmap(struct scsi_fake *f, const uint8_t *list, size_t size)
{
	uint8_t cdb[10] = {UNMAP};
	struct scsi_fake_reply r;

	size = MIN(size, (size_t)UINT16_MAX);
	put_be16(cdb + 7, (uint16_t)size);
	r = scsi_fake_run(f, 0, cdb, sizeof(cdb), list, size);
	check(&r.res, false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scsi_fake *f = fake_get();

	if (size == 0)
		return 0;
	if (data[0] & 1)
		run_unmap(f, data + 1, size - 1);
	else
		run_copy(f, data + 1, size - 1);
	return 0;
}
