#include "cli/nodefile.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "model/spec.h"

#define WHAT "command line"

/* clang-format off */
static const struct {
	const gchar *option;
	const gchar *section, *key; /* sections in the order of the file */
} table[] = {
	{ "image",       "Node",      "Image" },
	{ "description", "Node",      "Description" },
	{ "environment", "Node",      "Environment" },
	{ "machine",     "Node",      "Machine" },
	{ "label",       "Node",      "Label" },
	{ "timeout",     "Node",      "Timeout" },
	{ "protect",     "Node",      "Protect" },
	{ "ephemeral",   "Node",      "Ephemeral" },
	{ "replicas",    "Node",      "Replicas" },
	{ "memory",      "Resources", "Memory" },
	{ "vcpus",       "Resources", "VCPUs" },
	{ "overlay",     "Resources", "Overlay" },
	{ "cpu-quota",          "Resources", "CPUQuota" },
	{ "cpu-weight",         "Resources", "CPUWeight" },
	{ "io-read-bandwidth",  "Resources", "IOReadBandwidth" },
	{ "io-write-bandwidth", "Resources", "IOWriteBandwidth" },
	{ "iops",               "Resources", "IOPS" },
	{ "volume",      "Resources", "Volume" },
	{ "network",     "Network",   "Network" },
	{ "replica-ports", "Network", "ReplicaPorts" },
	{ "expose",      "Network",   "Expose" },
	{ "egress",      "Network",   "Egress" },
	{ "bandwidth",   "Network",   "Bandwidth" },
	{ "writable",    "Service",   "Writable" },
	{ "job",         "Service",   "Job" },
	{ "max-runtime", "Service",   "MaxRuntime" },
	{ "schedule",    "Service",   "Schedule" },
	{ "persistent",  "Service",   "Persistent" },
	{ "restart",     "Service",   "Restart" },
	{ "restart-sec", "Service",   "RestartSec" },
	{ "restart-max-delay-sec",    "Service", "RestartMaxDelaySec" },
	{ "start-limit-burst",        "Service", "StartLimitBurst" },
	{ "start-limit-interval-sec", "Service", "StartLimitIntervalSec" },
	{ "health",          "Service", "Health" },
	{ "health-interval", "Service", "HealthInterval" },
	{ "health-retries",  "Service", "HealthRetries" },
};
/* clang-format on */

/* What one line of a node file can hold.  A newline would start a key of its own, a backslash at
 * the end would swallow the next one, and white space at the ends is cut off by the parser: refuse
 * all three instead of sending another value. */
static const gchar *why_not(const gchar *value)
{
	if (!g_utf8_validate(value, -1, NULL))
		return "the value is no valid UTF-8";
	for (const gchar *p = value; *p; p = g_utf8_next_char(p))
		if (*p != '\t' && g_unichar_iscntrl(g_utf8_get_char(p)))
			return "a newline or another control character cannot stand in a value";
	gsize len = strlen(value);
	if (len > 0 && value[len - 1] == '\\')
		return "a value cannot end in '\\'";
	if (len > 0 && g_ascii_isspace(value[len - 1]))
		return "a value cannot end in white space";
	return NULL;
}

/* --- environment ------------------------------------------------------------------------------ */

static gboolean add_pair(GPtrArray *env, const gchar *what, const gchar *pair, GError **error)
{
	const gchar *equals = strchr(pair, '=');
	g_autofree gchar *key = equals ? g_strndup(pair, (gsize)(equals - pair)) : NULL;
	if (!isc_key_is_valid(key)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"%s: wants KEY=VALUE, KEY of letters, digits, '_', '.' and '-'",
				what);
		return FALSE;
	}
	const gchar *why = why_not(pair);
	if (why) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s: %s: %s", what, key, why);
		return FALSE;
	}

	for (guint i = 0; i < env->len; i++) {
		gchar *old = env->pdata[i];
		if (strncmp(old, pair, (gsize)(equals - pair) + 1) != 0)
			continue;
		g_free(old);
		env->pdata[i] = g_strdup(pair);
		return TRUE;
	}
	g_ptr_array_add(env, g_strdup(pair));
	return TRUE;
}

