#include "api/winspd/slots.h"

#include "api/winspd/priv.h"

static struct {
	struct mutex lock; /* leaf */
	struct {
		GUID guid;
		void *owner; /* NULL: free */
		struct scsi_unit *unit;
	} slots[SPD_IOCTL_STORAGE_UNIT_MAX_CAPACITY];
} table = {.lock = MUTEX_INIT};

static int
find_locked(const GUID *guid)
{
	for (unsigned i = 0; i < ARRAY_SIZE(table.slots); i++)
		if (table.slots[i].owner && spd_guid_equal(&table.slots[i].guid, guid))
			return (int)i;
	return -1;
}

static int
find_free_locked(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(table.slots); i++)
		if (!table.slots[i].owner)
			return (int)i;
	return -1;
}

DWORD
spd_slot_take(const GUID *guid, void *owner, unsigned *ret_index)
{
	DWORD error = ERROR_SUCCESS;
	int index;

	mutex_lock(&table.lock);
	index = find_free_locked();
	if (find_locked(guid) >= 0) {
		error = ERROR_ALREADY_EXISTS;
	} else if (index < 0) {
		error = ERROR_CANNOT_MAKE;
	} else {
		table.slots[index].guid = *guid;
		table.slots[index].owner = owner;
		*ret_index = (unsigned)index;
	}
	mutex_unlock(&table.lock);
	if (error == ERROR_ALREADY_EXISTS)
		return spd_fail(error, "this process has a storage unit with this Guid already");
	if (error)
		return spd_fail(error, "this process has %d storage units, which is the most",
				SPD_IOCTL_STORAGE_UNIT_MAX_CAPACITY);
	return ERROR_SUCCESS;
}

void
spd_slot_set_unit(unsigned index, struct scsi_unit *unit)
{
	mutex_lock(&table.lock);
	table.slots[index].unit = unit;
	mutex_unlock(&table.lock);
}

void
spd_slot_release(unsigned index)
{
	mutex_lock(&table.lock);
	table.slots[index].owner = NULL;
	table.slots[index].unit = NULL;
	mutex_unlock(&table.lock);
}

struct scsi_unit *
spd_slot_unit(unsigned index)
{
	struct scsi_unit *unit = NULL;

	mutex_lock(&table.lock);
	if (index < ARRAY_SIZE(table.slots) && table.slots[index].unit)
		unit = scsi_unit_ref(table.slots[index].unit);
	mutex_unlock(&table.lock);
	return unit;
}

void *
spd_slot_owner(unsigned index)
{
	void *owner = NULL;

	mutex_lock(&table.lock);
	if (index < ARRAY_SIZE(table.slots))
		owner = table.slots[index].owner;
	mutex_unlock(&table.lock);
	return owner;
}

int
spd_slot_find(const GUID *guid)
{
	int index;

	mutex_lock(&table.lock);
	index = find_locked(guid);
	mutex_unlock(&table.lock);
	return index;
}

UINT64
spd_slot_mask(void)
{
	UINT64 mask = 0;

	mutex_lock(&table.lock);
	for (unsigned i = 0; i < ARRAY_SIZE(table.slots); i++)
		if (table.slots[i].unit)
			mask |= 1ull << i;
	mutex_unlock(&table.lock);
	return mask;
}
