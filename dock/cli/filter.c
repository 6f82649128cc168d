#include "cli/filter.h"

#include <libaudit.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "cli/audit.h"

#define PENDING_MAX 64 /* events under way, as many as the kernel has CPUs that report at once */
#define LATE_US                                                                                    \
	(2 * G_USEC_PER_SEC) /* an event that much older gets no more records: so libauparse holds \
				it, too */
#define RECENT_US (10 * 60 * G_USEC_PER_SEC) /* as ausearch(8) has it */
#define SECONDS_MAX (1e12) /* a node may claim any time: behind this one all are the same */
#define ONLY_YES 1
#define ONLY_NO 2

struct IscFilter {
	gint64 since, until;             /* µs; 0: no bound */
	GHashTable *types, *keys, *uids; /* wanted values (owned texts); NULL: any */
	gint success;                    /* 0: any */
	IscAudit *audit;
	GQueue *pending; /* of Event, oldest first */
};

typedef struct {
	gint64 time; /* µs */
	guint64 serial;
	GPtrArray *lines;                 /* of GBytes */
	gboolean type, key, uid, success; /* met */
	gboolean is_complete;
} Event;

static void event_free(gpointer p)
{
	Event *e = p;
	g_ptr_array_unref(e->lines);
	g_free(e);
}

void isc_filter_free(IscFilter *filter)
{
	if (!filter)
		return;
	g_clear_pointer(&filter->types, g_hash_table_unref);
	g_clear_pointer(&filter->keys, g_hash_table_unref);
	g_clear_pointer(&filter->uids, g_hash_table_unref);
	g_queue_free_full(filter->pending, event_free);
	isc_audit_free(filter->audit);
	g_free(filter);
}

/* --- times ------------------------------------------------------------------------------------ */

static gboolean parse_ago(const gchar *text, gint64 now, gint64 *out)
{
	static const struct {
		const gchar *unit;
		gint64 seconds;
	} units[] = { { "s", 1 }, { "sec", 1 }, { "m", 60 }, { "min", 60 }, { "h", 3600 },
		{ "d", 86400 }, { "w", 7 * 86400 } };
	gsize digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 6)
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++)
		if (g_str_equal(text + digits, units[i].unit)) {
			gint64 n = g_ascii_strtoll(text, NULL, 10);
			*out = now - n * units[i].seconds * G_USEC_PER_SEC;
			return TRUE;
		}
	return FALSE;
}

/* The day of @now, local time, as "2024-05-01".  Returns: (transfer full) */
static gchar *day_of(gint64 now)
{
	g_autoptr(GDateTime) today = g_date_time_new_from_unix_local(now / G_USEC_PER_SEC);
	return g_date_time_format(today, "%Y-%m-%d");
}

/* The words of ausearch(8), as moments.  Weeks begin on Sunday, as they do there. */
static gboolean parse_word(const gchar *text, gint64 now, gint64 *out)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_local(now / G_USEC_PER_SEC);
	gint year = g_date_time_get_year(t), month = g_date_time_get_month(t),
	     day = g_date_time_get_day_of_month(t), hour = 0, back = 0;
	if (g_str_equal(text, "yesterday"))
		back = 1;
	else if (g_str_equal(text, "week-ago"))
		back = 7;
	else if (g_str_equal(text, "this-week"))
		back = g_date_time_get_day_of_week(t) % 7;
	else if (g_str_equal(text, "this-hour"))
		hour = g_date_time_get_hour(t);
	else if (g_str_equal(text, "this-month"))
		day = 1;
	else if (g_str_equal(text, "this-year"))
		day = month = 1;
	else if (!g_str_equal(text, "today"))
		return FALSE;
	g_autoptr(GDateTime) midnight = g_date_time_new_local(year, month, day, hour, 0, 0);
	g_autoptr(GDateTime) then = g_date_time_add_days(midnight, -back);
	*out = g_date_time_to_unix(then) * G_USEC_PER_SEC;
	return TRUE;
}

/* As ISO 8601 has it: a date, "T", hours, minutes, seconds.  Returns: (transfer full) */
static gchar *complete_time(const gchar *text, gint64 now)
{
	g_autofree gchar *day =
			text[0] && strchr(text, ':') && !strchr(text, '-') ? day_of(now) : NULL;
	gchar *whole = day ? g_strdup_printf("%sT%s", day, text) : g_strdup(text);
	gchar *space = strchr(whole, ' ');
	if (space)
		*space = 'T';
	return whole;
}

static gboolean parse_date(const gchar *text, gint64 now, gint64 *out)
{
	g_autofree gchar *whole = complete_time(text, now);
	const gchar *clock = strchr(whole, 'T');
	gsize len = clock ? strspn(clock + 1, "0123456789:") : 0;
	g_autofree gchar *full = !clock ? g_strconcat(whole, "T00:00:00", NULL)
				 : len == strlen("12:00")
						 ? g_strdup_printf("%.*s:00%s",
								   (int)(clock + 1 + len - whole),
								   whole, clock + 1 + len)
						 : g_strdup(whole);
	g_autoptr(GTimeZone) local = g_time_zone_new_local();
	g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(full, local);
	if (!date)
		return FALSE;
	*out = g_date_time_to_unix(date) * G_USEC_PER_SEC + g_date_time_get_microsecond(date);
	return TRUE;
}

