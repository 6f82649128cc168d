#include "builder/recipe.h"

#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "init/nodeconf.h"
#include "model/health.h"

#define RECIPE_MAX_BYTES (64 * 1024)
#define SHOWN_MAX 64

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"

/* clang-format off */
static const IscConfKey keys[] = {
	{ "Image",   "Name",             FALSE },
	{ "Image",   "Version",          FALSE },
	{ "Image",   "Description",      FALSE },
	{ "Image",   "Packages",         TRUE },
	{ "Image",   "Suite",            FALSE },
	{ "Image",   "Base",             FALSE },
	{ "Service", "Exec",             FALSE },
	{ "Service", "Pre",              TRUE },
	{ "Service", "User",             FALSE },
	{ "Service", "Ports",            TRUE },
	{ "Service", "Writable",         TRUE },
	{ "Service", "Capabilities",     TRUE },
	{ "Service", "Environment",      TRUE },
	{ "Service", "Health",           FALSE },
	{ "Service", "StopSignal",       FALSE },
	{ "Service", "WorkingDirectory", FALSE },
	{ "Service", "Profile",          FALSE },
	{ NULL },
};

static const gchar *const base_names[ISC_N_BASES] = { "none", "essential", "minbase" };

static const struct {
	const gchar *name;
	gint number; /* x86-64, signal(7) */
} signals[] = {
	{ "HUP", 1 }, { "INT", 2 }, { "QUIT", 3 }, { "USR1", 10 }, { "USR2", 12 }, { "TERM", 15 }, { "WINCH", 28 },
};
/* clang-format on */

const gchar *isc_base_name(IscBase base)
{
	return base_names[base];
}

void isc_recipe_free(IscRecipe *recipe)
{
	if (!recipe)
		return;
	isc_conf_free(recipe->conf);
	g_free(recipe->name);
	g_free(recipe->version);
	g_free(recipe->description);
	g_free(recipe->suite);
	g_ptr_array_unref(recipe->packages);
	g_strfreev(recipe->exec);
	g_ptr_array_unref(recipe->pre);
	g_free(recipe->user);
	g_ptr_array_unref(recipe->ports);
	g_ptr_array_unref(recipe->writable);
	g_ptr_array_unref(recipe->capabilities);
	g_ptr_array_unref(recipe->environment);
	g_free(recipe->health);
	g_free(recipe->directory);
	g_free(recipe->profile);
	g_free(recipe);
}

/* --- errors ----------------------------------------------------------------------- */

/* Where @key would have to stand: the first entry of its section, else the first of all. */
static const IscConfEntry *place_of(const IscConf *conf, const gchar *section)
{
	gsize n;
	const IscConfEntry *entries = isc_conf_entries(conf, &n);
	for (gsize i = 0; i < n; i++)
		if (g_str_equal(entries[i].section, section))
			return &entries[i];
	return n ? &entries[0] : NULL;
}

static const IscConfEntry *entry_of(
		const IscConf *conf, const gchar *section, const gchar *key, const gchar *word)
{
	gsize n;
	const IscConfEntry *entries = isc_conf_entries(conf, &n);
	for (gsize i = n; word && i-- > 0;)
		if (g_str_equal(entries[i].section, section) && g_str_equal(entries[i].key, key) &&
				strstr(entries[i].value, word))
			return &entries[i];
	return isc_conf_get(conf, section, key);
}

gboolean isc_recipe_error(const IscRecipe *recipe, const gchar *section, const gchar *key,
		const gchar *word, GError **error, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *message = g_strdup_vprintf(format, args);
	va_end(args);

	const IscConfEntry *entry = entry_of(recipe->conf, section, key, word);
	if (entry)
		return isc_conf_error(recipe->conf, entry, error, "%s", message);
	/* The key is absent: the line is where its section begins, the text says which key. */
	IscConfEntry missing = { section, key, "", 1 };
	const IscConfEntry *place = place_of(recipe->conf, section);
	if (place)
		missing.line = place->line;
	return isc_conf_error(recipe->conf, &missing, error, "%s", message);
}

