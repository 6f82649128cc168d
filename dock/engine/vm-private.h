#pragma once
/* Between the vm-*.c only. */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "engine/vm-libvirt.h"

typedef virConnect IscVirConnect;
typedef virDomain IscVirDomain;
typedef virSecret IscVirSecret;
static inline void isc_vir_connect_close(virConnect *c)
{
	virConnectClose(c);
}
static inline void isc_vir_domain_free(virDomain *d)
{
	virDomainFree(d);
}
static inline void isc_vir_secret_free(virSecret *s)
{
	virSecretFree(s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscVirConnect, isc_vir_connect_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscVirDomain, isc_vir_domain_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscVirSecret, isc_vir_secret_free)

/* A job of libvirt's came to its end.  Called in the main context. */
typedef void (*IscVmJobFunc)(gpointer data, const gchar *domain, gboolean ok, const gchar *why);

/* At most one listener a domain; NULL @func ends it, and does not return while it is being called.
 */
void isc_vm_listen_job(IscVm *vm, const gchar *domain, IscVmJobFunc func, gpointer data);

/* A reference of its own on the connection.  Errors: ISC_ERROR_HOST: there is none now. */
virConnect *isc_vm_use(IscVm *vm, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Errors: ISC_ERROR_NOT_FOUND, ISC_ERROR_HOST.  Returns: (transfer full) */
virDomain *isc_vm_lookup(virConnect *conn, const gchar *domain, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Turns libvirt's last error of this thread into ours: "WHAT: libvirt's message".  Always returns
 * FALSE. */
gboolean isc_vm_set_error(GError **error, const gchar *format, ...) G_GNUC_PRINTF(2, 3);

/* Was the last error of this thread @code? */
gboolean isc_vm_last_error_is(int code);