gboolean isc_nodefile_env_parse(
		GPtrArray *env, const gchar *what, const gchar *text, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		gchar *line = g_strchug(lines[i]);
		gsize len = strlen(line);
		if (len > 0 && line[len - 1] == '\r')
			line[len - 1] = '\0';
		if (!*line || *line == '#')
			continue;
		g_autofree gchar *where = g_strdup_printf("%s:%u", what, i + 1);
		if (!add_pair(env, where, line, error))
			return FALSE;
	}
	return TRUE;
}

gboolean isc_nodefile_env_add(GPtrArray *env, const gchar *given, GError **error)
{
	if (strchr(given, '='))
		return add_pair(env, "--env", given, error);
	const gchar *value = isc_key_is_valid(given) ? g_getenv(given) : "";
	if (!value) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"--env: '%s' is not set in this environment, and no value is given",
				given);
		return FALSE;
	}
	g_autofree gchar *pair = isc_key_is_valid(given) ? g_strconcat(given, "=", value, NULL)
							 : g_strdup(given);
	return add_pair(env, "--env", pair, error);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* The text as it grows, and which option each of its lines came from. */
typedef struct {
	GString *text;
	GPtrArray *origins; /* of const gchar*, one a line; "" for none */
	const gchar *section;
} Builder;

static void add_line(Builder *b, const gchar *section, const gchar *key, const gchar *value,
		const gchar *origin)
{
	if (g_strcmp0(b->section, section) != 0) {
		g_string_append_printf(b->text, "[%s]\n", section);
		g_ptr_array_add(b->origins, (gpointer) "");
		b->section = section;
	}
	g_string_append_printf(b->text, "%s=%s\n", key, value);
	g_ptr_array_add(b->origins, (gpointer)origin);
}

/* "command line:4: Memory: '5' is …" → "--memory: '5' is …" */
static void name_option(const Builder *b, GError *error)
{
	if (!g_str_has_prefix(error->message, WHAT ":"))
		return;
	gchar *end = NULL;
	gulong line = strtoul(error->message + strlen(WHAT ":"), &end, 10);
	const gchar *origin =
			line >= 1 && line <= b->origins->len ? b->origins->pdata[line - 1] : "";
	const gchar *rest = end && *end == ':' ? end + 1 : end;
	if (*origin) {
		const gchar *key_end = strstr(rest, ": ");
		rest = key_end ? key_end + 1 : rest;
	}
	gchar *message = *origin ? g_strdup_printf("--%s:%s", origin, rest)
				 : g_strdup(g_str_has_prefix(rest, " ") ? rest + 1 : rest);
	g_free(error->message);
	error->message = message;
}

gchar *isc_nodefile_build(
		const gchar *name, const IscArgs *args, const GPtrArray *env, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GPtrArray) origins = g_ptr_array_new();
	Builder b = { text, origins, NULL };

	add_line(&b, "Node", "Name", name, "");
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		gchar *const *values = isc_args_list(args, table[i].option);
		/* A flag stands for "yes". */
		if (isc_args_has(args, table[i].option) && !values[0])
			add_line(&b, table[i].section, table[i].key, "yes", table[i].option);
		for (gsize v = 0; values[v]; v++) {
			const gchar *why = why_not(values[v]);
			if (why || g_ascii_isspace(*values[v])) {
				g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "--%s: %s",
						table[i].option,
						why ? why
						    : "a value cannot begin with white space");
				return NULL;
			}
			add_line(&b, table[i].section, table[i].key, values[v], table[i].option);
		}
	}
	for (guint i = 0; i < env->len; i++)
		add_line(&b, "Service", "Env", env->pdata[i], "env");

	GError *why = NULL;
	g_autoptr(IscSpec) spec = isc_spec_parse(WHAT, text->str, text->len, &why);
	if (!spec) {
		name_option(&b, why);
		g_propagate_error(error, why);
		return NULL;
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}