static gboolean bad_word(const IscRecipe *recipe, const IscConfEntry *entry, const gchar *word,
		GError **error, const gchar *must)
{
	g_autofree gchar *shown = isc_text_escape(word, -1, SHOWN_MAX);
	return isc_conf_error(recipe->conf, entry, error, "'%s': %s", shown, must);
}

/* --- values ----------------------------------------------------------------------- */

static gboolean is_made_of(const gchar *text, const gchar *first, const gchar *more, gsize max)
{
	gsize len = strspn(text, more);
	return *text && strchr(first, *text) && text[len] == '\0' && len <= max;
}

static gboolean is_package(const gchar *text)
{
	g_auto(GStrv) parts = g_strsplit(text, "=", 2);
	if (!parts[0] || strlen(parts[0]) < 2 ||
			!is_made_of(parts[0], LOWER DIGIT, LOWER DIGIT "+-.", 128))
		return FALSE;
	return !parts[1] ||
	       is_made_of(parts[1], DIGIT, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGIT ".+:~-", 128);
}

/* The port at *@text, 1..65535 without leading zeros, or 0; *@text moves behind it. */
static guint take_port(const gchar **text)
{
	const gchar *digits = *text;
	gsize n = strspn(digits, DIGIT);
	*text += n;
	if (n == 0 || n > 5 || digits[0] == '0')
		return 0;
	guint64 port = g_ascii_strtoull(digits, NULL, 10);
	return port <= 65535 ? (guint)port : 0;
}

static gboolean is_port(const gchar *text)
{
	const gchar *p = text;
	guint first = take_port(&p), last = first;
	if (*p == '-') {
		p++;
		last = take_port(&p);
	}
	return first && last >= first && (g_str_equal(p, "/tcp") || g_str_equal(p, "/udp"));
}

/* What the guest can mount, too: letters of which no option of a mount is made (init/nodeconf.c).
 */
static gboolean is_path(const gchar *text)
{
	if (text[0] != '/' || !text[1] || strlen(text) > 200 ||
			!is_made_of(text, "/", LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGIT "/._-+@",
					200))
		return FALSE;
	g_auto(GStrv) elements = g_strsplit(text + 1, "/", -1);
	for (gsize i = 0; elements[i]; i++)
		if (!*elements[i] || g_str_equal(elements[i], ".") ||
				g_str_equal(elements[i], ".."))
			return FALSE;
	return TRUE;
}

static gboolean is_writable(const gchar *text)
{
	/* The box itself: what holds the system, and what the guest makes anew at each start. */
	static const gchar *const never[] = { "/proc", "/sys", "/dev", "/usr", "/bin", "/sbin",
		"/lib", "/lib64", "/boot" };
	if (!is_path(text))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(never); i++) {
		gsize n = strlen(never[i]);
		if (strncmp(text, never[i], n) != 0)
			continue;
		if (text[n] == '\0' || (text[n] == '/' && i < 3))
			return FALSE;
	}
	return TRUE;
}

static gboolean is_environment(const gchar *text)
{
	const gchar *equals = strchr(text, '=');
	if (!equals || strlen(text) > 4096 || strpbrk(text, "\n\r"))
		return FALSE;
	g_autofree gchar *key = g_strndup(text, (gsize)(equals - text));
	return isc_key_is_valid(key);
}

static gboolean is_capability(const gchar *text)
{
	int n = isc_nodeconf_capability(text);
	return n >= 0 && !isc_nodeconf_is_forbidden(n);
}

typedef struct {
	const gchar *key;
	gsize offset;         /* of a GPtrArray* in IscRecipe */
	gsize max;            /* words, in all */
	gboolean shell_words; /* quotes as in a shell; else split at white space and commas */
	gboolean lower;       /* put into lower case first */
	gboolean (*is_valid)(const gchar *text);
	const gchar *must;
} ListKey;

