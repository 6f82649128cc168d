#include "cli/audit.h"

#include <auparse.h>
#include <libaudit.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"

#define PENDING_MAX                                                                                \
	64 /* commands whose records are interleaved; a kernel with 64 CPUs has no more under way  \
	    */
#define ARGS_MAX 4096 /* arguments of one record; the record itself is at most some 9 KiB */

struct IscAudit {
	auparse_state_t *au;
	GQueue *pending; /* of IscJson, owned: commands under way, oldest first */
};

IscAudit *isc_audit_new(void)
{
	IscAudit *audit = g_new0(IscAudit, 1);
	audit->au = auparse_init(AUSOURCE_BUFFER, "");
	audit->pending = g_queue_new();
	g_assert(audit->au != NULL);
	return audit;
}

static void free_json(gpointer json)
{
	json_object_put(json);
}

void isc_audit_free(IscAudit *audit)
{
	if (!audit)
		return;
	auparse_destroy(audit->au);
	g_queue_free_full(audit->pending, free_json);
	g_free(audit);
}

/* --- fields ----------------------------------------------------------------------------------- */

static gboolean is_text(const gchar *bytes, gsize len)
{
	return !memchr(bytes, '\0', len) && g_utf8_validate(bytes, (gssize)len, NULL);
}

/* JSON texts are UTF-8; what is none is made visible instead of dropped. */
static IscJson *text_json(const gchar *bytes, gsize len)
{
	if (is_text(bytes, len))
		return json_object_new_string_len(bytes, (int)len);
	g_autofree gchar *escaped = isc_text_escape(bytes, (gssize)len, G_MAXSIZE);
	return json_object_new_string(escaped);
}

static gboolean is_untrusted_type(int type)
{
	switch (type) {
	case AUPARSE_TYPE_ESCAPED:
	case AUPARSE_TYPE_ESCAPED_KEY:
	case AUPARSE_TYPE_ESCAPED_FILE:
	case AUPARSE_TYPE_PROCTITLE:
	case AUPARSE_TYPE_TTY_DATA:
		return TRUE;
	default:
		return FALSE;
	}
}

/**
 * decode:
 * What the kernel's audit_log_untrustedstring() wrote: "text" in quotes, or hex where the text has
 * quotes, spaces, controls or bytes above 0x7e.  Anything else ("(null)", "?") stays.
 */
static void decode(GByteArray *out, const gchar *value)
{
	gsize len = strlen(value);
	if (value[0] == '"') {
		gsize end = len > 1 && value[len - 1] == '"' ? len - 1 : len;
		g_byte_array_append(out, (const guint8 *)value + 1, (guint)(end - 1));
		return;
	}
	if (len == 0 || len % 2 != 0 || strspn(value, "0123456789abcdefABCDEF") != len) {
		g_byte_array_append(out, (const guint8 *)value, (guint)len);
		return;
	}
	for (gsize i = 0; i < len; i += 2) {
		guint8 byte = (guint8)(g_ascii_xdigit_value(value[i]) << 4 |
				       g_ascii_xdigit_value(value[i + 1]));
		g_byte_array_append(out, &byte, 1);
	}
}

static IscJson *field_json(auparse_state_t *au, const gchar *value)
{
	int type = auparse_get_field_type(au);
	if (!is_untrusted_type(type))
		return text_json(value, strlen(value));
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	decode(bytes, value);
	/* The words of a process title are parted, and ended, by NUL. */
	if (type == AUPARSE_TYPE_PROCTITLE)
		for (guint i = 0; i < bytes->len; i++)
			if (bytes->data[i] == '\0')
				bytes->data[i] = ' ';
	return bytes->len > 0 ? text_json((const gchar *)bytes->data, bytes->len)
			      : json_object_new_string("");
}

/* A name that comes twice must not hide its first value. */
static void add_field(IscJson *fields, const gchar *name, IscJson *value)
{
	IscJson *old = NULL;
	if (!json_object_object_get_ex(fields, name, &old)) {
		json_object_object_add(fields, name, value);
	} else if (json_object_is_type(old, json_type_array)) {
		json_object_array_add(old, value);
	} else {
		IscJson *both = json_object_new_array();
		json_object_array_add(both, json_object_get(old));
		json_object_array_add(both, value);
		json_object_object_add(fields, name, both);
	}
}

/* --- arguments -------------------------------------------------------------------------------- */

