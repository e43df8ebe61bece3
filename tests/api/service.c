/* The service helper: start, stop by signal, by itself and by a stopped volume. */
#include "tests/api/test.h"
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static unsigned n_starts, n_stops, n_controls;
static NTSTATUS start_status, stop_status;
static int signal_number;

static void *
send_signal(void *arg)
{
	usleep(50000);
	kill(getpid(), signal_number);
	return NULL;
}

static void
signal_soon(int number)
{
	pthread_t thread;

	signal_number = number;
	pthread_create(&thread, NULL, send_signal, NULL);
	pthread_detach(thread);
}

static NTSTATUS
on_start(FSP_SERVICE *service, ULONG argc, PWSTR *argv)
{
	n_starts++;
	assert_true(argc >= 1);
	assert_int_equal(argv[0][0], 'T');
	assert_null(argv[argc]);
	if (service->UserContext)
		signal_soon(*(int *)service->UserContext);
	return start_status;
}

static NTSTATUS
on_stop(FSP_SERVICE *service)
{
	n_stops++;
	return stop_status;
}

static NTSTATUS
on_control(FSP_SERVICE *service, ULONG control, ULONG type, PVOID data)
{
	n_controls += control == SERVICE_CONTROL_PARAMCHANGE;
	signal_soon(SIGTERM);
	return STATUS_SUCCESS;
}

static int
reset(void **state)
{
	n_starts = n_stops = n_controls = 0;
	start_status = stop_status = STATUS_SUCCESS;
	return 0;
}

static ULONG
run(int number)
{
	return FspServiceRunEx((PWSTR)u"Test", on_start, on_stop, on_control,
			       number ? &number : NULL);
}

static void
test_stop_by_signals(void **state)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_int_equal(run(numbers[i]), 0);
		assert_int_equal(n_starts, i + 1);
		assert_int_equal(n_stops, i + 1);
	}
}

static void
test_control(void **state)
{
	assert_int_equal(run(SIGUSR1), 0);
	assert_int_equal(n_controls, 1);
	assert_int_equal(n_stops, 1);
}

static void
test_failed_start(void **state)
{
	start_status = STATUS_ACCESS_DENIED;
	assert_int_equal(run(0), ERROR_ACCESS_DENIED);
	assert_int_equal(n_stops, 0);
}

static FSP_SERVICE *running;

static void *
stop_running(void *arg)
{
	usleep(50000);
	FspServiceStop(running);
	return NULL;
}

static NTSTATUS
start_and_stop(FSP_SERVICE *service, ULONG argc, PWSTR *argv)
{
	pthread_t thread;

	running = service;
	FspServiceSetExitCode(service, 42);
	pthread_create(&thread, NULL, stop_running, NULL);
	pthread_detach(thread);
	return STATUS_SUCCESS;
}

static void
test_stop_by_itself(void **state)
{
	assert_int_equal(FspServiceRun((PWSTR)u"Test", start_and_stop, on_stop, NULL), 42);
	assert_int_equal(n_stops, 1);
}

static NTSTATUS
start_lost_volume(FSP_SERVICE *service, ULONG argc, PWSTR *argv)
{
	FspFileSystemStopServiceIfNecessary(NULL, TRUE);
	FspFileSystemStopServiceIfNecessary(NULL, FALSE);
	return STATUS_SUCCESS;
}

static void
test_stop_by_volume(void **state)
{
	assert_int_equal(FspServiceRun((PWSTR)u"Test", start_lost_volume, on_stop, NULL), 0);
	assert_int_equal(n_stops, 1);
}

/* A stop that fails leaves the service running; the next one ends it. */
static NTSTATUS
stop_second_time(FSP_SERVICE *service)
{
	if (n_stops++ > 0)
		return STATUS_SUCCESS;
	signal_soon(SIGTERM);
	return STATUS_DEVICE_BUSY;
}

static void
test_failed_stop(void **state)
{
	int number = SIGTERM;

	assert_int_equal(FspServiceRunEx((PWSTR)u"Test", on_start, stop_second_time, NULL,
					 &number),
			 0);
	assert_int_equal(n_stops, 2);
}

static void
test_properties(void **state)
{
	FSP_SERVICE *service;
	BOOLEAN is_root;

	assert_status(FspServiceCreate((PWSTR)u"Test", on_start, on_stop, NULL, &service),
		      STATUS_SUCCESS);
	assert_int_equal(service->AcceptControl, SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN);
	FspServiceAcceptControl(service,
				SERVICE_ACCEPT_PAUSE_CONTINUE | SERVICE_ACCEPT_PARAMCHANGE);
	assert_int_equal(service->AcceptControl, SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN |
							 SERVICE_ACCEPT_PARAMCHANGE);
	assert_int_equal(service->ServiceName[3], 't');
	FspServiceDelete(service);
	FspServiceContextCheck(NULL, &is_root);
	assert_int_equal(is_root, geteuid() == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_stop_by_signals, reset),
		cmocka_unit_test_setup(test_control, reset),
		cmocka_unit_test_setup(test_failed_start, reset),
		cmocka_unit_test_setup(test_stop_by_itself, reset),
		cmocka_unit_test_setup(test_stop_by_volume, reset),
		cmocka_unit_test_setup(test_failed_stop, reset),
		cmocka_unit_test_setup(test_properties, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