/* clang-format off */
#define LIST(name) G_STRUCT_OFFSET(IscRecipe, name)
static const ListKey lists[] = {
	{ "Packages",     LIST(packages),     256, FALSE, FALSE, is_package,     "no name of a Debian package" },
	{ "Ports",        LIST(ports),        64,  FALSE, FALSE, is_port,        "must be PORT/tcp, PORT/udp or FIRST-LAST/tcp, from 1 to 65535" },
	{ "Writable",     LIST(writable),     60,  FALSE, FALSE, is_writable,    "must be an absolute path without '.', '..' or '//', of a folder that is not part of the system" },
	{ "Capabilities", LIST(capabilities), 41,  FALSE, TRUE,  is_capability,  "no capability that a service can have" },
	{ "Environment",  LIST(environment),  128, TRUE,  FALSE, is_environment, "must be KEY=VALUE" },
};
/* clang-format on */

static gboolean contains(const GPtrArray *list, const gchar *word)
{
	return g_ptr_array_find_with_equal_func((GPtrArray *)list, word, g_str_equal, NULL);
}

static gchar **split(const IscRecipe *recipe, const IscConfEntry *entry, GError **error)
{
	g_auto(GStrv) words = NULL;
	g_autoptr(GError) wrong = NULL;
	if (g_shell_parse_argv(entry->value, NULL, &words, &wrong))
		return g_steal_pointer(&words);
	if (g_error_matches(wrong, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING))
		isc_conf_error(recipe->conf, entry, error, "is empty");
	else
		isc_conf_error(recipe->conf, entry, error, "%s", wrong->message);
	return NULL;
}

static gboolean take_list(
		IscRecipe *recipe, const ListKey *list, const IscConfEntry *entry, GError **error)
{
	GPtrArray *words = G_STRUCT_MEMBER(GPtrArray *, recipe, list->offset);
	g_auto(GStrv) pieces = list->shell_words ? split(recipe, entry, error)
						 : g_strsplit_set(entry->value, " \t,", -1);
	for (gsize i = 0; pieces && pieces[i]; i++) {
		if (!*pieces[i])
			continue;
		g_autofree gchar *word =
				list->lower ? g_ascii_strdown(pieces[i], -1) : g_strdup(pieces[i]);
		if (!list->is_valid(word))
			return bad_word(recipe, entry, word, error, list->must);
		if (contains(words, word))
			return bad_word(recipe, entry, word, error, "stands there twice");
		if (words->len == list->max)
			return isc_conf_error(recipe->conf, entry, error,
					"more than %" G_GSIZE_FORMAT " of them", list->max);
		g_ptr_array_add(words, g_steal_pointer(&word));
	}
	return pieces != NULL;
}

static gchar **take_command(const IscRecipe *recipe, const IscConfEntry *entry, GError **error)
{
	g_auto(GStrv) argv = split(recipe, entry, error);
	if (!argv)
		return NULL;
	for (gsize i = 0; argv[i]; i++)
		if (strlen(argv[i]) > 4096 || i >= 200) {
			isc_conf_error(recipe->conf, entry, error, "too long");
			return NULL;
		}
	if (is_path(argv[0]))
		return g_steal_pointer(&argv);
	bad_word(recipe, entry, argv[0], error,
			"must begin with the absolute path of a program; no shell looks for it");
	return NULL;
}

static gboolean take_signal(IscRecipe *recipe, const IscConfEntry *entry, GError **error)
{
	const gchar *name = entry->value + (g_str_has_prefix(entry->value, "SIG") ? 3 : 0);
	for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
		if (g_str_equal(name, signals[i].name)) {
			recipe->stop_signal = signals[i].number;
			return TRUE;
		}
	return bad_word(recipe, entry, entry->value, error,
			"must be one of SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, "
			"SIGWINCH");
}

