/* cmocka wants these headers before its own. */
#ifndef TESTS_UNIT_BASE_UNIT_H
#define TESTS_UNIT_BASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#define assert_str(s, expected)                                                                    \
    do {                                                                                           \
        struct str assert_str_ = (s);                                                              \
        assert_int_equal(assert_str_.len, sizeof(expected) - 1);                                   \
        assert_non_null(assert_str_.ptr);                                                          \
        assert_memory_equal(assert_str_.ptr, expected, sizeof(expected) - 1);                      \
    } while (0)

#endif
