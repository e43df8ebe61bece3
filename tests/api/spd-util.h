/* A disk in memory over the native storage API, and a client of its message socket. */
#ifndef USERDRIVE_TESTS_API_SPD_UTIL_H
#define USERDRIVE_TESTS_API_SPD_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "winspd/ext.h"
#include "nt/winerror.h"
#include "base/compiler.h"

enum { SPD_TEST_BLOCK = 512, SPD_TEST_BLOCKS = 2048, SPD_TEST_TRANSFER = 65536 };

/* Makes a runtime directory of its own, and removes it with what is in it. */
int spd_test_setup(void **state);
int spd_test_teardown(void **state);
const char *spd_test_dir(void);

SPD_STORAGE_UNIT_PARAMS spd_test_params(void);
/* Read, Write, Flush, Unmap on spd_test_memory. */
extern const SPD_STORAGE_UNIT_INTERFACE spd_test_interface;
extern uint8_t spd_test_memory[SPD_TEST_BLOCKS * SPD_TEST_BLOCK];
/* On \\.\pipe\disk; fails the test. */
SPD_STORAGE_UNIT *spd_test_create(const SPD_STORAGE_UNIT_INTERFACE *interface);
SPD_STORAGE_UNIT *spd_test_start(const SPD_STORAGE_UNIT_INTERFACE *interface, ULONG n_threads);
void spd_test_end(SPD_STORAGE_UNIT *unit); /* shuts down, waits, deletes */

struct spd_answer {
	SPD_IOCTL_TRANSACT_RSP rsp;
	uint32_t n_data;
	uint8_t data[SPD_TEST_TRANSFER];
};
/* Connected to disk/T(suffix); -1: nobody listens. */
int spd_test_connect(unsigned t, const char *suffix);
/* The same, with the parameters read. */
int spd_test_open(unsigned t);
void spd_test_send_bytes(int fd, const void *bytes, size_t n);
void spd_test_send(int fd, const SPD_IOCTL_TRANSACT_REQ *req, const void *data, size_t n_data);
void spd_test_send_rw(int fd, UINT8 kind, UINT64 hint, UINT64 lba, UINT32 count, const void *data);
/* False: the connection was closed. */
bool spd_test_receive(int fd, struct spd_answer *ret);
/* The calling thread waits until the condition holds; fails the test after a generous time. */
#define SPD_TEST_WAIT(condition)                                                         \
	do {                                                                             \
		int tries_ = 0;                                                          \
		while (!(condition)) {                                                   \
			assert_true(tries_++ < 20000);                                   \
			usleep(1000);                                                    \
		}                                                                        \
	} while (0)

#endif