/* The value of a single key, or @fallback; *@entry is its place. */
static const gchar *value_of(const IscRecipe *recipe, const gchar *section, const gchar *key,
		const gchar *fallback, const IscConfEntry **entry)
{
	*entry = isc_conf_get(recipe->conf, section, key);
	return *entry ? (*entry)->value : fallback;
}

static gboolean is_user(const gchar *text)
{
	return is_made_of(text, LOWER "_", LOWER DIGIT "_-", 32) && !g_str_equal(text, "root");
}

static gboolean take_image(IscRecipe *recipe, GError **error)
{
	const IscConfEntry *e;
	const gchar *v = value_of(recipe, "Image", "Name", NULL, &e);
	if (!v)
		return isc_recipe_error(
				recipe, "Image", "Name", NULL, error, "is missing from [Image]");
	if (!isc_name_is_valid(v))
		return bad_word(recipe, e, v, error,
				"must be 1 to 31 of a-z, 0-9 and '-', a letter first");
	recipe->name = g_strdup(v);

	v = value_of(recipe, "Image", "Version", NULL, &e);
	if (!v)
		return isc_recipe_error(
				recipe, "Image", "Version", NULL, error, "is missing from [Image]");
	if (!isc_version_is_valid(v))
		return bad_word(recipe, e, v, error, "must be 1 to 64 of A-Z, a-z, 0-9 and '.+~-'");
	recipe->version = g_strdup(v);

	v = value_of(recipe, "Image", "Description", "", &e);
	if (strlen(v) > 256)
		return isc_conf_error(recipe->conf, e, error, "longer than 256 bytes");
	/* A tab is the one control character that key files may hold, and manifests not. */
	recipe->description = g_strdelimit(g_strdup(v), "\t", ' ');

	v = value_of(recipe, "Image", "Suite", "bookworm", &e);
	if (!is_made_of(v, LOWER, LOWER DIGIT "-", 32))
		return bad_word(recipe, e, v, error,
				"must be the code name of a Debian suite, such as bookworm");
	recipe->suite = g_strdup(v);

	v = value_of(recipe, "Image", "Base", "minbase", &e);
	for (recipe->base = 0; recipe->base < ISC_N_BASES; recipe->base++)
		if (g_str_equal(v, base_names[recipe->base]))
			return TRUE;
	return bad_word(recipe, e, v, error, "must be minbase, essential or none");
}

static gboolean take_service(IscRecipe *recipe, GError **error)
{
	const IscConfEntry *e;
	const gchar *v = value_of(recipe, "Service", "Exec", NULL, &e);
	if (!v)
		return isc_recipe_error(recipe, "Service", "Exec", NULL, error,
				"is missing from [Service]");
	recipe->exec = take_command(recipe, e, error);
	if (!recipe->exec)
		return FALSE;

	v = value_of(recipe, "Service", "User", NULL, &e);
	if (!v)
		return isc_recipe_error(recipe, "Service", "User", NULL, error,
				"is missing from [Service]: name the unprivileged user that the "
				"service runs as");
	if (!is_user(v))
		return bad_word(recipe, e, v, error, "must be a user name, and not root");
	recipe->user = g_strdup(v);

	v = value_of(recipe, "Service", "WorkingDirectory", "/", &e);
	if (!g_str_equal(v, "/") && !is_path(v))
		return bad_word(recipe, e, v, error,
				"must be an absolute path without '.', '..' or '//'");
	recipe->directory = g_strdup(v);

	v = value_of(recipe, "Service", "Profile", "strict", &e);
	if (!g_str_equal(v, "strict") && !g_str_equal(v, "flexible"))
		return bad_word(recipe, e, v, error, "must be strict or flexible");
	recipe->profile = g_strdup(v);

	recipe->stop_signal = 15;
	e = isc_conf_get(recipe->conf, "Service", "StopSignal");
	if (e && !take_signal(recipe, e, error))
		return FALSE;
	return TRUE;
}

