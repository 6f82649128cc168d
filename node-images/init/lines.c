#include "init/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void cut(IscLines *lines, void (*line)(void *, const char *, size_t), void *data)
{
	char *start = lines->buf, *end = lines->buf + lines->len, *nl;

	while ((nl = memchr(start, '\n', (size_t)(end - start)))) {
		line(data, start, (size_t)(nl - start));
		start = nl + 1;
	}
	lines->len = (size_t)(end - start);
	memmove(lines->buf, start, lines->len);
	if (lines->len == sizeof lines->buf) {
		line(data, lines->buf, lines->len);
		lines->len = 0;
	}
}

void isc_lines_read(
		IscLines *lines, void (*line)(void *data, const char *text, size_t len), void *data)
{
	ssize_t n;

	for (int i = 0; i < 8; i++) {
		n = read(lines->fd, lines->buf + lines->len, sizeof lines->buf - lines->len);
		if (n < 0)
			return;
		if (n == 0)
			break;
		lines->len += (size_t)n;
		cut(lines, line, data);
	}
	if (n > 0)
		return;
	if (lines->len)
		line(data, lines->buf, lines->len);
	lines->len = 0;
	close(lines->fd);
	lines->fd = -1;
}
