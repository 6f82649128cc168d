#pragma once
/* What every unit test includes: cmocka and what it wants before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <string.h>

#include "base/error.h"

/* Asserts that @error is ours with @code and that its message names @what; clears it. */
#define assert_error(error, code_, what)                                                           \
	do {                                                                                       \
		assert_non_null(error);                                                            \
		if (!g_error_matches((error), ISC_ERROR, (code_)) ||                               \
				!strstr((error)->message, (what)))                                 \
			fail_msg("got '%s' (%d), wanted code %d naming '%s'", (error)->message,    \
					(error)->code, (code_), (what));                           \
		g_clear_error(&(error));                                                           \
	} while (0)

#define assert_no_error(error)                                                                     \
	do {                                                                                       \
		if (error)                                                                         \
			fail_msg("%s", (error)->message);                                          \
	} while (0)