static gboolean take_repeated(IscRecipe *recipe, GError **error)
{
	gsize n;
	const IscConfEntry *entries = isc_conf_entries(recipe->conf, &n);
	for (gsize i = 0; i < n; i++) {
		for (gsize k = 0; k < G_N_ELEMENTS(lists); k++)
			if (g_str_equal(entries[i].key, lists[k].key) &&
					!take_list(recipe, &lists[k], &entries[i], error))
				return FALSE;
		if (!g_str_equal(entries[i].key, "Pre"))
			continue;
		gchar **argv = take_command(recipe, &entries[i], error);
		if (!argv)
			return FALSE;
		g_ptr_array_add(recipe->pre, argv);
		if (recipe->pre->len > 16)
			return isc_conf_error(
					recipe->conf, &entries[i], error, "more than 16 of them");
	}
	return TRUE;
}

/* A port below 1024 without the capability is the usual slip, and shows only when the node fails.
 */
static gboolean check_ports(const IscRecipe *recipe, GError **error)
{
	if (contains(recipe->capabilities, "cap_net_bind_service"))
		return TRUE;
	for (guint i = 0; i < recipe->ports->len; i++) {
		const gchar *port = g_ptr_array_index(recipe->ports, i);
		if (g_ascii_strtoull(port, NULL, 10) < 1024)
			return isc_recipe_error(recipe, "Service", "Ports", port, error,
					"'%s': below 1024 needs Capabilities=cap_net_bind_service",
					port);
	}
	return TRUE;
}

/* After Ports=, one of which it may mean. */
static gboolean take_health(IscRecipe *recipe, GError **error)
{
	const IscConfEntry *e;
	const gchar *v = value_of(recipe, "Service", "Health", NULL, &e);
	if (!v)
		return TRUE;
	/* The root of a server needs no path to be named. */
	const gchar *port = g_str_has_prefix(v, "http:") ? v + strlen("http:") : NULL;
	g_autofree gchar *probe = g_strconcat(v, port && !strchr(port, '/') ? "/" : "", NULL);
	if (!isc_health_is_valid(probe))
		return bad_word(recipe, e, v, error,
				"must be tcp:PORT, http:[PORT]/path or exec:/path/of/command "
				"[ARGUMENT...]");
	g_ptr_array_add(recipe->ports, NULL);
	recipe->health = isc_health_resolve(probe, (gchar **)recipe->ports->pdata);
	g_ptr_array_set_size(recipe->ports, (gint)recipe->ports->len - 1);
	return recipe->health ||
	       bad_word(recipe, e, v, error, "names no port, and neither does Ports= a TCP one");
}

IscRecipe *isc_recipe_parse(const gchar *what, const gchar *text, gsize len, GError **error)
{
	IscConf *conf = isc_conf_parse(what, text, len, keys, error);
	if (!conf)
		return NULL;
	g_autoptr(IscRecipe) recipe = g_new0(IscRecipe, 1);
	recipe->conf = conf;
	recipe->pre = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	for (gsize k = 0; k < G_N_ELEMENTS(lists); k++)
		G_STRUCT_MEMBER(GPtrArray *, recipe, lists[k].offset) =
				g_ptr_array_new_with_free_func(g_free);
	if (!take_image(recipe, error) || !take_service(recipe, error) ||
			!take_repeated(recipe, error) || !check_ports(recipe, error) ||
			!take_health(recipe, error))
		return NULL;
	return g_steal_pointer(&recipe);
}

IscRecipe *isc_recipe_load(const gchar *dir, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, ISC_RECIPE_FILE, NULL);
	gsize len;
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, RECIPE_MAX_BYTES, &len, error);
	return text ? isc_recipe_parse(path, text, len, error) : NULL;
}
