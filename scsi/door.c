#include "scsi/door.h"
