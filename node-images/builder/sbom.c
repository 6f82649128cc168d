#include "builder/sbom.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"

void isc_package_free(IscPackage *package)
{
	if (!package)
		return;
	g_free(package->name);
	g_free(package->version);
	g_free(package->architecture);
	g_free(package->source);
	g_free(package->source_version);
	g_free(package);
}

GPtrArray *isc_packages_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)isc_package_free);
}

/* --- parse ------------------------------------------------------------------------ */

/* The value of @field in the stanza from @lines on, or NULL. */
static gchar *field(gchar *const *lines, const gchar *name)
{
	gsize n = strlen(name);
	for (; *lines && **lines; lines++)
		if (g_ascii_strncasecmp(*lines, name, n) == 0 && (*lines)[n] == ':')
			return g_strstrip(g_strdup(*lines + n + 1));
	return NULL;
}

/* deb-control(5); what passes stands in a URL, in JSON and on terminals. */
static gboolean is_word(const gchar *text)
{
	return text && *text && strlen(text) <= 128 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "+-.:~_") == strlen(text);
}

/* "Source: glibc (2.36-9)", "Source: glibc", or none where name and version are the same. */
static void take_source(IscPackage *package, const gchar *source)
{
	g_auto(GStrv) words = g_strsplit_set(source ? source : "", " ()", -1);
	guint n = 0;
	for (gsize i = 0; words[i]; i++) {
		if (!*words[i])
			continue;
		if (n++ == 0)
			package->source = g_strdup(words[i]);
		else if (n == 2)
			package->source_version = g_strdup(words[i]);
	}
	if (!package->source)
		package->source = g_strdup(package->name);
	if (!package->source_version)
		package->source_version = g_strdup(package->version);
}

static gboolean is_known(const GPtrArray *packages, const IscPackage *package)
{
	for (guint i = 0; i < packages->len; i++) {
		const IscPackage *p = g_ptr_array_index(packages, i);
		if (g_str_equal(p->name, package->name) &&
				g_str_equal(p->architecture, package->architecture))
			return TRUE;
	}
	return FALSE;
}

static gboolean take_stanza(GPtrArray *into, gchar *const *lines, GError **error)
{
	g_autofree gchar *status = field(lines, "Status");
	g_autofree gchar *source = field(lines, "Source");
	g_autoptr(IscPackage) package = g_new0(IscPackage, 1);
	if (status && !g_str_has_suffix(status, " installed"))
		return TRUE;
	package->name = field(lines, "Package");
	package->version = field(lines, "Version");
	package->architecture = field(lines, "Architecture");
	if (!package->architecture)
		package->architecture = g_strdup("all");
	if (is_word(package->name) && is_word(package->version) && is_word(package->architecture))
		take_source(package, source);
	if (!is_word(package->source) || !is_word(package->source_version)) {
		g_autofree gchar *shown =
				isc_text_escape(package->name ? package->name : *lines, -1, 64);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"package list: '%s': no proper name, version or source", shown);
		return FALSE;
	}
	if (!is_known(into, package))
		g_ptr_array_add(into, g_steal_pointer(&package));
	return TRUE;
}

gboolean isc_packages_parse(GPtrArray *into, const gchar *control, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(control, "\n", -1);
	for (gsize i = 0; lines[i];) {
		if (!*lines[i]) {
			i++;
			continue;
		}
		if (!take_stanza(into, lines + i, error))
			return FALSE;
		while (lines[i] && *lines[i])
			i++;
	}
	return TRUE;
}

/* --- print ------------------------------------------------------------------------ */

static gint compare(gconstpointer a, gconstpointer b)
{
	const IscPackage *x = *(IscPackage *const *)a, *y = *(IscPackage *const *)b;
	gint by_name = strcmp(x->name, y->name);
	return by_name ? by_name : strcmp(x->architecture, y->architecture);
}

static void put(json_object *object, const gchar *key, const gchar *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void put_property(json_object *list, const gchar *name, const gchar *value)
{
	json_object *property = json_object_new_object();
	put(property, "name", name);
	put(property, "value", value);
	json_object_array_add(list, property);
}

static json_object *component(const IscPackage *package, const gchar *suite)
{
	/* Reserved characters of a purl: '+' and ':' in versions, '~' is free. */
	g_autofree gchar *name = g_uri_escape_string(package->name, NULL, FALSE);
	g_autofree gchar *version = g_uri_escape_string(package->version, NULL, FALSE);
	g_autofree gchar *purl = g_strdup_printf("pkg:deb/debian/%s@%s?arch=%s&distro=%s", name,
			version, package->architecture, suite);
	json_object *object = json_object_new_object();
	put(object, "type", "library");
	put(object, "bom-ref", purl);
	put(object, "name", package->name);
	put(object, "version", package->version);
	put(object, "purl", purl);

	json_object *properties = json_object_new_array();
	put_property(properties, "debian:source", package->source);
	put_property(properties, "debian:source-version", package->source_version);
	json_object_object_add(object, "properties", properties);
	return object;
}

static json_object *metadata(const gchar *name, const gchar *version, gint64 created)
{
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(created);
	g_autofree gchar *stamp = g_date_time_format(date, "%Y-%m-%dT%H:%M:%SZ");
	json_object *object = json_object_new_object();
	put(object, "timestamp", stamp);

	json_object *tools = json_object_new_array(), *tool = json_object_new_object();
	put(tool, "name", "isc-image");
	put(tool, "version", ISC_VERSION);
	json_object_array_add(tools, tool);
	json_object_object_add(object, "tools", tools);

	json_object *subject = json_object_new_object();
	put(subject, "type", "container");
	put(subject, "bom-ref", name);
	put(subject, "name", name);
	put(subject, "version", version);
	json_object_object_add(object, "component", subject);
	return object;
}

gchar *isc_sbom_print(const gchar *name, const gchar *version, const gchar *suite, gint64 created,
		GPtrArray *packages)
{
	g_autoptr(IscJson) root = json_object_new_object();
	json_object *components = json_object_new_array();
	g_ptr_array_sort(packages, compare);
	put(root, "bomFormat", "CycloneDX");
	put(root, "specVersion", "1.4");
	json_object_object_add(root, "version", json_object_new_int(1));
	json_object_object_add(root, "metadata", metadata(name, version, created));
	for (guint i = 0; i < packages->len; i++)
		json_object_array_add(components, component(g_ptr_array_index(packages, i), suite));
	json_object_object_add(root, "components", components);
	return g_strconcat(json_object_to_json_string_ext(
					   root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
								 JSON_C_TO_STRING_NOSLASHESCAPE),
			"\n", NULL);
}
