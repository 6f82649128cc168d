#include "daemon/lost-rows.h"

#include <string.h>

#include "base/error.h"
#include "engine/vm-domain.h"
#include "render/domain-meta.h"
#include "render/domain-xml.h"

/* Whether what libvirt has of this uuid is enough to take the node up again. */
static gboolean is_known_to_libvirt(const IscLostRow *row, const GPtrArray *domains)
{
	for (guint i = 0; i < domains->len; i++) {
		const IscVmInfo *info = domains->pdata[i];
		if (!g_str_equal(info->uuid, row->uuid))
			continue;
		g_autoptr(IscDomainMeta) meta =
				isc_domain_meta_parse(info->xml, strlen(info->xml), NULL);
		g_autoptr(IscSpec) spec =
				meta && meta->spec ? isc_spec_parse("metadata", meta->spec,
								     strlen(meta->spec), NULL)
						   : NULL;
		return spec && g_str_equal(spec->name, info->domain + strlen(ISC_DOMAIN_PREFIX));
	}
	return FALSE;
}

guint isc_lost_rows_look(IscDock *dock, const GPtrArray *domains, gboolean repair,
		IscReconcileFunc found, gpointer data)
{
	g_autoptr(GPtrArray) rows = isc_register_list_lost(dock->reg, NULL);
	guint n = 0;

	for (guint i = 0; rows && i < rows->len; i++) {
		const IscLostRow *row = rows->pdata[i];
		g_autoptr(GError) why = NULL;
		gboolean mended = repair && is_known_to_libvirt(row, domains) &&
				  isc_register_remove_lost(dock->reg, row, &why);
		g_autofree gchar *name =
				g_strdup_printf("row of slot %" G_GINT64_FORMAT, row->slot);
		g_autofree gchar *problem = g_strdup_printf(
				"'%s' is no name of a node (uuid %s)", row->name, row->uuid);
		n += !mended;
		if (found)
			found(data, "register", name, problem, mended);
		else if (mended)
			isc_dock_event(dock, "", "dock.reconcile", "warn", ISC_CALLER_DOCK,
					"register %s: %s; it made way for libvirt's definition",
					name, problem);
		if (why)
			g_warning("register %s: %s", name, why->message);
	}
	return n;
}

void isc_lost_rows_tell(IscDock *dock)
{
	g_autoptr(GPtrArray) rows = isc_register_list_lost(dock->reg, NULL);
	for (guint i = 0; rows && i < rows->len; i++) {
		const IscLostRow *row = rows->pdata[i];
		isc_dock_event(dock, "", "register.damaged", "alarm", ISC_CALLER_DOCK,
				"the row of slot %" G_GINT64_FORMAT
				" in the register names no node: '%s' (uuid %s); its node is cut "
				"off until libvirt's definition is there to take it up from; see "
				"isc-vm doctor",
				row->slot, row->name, row->uuid);
	}
}
