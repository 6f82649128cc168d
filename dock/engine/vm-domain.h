#pragma once
#include <gio/gio.h>

#include "engine/vm-libvirt.h"

/* What is done with a domain.  @domain is its libvirt name, e.g. "isc-web".  All calls block, may
 * be made from any thread, and are safe to repeat: what is so already is success. Errors of all:
 * ISC_ERROR_HOST (no connection), ISC_ERROR_NOT_FOUND (no such domain), ISC_ERROR_STATE (libvirt:
 * not in this state, or busy), ISC_ERROR_FAILED; the message is libvirt's. */

typedef enum {
	ISC_VM_STATE_ABSENT, /* libvirt does not know it */
	ISC_VM_STATE_OFF,    /* defined */
	ISC_VM_STATE_RUNNING,
	ISC_VM_STATE_PAUSED,
	ISC_VM_STATE_STOPPING, /* on its way to OFF */
	ISC_VM_STATE_CRASHED,
	ISC_N_VM_STATES,
} IscVmState;

/* Makes it, or changes it where it is.  Takes effect at the next start.  Errors: also
 * ISC_ERROR_INVALID. */
gboolean isc_vm_define(IscVm *vm, const gchar *xml, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An absent one is success.  A running one becomes transient: destroy it first. */
gboolean isc_vm_undefine(IscVm *vm, const gchar *domain, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* @paused: it is made, vCPUs stand still, until isc_vm_resume().  A domain that runs already is
 * success, as it is. */
gboolean isc_vm_start(IscVm *vm, const gchar *domain, gboolean paused, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Pulls the plug: SIGTERM to QEMU, SIGKILL 10 s later.  Off or absent is success. */
gboolean isc_vm_destroy(IscVm *vm, const gchar *domain, GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean isc_vm_suspend(IscVm *vm, const gchar *domain, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean isc_vm_resume(IscVm *vm, const gchar *domain, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes the carrier off the network device of a running domain, or gives it back. */
gboolean isc_vm_set_link(IscVm *vm, const gchar *domain, gboolean up, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* ABSENT is an answer, no error.  @state is set on success. */
gboolean isc_vm_state(IscVm *vm, const gchar *domain, IscVmState *state, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Is it paused because a disk of it failed?  FALSE also where nobody knows. */
gboolean isc_vm_is_stalled(IscVm *vm, const gchar *domain);

/* "absent", "off", …; static. */
const gchar *isc_vm_state_name(IscVmState state);

/* The XML it was defined with (not that of the running one), without secrets.  Returns: (transfer
 * full) */
gchar *isc_vm_xml(IscVm *vm, const gchar *domain, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	gchar *domain;
	gchar *uuid;
	IscVmState state;
	gboolean persistent; /* FALSE: it was undefined while it runs */
	gchar *xml;          /* as isc_vm_xml(); isc_domain_meta_parse() reads it */
} IscVmInfo;
void isc_vm_info_free(IscVmInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscVmInfo, isc_vm_info_free)

/* All domains with ISC_DOMAIN_PREFIX.  Returns: (transfer full) (element-type IscVmInfo), frees its
 * elements */
GPtrArray *isc_vm_list(IscVm *vm, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	gchar *domain;
	IscVmState state;
	guint64 cpu_ns;             /* host CPU time since its start, QEMU's own work included */
	guint64 memory_kib;         /* resident memory of its QEMU process */
	guint64 rx_bytes, tx_bytes; /* its network device; rx is what the guest received */
	guint64 read_bytes, write_bytes; /* its disks together */
} IscVmStats;
void isc_vm_stats_free(IscVmStats *stats);

/* All running domains with ISC_DOMAIN_PREFIX, by one call.  A number that libvirt does not give is
 * 0. Returns: (transfer full) (element-type IscVmStats), frees its elements */
GPtrArray *isc_vm_stats(IscVm *vm, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_vm_pid:
 * @run_dir: libvirt's, or NULL: "/run/libvirt/qemu"
 * The process id of its QEMU, from the pid file that libvirt keeps.
 * Returns: 0 if it does not run
 */
GPid isc_vm_pid(const gchar *run_dir, const gchar *domain);
