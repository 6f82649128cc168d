#include "engine/vm-dump.h"

#include "base/cleanup.h"
#include "engine/vm-private.h"

gboolean isc_vm_dump_memory(IscVm *vm, const gchar *name, const gchar *path, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	g_autoptr(IscVirDomain) domain = conn ? isc_vm_lookup(conn, name, error) : NULL;
	if (!domain)
		return FALSE;
	return virDomainCoreDumpWithFormat(domain, path, VIR_DOMAIN_CORE_DUMP_FORMAT_RAW,
			       VIR_DUMP_MEMORY_ONLY | VIR_DUMP_LIVE) == 0 ||
	       isc_vm_set_error(error, "cannot dump the memory of '%s'", name);
}
