#pragma once
#include <glib.h>

/* The dock's one connection to libvirt: it opens, notices a loss, comes back, and passes on what
 * happens to the dock's domains.  vm-domain.h, vm-secret.h and vm-backup.h are what is done over
 * it.
 *
 * Threads: operations may be called from any thread; owner's functions are called in the main
 * context only.  The main loop must run, or there are neither events nor keep-alive. */

typedef struct _IscVm IscVm;

typedef enum {
	ISC_VM_DEFINED, /* new, or its XML was changed: see detail */
	ISC_VM_UNDEFINED,
	ISC_VM_STARTED,
	ISC_VM_SUSPENDED, /* the vCPUs stand still */
	ISC_VM_RESUMED,
	ISC_VM_STOPPED,  /* the guest powered off, or was destroyed */
	ISC_VM_CRASHED,  /* QEMU or the guest failed */
	ISC_VM_IO_ERROR, /* a disk failed and the domain was paused for it; detail: "vdb: enospc" */
	ISC_N_VM_EVENTS,
} IscVmEventKind;

/* Borrowed: valid during the call. */
typedef struct {
	IscVmEventKind kind;
	const gchar *domain; /* "isc-web": only domains with ISC_DOMAIN_PREFIX are told about */
	const gchar *uuid;
	const gchar *detail; /* libvirt's own word for why: "booted", "destroyed", "shutdown",
				"failed", "ioerror", …; never NULL */
} IscVmEvent;

/* Every function may be NULL. */
typedef struct {
	/* After each (re)connection and each loss.  Whoever hears TRUE pushes secrets again and
	 * looks at all domains: what happened in between was not seen.  @why: of a loss, or ""  */
	void (*connection)(gpointer data, gboolean up, const gchar *why);
	void (*event)(gpointer data, const IscVmEvent *event);
} IscVmOwner;

/* Puts libvirt's events into the default main context, and its error messages into GErrors alone
 * (not onto stderr).  Once, in main(), before anything else here. */
void isc_vm_register_events(void);

/**
 * isc_vm_new:
 * @uri: "qemu:///system", or NULL for it
 * @owner: copied; @data: given to its functions
 * Opens nothing yet.
 * Returns: (transfer full): free with isc_vm_free()
 */
IscVm *isc_vm_new(const gchar *uri, const IscVmOwner *owner, gpointer data);

/**
 * isc_vm_connect:
 * The first connection, as one blocking act (up to some seconds: the first one after libvirtd's
 * start waits for its look at QEMU).  owner.connection() is called later, from the main loop.
 * Whether it works or not, from now on the connection is kept: tried again after 0.25 s, then less
 * and less often, at least each 5 s.  A dock without libvirtd can so go on, degraded. Errors:
 * ISC_ERROR_HOST with the next step
 */
gboolean isc_vm_connect(IscVm *vm, GError **error);

gboolean isc_vm_is_connected(IscVm *vm);

/* "libvirt 9.0.0, QEMU 7.2.22", or "" while there is no connection.  (transfer full) */
gchar *isc_vm_versions(IscVm *vm);

/* Ends events at once, then the connection.  Main thread; no operation may be under way.  NULL is
 * fine. */
void isc_vm_free(IscVm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscVm, isc_vm_free)

/* "defined", "undefined", …; static. */
const gchar *isc_vm_event_name(IscVmEventKind kind);
