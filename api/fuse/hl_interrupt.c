#include "api/fuse/hl_interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"

#define REPEAT_NS 1000000000u

void
hl_interrupts_init(struct hl_interrupts *i)
{
	memset(i, 0, sizeof(*i));
	mutex_init(&i->lock);
	cond_init(&i->changed);
	list_init(&i->pending);
}

static void
wake_only(int signal)
{
}

int
hl_interrupts_enable(struct hl_interrupts *i, int signal)
{
	struct sigaction old;

	if (sigaction(signal, NULL, &old) < 0)
		return -errno;
	if (old.sa_handler == SIG_DFL) {
		struct sigaction sa = {.sa_handler = wake_only};

		sigemptyset(&sa.sa_mask);
		if (sigaction(signal, &sa, NULL) < 0)
			return -errno;
		i->handler_set = true;
	}
	i->signal = signal;
	i->enabled = true;
	return 0;
}

void
hl_interrupts_fini(struct hl_interrupts *i)
{
	if (i->thread_runs) {
		mutex_lock(&i->lock);
		i->stop = true;
		cond_broadcast(&i->changed);
		mutex_unlock(&i->lock);
		pthread_join(i->thread, NULL);
	}
	if (i->handler_set) {
		struct sigaction sa = {.sa_handler = SIG_DFL};

		sigaction(i->signal, &sa, NULL);
	}
	cond_fini(&i->changed);
	mutex_fini(&i->lock);
}

static void *
signaller(void *arg)
{
	struct hl_interrupts *i = arg;

	mutex_lock(&i->lock);
	while (!i->stop) {
		/* Those that end take themselves out under the lock: the threads exist. */
		list_for_each(pos, &i->pending)
			pthread_kill(list_entry(pos, struct hl_interruptible, link)->thread,
				     i->signal);
		if (list_empty(&i->pending))
			cond_wait(&i->changed, &i->lock);
		else
			cond_wait_until(&i->changed, &i->lock,
					clock_monotonic_ns() + REPEAT_NS);
	}
	mutex_unlock(&i->lock);
	return NULL;
}

static void
start_signaller(struct hl_interrupts *i) REQUIRES(&i->lock)
{
	sigset_t all, old;

	if (i->thread_runs)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	i->thread_runs = pthread_create(&i->thread, NULL, signaller, i) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void
on_interrupt(fuse_req_t req, void *data)
{
	struct hl_interruptible *op = data;
	struct hl_interrupts *i = op->of;

	mutex_lock(&i->lock);
	if (list_empty(&op->link))
		list_insert(&i->pending, &op->link);
	start_signaller(i);
	cond_broadcast(&i->changed);
	mutex_unlock(&i->lock);
}

void
hl_interruptible_begin(struct hl_interrupts *i, struct hl_interruptible *op, fuse_req_t req)
{
	op->of = NULL;
	if (!i->enabled)
		return;
	op->of = i;
	op->req = req;
	op->thread = pthread_self();
	list_init(&op->link);
	fuse_req_interrupt_func(req, on_interrupt, op);
}

void
hl_interruptible_end(struct hl_interruptible *op)
{
	struct hl_interrupts *i = take(&op->of);

	if (!i)
		return;
	/* After this returns, on_interrupt does not run for this request. */
	fuse_req_interrupt_func(op->req, NULL, NULL);
	mutex_lock(&i->lock);
	list_remove(&op->link);
	mutex_unlock(&i->lock);
}
