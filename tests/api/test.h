/* What every test of this folder includes, in the order that cmocka wants. */
#ifndef USERDRIVE_TESTS_API_TEST_H
#define USERDRIVE_TESTS_API_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "winfsp/ext.h"
#include "nt/winerror.h"
#include "base/compiler.h"

#define assert_status(a, b) assert_int_equal((uint32_t)(a), (uint32_t)(b))

#endif
