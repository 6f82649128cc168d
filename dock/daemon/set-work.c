#include "daemon/set-work.h"

#include "base/error.h"
#include "daemon/bus.h"
#include "model/replica.h"

gboolean isc_set_work_begin(IscSetWork *w, IscVerb verb, GError **error)
{
	if (!w->began)
		w->began = g_get_monotonic_time();
	if (!w->out->plan)
		w->out->plan = g_ptr_array_new_with_free_func(g_free);
	if (!w->out->warnings)
		w->out->warnings = g_ptr_array_new_with_free_func(g_free);
	w->cancel = g_cancellable_new();
	w->lock = g_strconcat("*", w->request->name, NULL);
	if (isc_verbs_take(w->dock, w->lock, verb, w->cancel, error))
		return TRUE;
	g_clear_pointer(&w->lock, g_free);
	return FALSE;
}

void isc_set_work_end(IscSetWork *w)
{
	if (w->lock)
		isc_verbs_give_back(w->dock, w->lock);
	w->out->seconds = (gdouble)(g_get_monotonic_time() - w->began) / G_USEC_PER_SEC;
	g_free(w->lock);
	g_clear_object(&w->cancel);
	isc_replica_set_free(w->set);
	g_clear_pointer(&w->members, g_ptr_array_unref);
}

gboolean isc_set_work_look(IscSetWork *w, GError **error)
{
	g_clear_pointer(&w->set, isc_replica_set_free);
	g_clear_pointer(&w->members, g_ptr_array_unref);
	return (w->set = isc_register_get_set(w->dock->reg, w->request->name, error)) &&
	       (w->members = isc_register_list_members(w->dock->reg, w->request->name, error));
}

gboolean isc_set_work_is_wanted(const IscSetWork *w, GError **error)
{
	if (w->set->wanted)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"set '%s' is being destroyed; finish with 'isc-vm destroy'", w->set->name);
	return FALSE;
}

guint isc_set_work_number(const IscSetWork *w, const IscNode *member)
{
	return isc_replica_number(w->request->name, member->spec->name);
}

void isc_set_work_progress(IscSetWork *w, const gchar *sign, guint number)
{
	g_autofree gchar *text = g_strdup_printf("%s %s-%u", sign, w->request->name, number);
	w->step++;
	if (w->dock->bus)
		isc_bus_progress(w->dock->bus, w->request->name, 0, w->step,
				MAX(w->out->plan->len, w->step), text);
}

void isc_set_work_warn(IscSetWork *w, const gchar *name, const GPtrArray *warnings)
{
	for (guint i = 0; warnings && i < warnings->len; i++)
		g_ptr_array_add(w->out->warnings,
				g_strdup_printf("%s: %s", name, (const gchar *)warnings->pdata[i]));
}
