/* Signals that end a session. */
#include "api/fuse/lowlevel.h"

#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct fuse_session *_Atomic instance;

static void
on_exit_signal(int sig)
{
	struct fuse_session *se = atomic_load(&instance);

	if (!se)
		return;
	atomic_store(&se->error, sig);
	fuse_session_exit(se);
}

static void
on_failure(int sig)
{
	void *frames[64];

	backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
on_nothing(int sig)
{
	(void)sig;
}

struct handled {
	int sig;
	void (*handler)(int sig);
};

static const struct handled exits[] = {
	{SIGHUP, on_exit_signal},
	{SIGINT, on_exit_signal},
	{SIGTERM, on_exit_signal},
	{SIGPIPE, on_nothing},
};
static const struct handled failures[] = {
	{SIGILL, on_failure}, {SIGTRAP, on_failure}, {SIGABRT, on_failure}, {SIGBUS, on_failure},
	{SIGFPE, on_failure}, {SIGSEGV, on_failure},
};

/* Sets what is still the default, or sets back what is still ours. */
static int
replace(const struct handled *h, bool remove)
{
	struct sigaction old, sa = {.sa_handler = remove ? SIG_DFL : h->handler};

	sigemptyset(&sa.sa_mask);
	if (sigaction(h->sig, NULL, &old) < 0)
		return -1;
	if (old.sa_handler != (remove ? h->handler : SIG_DFL))
		return 0;
	return sigaction(h->sig, &sa, NULL);
}

static int
replace_all(const struct handled *h, size_t n, bool remove)
{
	for (size_t i = 0; i < n; i++)
		if (replace(&h[i], remove) < 0) {
			fuse_log(FUSE_LOG_ERR, "fuse: the handler of signal %d cannot be set\n",
				 h[i].sig);
			return -1;
		}
	return 0;
}

int
fuse_set_signal_handlers(struct fuse_session *se)
{
	if (replace_all(exits, ARRAY_SIZE(exits), false) < 0)
		return -1;
	atomic_store(&instance, se);
	return 0;
}

int
fuse_set_fail_signal_handlers(struct fuse_session *se)
{
	return replace_all(failures, ARRAY_SIZE(failures), false);
}

void
fuse_remove_signal_handlers(struct fuse_session *se)
{
	if (atomic_load(&instance) != se)
		fuse_log(FUSE_LOG_ERR, "fuse: fuse_remove_signal_handlers: unknown session\n");
	else
		atomic_store(&instance, NULL);
	replace_all(exits, ARRAY_SIZE(exits), true);
	replace_all(failures, ARRAY_SIZE(failures), true);
}
