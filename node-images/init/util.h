#pragma once
/* Small helpers that every file of init shares.  Plain C: PID 1 of a node links no GLib. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ISC_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Milliseconds since the kernel booted; does not jump when somebody sets the clock. */
int64_t isc_now_ms(void);

/* One line on the console (the only thing a human sees when no channel works).  Never fails. */
void isc_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes @text to an existing file (sysctl, cgroup).  Returns 0 or -errno. */
int isc_put(const char *path, const char *text);

/* Reads at most @max - 1 bytes of @path into @buf and ends them with NUL.
 * Returns the number of bytes, or -errno (-EFBIG when the file is larger). */
ssize_t isc_slurp(const char *path, char *buf, size_t max);

/* Waits until @path exists, at most @ms milliseconds.  Returns 0 or -ENOENT. */
int isc_wait_for(const char *path, int ms);