gboolean isc_filter_time(const gchar *text, gint64 now, gint64 *out, GError **error)
{
	guint64 seconds;
	if (g_str_equal(text, "now") || g_str_equal(text, "recent")) {
		*out = now - (*text == 'r' ? RECENT_US : 0);
		return TRUE;
	}
	if (text[0] == '@' && g_ascii_string_to_unsigned(text + 1, 10, 0, G_MAXUINT32 * 2ull,
					      &seconds, NULL)) {
		*out = (gint64)seconds * G_USEC_PER_SEC;
		return TRUE;
	}
	if (parse_word(text, now, out) || parse_ago(text, now, out) || parse_date(text, now, out))
		return TRUE;
	g_autofree gchar *shown = isc_text_escape(text, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is no time: say '2024-05-01 12:00:03', '12:00', 'today', '2h' (ago) "
			"or '@SECONDS'",
			shown);
	return FALSE;
}

/* --- wishes ----------------------------------------------------------------------------------- */

static gboolean take_time(
		const IscArgs *args, const gchar *name, gint64 now, gint64 *out, GError **error)
{
	const gchar *text = isc_args_get(args, name);
	if (!text || isc_filter_time(text, now, out, error))
		return TRUE;
	g_prefix_error(error, "--%s: ", name);
	return FALSE;
}

/* Brings one value into the form that records have.  Returns: (transfer full), NULL on errors */
typedef gchar *(*Normalize)(const gchar *value, GError **error);

static gchar *normalize_type(const gchar *value, GError **error)
{
	g_autofree gchar *name = g_ascii_strup(value, -1);
	guint64 number;
	if (audit_name_to_msg_type(name) > 0 && !g_ascii_isdigit(name[0]))
		return g_steal_pointer(&name);
	if (g_ascii_string_to_unsigned(value, 10, 1, G_MAXUINT16, &number, NULL)) {
		const gchar *known = audit_msg_type_to_name((int)number);
		return known ? g_strdup(known) : g_strdup_printf("UNKNOWN[%u]", (guint)number);
	}
	g_autofree gchar *shown = isc_text_escape(value, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"--type: '%s' is no type of audit records, as EXECVE or USER_LOGIN is",
			shown);
	return NULL;
}

static gchar *normalize_uid(const gchar *value, GError **error)
{
	guint64 uid;
	if (g_str_equal(value, "-1") || g_str_equal(value, "unset"))
		return g_strdup_printf("%u", G_MAXUINT32);
	if (g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32, &uid, NULL))
		return g_strdup_printf("%" G_GUINT64_FORMAT, uid);
	g_autofree gchar *shown = isc_text_escape(value, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"--uid: '%s' is no number; the names are the node's, not this host's",
			shown);
	return NULL;
}

/* A key may hold anything but what parts keys. */
static gchar *normalize_key(const gchar *value, GError **error)
{
	(void)error;
	return g_strdup(value);
}

/* Repeated options, and what @comma parts, are one set.  *@out stays NULL where there is none. */
static gboolean take_list(const IscArgs *args, const gchar *name, const gchar *comma,
		Normalize normalize, GHashTable **out, GError **error)
{
	for (gchar *const *v = isc_args_list(args, name); *v; v++) {
		g_auto(GStrv) parts = g_strsplit(*v, comma, -1);
		if (!parts[0]) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "--%s: say which", name);
			return FALSE;
		}
		if (!*out)
			*out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		for (gsize i = 0; parts[i]; i++) {
			gchar *value = normalize(parts[i], error);
			if (!value)
				return FALSE;
			g_hash_table_add(*out, value);
		}
	}
	return TRUE;
}

static gboolean take_success(const IscArgs *args, gint *out, GError **error)
{
	const gchar *text = isc_args_get(args, "success");
	if (text)
		*out = g_str_equal(text, "yes") ? ONLY_YES : g_str_equal(text, "no") ? ONLY_NO : -1;
	if (*out >= 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "--success is yes or no");
	return FALSE;
}

gboolean isc_filter_new(const IscArgs *args, gint64 now, IscFilter **out, GError **error)
{
	static const gchar *const options[] = { "since", "until", "type", "key", "uid", "success" };
	gboolean any = FALSE;
	*out = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
		any |= isc_args_has(args, options[i]);
	if (!any)
		return TRUE;

	g_autoptr(IscFilter) f = g_new0(IscFilter, 1);
	f->audit = isc_audit_new();
	f->pending = g_queue_new();
	if (!take_time(args, "since", now, &f->since, error) ||
			!take_time(args, "until", now, &f->until, error) ||
			!take_list(args, "type", ",", normalize_type, &f->types, error) ||
			!take_list(args, "key", "\001", normalize_key, &f->keys, error) ||
			!take_list(args, "uid", ",", normalize_uid, &f->uids, error) ||
			!take_success(args, &f->success, error))
		return FALSE;
	if (isc_args_has(args, "until"))
		f->until = MAX(f->until, 1); /* 0 is no bound */
	if (f->since && f->until && f->since > f->until) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"--until is before --since: nothing can be found");
		return FALSE;
	}
	*out = g_steal_pointer(&f);
	return TRUE;
}

