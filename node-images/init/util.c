#include "init/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int64_t isc_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void isc_say(const char *format, ...)
{
	char line[512];
	va_list args;
	int fd, n;

	n = snprintf(line, sizeof line, "<3>isc-node-init: ");
	va_start(args, format);
	n += vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
	va_end(args);
	if (n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	/* The log of the kernel, not /dev/console: with no console= that one does not open. */
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return;
	if (write(fd, line, (size_t)n) < 0) {
		/* there is nowhere left to say it */
	}
	close(fd);
}

int isc_put(const char *path, const char *text)
{
	size_t len = 0;
	int fd, error = 0;

	while (text[len])
		len++;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		error = -errno;
	close(fd);
	return error;
}

ssize_t isc_slurp(const char *path, char *buf, size_t max)
{
	size_t have = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + have, max - have)) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		have += (size_t)n;
		if (have == max) {
			close(fd);
			return -EFBIG;
		}
	}
	if (n < 0) {
		n = -errno;
		close(fd);
		return n;
	}
	close(fd);
	buf[have] = '\0';
	return (ssize_t)have;
}

int isc_wait_for(const char *path, int ms)
{
	int64_t end = isc_now_ms() + ms;

	while (access(path, F_OK) != 0) {
		if (isc_now_ms() >= end)
			return -ENOENT;
		usleep(2000);
	}
	return 0;
}
