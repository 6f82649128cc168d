#pragma once
#include <glib.h>

#include "base/anchor.h"
#include "collector/chain.h"

/*
 * Checks a trail and reads it: the same walk, so that nothing is shown that was not checked.  Needs
 * public halves only. Pure: takes sources of bytes; isc_trail_verify_dir() at the end is for
 * callers that have a folder.
 *
 * A trail that does not begin at its beginning is good where a later block says that retention has
 * taken what came before (chain.h, IscChainTrim); else files are missing.
 *
 * What can be told, and what not: any change to what is sealed is found from the files alone.  An
 * end that is missing together with its blocks (an older copy put back, the newest files taken
 * away) is found with what was noted elsewhere: how many files there are, and an anchor, a block's
 * number and hash.
 */

typedef enum {
	ISC_TRAIL_GOOD,
	ISC_TRAIL_EDITED,    /* the record (or its block) is not what was sealed */
	ISC_TRAIL_REMOVED,   /* records were taken out before this one's place */
	ISC_TRAIL_INSERTED,  /* a record that was never sealed */
	ISC_TRAIL_REORDERED, /* records changed places */
	ISC_TRAIL_TRUNCATED, /* it ends before what is sealed ends */
	ISC_TRAIL_RESEALED,  /* sealed again, by a key that is not the one of this place */
	ISC_TRAIL_REPLAYED,  /* an older state, block or file stands here */
	ISC_TRAIL_SWAPPED,   /* of another node, trail or place */
	ISC_TRAIL_DAMAGED,   /* the chain file is none */
	ISC_N_TRAIL_FAULTS,
} IscTrailFault;

/* "edited", "removed", …; "good" for ISC_TRAIL_GOOD; static */
const gchar *isc_trail_fault_name(IscTrailFault fault);

/* One line of audit.log, checked. */
typedef struct {
	guint64 number;  /* from 1 */
	gint64 time;     /* when it reached the dock, µs since 1970, host clock */
	guint64 session; /* of the guest */
	guint64 frame;
	guint16 type;      /* audit message type */
	guint16 flags;     /* ISC_RECORD_DOCK, ISC_RECORD_ESCAPED */
	const gchar *line; /* without its newline, not NUL-terminated; escape it before it is shown
			    */
	gsize len;
} IscTrailRecord;

typedef void (*IscTrailRecordFunc)(const IscTrailRecord *record, gpointer data);

typedef struct {
	IscTrailFault fault;
	guint64 record;  /* number of the first bad record; 0 where all is good */
	guint32 segment; /* its file: 1, 2, … */
	gchar *detail;   /* (owned) one sentence; NULL where all is good */

	guint64 records, blocks;      /* that were good */
	guint64 lost, bad;            /* as the collector counted them */
	guint restarts;               /* of the collector */
	guint64 cut;                  /* bytes that restarts cut off: never acknowledged */
	gint64 first_time, last_time; /* µs; of the first and last block */
	guint32 trimmed_files;        /* that retention took from its beginning, as is on record */
	guint64 trimmed_records;
	gint64 trimmed_time;   /* µs: when it did so last */
	guint trimmed_anchors; /* anchors that are of what it took: not looked at */
	guint clock_steps;     /* times that the host's clock was set, by more than 2 s */
	gboolean closed;       /* ends in order; FALSE: is being written, or was when copied */
	gboolean rotated;      /* ends where another file was to follow, or is just being begun */
	guint64 uncovered;     /* bytes of audit.log behind the last block: not sealed yet */
	guint64 last_block;
	guint8 head[ISC_CHAIN_HASH]; /* hash of the last block */
	guint8 root[32];             /* the dock's key that the trail names */
	guint8 trail[16];
	gchar name[32];
} IscTrailReport;

void isc_trail_report_clear(IscTrailReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscTrailReport, isc_trail_report_clear)

typedef struct {
	const gchar *name;  /* node that it must be of; NULL: any */
	const guint8 *root; /* 32 bytes: the dock's key (seal.pub); NULL: the one that the trail
			       names */
	const IscTrailAnchor *anchors;
	gsize n_anchors;
	gboolean at_rest; /* nobody writes it: then nothing may stand behind the last block */
	gboolean whole;   /* its last file is there: none is that says that another one follows.
			     Implied by at_rest */
	guint32 files;    /* so many it had at least, those that retention took included; 0: nobody
			     knows */
} IscTrailExpect;

/* Where bytes come from.  read() returns how many, 0 at the (present) end, -1 with errno. */
typedef struct {
	gssize (*read)(gpointer self, guint8 *buf, gsize len);
	gpointer self;
} IscByteSource;

/* A source of a fd; of bytes in memory (@bytes->next moves on). */
IscByteSource isc_source_fd(const int *fd);
typedef struct {
	const guint8 *next;
	gsize left;
} IscBytes;
IscByteSource isc_source_bytes(IscBytes *bytes);

typedef struct IscTrailVerify IscTrailVerify;

/* @expect and what it points to must stay; @func (may be NULL) gets each good record in order. */
IscTrailVerify *isc_trail_verify_new(
		const IscTrailExpect *expect, IscTrailRecordFunc func, gpointer data);
void isc_trail_verify_free(IscTrailVerify *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscTrailVerify, isc_trail_verify_free)

/* The next pair of files, in order. */
void isc_trail_verify_begin(IscTrailVerify *v, IscByteSource log, IscByteSource chain);

/* Goes on as far as whole blocks and their lines reach.  May be called again when the files grew
 * (`audit -f`). Returns: FALSE once a fault was found. */
gboolean isc_trail_verify_run(IscTrailVerify *v);

/* No more will come of this pair. */
void isc_trail_verify_end(IscTrailVerify *v, gboolean last);

/* Whether the last block read ends a file that another one follows (for `audit -f`). */
gboolean isc_trail_verify_is_rotated(const IscTrailVerify *v);

/* Judges the whole.  Returns: TRUE if all is good. */
gboolean isc_trail_verify_finish(IscTrailVerify *v, IscTrailReport *out);

/**
 * isc_trail_verify_dir:
 * @dir_fd: a node's folder, or a copy: audit.log, audit.chain, audit.log.N, audit.chain.N
 *
 * Works on a trail that is being written, too; a copy of such a one is good if audit.chain was
 * copied before audit.log. Errors: ISC_ERROR_NOT_FOUND (no trail there), ISC_ERROR_FAILED (cannot
 * be read), ISC_ERROR_VERIFY (the report says more).
 */
gboolean isc_trail_verify_dir(int dir_fd, const IscTrailExpect *expect, IscTrailRecordFunc func,
		gpointer data, IscTrailReport *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same with open fds of the pairs, oldest first (a client that got them from the daemon). */
gboolean isc_trail_verify_fds(const int *log_fds, const int *chain_fds, gsize n,
		const IscTrailExpect *expect, IscTrailRecordFunc func, gpointer data,
		IscTrailReport *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
