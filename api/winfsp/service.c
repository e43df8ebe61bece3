/*
 * The service helper: a program's start, its wait, and its stop, told by signals or by itself.
 *
 * Signals are taken by handlers that write into an event descriptor, not by blocking them: a
 * program may have made threads before it came here, and those would not have them blocked.
 * The loop thread alone runs OnStart, OnControl and (but for FspServiceStop) OnStop.
 */
#include "api/winfsp/priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "api/common/system.h"
#include "api/common/wide.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/text/names.h"
#include "nt/winerror.h"

enum { WAKE_STOP = 1, WAKE_PARAMS = 2 };

struct service {
	struct mutex lock; /* of stopping and stopped */
	bool stopping;     /* OnStop runs */
	bool stopped;      /* OnStop has succeeded */
	FSP_SERVICE pub;   /* ends with the name */
};

/* What the signal handlers and the stop of a loop can reach. One loop runs per process. */
static _Atomic int loop_fd = -1;
static _Atomic unsigned loop_wakes;

static const struct {
	int number;
	unsigned wake;
} signals[] = {
	{SIGTERM, WAKE_STOP}, {SIGINT, WAKE_STOP}, {SIGHUP, WAKE_STOP}, {SIGUSR1, WAKE_PARAMS}};

static struct service *
service_of(FSP_SERVICE *Service)
{
	return container_of(Service, struct service, pub);
}

/* Async-signal-safe. */
static void
wake(unsigned what)
{
	int fd = atomic_load(&loop_fd), saved = errno;
	uint64_t one = 1;
	ssize_t done;

	atomic_fetch_or(&loop_wakes, what);
	if (fd >= 0)
		done = write(fd, &one, sizeof(one));
	(void)done;
	errno = saved;
}

static void
on_signal(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i].number == number)
			wake(signals[i].wake);
}

void
fsp_service_stop_loop(void)
{
	wake(WAKE_STOP);
}

NTSTATUS
FspServiceCreate(PWSTR ServiceName, FSP_SERVICE_START *OnStart, FSP_SERVICE_STOP *OnStop,
		 FSP_SERVICE_CONTROL *OnControl, FSP_SERVICE **PService)
{
	size_t n = (utf16_len(ServiceName) + 1) * sizeof(WCHAR);
	struct service *s = calloc(1, sizeof(*s) + n);

	*PService = NULL;
	if (!s)
		return STATUS_INSUFFICIENT_RESOURCES;
	mutex_init(&s->lock);
	s->pub.OnStart = OnStart;
	s->pub.OnStop = OnStop;
	s->pub.OnControl = OnControl;
	s->pub.AcceptControl = OnStop ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN : 0;
	s->pub.ServiceStatus.dwCurrentState = SERVICE_STOPPED;
	memcpy(s->pub.ServiceName, ServiceName, n);
	*PService = &s->pub;
	return STATUS_SUCCESS;
}

VOID
FspServiceDelete(FSP_SERVICE *Service)
{
	struct service *s = service_of(Service);

	if (!Service)
		return;
	mutex_fini(&s->lock);
	free(s);
}

VOID
FspServiceAllowConsoleMode(FSP_SERVICE *Service)
{
	Service->AllowConsoleMode = TRUE;
}

VOID
FspServiceAcceptControl(FSP_SERVICE *Service, ULONG Control)
{
	Service->AcceptControl |= Control & ~SERVICE_ACCEPT_PAUSE_CONTINUE;
}

VOID
FspServiceRequestTime(FSP_SERVICE *Service, ULONG Time)
{
	char text[64];

	Service->ServiceStatus.dwWaitHint = Time;
	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%llu", Time * 1000ull);
	manager_tell(text);
}

VOID
FspServiceSetExitCode(FSP_SERVICE *Service, ULONG ExitCode)
{
	Service->ExitCode = ExitCode;
}

ULONG
FspServiceGetExitCode(FSP_SERVICE *Service)
{
	return Service->ServiceStatus.dwWin32ExitCode;
}

/* ---------------------------------------------------------------- arguments */

struct arguments {
	PWSTR *argv; /* argv[0] is borrowed */
	ULONG n;
};

