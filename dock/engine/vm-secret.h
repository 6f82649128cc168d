#pragma once
#include "engine/vm-libvirt.h"

/* libvirt's secrets: how QEMU gets the key of a volume.  Always ephemeral (never on disk) and
 * private (cannot be read back); gone when libvirtd ends, so they are set again after each
 * reconnection. */

/**
 * isc_vm_secret_set:
 * @uuid: of the secret; made if it is not there, else its value is replaced
 * @usage: what it opens, e.g. "isc-web/overlay": unique among secrets, shown by `virsh secret-list`
 * @key: hex digits, NUL-terminated: libvirt takes valid UTF-8 without a newline only.  The caller
 * keeps it in memory that it wipes; what libvirt's client copied is wiped when it is freed if
 * isc_vm_wipe_freed_memory() was called.
 *
 * Errors: ISC_ERROR_INVALID (@key), ISC_ERROR_HOST, ISC_ERROR_STATE (@usage belongs to another
 * secret), ISC_ERROR_FAILED
 */
gboolean isc_vm_secret_set(IscVm *vm, const gchar *uuid, const gchar *usage, const gchar *key,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An absent one is success. */
gboolean isc_vm_secret_unset(IscVm *vm, const gchar *uuid, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The one of that @usage, whatever its uuid: who made it may have died.  An absent one is success.
 */
gboolean isc_vm_secret_unset_usage(IscVm *vm, const gchar *usage, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* A secret in libvirtd for a volume, the dock's or somebody else's. */
typedef struct {
	gchar uuid[37];
	gchar *usage;
} IscVmSecret;
void isc_vm_secret_free(IscVmSecret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscVmSecret, isc_vm_secret_free)

/* Returns: (transfer full) (element-type IscVmSecret), frees its elements */
GPtrArray *isc_vm_secret_list(IscVm *vm, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* That none is there is an answer, no error. */
gboolean isc_vm_secret_has(IscVm *vm, const gchar *uuid, gboolean *has, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The XML of such a secret.  Errors: ISC_ERROR_INVALID.  Returns: (transfer full) */
gchar *isc_vm_secret_xml(const gchar *uuid, const gchar *usage, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Makes free() overwrite what it frees, in the whole process: libvirt's client sends a key in a
 * message buffer that it gives back as it is.  Once, in main(), before there are threads. */
void isc_vm_wipe_freed_memory(void);