/* The arguments of an EXECVE record as bytes: "a0", or in pieces "a1[0]", "a1[1]" ("a1_len" goes
 * before). */
typedef struct {
	GPtrArray *args; /* of GByteArray or NULL, by number, from @first */
	gulong first;    /* number of the first one: long command lines take several records */
} Args;

static void free_argument(gpointer arg)
{
	if (arg)
		g_byte_array_unref(arg);
}

static Args *args_new(void)
{
	Args *args = g_new0(Args, 1);
	args->args = g_ptr_array_new_with_free_func(free_argument);
	return args;
}

/* As json-c has it. */
static void free_args(IscJson *owner, void *data)
{
	Args *args = data;
	(void)owner;
	g_ptr_array_unref(args->args);
	g_free(args);
}

static void add_argument(Args *a, const gchar *name, const gchar *value)
{
	gchar *end = NULL;
	if (name[0] != 'a' || !g_ascii_isdigit(name[1]))
		return;
	gulong n = strtoul(name + 1, &end, 10);
	if (*end != '\0' && *end != '[')
		return; /* a1_len */
	if (a->args->len == 0)
		a->first = n;
	if (n < a->first || n - a->first >= ARGS_MAX)
		return;
	if (n - a->first >= a->args->len)
		g_ptr_array_set_size(a->args, (gint)(n - a->first + 1));
	GByteArray **arg = (GByteArray **)&a->args->pdata[n - a->first];
	if (!*arg)
		*arg = g_byte_array_new();
	decode(*arg, value);
}

/* A piece of argument @n, or all of it; NULL: it is empty.  Numbers that no kernel gives are as
 * good as the next one. */
static void append_argument(Args *a, gulong n, const GByteArray *piece)
{
	if (n >= a->args->len + ARGS_MAX)
		n = a->args->len;
	if (n >= a->args->len)
		g_ptr_array_set_size(a->args, (gint)(n + 1));
	GByteArray **arg = (GByteArray **)&a->args->pdata[n];
	if (!*arg)
		*arg = g_byte_array_new();
	if (piece)
		g_byte_array_append(*arg, piece->data, piece->len);
}

static void add_texts(IscJson *argv, const Args *a)
{
	for (guint i = 0; i < a->args->len; i++) {
		GByteArray *arg = a->args->pdata[i];
		json_object_array_add(argv,
				arg && arg->len > 0 ? text_json((const gchar *)arg->data, arg->len)
						    : json_object_new_string(""));
	}
}

/* Those that are no text, byte by byte: what is made visible of them could be meant as it stands.
 */
static IscJson *hex_json(const Args *a)
{
	IscJson *all = NULL;
	for (guint i = 0; i < a->args->len; i++) {
		const GByteArray *arg = a->args->pdata[i];
		if (!arg || arg->len == 0 || is_text((const gchar *)arg->data, arg->len))
			continue;
		g_autoptr(GString) hex = g_string_sized_new(2 * arg->len);
		for (guint k = 0; k < arg->len; k++)
			g_string_append_printf(hex, "%02x", arg->data[k]);
		gchar number[16];
		g_snprintf(number, sizeof number, "%u", i);
		if (!all)
			all = json_object_new_object();
		json_object_object_add(all, number, json_object_new_string(hex->str));
	}
	return all;
}

/* @args: (transfer full) */
static IscJson *argv_json(Args *args)
{
	IscJson *argv = json_object_new_array();
	add_texts(argv, args);
	json_object_set_userdata(argv, args, free_args);
	return argv;
}

/* --- a record --------------------------------------------------------------------------------- */

static void add_name(IscJson *record, const gchar *name, auparse_state_t *au)
{
	const gchar *meaning = auparse_interpret_field(au);
	if (!meaning || !g_utf8_validate(meaning, -1, NULL))
		return;
	IscJson *names = NULL;
	if (!json_object_object_get_ex(record, "names", &names)) {
		names = json_object_new_object();
		json_object_object_add(record, "names", names);
	}
	json_object_object_add(names, name, json_object_new_string(meaning));
}