static void
arguments_fini(struct arguments *a)
{
	for (ULONG i = 1; i < a->n; i++)
		free(a->argv[i]);
	free(a->argv);
}

/* An argument that is not UTF-8 keeps its bytes, as a name does. */
static PWSTR
wide_argument(const char *s)
{
	uint16_t *wide = NULL;
	int n;

	if (utf16_from_utf8(s, &wide) == 0)
		return wide;
	n = name_from_posix(s, strlen(s), TEXT_COMPONENT, NULL, 0);
	wide = n < 0 ? NULL : calloc((size_t)n + 1, sizeof(*wide));
	if (wide && name_from_posix(s, strlen(s), TEXT_COMPONENT, wide, (size_t)n) < 0)
		wide[0] = 0;
	return wide;
}

static char *
read_command_line(size_t *ret_size)
{
	FILE *f = fopen("/proc/self/cmdline", "re");
	char *text = NULL, *more;
	size_t size = 0, cap = 0, done = 1;

	while (f && done > 0) {
		if (size == cap) {
			cap = cap ? cap * 2 : 4096;
			more = realloc(text, cap);
			if (!more)
				break;
			text = more;
		}
		done = fread(text + size, 1, cap - size, f);
		size += done;
	}
	if (f)
		fclose(f);
	*ret_size = size;
	return text;
}

static NTSTATUS
arguments_init(struct arguments *a, PWSTR name)
{
	size_t size, n = 0;
	CLEANUP(free_ptr) char *text = read_command_line(&size);

	for (size_t i = 0; i < size; i++)
		n += text[i] == 0;
	*a = (struct arguments){calloc(n + 2, sizeof(PWSTR)), 1};
	if (!a->argv)
		return STATUS_INSUFFICIENT_RESOURCES;
	a->argv[0] = name;
	for (size_t at = 0; text && at < size;) {
		size_t length = strnlen(text + at, size - at);

		if (at > 0 && length < size - at) {
			a->argv[a->n] = wide_argument(text + at);
			if (!a->argv[a->n])
				return STATUS_INSUFFICIENT_RESOURCES;
			a->n++;
		}
		at += length + 1;
	}
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- loop */

static NTSTATUS
start(FSP_SERVICE *Service)
{
	CLEANUP(arguments_fini) struct arguments a = {0};
	NTSTATUS st = arguments_init(&a, Service->ServiceName);

	Service->ServiceStatus.dwCurrentState = SERVICE_START_PENDING;
	if (NT_SUCCESS(st) && Service->OnStart)
		st = Service->OnStart(Service, a.n, a.argv);
	return st;
}

/* OnStop, once; a failure leaves the service running. */
static bool
stop(struct service *s)
{
	NTSTATUS st = STATUS_SUCCESS;

	mutex_lock(&s->lock);
	if (s->stopping || s->stopped) {
		bool stopped = s->stopped;
		mutex_unlock(&s->lock);
		return stopped;
	}
	s->stopping = true;
	mutex_unlock(&s->lock);
	s->pub.ServiceStatus.dwCurrentState = SERVICE_STOP_PENDING;
	manager_tell("STOPPING=1");
	if (s->pub.OnStop)
		st = s->pub.OnStop(&s->pub);
	mutex_lock(&s->lock);
	s->stopping = false;
	s->stopped = NT_SUCCESS(st);
	mutex_unlock(&s->lock);
	s->pub.ServiceStatus.dwCurrentState = NT_SUCCESS(st) ? SERVICE_STOPPED : SERVICE_RUNNING;
	return NT_SUCCESS(st);
}

static bool
is_stopped(struct service *s)
{
	bool stopped;

	mutex_lock(&s->lock);
	stopped = s->stopped;
	mutex_unlock(&s->lock);
	return stopped;
}

VOID
FspServiceStop(FSP_SERVICE *Service)
{
	/* OnStop waits for running operations: one of them cannot be who calls it. */
	if (FspFileSystemGetOperationContext()) {
		fsp_service_stop_loop();
		return;
	}
	if (stop(service_of(Service)))
		wake(0);
}

static void
run(struct service *s, int fd)
{
	while (!is_stopped(s)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		unsigned what = atomic_exchange(&loop_wakes, 0);
		uint64_t count;

		if (what & WAKE_PARAMS && s->pub.OnControl)
			s->pub.OnControl(&s->pub, SERVICE_CONTROL_PARAMCHANGE, 0, NULL);
		if (what & WAKE_STOP && stop(s))
			break;
		if (!what && poll(&p, 1, -1) > 0 && read(fd, &count, sizeof(count)) < 0)
			continue;
	}
}

static void
signals_take(struct sigaction old[ARRAY_SIZE(signals)])
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i].number, &sa, &old[i]);
}

