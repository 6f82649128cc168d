#include "cli/audit-act.h"

#include <string.h>

#include "base/name.h"

#define SHOWN_MAX 4000

/* The value of a field; "" where there is none. */
static const gchar *field(IscJson *fields, const gchar *name)
{
	IscJson *value = NULL;
	if (!json_object_object_get_ex(fields, name, &value))
		return "";
	if (json_object_is_type(value, json_type_array))
		value = json_object_array_get_idx(value, 0);
	return json_object_get_string(value);
}

/* "PREFIX VALUE", nothing where there is no value. */
static void put(GString *out, const gchar *prefix, const gchar *value)
{
	if (!*value)
		return;
	g_autofree gchar *clean = isc_text_escape(value, -1, SHOWN_MAX);
	g_string_append_printf(out, "%s%s", prefix, clean);
}

static void put_result(GString *out, IscJson *fields)
{
	put(out, ": ", field(fields, "res"));
	put(out, ": ", field(fields, "data"));
}

static void put_call(GString *out, IscJson *fields)
{
	put(out, " call ", field(fields, "api"));
	put(out, " ", field(fields, "vm"));
	put(out, " (", field(fields, "cmd"));
	g_string_append(out, *field(fields, "cmd") ? ")" : "");
	put(out, " order ", field(fields, "order"));
	put_result(out, fields);
}

static void put_order(GString *out, IscJson *fields)
{
	put(out, " order ", field(fields, "order"));
	put(out, " ", field(fields, "op"));
	put(out, " ", field(fields, "vm"));
	put(out, " ", field(fields, "reason"));
	put(out, ": ", field(fields, "cmd"));
	if (!g_str_equal(field(fields, "reason"), "begun"))
		put_result(out, fields);
}

static gboolean put_other(GString *out, IscJson *fields)
{
	const gchar *op = field(fields, "op");
	if (g_str_equal(op, "step") || g_str_equal(op, "undo") || g_str_equal(op, "step-failed")) {
		put(out, " order ", field(fields, "order"));
		put(out, " ", op);
		put(out, " ", field(fields, "step"));
		put(out, "/", field(fields, "of"));
		put(out, " ", field(fields, "vm"));
		put(out, ": ", field(fields, "cmd"));
		put(out, ": ", field(fields, "data"));
	} else if (g_str_equal(op, "decision")) {
		put(out, " decision ", field(fields, "vm"));
		put(out, " rule ", field(fields, "rule"));
		put_result(out, fields);
	} else if (g_str_equal(op, "event")) {
		put(out, " event ", field(fields, "kind"));
		put(out, " ", field(fields, "level"));
		put(out, ": ", field(fields, "cmd"));
	} else if (g_str_equal(op, "lost")) {
		put(out, " lost ", field(fields, "count"));
	} else {
		return FALSE;
	}
	return TRUE;
}

gchar *isc_audit_act_text(IscJson *record)
{
	IscJson *type = NULL, *fields = NULL, *time = NULL;
	if (!json_object_object_get_ex(record, "type", &type) ||
			!json_object_object_get_ex(record, "fields", &fields) ||
			!json_object_object_get_ex(record, "time", &time))
		return NULL;
	g_autoptr(GString) out = g_string_new(NULL);
	const gchar *name = json_object_get_string(type);
	g_autoptr(GDateTime) when =
			g_date_time_new_from_unix_local((gint64)json_object_get_double(time));
	g_autofree gchar *stamp =
			when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
	const gchar *dot = strchr(json_object_get_string(time), '.');
	g_string_append_printf(out, "%s%s", stamp, dot ? dot : "");
	put(out, "  uid=", field(fields, "uid"));
	g_string_append_c(out, ' ');

	gboolean known = TRUE;
	if (g_str_equal(name, "USER_CMD"))
		put_call(out, fields);
	else if (g_str_equal(name, "VIRT_CONTROL"))
		put_order(out, fields);
	else
		known = g_str_equal(name, "USYS_CONFIG") && put_other(out, fields);
	return known ? g_strdup(out->str) : NULL;
}
