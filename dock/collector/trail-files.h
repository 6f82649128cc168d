#pragma once
#include "collector/chain.h"

/* The files of a trail, and taking them up again after whatever happened.  For trail-writer.c
 * alone. */

typedef struct {
	int dir_fd, log_fd, chain_fd, key_fd; /* owned; -1 while closed */
	gchar name[32];
	guint8 trail[16];
	const IscSealKey *root;
	IscChainKey key;     /* signs the next block */
	guint32 segment;     /* number of the open files */
	goffset offset;      /* bytes of audit.log */
	IscChainHeader last; /* of the last block */
	guint8 head[ISC_CHAIN_HASH];
	guint64 next; /* number of the next record */
} IscTrailFiles;

void isc_trail_files_init(IscTrailFiles *f);
void isc_trail_files_clear(IscTrailFiles *f);

/* See isc_trail_writer_open(). */
gboolean isc_trail_files_open(IscTrailFiles *f, gboolean *broken, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Writes @lines and the block that covers them: both are on disk when this returns, and the key has
 * moved on.
 * @header: kind, flags, n, counters and marks are the caller's. */
gboolean isc_trail_files_write(IscTrailFiles *f, const gchar *lines, gsize lines_len,
		IscChainHeader *header, const void *payload, gsize payload_len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* A block without records: what it says of the guest is what the one before said. */
gboolean isc_trail_files_mark(IscTrailFiles *f, IscChainKind kind, const void *payload,
		gsize payload_len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes chattr's flags off, so that the file can be removed. */
void isc_trail_files_unprotect(int fd);

/* Ends this pair of files and begins the next one. */
gboolean isc_trail_files_rotate(IscTrailFiles *f, GError **error) G_GNUC_WARN_UNUSED_RESULT;
