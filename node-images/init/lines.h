#pragma once
/* The service's output, cut into lines. */
#include <stddef.h>
#include <stdint.h>

enum {
	ISC_LINE_MAX = 8192, /* bytes; longer lines come in pieces */
};

typedef struct {
	int fd; /* -1: closed */
	size_t len;
	char buf[ISC_LINE_MAX];
} IscLines;

/* Reads what is there, at most 64 KiB, and hands out whole lines, without their newline.  At its
 * end the rest goes out as a line, and fd is closed and -1. */
void isc_lines_read(IscLines *lines, void (*line)(void *data, const char *text, size_t len),
		void *data);
