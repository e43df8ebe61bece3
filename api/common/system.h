/* What a program of the native APIs says to the system around it: service manager and log. */
#ifndef USERDRIVE_API_COMMON_SYSTEM_H
#define USERDRIVE_API_COMMON_SYSTEM_H

#include "base/compiler.h"

/* sd_notify(3), where there is a manager: "READY=1". */
void manager_tell(const char *state);
/* Does a person read standard error? Not in the background and not below a service manager. */
bool system_is_interactive(void);
/* A message of type EVENTLOG_*_TYPE: to the system's log, or as a bare line to standard error. */
void service_log(uint32_t type, const char *text, bool system);

#endif
