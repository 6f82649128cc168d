#include "daemon/act.h"

#include <libaudit.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "api/roles.h"
#include "base/error.h"
#include "base/name.h"
#include "daemon/acts-link.h"
#include "store/acts.h"

#define ARGUMENTS_MAX 2000 /* bytes */
#define TEXT_MAX 500
#define STRING_MAX 200 /* of one argument */

/* --- values -------------------------------------------------------------------------------- */

/* As the kernel's audit_log_untrustedstring() decides it; and a quote would end msg='…'. */
static gboolean is_plain(const gchar *text, gsize len)
{
	for (gsize i = 0; i < len; i++) {
		guchar c = (guchar)text[i];
		if (c < 0x21 || c > 0x7e || c == '"' || c == '\'')
			return FALSE;
	}
	return TRUE;
}

gchar *isc_act_value(const gchar *text, gsize max)
{
	gsize len = strnlen(text, max);
	if (is_plain(text, len))
		return g_strdup_printf("\"%.*s\"", (int)len, text);
	GString *hex = g_string_sized_new(2 * len);
	for (gsize i = 0; i < len; i++)
		g_string_append_printf(hex, "%02X", (guchar)text[i]);
	return g_string_free(hex, FALSE);
}

/* " NAME=VALUE", nothing where there is no value. */
static void put(GString *out, const gchar *name, const gchar *text, gsize max)
{
	if (!text || !*text)
		return;
	g_autofree gchar *value = isc_act_value(text, max);
	g_string_append_printf(out, " %s=%s", name, value);
}

/* --- arguments ----------------------------------------------------------------------------- */

static gboolean sounds_secret(const gchar *key)
{
	static const gchar *const words[] = { "key", "secret", "pass", "token", "env",
		"credential" };
	g_autofree gchar *low = g_ascii_strdown(key, -1);
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (strstr(low, words[i]))
			return TRUE;
	return FALSE;
}

/* A node file without its environment; FALSE where it is none. */
static gboolean put_spec(GString *out, const gchar *text)
{
	g_autoptr(IscSpec) spec = isc_spec_parse("call", text, strlen(text), NULL);
	if (!spec)
		return FALSE;
	g_autofree gchar *lines = isc_spec_print_public(spec);
	g_auto(GStrv) parts = g_strsplit(g_strchomp(lines), "\n", -1);
	g_autofree gchar *joined = g_strjoinv("; ", parts);
	g_autofree gchar *shown = isc_text_escape(joined, -1, ARGUMENTS_MAX);
	g_string_append_printf(out, "{%s}", shown);
	if (spec->env->len > 0)
		g_string_append_printf(out, " and %u of environment", spec->env->len);
	return TRUE;
}

static void put_string(GString *out, const gchar *method, const gchar *text)
{
	guint8 hash[8];
	if (!strchr(text, '\n')) {
		g_autofree gchar *shown = isc_text_escape(text, -1, STRING_MAX);
		g_string_append_printf(out, "'%s'", shown);
		return;
	}
	if (g_str_equal(method, "Provision") && put_spec(out, text))
		return;
	crypto_generichash(hash, sizeof hash, (const guint8 *)text, strlen(text), NULL, 0);
	g_string_append_printf(out, "(%" G_GSIZE_FORMAT " bytes of text, hash ", strlen(text));
	for (gsize i = 0; i < sizeof hash; i++)
		g_string_append_printf(out, "%02x", hash[i]);
	g_string_append_c(out, ')');
}

static void put_argument(GString *out, const gchar *method, GVariant *value);

static void put_children(GString *out, const gchar *method, GVariant *value)
{
	gsize n = g_variant_n_children(value);
	for (gsize i = 0; i < n && out->len < ARGUMENTS_MAX; i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(value, i);
		if (i > 0)
			g_string_append(out, ", ");
		put_argument(out, method, child);
	}
}

