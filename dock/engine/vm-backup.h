#pragma once
#include <gio/gio.h>

#include "engine/vm-libvirt.h"

/* Copies disks of a running domain, as they are at one moment, each into an encrypted volume of its
 * own. */

typedef struct {
	const gchar *dev;  /* "vdb" */
	const gchar *path; /* a new, empty LUKS qcow2 of the disk's size that the domain's uid may
			      write */
	const gchar *secret_uuid; /* libvirt secret that opens it */
} IscVmBackupDisk;

/* Called in the calling thread, some times a second; both in bytes. */
typedef void (*IscVmProgress)(gpointer data, guint64 done, guint64 total);

/**
 * isc_vm_backup:
 * @disks: those to copy; all others are left out.  At least one
 * @timeout_ms: of the whole; the job is aborted then
 * @progress: or NULL
 *
 * The moment is when this has begun: freeze file systems before, thaw them when @begun was called
 * (may be NULL; from the calling thread, at once after the job stands).  The guest runs on
 * meanwhile: what it overwrites is copied first. One at a time for each domain; a job that an
 * earlier, broken call left behind is aborted first.  The targets are of no use if this fails:
 * shred them. Errors: ISC_ERROR_NOT_FOUND, ISC_ERROR_STATE (does not run, or another job),
 * ISC_ERROR_TIMEOUT, ISC_ERROR_HOST, ISC_ERROR_FAILED; G_IO_ERROR_CANCELLED.
 */
gboolean isc_vm_backup(IscVm *vm, const gchar *domain, const IscVmBackupDisk *disks, gsize n_disks,
		guint timeout_ms, GCancellable *cancel, void (*begun)(gpointer data),
		IscVmProgress progress, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_vm_backup_xml:
 * @domain_xml: of the running domain: names the disks that are left out
 * The XML of such a job.  Pure.
 * Errors: ISC_ERROR_INVALID, ISC_ERROR_NOT_FOUND (no disk of that name).  Returns: (transfer full)
 */
gchar *isc_vm_backup_xml(const gchar *domain_xml, const IscVmBackupDisk *disks, gsize n_disks,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
