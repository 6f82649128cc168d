#include "daemon/answer.h"

#include <string.h>

#include "api/roles.h"
#include "base/error.h"
#include "base/name.h"
#include "daemon/options.h"
#include "daemon/upgrade.h"

GVariant *isc_answer(GVariantBuilder *b)
{
	return g_variant_new("(@a{sv})", g_variant_builder_end(b));
}

void isc_answer_put(GVariantBuilder *b, const gchar *key, GVariant *value)
{
	g_variant_builder_add(b, "{sv}", key, value);
}

void isc_answer_put_strings(GVariantBuilder *b, const gchar *key, const GPtrArray *texts)
{
	isc_answer_put(b, key,
			g_variant_new_strv(texts ? (const gchar *const *)texts->pdata : NULL,
					texts ? (gssize)texts->len : 0));
}

void isc_answer_put_outcome(GVariantBuilder *b, const IscOutcome *out)
{
	g_autofree gchar *text = out->plan ? isc_plan_print(out->plan) : g_strdup("");
	g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
	isc_answer_put(b, "plan", g_variant_new_strv((const gchar *const *)lines, -1));
	isc_answer_put(b, "seconds", g_variant_new_double(out->seconds));
	isc_answer_put(b, "changed", g_variant_new_boolean(!out->done));
	isc_answer_put_strings(b, "warnings", out->warnings);
}

/* What is left of the node after the verb: for the answer. */
static void put_state(GVariantBuilder *b, IscDock *dock, const gchar *name)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	isc_answer_put(b, "name", g_variant_new_string(name));
	isc_answer_put(b, "state",
			g_variant_new_string(
					node ? isc_node_state_name(node->state) : "destroyed"));
}

/* Every verb on a node that stands goes through here; @add may add to the answer. */
GVariant *isc_answer_verb(IscCall *call, IscRequest *request, const gchar *allowed,
		GVariant *options,
		void (*add)(GVariantBuilder *b, IscCall *call, const IscRequest *request,
				const IscOutcome *out),
		GError **error)
{
	IscOptions o;
	if (!isc_options_parse(options, allowed, &o, error))
		return NULL;
	request->node = call->name;
	request->caller = call->uid;
	request->dry_run = o.dry_run;
	request->force = o.force;
	request->pause = o.pause;
	request->memory = o.memory;
	request->timeout_s = o.timeout;
	request->in_place = o.in_place;
	request->drain_s = o.drain == G_MAXUINT ? ISC_DRAIN_S : o.drain;

	g_auto(IscOutcome) out = { 0 };
	gboolean ok = isc_verb_run(call->dock, request, &out, error);
	call->order = out.order;
	if (!ok)
		return NULL;

	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_state(&b, call->dock, call->name);
	isc_answer_put_outcome(&b, &out);
	if (add && !o.dry_run)
		add(&b, call, request, &out);
	return isc_answer(&b);
}

gchar *isc_answer_time_name(const gchar *prefix)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree gchar *text = g_date_time_format(now, "%Y%m%d-%H%M%S");
	return g_strdup_printf("%s%s-%03d", prefix, text, g_date_time_get_microsecond(now) / 1000);
}

gboolean isc_answer_check_reason(const gchar *reason, GError **error)
{
	g_autofree gchar *shown = isc_text_escape(reason, -1, 500);
	if (*reason && strlen(reason) <= 500 && g_str_equal(shown, reason))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"a reason is wanted: 1 to 500 bytes of printable text in one line");
	return FALSE;
}

gboolean isc_answer_check_quarantine(
		IscCall *call, const gchar *reason, GVariant *options, GError **error)
{
	IscOptions o;
	if (!isc_answer_check_reason(reason, error) ||
			!isc_options_parse(options, ISC_QUARANTINE_OPTIONS, &o, error))
		return FALSE;
	/* It holds every secret of the service. */
	if (!o.memory || call->roles & ISC_ROLE_SECURITY)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_AUTH,
			"a dump of memory is for role security alone: quarantine without "
			"--with-memory, or ask an officer");
	return FALSE;
}
