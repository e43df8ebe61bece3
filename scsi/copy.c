#include "scsi/lu.h"

const struct scsi_command_table scsi_commands_copy;
