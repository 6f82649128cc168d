#include "daemon/set-quarantine.h"

#include "base/error.h"
#include "daemon/answer.h"
#include "model/replica.h"

static gboolean is_going(const IscNode *member)
{
	return member->state == ISC_NODE_DESTROYING;
}

gboolean isc_set_is_held(const IscSetWork *w)
{
	for (guint i = 0; *w->set->quarantine && i < w->members->len; i++) {
		const IscNode *member = w->members->pdata[i];
		if (!is_going(member) && member->state != ISC_NODE_QUARANTINED)
			return FALSE;
	}
	return TRUE;
}

gboolean isc_set_is_free(const IscSetWork *w, GError **error)
{
	if (!*w->set->quarantine)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"set '%s' is in quarantine: a security officer releases it with 'isc-vm "
			"release %s'",
			w->set->name, w->set->name);
	return FALSE;
}

/* --- cut off --------------------------------------------------------------------------------- */

/* Of its members, where the register cannot be asked for them.  (transfer full) of names */
static GPtrArray *remembered(IscDock *dock, const gchar *set)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	GHashTableIter i;
	gpointer name;
	g_hash_table_iter_init(&i, dock->runs);
	while (g_hash_table_iter_next(&i, &name, NULL))
		if (isc_replica_number(set, name) > 0)
			g_ptr_array_add(names, g_strdup(name));
	return names;
}

static GPtrArray *names_of(const GPtrArray *members)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < members->len; i++)
		g_ptr_array_add(names, g_strdup(((const IscNode *)members->pdata[i])->spec->name));
	return names;
}

/* All of them, before anything else.  What they are busy with ends meanwhile: an order on the set
 * waits for it. */
static void cut_all(IscSetWork *w, const GPtrArray *names)
{
	IscSetOutcome *out = w->out;
	for (guint i = 0; i < names->len; i++) {
		g_autoptr(GError) why = NULL;
		gboolean cut_off;
		if (!isc_verbs_drop(w->dock, names->pdata[i], &cut_off, &why))
			g_ptr_array_add(out->warnings,
					g_strdup_printf("%s: cut: %s",
							(const gchar *)names->pdata[i],
							why->message));
		else if (cut_off)
			out->cut_off_ms = (gdouble)(g_get_monotonic_time() - w->began) / 1000.0;
	}
	for (guint i = 0; i < names->len; i++)
		isc_verbs_interrupt(w->dock, names->pdata[i]);
	for (guint i = 0; i < names->len; i++)
		isc_verbs_end_flows(w->dock, names->pdata[i]);
}

/* --- the rest of each ------------------------------------------------------------------------ */