static void add_fields(IscJson *record, auparse_state_t *au)
{
	IscJson *fields = json_object_new_object();
	gboolean is_execve = auparse_get_type(au) == AUDIT_EXECVE;
	Args *args = is_execve ? args_new() : NULL;

	for (int ok = auparse_first_field(au); ok > 0; ok = auparse_next_field(au)) {
		const gchar *name = auparse_get_field_name(au), *value = auparse_get_field_str(au);
		if (!name || !value || g_str_equal(name, "type") ||
				!g_utf8_validate(name, -1, NULL))
			continue;
		add_field(fields, name, field_json(au, value));
		if (is_execve)
			add_argument(args, name, value);
		if (g_str_equal(name, "syscall") || g_str_equal(name, "arch"))
			add_name(record, name, au);
	}
	json_object_object_add(record, "fields", fields);
	if (is_execve)
		json_object_object_add(record, "argv", argv_json(args));
}

static IscJson *raw_json(const gchar *line, gsize len)
{
	IscJson *object = json_object_new_object();
	json_object_object_add(object, "raw", text_json(line, len));
	return object;
}

/* "type=NAME msg=audit(SECONDS.MS:SERIAL):"; also what libauparse needs to be sure of: it leaks
 * where there is no type. */
typedef struct {
	gchar type[32];
	guint64 seconds, serial;
	guint milli;
} Head;

static gboolean parse_head(const gchar *text, Head *out)
{
	int used = 0;
	if (sscanf(text,
			    "type=%31[][A-Za-z0-9_] msg=audit(%" G_GINT64_MODIFIER
			    "u.%3u:%" G_GINT64_MODIFIER "u)%n",
			    out->type, &out->seconds, &out->milli, &out->serial, &used) != 4)
		return FALSE;
	return used > 0 && text[used] == ':';
}

IscJson *isc_audit_parse(IscAudit *audit, const gchar *line, gsize len)
{
	g_autofree gchar *text = g_strdup_printf("%.*s\n", (int)len, line);
	auparse_state_t *au = audit->au;
	Head head;
	/* libauparse works on C strings: behind a NUL it would see nothing, and say nothing. */
	if (memchr(line, '\0', len) || !parse_head(text, &head))
		return raw_json(line, len);
	/* An end-of-event record alone is no event to libauparse. */
	gboolean is_end = g_str_equal(head.type, "EOE");
	if (!is_end && (auparse_new_buffer(au, text, strlen(text)) != 0 ||
				       auparse_next_event(au) <= 0 ||
				       auparse_first_record(au) <= 0))
		return raw_json(line, len);

	IscJson *record = json_object_new_object();
	gchar time[48];
	g_snprintf(time, sizeof time, "%" G_GUINT64_FORMAT ".%03u", head.seconds, head.milli);
	json_object_object_add(record, "type", json_object_new_string(head.type));
	json_object_object_add(record, "time",
			json_object_new_double_s(
					(gdouble)head.seconds + head.milli / 1000.0, time));
	json_object_object_add(record, "serial", json_object_new_uint64(head.serial));
	if (is_end)
		json_object_object_add(record, "fields", json_object_new_object());
	else
		add_fields(record, au);
	return record;
}

/* --- commands --------------------------------------------------------------------------------- */

static guint64 serial_of(IscJson *json)
{
	return json_object_get_uint64(json_object_object_get(json, "serial"));
}

static GList *find_pending(IscAudit *audit, guint64 serial)
{
	for (GList *l = audit->pending->tail; l; l = l->prev)
		if (serial_of(l->data) == serial)
			return l;
	return NULL;
}

/* A command under way is told by having arguments; a SYSCALL record alone is no command.  They are
 * put together only now: the kernel may part one in the middle of a character. */
static void emit(IscJson *command, IscAuditFunc func, gpointer data)
{
	IscJson *argv = NULL;
	if (!json_object_object_get_ex(command, "argv", &argv))
		return;
	const Args *args = json_object_get_userdata(argv);
	add_texts(argv, args);
	IscJson *hex = hex_json(args);
	if (hex)
		json_object_object_add(command, "argv-hex", hex);
	func(command, data);
}

static IscJson *begin(IscAudit *audit, IscJson *record, IscAuditFunc func, gpointer data)
{
	if (g_queue_get_length(audit->pending) >= PENDING_MAX) {
		g_autoptr(IscJson) oldest = g_queue_pop_head(audit->pending);
		emit(oldest, func, data);
	}
	IscJson *command = json_object_new_object();
	json_object_object_add(
			command, "time", json_object_get(json_object_object_get(record, "time")));
	json_object_object_add(command, "serial",
			json_object_get(json_object_object_get(record, "serial")));
	g_queue_push_tail(audit->pending, command);
	return command;
}

