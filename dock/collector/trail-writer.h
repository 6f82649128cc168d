#pragma once
#include <glib.h>

#include "collector/chain.h"
#include "collector/line.h"

/*
 * The audit trail of one node: a folder with
 *
 *   audit.log   audit.chain        being written
 *   audit.log.N audit.chain.N      earlier ones, N = 1, 2, 3 … in their order; never renamed again
 *   chain.key                      the evolving key, 0600, overwritten at each block
 *
 * Group commit.  add() only collects.  begin() hands what was collected to work(), which may run in
 * another thread (it hashes, signs, writes and calls fdatasync), while add() collects the next;
 * end() tells.  Only then may the guest be told that its frames are safe.  commit() is the three in
 * one.
 *
 * A crash leaves at most one half-written commit behind what is sealed; open() cuts it off and
 * records that it did.  It was never acknowledged, so the guest sends it again: nothing is lost and
 * nothing is there twice.  A folder that is not as it was left (sealed records gone or changed, key
 * missing) is kept as evidence, and a new trail is begun beside it.
 *
 * A trail may be kept to a bound: see isc_trail_writer_keep().
 *
 * Where the collector has CAP_LINUX_IMMUTABLE and the file system knows the flags, files are
 * append-only (chattr +a) while open and immutable (+i) once closed by rotation; else this is
 * skipped.
 */

#define ISC_TRAIL_SEGMENT_BYTES                                                                    \
	(64u << 20) /* audit.log is rotated at the next event boundary behind this */

typedef struct IscTrailWriter IscTrailWriter;

/* How far the guest is; 0 where nothing is known. */
typedef struct {
	guint64 session;
	guint64 frame;   /* last of the audit port */
	guint64 control; /* … and of the control port */
	guint64 kernel_lost;
} IscTrailMark;

typedef struct {
	guint64 records; /* in the trail; those of an earlier, broken trail do not count */
	guint64 lost;
	guint64 bad;
	guint64 block;               /* number of the last block */
	guint8 head[ISC_CHAIN_HASH]; /* its hash */
	guint32 segment;
} IscTrailState;

/**
 * isc_trail_writer_open:
 * @dir_fd: the node's folder; not kept
 * @name: of the node; goes into the first block
 * @root: the dock's key; must outlive the trail
 * @segment_bytes: rotate behind this size, 0: ISC_TRAIL_SEGMENT_BYTES
 * @broken: (out) (optional): what lay there was not as it had been left, and a new trail was begun
 *
 * Blocks on the disk.  Errors: ISC_ERROR_HOST (no space), ISC_ERROR_FAILED.
 */
IscTrailWriter *isc_trail_writer_open(int dir_fd, const gchar *name, const IscSealKey *root,
		goffset segment_bytes, gboolean *broken, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_trail_writer_keep:
 * @bytes: of closed files, log and chain together; 0: keep all, which is how a trail begins
 *
 * From now on the oldest closed files go when they are more than that: now, and whenever a file is
 * closed.  What goes is on record in the chain before it goes, so that it is told from what
 * somebody takes away (trail-trim.h).  Not between begin() and end().
 *
 * Errors: as of end().
 */
gboolean isc_trail_writer_keep(IscTrailWriter *trail, guint64 bytes, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	guint32 from, to; /* files that went; 0: none did */
	guint64 bytes;
	guint64 first; /* number of the first record that is kept */
} IscTrailTrimmed;

/* What went since this was last asked.  Not between begin() and end(). */
IscTrailTrimmed isc_trail_writer_trimmed(IscTrailWriter *trail);

/* Forgets what is not committed; writes nothing: as a crash would. */
void isc_trail_writer_free(IscTrailWriter *trail);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscTrailWriter, isc_trail_writer_free)

/* Adds one record as the kernel of the guest gave it; @time: µs, host clock; @frame: the one that
 * brought it. Returns: FALSE if no kernel wrote it; it is then kept in hex. */
gboolean isc_trail_writer_add(IscTrailWriter *trail, gint64 time, guint64 frame, guint16 type,
		const gchar *text, gsize len);

/* Adds a line of the dock's own: printable text, "key=value …". */
void isc_trail_writer_note(IscTrailWriter *trail, gint64 time, IscLineType type,
		const gchar *format, ...) G_GNUC_PRINTF(4, 5);

/* What the next commit makes durable.  It is written with a block also where no record was added.
 */
void isc_trail_writer_mark(IscTrailWriter *trail, const IscTrailMark *mark);
void isc_trail_writer_count_lost(IscTrailWriter *trail, guint64 n);
void isc_trail_writer_count_bad(IscTrailWriter *trail);

/* Bytes that wait for a commit. */
gsize isc_trail_writer_pending(const IscTrailWriter *trail);

/* Whether the next commit must not wait, and no further frames be read until it began.  There is
 * room for at least 50,000 records behind this point; what would not fit into the block even so is
 * dropped and counted as lost. */
gboolean isc_trail_writer_is_full(const IscTrailWriter *trail);

/* @close: the trail ends here (a CLOSE block); only free() may follow.
 * Returns: FALSE if there is nothing to write, or begin() was called without end(). */
gboolean isc_trail_writer_begin(IscTrailWriter *trail, gboolean close);
void isc_trail_writer_work(IscTrailWriter *trail); /* in any thread */
gboolean isc_trail_writer_end(IscTrailWriter *trail, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* After an error of end() the trail is only good for free(): open it again, and have the guest send
 * again. */
gboolean isc_trail_writer_commit(IscTrailWriter *trail, gboolean close, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* What is on disk. */
const IscTrailMark *isc_trail_writer_durable(const IscTrailWriter *trail);
void isc_trail_writer_state(const IscTrailWriter *trail, IscTrailState *out);
