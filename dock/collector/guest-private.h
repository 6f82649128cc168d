#pragma once
#include "collector/guest.h"

/* Shared by guest.c (life, commits, quotas), guest-input.c (what a guest says) and guest-tell.c
 * (what is said about it). */

typedef enum {
	NODE_OPENING, /* a job opens the files; nobody reads */
	NODE_OPEN,
	NODE_FAILED, /* the disk refuses; tried again soon */
	NODE_CLOSED,
} NodeState;

struct IscGuest {
	const IscGuestHost *host;
	gchar name[ISC_LINK_NAME];
	guint32 slot;
	NodeState state;
	IscPort ports[ISC_N_CHANNELS];

	IscTrailWriter *trail;
	IscServiceLog *log;
	GError *open_error;            /* of the job */
	gboolean broken;               /* … found the trail so */
	gboolean trail_busy, log_busy; /* a job has it */
	guint commit_timer, retry_timer, refill_timer;
	guint retry_ms;

	/* of the guest's present boot */
	IscTrailMark mark;
	guint64 control_needs; /* last control frame that has a line in the trail */
	GArray *claims;        /* IscWireEvent: the last of each kind, oldest first */

	GPtrArray *notes;      /* gchar*: "TYPE text", wait for the end of an audit event */
	gboolean within_event; /* the guest's last record does not end an event */
	gint64 record_at;      /* µs, monotonic: of the last audit record */

	IscBucket audit_bytes, audit_records, log_bytes, log_records, events;
	guint64 bad_count;

	guint64 commits_begun, commits_done;
	GArray *flushes; /* Flush */
	gint64 anchored_at;
	guint32 anchored_file; /* number of the open file then; 0: not since it was opened */
	gint64 asked_at;       /* µs, monotonic: when a silent guest was last asked to go on */
	guint silent;          /* … and how often in a row */
	gboolean closing;      /* final: nothing is read any more */
	guint drain_timer;     /* closes, once the ports hung up or this is over */
	IscGuestFunc closed;
	gpointer closed_data;
};

typedef struct {
	gint64 id;
	guint64 wait_for; /* commits_done */
} Flush;

extern const IscPortOps isc_guest_audit_ops, isc_guest_log_ops, isc_guest_control_ops;

void isc_guest_tell(IscGuest *node, IscLinkKind kind, IscChannel channel, const gint64 numbers[5]);
void isc_guest_tell_state(IscGuest *node, IscLinkKind kind, gint64 id);
void isc_guest_bad(IscGuest *node, IscChannel channel, IscWireBad bad);

/* Something is there to be committed. */
void isc_guest_schedule(IscGuest *node);

/* Opens and shuts the ports, as far as commits and quotas let them. */
void isc_guest_gate(IscGuest *node);

void isc_guest_put_notes(IscGuest *node, gboolean now);
void isc_guest_resume_all(IscGuest *node);
void isc_guest_hung_up(IscGuest *node, IscChannel channel); /* may free the node */
