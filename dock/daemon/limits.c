#include "daemon/limits.h"

#include "daemon/admission.h"
#include "daemon/steps.h"
#include "policy/limit-change.h"

gchar *isc_limits_plan(IscDock *dock, const IscRequest *request, const IscNode *node,
		gboolean *done, GPtrArray *warnings, GError **error)
{
	g_autofree gchar *change = isc_limit_change_plan(node->spec, request->rules, error);
	if (!change)
		return NULL;
	*done = *change == '\0';
	if (*done)
		return g_steal_pointer(&change);
	g_autoptr(IscSpec) next =
			isc_limit_change_work_out(node->spec, change, /* back= */ FALSE, error);
	if (!next || !isc_admission_limits(dock, node, next, /* enter= */ FALSE, error))
		return NULL;
	g_autofree gchar *waits = isc_limit_change_waits(node->spec, next);
	if (*waits && isc_node_state_is_up(node->state))
		g_ptr_array_add(warnings,
				g_strdup_printf("%s: not in force before its next start: a running "
						"machine keeps its size",
						waits));
	return g_steal_pointer(&change);
}

static void put(GVariantBuilder *b, const gchar *key, const IscLimits *limits)
{
	g_autoptr(GString) lines = g_string_new(NULL);
	isc_limits_print(limits, lines);
	g_strdelimit(g_strchomp(lines->str), "\n", ' ');
	g_variant_builder_add(b, "{sv}", key, g_variant_new_string(lines->str));
}

void isc_limits_show(IscDock *dock, const IscNode *node, GVariantBuilder *b)
{
	IscLimits now;
	put(b, "limits", &node->spec->limits);
	if (!isc_node_state_is_up(node->state))
		return;
	if (isc_steps_get_limits(dock, node, &now, NULL))
		put(b, "limits-in-force", &now);
	else
		g_variant_builder_add(b, "{sv}", "limits-in-force",
				g_variant_new_string("unknown: libvirt or QEMU does not say"));
}
