#include "api/common/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif
#include "base/buf.h"
#include "base/log.h"
#include "nt/service.h"

void
manager_tell(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#endif
}

/* systemd says by device and inode which stream it reads (systemd.exec(5), $JOURNAL_STREAM). */
static bool
stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return text && sscanf(text, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

bool
system_is_interactive(void)
{
	struct stat st, null;

	if (getenv("NOTIFY_SOCKET") || stderr_is_journal() || fstat(STDERR_FILENO, &st) < 0)
		return false;
	/* In the background the standard streams are /dev/null. */
	return stat("/dev/null", &null) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != null.st_rdev;
}

void
service_log(uint32_t type, const char *text, bool system)
{
	static const enum log_level levels[] = {[EVENTLOG_ERROR_TYPE] = LOG_LEVEL_ERROR,
						[EVENTLOG_WARNING_TYPE] = LOG_LEVEL_WARN,
						[EVENTLOG_INFORMATION_TYPE] = LOG_LEVEL_INFO};
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	ssize_t done;

	if (system) {
		log_msg(type < ARRAY_SIZE(levels) ? levels[type] : LOG_LEVEL_INFO, "service", "%s",
			text);
		return;
	}
	buf_printf(&line, "%s\n", text);
	done = write(STDERR_FILENO, buf_str(&line), strlen(buf_str(&line)));
	(void)done;
}