static void
signals_give_back(const struct sigaction old[ARRAY_SIZE(signals)])
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i].number, &old[i], NULL);
}

NTSTATUS
FspServiceLoop(FSP_SERVICE *Service)
{
	struct service *s = service_of(Service);
	struct sigaction old[ARRAY_SIZE(signals)];
	int fd = eventfd(0, EFD_CLOEXEC), none = -1;
	NTSTATUS st;

	if (fd < 0)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (!atomic_compare_exchange_strong(&loop_fd, &none, fd)) {
		close(fd);
		return STATUS_INVALID_DEVICE_STATE; /* another service's loop runs */
	}
	atomic_store(&loop_wakes, 0);
	signals_take(old);
	st = start(Service);
	if (NT_SUCCESS(st)) {
		Service->ServiceStatus.dwCurrentState = SERVICE_RUNNING;
		manager_tell("READY=1");
		run(s, fd);
		Service->ServiceStatus.dwWin32ExitCode = Service->ExitCode;
	} else {
		Service->ServiceStatus.dwCurrentState = SERVICE_STOPPED;
		Service->ServiceStatus.dwWin32ExitCode = FspWin32FromNtStatus(st);
	}
	signals_give_back(old);
	atomic_store(&loop_fd, -1);
	close(fd);
	return STATUS_SUCCESS;
}

ULONG
FspServiceRunEx(PWSTR ServiceName, FSP_SERVICE_START *OnStart, FSP_SERVICE_STOP *OnStop,
		FSP_SERVICE_CONTROL *OnControl, PVOID UserContext)
{
	FSP_SERVICE *service;
	NTSTATUS st = FspServiceCreate(ServiceName, OnStart, OnStop, OnControl, &service);
	ULONG code;

	if (!NT_SUCCESS(st)) {
		log_error("service", "cannot be created status=%08x", (unsigned)st);
		return FspWin32FromNtStatus(st);
	}
	service->UserContext = UserContext;
	FspServiceAllowConsoleMode(service);
	st = FspServiceLoop(service);
	code = NT_SUCCESS(st) ? FspServiceGetExitCode(service) : FspWin32FromNtStatus(st);
	if (!NT_SUCCESS(st))
		log_error("service", "cannot run status=%08x", (unsigned)st);
	FspServiceDelete(service);
	return code;
}

/* ---------------------------------------------------------------- surroundings */

BOOLEAN
FspServiceIsInteractive(VOID)
{
	return system_is_interactive();
}

NTSTATUS
FspServiceContextCheck(HANDLE Token, PBOOLEAN PIsLocalSystem)
{
	bool is_root = geteuid() == 0;

	if (PIsLocalSystem)
		*PIsLocalSystem = is_root;
	return is_root || getenv("INVOCATION_ID") ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

VOID
FspServiceLogV(ULONG Type, PWSTR Format, va_list ap)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	wide_format(&text, Format, ap);
	service_log(Type, buf_str(&text), !system_is_interactive());
}

VOID
FspServiceLog(ULONG Type, PWSTR Format, ...)
{
	va_list ap;

	va_start(ap, Format);
	FspServiceLogV(Type, Format, ap);
	va_end(ap);
}

VOID
FspEventLogV(ULONG Type, PWSTR Format, va_list ap)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	wide_format(&text, Format, ap);
	service_log(Type, buf_str(&text), true);
}

VOID
FspEventLog(ULONG Type, PWSTR Format, ...)
{
	va_list ap;

	va_start(ap, Format);
	FspEventLogV(Type, Format, ap);
	va_end(ap);
}
