#pragma once
#include "collector/port.h"
#include "collector/quota.h"
#include "collector/service-log.h"
#include "collector/trail-writer.h"

/*
 * One node: three ports in, a trail and a service log out.  All in the main thread but for the work
 * of commits, which a small pool of threads does: a slow disk holds up no socket, and one node's
 * commit none of another.
 *
 * What a node may cost.  Not more than one commit in flight and one being collected, about 1 MiB
 * each; then nobody reads its audit port, and the guest keeps what it has in its own ring.  Bytes
 * and records a second by token buckets: the log port is closed first; the audit port has a larger
 * bucket of its own.
 */

typedef struct IscGuest IscGuest;

/* Upward: numbers only. */
typedef struct {
	void (*tell)(gpointer self, const IscLinkMsg *msg);
	/* How far the trail of @name is on disk: when it was opened, at each new file, every ten
	 * minutes in which it grew, and at its end. */
	void (*tell_end)(gpointer self, const gchar *name, const IscTrailState *end);
} IscGuestOps;

/* What all nodes share; owned by the collector. */
typedef struct {
	IscReactor *reactor;
	GThreadPool *pool; /* of IscGuest job functions; see isc_guest_run_job() */
	int nodes_fd;      /* folder of the nodes' folders */
	int log_fd;        /* … and of the dock's own */
	IscSealKey root;
	const IscGuestOps *ops;
	gpointer self;
} IscGuestHost;

/* Where the trail of @name is: folder @folder (static) in @fd (borrowed). */
void isc_guest_place(const IscGuestHost *host, const gchar *name, int *fd, const gchar **folder);

IscGuest *isc_guest_new(const IscGuestHost *host, const gchar *name, guint32 slot);

/* Only when it is gone (see isc_guest_close()) or the process ends: writes nothing. */
void isc_guest_free(IscGuest *node);

/* @fd: (transfer full): unix stream socket. */
void isc_guest_attach(IscGuest *node, IscChannel channel, int fd);

void isc_guest_order(IscGuest *node, const IscWireOrder *order);

/* Answers by FLUSHED once all that was read before is on disk. */
void isc_guest_flush(IscGuest *node, gint64 id);

/* Writes out what is there, seals the end, closes the ports; then calls @func, once.
 * @drain: first reads until the ports hang up, two seconds at most (the node is gone; what it said
 * last is not) Returns: FALSE if it is closing already: @func is not called then, the first one is
 */
typedef void (*IscGuestFunc)(IscGuest *node, gpointer data);
gboolean isc_guest_close(IscGuest *node, gboolean drain, IscGuestFunc func, gpointer data);
gboolean isc_guest_is_closing(const IscGuest *node);

/* A line of the dock's own; goes into the trail between two events of the guest. */
void isc_guest_note(IscGuest *node, IscLineType type, const gchar *format, ...) G_GNUC_PRINTF(3, 4);

/* Records on disk, known lost, and the anchor: b..e of FLUSHED and FORGOTTEN. */
void isc_guest_fill_state(const IscGuest *node, IscLinkMsg *msg);

/* Tells the latest claims of this boot again, with flags = 1. */
void isc_guest_replay(IscGuest *node);

/* To be called every few seconds: asks silent guests to go on, gives up half frames. */
void isc_guest_tick(IscGuest *node);

const gchar *isc_guest_name(const IscGuest *node);
void isc_guest_set_slot(IscGuest *node, guint32 slot);

/* GFunc of the pool. */
void isc_guest_run_job(gpointer job, gpointer data);
