#pragma once
#include <gio/gio.h>

#include "daemon/channels.h"
#include "daemon/config.h"
#include "daemon/link.h"
#include "engine/accel.h"
#include "engine/address-watch.h"
#include "engine/engine.h"
#include "engine/firewall-nft.h"
#include "engine/firewall-watch.h"
#include "engine/link-watch.h"
#include "engine/names.h"
#include "engine/vm-libvirt.h"
#include "store/acts.h"
#include "store/images.h"
#include "store/keys.h"
#include "store/register.h"

#define ISC_CALLER_DOCK G_MAXUINT /* the dock itself, in events and the journal */

typedef struct IscBus IscBus;
typedef struct IscActsLink IscActsLink;
typedef struct IscMonitor IscMonitor;

/* What the dock knows of a node besides the register: gone with the daemon, found again by
 * reconciling. */
typedef struct {
	guint slot;           /* of the node, for when the register cannot be asked; 0: none */
	const gchar *busy;    /* name of the verb under way, or NULL; static */
	gint64 busy_since;    /* monotonic, µs */
	GCancellable *cancel; /* of the verb under way */
	gboolean seized;      /* a quarantine waits for its end: what runs by then goes on */
	IscKey *key;          /* the overlay's, while it runs */
	GThread *verifying;   /* its image, while the verb goes on; isc_steps_verified() */
	/* Claims: what the node said last.  Never more than that. */
	gboolean booted, started, ready, unhealthy, stopped, bye;
	gint64 exit_status, exit_signal; /* of the service, when stopped … */
	gint64 stopped_at;               /* … monotonic, µs */
	gint64 failure, failure_errno;   /* IscInitFailure, or 0 */
	gint64 heartbeat;                /* monotonic, µs, of the last one */
	gboolean suspect, silent;        /* none came; and that was told: daemon/silence.c */
	guint64 states;                  /* how often its state was set … */
	guint64 off; /* … when the register was last found to say that it does not run, + 1 */
	gint64 audit_lost, audit_dropped;
	guint32 frozen, thawed;     /* ids of the last orders answered */
	guint32 probe_id, flush_id; /* ids of the last ones answered */
	gint64 probe_status;        /* HTTP status, see link.h */
	guint32 check_id;           /* of the last health check that the node has run … */
	gint64 check_status;        /* … and what it says of it, see wire.h */
	gboolean gone;              /* the domain ended */
	gboolean disk_broken;       /* stopped for its disk, and not for lack of room */
	guint defined;              /* definitions we made that libvirt has not told of yet … */
	gint64 defined_until;       /* … and until when it is waited for: monotonic, µs */
	guint bad;                  /* broken frames so far */
	gchar *boundary;            /* why this node's rules are not in force, or NULL */
} IscRun;