static void put_pair(GString *out, const gchar *method, GVariant *pair)
{
	g_autoptr(GVariant) key = g_variant_get_child_value(pair, 0);
	g_autoptr(GVariant) value = g_variant_get_child_value(pair, 1);
	put_argument(out, method, key);
	g_string_append(out, ": ");
	if (g_variant_is_of_type(key, G_VARIANT_TYPE_STRING) &&
			sounds_secret(g_variant_get_string(key, NULL)))
		g_string_append(out, "***");
	else
		put_argument(out, method, value);
}

static void put_argument(GString *out, const gchar *method, GVariant *value)
{
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
		put_string(out, method, g_variant_get_string(value, NULL));
	} else if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
		g_autoptr(GVariant) inner = g_variant_get_variant(value);
		put_argument(out, method, inner);
	} else if (g_variant_is_of_type(value, G_VARIANT_TYPE_HANDLE)) {
		g_string_append(out, "(file)");
	} else if (g_variant_is_of_type(value, G_VARIANT_TYPE_DICT_ENTRY)) {
		put_pair(out, method, value);
	} else if (g_variant_is_container(value)) {
		gboolean dict = g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY);
		gboolean tuple = g_variant_is_of_type(value, G_VARIANT_TYPE_TUPLE);
		g_string_append(out, dict ? "{" : tuple ? "(" : "[");
		put_children(out, method, value);
		g_string_append(out, dict ? "}" : tuple ? ")" : "]");
	} else {
		g_autofree gchar *text = g_variant_print(value, FALSE);
		g_string_append(out, text);
	}
}

gchar *isc_act_arguments(const gchar *method, GVariant *params)
{
	GString *out = g_string_new(NULL);
	put_children(out, method, params);
	if (out->len > ARGUMENTS_MAX) {
		g_string_truncate(out, ARGUMENTS_MAX);
		g_string_append(out, "...");
	}
	return g_string_free(out, FALSE);
}

/* --- records ------------------------------------------------------------------------------- */

/* @fields: begins with "op=…".  An act that cannot be kept is told to syslog: what it is about has
 * happened, or will. */
static void record(IscDock *dock, guint16 type, guint uid, gboolean ok, const GString *fields)
{
	if (!dock->acts)
		return;
	g_autoptr(GError) why = NULL;
	g_autofree gchar *text = g_strdup_printf(
			"pid=%d uid=%u auid=4294967295 ses=4294967295 msg='%s exe=\"isc-dockd\" "
			"hostname=? addr=? terminal=? res=%s'",
			(int)getpid(), uid == ISC_CALLER_DOCK ? dock->uid : uid, fields->str,
			ok ? "success" : "failed");
	if (!isc_acts_add(dock->acts, type, text, &why))
		g_critical("not in the dock's trail: %s: %s", fields->str, why->message);
	else if (dock->acts_link)
		isc_acts_link_kick(dock->acts_link);
}

static void put_why(GString *out, const GError *why)
{
	if (why)
		put(out, "data", why->message, TEXT_MAX);
}

void isc_act_call(const IscCall *call, gint64 began, const GError *why)
{
	const IscHandler *h = call->handler;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree gchar *roles = isc_roles_print(call->roles);
	g_autofree gchar *arguments = isc_act_arguments(h->method, call->params);
	g_string_append_printf(out, "op=call api=%s.%s roles=%s", h->interface, h->method, roles);
	put(out, "vm", call->name, ISC_NAME_MAX);
	put(out, "cmd", arguments, ARGUMENTS_MAX + 3);
	if (call->order)
		g_string_append_printf(out, " order=%" G_GUINT64_FORMAT, call->order);
	g_string_append_printf(
			out, " ms=%" G_GINT64_FORMAT, (g_get_monotonic_time() - began) / 1000);
	if (why)
		g_string_append_printf(out, " status=%d", isc_error_exit_status(why));
	put_why(out, why);
	record(call->dock, AUDIT_USER_CMD, call->uid, !why, out);
}