/* --- matching --------------------------------------------------------------------------------- */

static gboolean is_wanted_key(GHashTable *wanted, const gchar *value)
{
	/* Several rules may have matched: the kernel parts their keys so. */
	g_auto(GStrv) keys = g_strsplit(value, "\001", -1);
	for (gsize i = 0; keys[i]; i++)
		if (g_hash_table_contains(wanted, keys[i]))
			return TRUE;
	return FALSE;
}

static gboolean is_wanted(GHashTable *wanted, const gchar *value)
{
	return g_hash_table_contains(wanted, value);
}

/* Whether one of the values of field @name is wanted. */
static gboolean field_is(IscJson *fields, const gchar *name, GHashTable *wanted,
		gboolean (*test)(GHashTable *wanted, const gchar *value))
{
	IscJson *value = NULL;
	if (!json_object_object_get_ex(fields, name, &value))
		return FALSE;
	if (!json_object_is_type(value, json_type_array))
		return test(wanted, json_object_get_string(value));
	for (gsize i = 0; i < json_object_array_length(value); i++)
		if (test(wanted, json_object_get_string(json_object_array_get_idx(value, i))))
			return TRUE;
	return FALSE;
}

static gboolean has_outcome(IscJson *fields, gint wanted)
{
	static const gchar *const good[] = { "yes", "success", "1", NULL }, *const bad[] = { "no",
		"failed", "0", NULL };
	static const gchar *const names[] = { "success", "res" };
	const gchar *const *values = wanted == ONLY_YES ? good : bad;
	IscJson *value = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (json_object_object_get_ex(fields, names[i], &value) &&
				g_strv_contains(values, json_object_get_string(value)))
			return TRUE;
	return FALSE;
}

static void look(const IscFilter *f, Event *e, IscJson *record, const gchar *type)
{
	IscJson *fields = json_object_object_get(record, "fields");
	e->type |= !f->types || g_hash_table_contains(f->types, type);
	e->key |= !f->keys || field_is(fields, "key", f->keys, is_wanted_key);
	e->uid |= !f->uids || field_is(fields, "uid", f->uids, is_wanted);
	e->success |= !f->success || has_outcome(fields, f->success);
}

static gboolean matches(const IscFilter *f, const Event *e)
{
	return e->type && e->key && e->uid && e->success && (!f->since || e->time >= f->since) &&
	       (!f->until || e->time <= f->until);
}

/* Hands out the oldest one, if it is wanted. */
static gboolean emit(IscFilter *f, IscLineFunc func, gpointer data)
{
	Event *e = g_queue_pop_head(f->pending);
	gboolean go_on = TRUE;
	for (guint i = 0; i < e->lines->len && go_on && matches(f, e); i++) {
		gsize len;
		const gchar *line = g_bytes_get_data(e->lines->pdata[i], &len);
		go_on = func(line, len, data);
	}
	event_free(e);
	return go_on;
}

static Event *find(IscFilter *f, guint64 serial, gint64 time)
{
	for (GList *l = f->pending->tail; l; l = l->prev) {
		Event *e = l->data;
		if (e->serial == serial && e->time == time && !e->is_complete)
			return e;
	}
	Event *e = g_new0(Event, 1);
	e->serial = serial;
	e->time = time;
	e->lines = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_queue_push_tail(f->pending, e);
	return e;
}

gboolean isc_filter_feed(
		IscFilter *f, const gchar *line, gsize len, IscLineFunc func, gpointer data)
{
	g_autoptr(IscJson) record = isc_audit_parse(f->audit, line, len);
	IscJson *type = NULL;
	if (!json_object_object_get_ex(record, "type", &type))
		return TRUE;
	gdouble seconds = json_object_get_double(json_object_object_get(record, "time"));
	gint64 time = (gint64)(MIN(seconds, SECONDS_MAX) * 1000 + 0.5) * 1000;
	guint64 serial = json_object_get_uint64(json_object_object_get(record, "serial"));

	Event *e = find(f, serial, time);
	g_ptr_array_add(e->lines, g_bytes_new(line, len));
	look(f, e, record, json_object_get_string(type));
	e->is_complete = g_str_equal(json_object_get_string(type), "EOE");

	for (;;) {
		const Event *oldest = g_queue_peek_head(f->pending);
		if (!oldest || !(oldest->is_complete || time - oldest->time > LATE_US ||
					       g_queue_get_length(f->pending) > PENDING_MAX))
			return TRUE;
		if (!emit(f, func, data))
			return FALSE;
	}
}

gboolean isc_filter_finish(IscFilter *f, IscLineFunc func, gpointer data)
{
	while (!g_queue_is_empty(f->pending))
		if (!emit(f, func, data))
			return FALSE;
	return TRUE;
}