/* TRUE also where it was taken back meanwhile, by what made it. */
static gboolean hold(IscSetWork *w, const gchar *name, const IscRequest *like, GError **error)
{
	g_auto(IscOutcome) out = { 0 };
	g_autoptr(GError) why = NULL;
	IscRequest request = *like;
	request.node = name;
	gboolean ok = isc_verb_run(w->dock, &request, &out, &why);
	isc_set_work_warn(w, name, out.warnings);
	if (ok && w->out->evidence && out.plan && out.plan->steps->len > 0)
		g_ptr_array_add(w->out->evidence, g_strjoin(".", name, like->snapshot, NULL));
	if (ok || g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* Each that is not in quarantine yet; one that cannot keeps none from it. */
static gboolean hold_all(IscSetWork *w, const IscRequest *like, GError **error)
{
	g_autoptr(GString) not = g_string_new(NULL);
	g_autoptr(GError) first = NULL;
	guint n = 0;
	for (guint i = 0; i < w->members->len; i++) {
		const IscNode *member = w->members->pdata[i];
		g_autoptr(GError) why = NULL;
		if (is_going(member) || member->state == ISC_NODE_QUARANTINED)
			continue;
		isc_set_work_progress(w, "quarantine", isc_set_work_number(w, member));
		if (hold(w, member->spec->name, like, &why))
			continue;
		g_string_append_printf(not, "%s'%s'", not ->len ? ", " : "", member->spec->name);
		n++;
		if (!first)
			first = g_steal_pointer(&why);
	}
	if (!first)
		return TRUE;
	g_propagate_prefixed_error(error, g_steal_pointer(&first),
			"set '%s': %u of its %u members are not in quarantine (%s): ", w->set->name,
			n, w->members->len, not ->str);
	return FALSE;
}

gboolean isc_set_hold(IscSetWork *w, GError **error)
{
	g_autofree gchar *name = isc_answer_time_name("q");
	const IscRequest like = { .verb = ISC_VERB_QUARANTINE,
		.caller = w->request->caller,
		.of_set = TRUE,
		.reason = w->set->quarantine,
		.snapshot = name };
	isc_dock_event(w->dock, "", "set.mend", "warn", ISC_CALLER_DOCK,
			"set %s is in quarantine, and what is not of it is put there",
			w->set->name);
	return hold_all(w, &like, error);
}

/* --- quarantine ------------------------------------------------------------------------------ */

static void plan(IscSetWork *w, IscVerb verb)
{
	for (guint i = 0; i < w->members->len; i++) {
		const IscNode *member = w->members->pdata[i];
		gboolean is_in = member->state == ISC_NODE_QUARANTINED;
		if (!is_going(member) && is_in == (verb == ISC_VERB_RELEASE))
			g_ptr_array_add(w->out->plan, g_strdup_printf("%s %s", isc_verb_name(verb),
								      member->spec->name));
	}
}

/* On record first: whatever comes of the others, they follow. */
static gboolean quarantine(IscSetWork *w, GError **error)
{
	const IscSetRequest *r = w->request;
	const IscRequest like = { .verb = ISC_VERB_QUARANTINE,
		.caller = r->caller,
		.of_set = TRUE,
		.pause = r->pause,
		.memory = r->memory,
		.timeout_s = r->timeout_s,
		.reason = r->reason,
		.snapshot = r->snapshot };
	if (!*w->set->quarantine) {
		if (!isc_register_set_quarantine(w->dock->reg, r->name, r->reason, error))
			return FALSE;
		isc_dock_event(w->dock, "", "set.quarantine", "alarm", r->caller,
				"set %s is put into quarantine, all of it: %s", r->name, r->reason);
	}
	/* What came while the order of before was ending is among them. */
	return isc_set_work_look(w, error) && hold_all(w, &like, error);
}

static gboolean is_unknown(const GError *why)
{
	return g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND);
}

/* Nothing is on record of it: only the cut is. */
static gboolean cut_remembered(IscSetWork *w, GError *why, GError **error)
{
	g_autoptr(GPtrArray) names = remembered(w->dock, w->request->name);
	cut_all(w, names);
	g_propagate_error(error, why);
	if (w->out->cut_off_ms > 0)
		g_prefix_error(error,
				"the members of '%s' are cut off, but without evidence, and not on "
				"record: a restart of isc-dockd would undo it; ask again once this "
				"is mended: ",
				w->request->name);
	return FALSE;
}

gboolean isc_sets_quarantine(
		IscDock *dock, const IscSetRequest *request, IscSetOutcome *out, GError **error)
{
	g_auto(IscSetWork) w = {
		.dock = dock, .request = request, .out = out, .began = g_get_monotonic_time()
	};
	GError *why = NULL;
	out->plan = g_ptr_array_new_with_free_func(g_free);
	out->warnings = g_ptr_array_new_with_free_func(g_free);
	out->evidence = g_ptr_array_new_with_free_func(g_free);
	if (!isc_set_work_look(&w, &why)) {
		if (!is_unknown(why) && !request->dry_run)
			return cut_remembered(&w, why, error);
		g_propagate_error(error, why);
		return FALSE;
	}
	plan(&w, ISC_VERB_QUARANTINE);
	out->done = *w.set->quarantine && out->plan->len == 0;
	if (request->dry_run)
		return TRUE;
	g_autoptr(GPtrArray) names = names_of(w.members);
	cut_all(&w, names);
	/* Whoever is at the set has been told to end, and waits for nothing that is not.  Where he
	 * does not end in time, the members go on without. */
	gboolean is_ours = isc_set_work_begin(&w, ISC_VERB_QUARANTINE, &why);
	if (is_ours && (!isc_set_work_look(&w, error) || !isc_set_work_is_wanted(&w, error)))
		return FALSE;
	gboolean ok = quarantine(&w, is_ours ? error : NULL);
	if (is_ours)
		return ok;
	g_propagate_prefixed_error(error, why,
			"the members of set '%s' are cut off%s, but others may come yet: ",
			request->name, ok ? " and in quarantine" : "");
	return FALSE;
}

/* --- release --------------------------------------------------------------------------------- */

static gboolean release_all(IscSetWork *w, GError **error)
{
	g_autoptr(GString) not = g_string_new(NULL);
	g_autoptr(GError) first = NULL;
	for (guint i = 0; i < w->members->len; i++) {
		const IscNode *member = w->members->pdata[i];
		g_autoptr(GError) why = NULL;
		g_auto(IscOutcome) out = { 0 };
		const IscRequest request = { .verb = ISC_VERB_RELEASE,
			.node = member->spec->name,
			.caller = w->request->caller,
			.of_set = TRUE,
			.timeout_s = w->request->timeout_s,
			.reason = w->request->reason };
		if (member->state != ISC_NODE_QUARANTINED)
			continue;
		isc_set_work_progress(w, "release", isc_set_work_number(w, member));
		gboolean ok = isc_verb_run(w->dock, &request, &out, &why);
		isc_set_work_warn(w, member->spec->name, out.warnings);
		if (ok || is_unknown(why))
			continue;
		g_string_append_printf(not, "%s'%s'", not ->len ? ", " : "", member->spec->name);
		if (!first)
			first = g_steal_pointer(&why);
	}
	if (!first)
		return TRUE;
	g_propagate_prefixed_error(error, g_steal_pointer(&first),
			"set '%s': not all of it is released (%s): ", w->set->name, not ->str);
	return FALSE;
}

gboolean isc_sets_release(
		IscDock *dock, const IscSetRequest *request, IscSetOutcome *out, GError **error)
{
	g_auto(IscSetWork) w = { .dock = dock, .request = request, .out = out };
	if (!isc_set_work_look(&w, error) || !isc_set_work_begin(&w, ISC_VERB_RELEASE, error) ||
			!isc_set_work_look(&w, error) || !isc_set_work_is_wanted(&w, error))
		return FALSE;
	plan(&w, ISC_VERB_RELEASE);
	if (!*w.set->quarantine && out->plan->len == 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"set '%s' is not in quarantine, and none of its members is",
				request->name);
		return FALSE;
	}
	if (request->dry_run)
		return TRUE;
	/* First: a member that stays is one of its own from here on. */
	if (!isc_register_set_quarantine(dock->reg, request->name, "", error))
		return FALSE;
	isc_dock_event(dock, "", "set.release", "warn", request->caller, "set %s is released: %s",
			request->name, request->reason);
	return release_all(&w, error);
}