static GString *about_order(IscDock *dock, const IscPlan *plan, guint64 order, const IscNode *node,
		const gchar *reason)
{
	GString *out = g_string_new(NULL);
	g_string_append_printf(out, "virt=%s op=%s reason=%s",
			dock->accel == ISC_ACCEL_KVM ? "kvm" : "qemu", isc_verb_name(plan->verb),
			reason);
	put(out, "vm", plan->node, ISC_NAME_MAX);
	g_string_append_printf(
			out, " uuid=%s order=%" G_GUINT64_FORMAT, node ? node->uuid : "-", order);
	return out;
}

void isc_act_order_begin(
		IscDock *dock, const IscPlan *plan, guint64 order, const IscNode *node, guint uid)
{
	g_autoptr(GString) out = about_order(dock, plan, order, node, "begun");
	g_autofree gchar *text = isc_plan_print(plan);
	g_auto(GStrv) steps = g_strsplit(g_strchomp(text), "\n", -1);
	g_autofree gchar *joined = g_strjoinv("; ", steps);
	put(out, "cmd", joined, ARGUMENTS_MAX);
	record(dock, AUDIT_VIRT_CONTROL, uid, TRUE, out);
}

void isc_act_order_end(IscDock *dock, const IscPlan *plan, guint64 order, const IscNode *node,
		guint uid, gboolean undone, const GError *why)
{
	g_autoptr(GString) out = about_order(dock, plan, order, node, undone ? "undone" : "ended");
	put_why(out, why);
	record(dock, AUDIT_VIRT_CONTROL, uid, !why, out);
}

static GString *about_step(const IscPlan *plan, guint64 order, guint index, const gchar *op)
{
	GString *out = g_string_new(NULL);
	g_autofree gchar *step = isc_step_describe(&g_array_index(plan->steps, IscStep, index));
	g_string_append_printf(out, "op=%s order=%" G_GUINT64_FORMAT " step=%u of=%u", op, order,
			index + 1, plan->steps->len);
	put(out, "vm", plan->node, ISC_NAME_MAX);
	put(out, "cmd", step, TEXT_MAX);
	return out;
}

void isc_act_step(IscDock *dock, const IscPlan *plan, guint64 order, guint index, gboolean undoing)
{
	g_autoptr(GString) out = about_step(plan, order, index, undoing ? "undo" : "step");
	record(dock, AUDIT_USYS_CONFIG, ISC_CALLER_DOCK, TRUE, out);
}

void isc_act_step_failed(
		IscDock *dock, const IscPlan *plan, guint64 order, guint index, const GError *why)
{
	g_autoptr(GString) out = about_step(plan, order, index, "step-failed");
	put_why(out, why);
	record(dock, AUDIT_USYS_CONFIG, ISC_CALLER_DOCK, FALSE, out);
}

/* The name behind "rule " in a refusal; "" where the message names none. */
static gchar *rule_in(const GError *why)
{
	const gchar *at = strstr(why->message, "rule ");
	const gchar *colon = at ? strchr(at, ':') : NULL;
	return colon ? g_strndup(at + strlen("rule "), (gsize)(colon - at) - strlen("rule "))
		     : g_strdup("");
}

void isc_act_decision(IscDock *dock, const IscNode *node, const GError *why)
{
	g_autoptr(GString) out = g_string_new("op=decision");
	g_autofree gchar *rule = why ? rule_in(why) : g_strdup("all");
	put(out, "vm", node->spec->name, ISC_NAME_MAX);
	/* Names of rules are written without quotes, which not every reader takes off. */
	if (*rule && is_plain(rule, strlen(rule)))
		g_string_append_printf(out, " rule=%s", rule);
	put_why(out, why);
	record(dock, AUDIT_USYS_CONFIG, ISC_CALLER_DOCK, !why, out);
}

void isc_act_event(IscDock *dock, const IscEventRow *row)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_string_append_printf(out, "op=event kind=%s level=%s seq=%" G_GUINT64_FORMAT, row->kind,
			row->level, row->seq);
	put(out, "vm", row->node, ISC_NAME_MAX);
	put(out, "cmd", row->text, TEXT_MAX);
	record(dock, AUDIT_USYS_CONFIG, row->caller, g_str_equal(row->level, "info"), out);
}