static void take_syscall(IscJson *command, IscJson *fields)
{
	static const gchar *const keys[] = { "uid", "auid", "ppid", "pid", "exe", "success" };
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		IscJson *value = NULL;
		if (json_object_object_get_ex(fields, keys[i], &value))
			json_object_object_add(command, keys[i], json_object_get(value));
	}
}

/* A long command line takes several records, and an argument may begin in one and end in another.
 */
static void take_argv(IscJson *command, IscJson *argv)
{
	IscJson *all = NULL;
	const Args *more = json_object_get_userdata(argv);
	if (!json_object_object_get_ex(command, "argv", &all)) {
		all = json_object_new_array();
		json_object_set_userdata(all, args_new(), free_args);
		json_object_object_add(command, "argv", all);
	}
	Args *args = json_object_get_userdata(all);
	for (guint i = 0; i < more->args->len; i++)
		append_argument(args, more->first + i, more->args->pdata[i]);
}

void isc_audit_feed(IscAudit *audit, const gchar *line, gsize len, IscAuditFunc func, gpointer data)
{
	g_autoptr(IscJson) record = isc_audit_parse(audit, line, len);
	isc_audit_take(audit, record, func, data);
}

void isc_audit_take(IscAudit *audit, IscJson *record, IscAuditFunc func, gpointer data)
{
	IscJson *type = NULL, *fields = NULL, *argv = NULL;
	if (!json_object_object_get_ex(record, "type", &type) ||
			!json_object_object_get_ex(record, "fields", &fields))
		return;

	const gchar *name = json_object_get_string(type);
	GList *at = find_pending(audit, serial_of(record));
	IscJson *command = at ? at->data : NULL;
	if (g_str_equal(name, "SYSCALL")) {
		take_syscall(command ? command : begin(audit, record, func, data), fields);
	} else if (json_object_object_get_ex(record, "argv", &argv)) {
		take_argv(command ? command : begin(audit, record, func, data), argv);
	} else if (command && (json_object_object_get_ex(command, "argv", NULL) ||
					      g_str_equal(name, "EOE"))) {
		/* CWD, PATH, PROCTITLE or the end: the arguments are complete. */
		emit(command, func, data);
		g_queue_delete_link(audit->pending, at);
		json_object_put(command);
	}
}

void isc_audit_finish(IscAudit *audit, IscAuditFunc func, gpointer data)
{
	for (GList *l = audit->pending->head, *next; l; l = next) {
		next = l->next;
		IscJson *command = l->data;
		if (!json_object_object_get_ex(command, "argv", NULL))
			continue; /* its arguments may still be on their way */
		emit(command, func, data);
		g_queue_delete_link(audit->pending, l);
		json_object_put(command);
	}
}

static gchar *quoted(const gchar *word, gsize len)
{
	static const gchar plain[] =
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			"_-./:=,+@%^";
	g_autofree gchar *clean = isc_text_escape(word, (gssize)len, G_MAXSIZE);
	if (*clean && strspn(clean, plain) == strlen(clean))
		return g_steal_pointer(&clean);
	return g_shell_quote(clean);
}

gchar *isc_audit_command_text(IscJson *command)
{
	IscJson *time = json_object_object_get(command, "time");
	gdouble seconds = json_object_get_double(time);
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_local((gint64)seconds);
	g_autofree gchar *stamp =
			when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
	/* The milliseconds as they are in the record, not as a double rounds them. */
	const gchar *dot = strchr(json_object_get_string(time), '.');

	IscJson *uid = NULL;
	g_autofree gchar *who = isc_text_escape(json_object_object_get_ex(command, "uid", &uid)
								? json_object_get_string(uid)
								: "?",
			-1, 32);
	GString *out = g_string_new(NULL);
	g_string_append_printf(out, "%s%s  uid=%s ", stamp, dot ? dot : "", who);
	IscJson *argv = json_object_object_get(command, "argv");
	/* From the bytes: escaped twice, a byte and its name in letters would look the same. */
	const Args *args = json_object_get_userdata(argv);
	for (guint i = 0; i < args->args->len; i++) {
		const GByteArray *arg = args->args->pdata[i];
		g_autofree gchar *word =
				quoted(arg ? (const gchar *)arg->data : "", arg ? arg->len : 0);
		g_string_append_printf(out, " %s", word);
	}
	return g_string_free(out, FALSE);
}