/* Everything there is one of.  Made by main(), handed down; there are no globals. */
typedef struct {
	const IscConfig *config;
	IscRegister *reg;
	IscActs *acts; /* what is on its way into the dock's own trail */
	IscImageStore *images;
	IscKeyStore *keys;
	IscFirewall *firewall;
	IscFirewallWatch *watch;
	IscAddressWatch *addresses;
	IscLinkWatch *links;
	IscNames *names; /* hosts in rules */
	IscVm *vm;
	IscLink *link;
	IscActsLink *acts_link;
	IscChannels *channels;
	IscBus *bus;
	IscAccel accel;
	guint tsc_khz;  /* of this CPU, or 0 */
	gchar *outside; /* interface */
	guint uid, gid; /* we */
	guint collector_uid, collector_gid;
	GThreadPool *pool;       /* verbs run here */
	GThreadPool *background; /* daemon/restart.c */
	IscMonitor *monitor;     /* daemon/monitor.c */
	GThreadPool *starters;   /* daemon/schedule.c */
	gint schedule_fd;        /* its timer, … */
	guint schedule_source;   /* … 0: it has none */
	IscEngine engine;        /* daemon/steps.c */
	gint64 began;            /* monotonic, µs */
	gint listens;            /* atomic: daemon/silence.c has a timer */
	gboolean stopping;
	struct {
		gint is_new, is_over; /* atomic; daemon/boot.c */
	} boot;

	GMutex admission; /* held from the check to the entry in the register */

	GMutex balance; /* held from the look at a set's members until its ports lead to them */

	GMutex lock;         /* guards what is below */
	GCond changed;       /* a claim arrived, a domain changed, a verb ended */
	GHashTable *runs;    /* name → IscRun; of a volume: '@' and its name; of a set: '*' */
	GHashTable *sources; /* uuid of a volume that is being imported → IscVolumeSource */
	guint32 last_id;     /* of orders, probes and flushes */
	gchar *boundary;     /* NULL, or why our rules are not in force: all links are down */
	gchar *trouble;      /* NULL, or what is amiss with the dock: State is "degraded: …" */
	struct {
		GHashTable *asked;  /* names that the collector asked for */
		GHashTable *told;   /* slot and kind → µs, monotonic: when an event told of it */
		GHashTable *unseen; /* name → what was counted when the collector went */
		gint failures;      /* atomic: in a row, of opening the packet log */
	} packets;                  /* daemon/packets.c */
} IscDock;

/* The run of @name, made when missing.  Call with the lock held. */
IscRun *isc_dock_run(IscDock *dock, const gchar *name);

/* Is a verb under way on @name?  Takes the lock. */
gboolean isc_dock_is_busy(IscDock *dock, const gchar *name);

/* Forgets the claims of an earlier start.  Takes the lock. */
void isc_dock_reset_claims(IscDock *dock, const gchar *name);

guint32 isc_dock_next_id(IscDock *dock);

/**
 * isc_dock_wait:
 * @is_so: looked at with the lock held, each time something changed
 * @deadline: monotonic µs
 *
 * Returns: FALSE when the time is up or @cancel fired
 */
gboolean isc_dock_wait(IscDock *dock, const gchar *name,
		gboolean (*is_so)(const IscRun *run, gpointer data), gpointer data, gint64 deadline,
		GCancellable *cancel);

/**
 * isc_dock_event:
 * @node: name or "" for the dock itself
 * @kind: "node.ready", …; @level: "info", "warn" or "alarm"
 *
 * Files it in the register, tells subscribers and syslog.  Any thread.  @format must not hold bytes
 * from a guest.
 */
void isc_dock_event(IscDock *dock, const gchar *node, const gchar *kind, const gchar *level,
		guint caller, const gchar *format, ...) G_GNUC_PRINTF(6, 7);

/* Sets the register's state, the object's property, and files an event.  Any thread. */
void isc_dock_set_state(IscDock *dock, const gchar *name, IscNodeState state, const gchar *reason,
		guint caller);

/* NULL clears it. */
void isc_dock_set_trouble(IscDock *dock, const gchar *trouble);

/* STATEDIR/nodes/NAME, RUNDIR/nodes/NAME.  (transfer full) */
gchar *isc_dock_node_dir(const IscDock *dock, const gchar *name);
gchar *isc_dock_node_run_dir(const IscDock *dock, const gchar *name);

/* A node as the register has it, with its sealed env put back into the spec.  (transfer full) */
IscNode *isc_dock_load_node(IscDock *dock, const gchar *name, GError **error);

/* Has @run called in a thread of the pool. */
void isc_dock_do(IscDock *dock, void (*run)(IscDock *dock, gpointer data), gpointer data);

/* The pool's function. */
void isc_dock_work(gpointer job, gpointer dock);

/* The dock's first address outside, or "".  (transfer full) */
gchar *isc_dock_outside_address(const IscDock *dock);

/* isc_link's callback: files claims. */
void isc_dock_on_link(gpointer dock, const IscLinkMsg *msg, gboolean up);
