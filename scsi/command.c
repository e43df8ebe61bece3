#include "scsi/lu.h"
