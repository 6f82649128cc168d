#include "builder/service.h"

#include <string.h>

#include "base/error.h"
#include "model/health.h"

static void put_list(GString *out, const gchar *key, const GPtrArray *list)
{
	for (guint i = 0; i < list->len; i++)
		g_string_append_printf(
				out, "%s=%s\n", key, (const gchar *)g_ptr_array_index(list, i));
}

gchar *isc_service_print(const IscRecipe *recipe, const IscServiceUser *user)
{
	GString *out = g_string_new(NULL);
	for (gsize i = 0; recipe->exec[i]; i++)
		g_string_append_printf(out, "exec=%s\n", recipe->exec[i]);
	for (guint p = 0; p < recipe->pre->len; p++) {
		gchar **argv = g_ptr_array_index(recipe->pre, p);
		if (p > 0)
			g_string_append(out, "pre=\n");
		for (gsize i = 0; argv[i]; i++)
			g_string_append_printf(out, "pre=%s\n", argv[i]);
	}
	g_string_append_printf(
			out, "user=%s\nuid=%u\ngid=%u\n", recipe->user, user->uid, user->gid);
	for (guint i = 0; i < user->groups->len; i++)
		g_string_append_printf(out, "group=%u\n", g_array_index(user->groups, guint, i));
	put_list(out, "writable", recipe->writable);
	put_list(out, "capability", recipe->capabilities);
	put_list(out, "env", recipe->environment);
	g_string_append_printf(out, "dir=%s\n", recipe->directory);
	g_auto(GStrv) check = isc_health_command(recipe->health);
	for (gsize i = 0; check && check[i]; i++)
		g_string_append_printf(out, "check=%s\n", check[i]);
	if (recipe->health && !check)
		g_string_append_printf(out, "health=%s\n", recipe->health);
	if (recipe->stop_signal != 15)
		g_string_append_printf(out, "stop-signal=%d\n", recipe->stop_signal);
	return g_string_free(out, FALSE);
}

/* All values of @key, in order. */
static gchar **values_of(gchar *const *lines, const gchar *key)
{
	g_autoptr(GStrvBuilder) values = g_strv_builder_new();
	gsize n = strlen(key);
	for (; *lines; lines++)
		if (strncmp(*lines, key, n) == 0 && (*lines)[n] == '=')
			g_strv_builder_add(values, *lines + n + 1);
	return g_strv_builder_end(values);
}

static gboolean number(gchar *const *lines, const gchar *key, guint *out)
{
	g_auto(GStrv) values = values_of(lines, key);
	guint64 n;
	if (!values[0] || values[1] ||
			!g_ascii_string_to_unsigned(values[0], 10, 1, G_MAXUINT32 - 1, &n, NULL))
		return FALSE;
	*out = (guint)n;
	return TRUE;
}

gboolean isc_service_agrees(
		const gchar *text, const IscImage *image, guint *uid, guint *gid, GError **error)
{
	static gchar *const nothing[] = { NULL };
	g_auto(GStrv) check = isc_health_command(image->health);
	gchar *user[] = { image->user, NULL }, *health[] = { check ? NULL : image->health, NULL };
	const struct {
		const gchar *key;
		gchar *const *want;
	} lists[] = { { "exec", image->exec }, { "user", user }, { "writable", image->writable },
		{ "capability", image->capabilities }, { "env", image->environment },
		{ "health", health }, { "check", check } };
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
		g_auto(GStrv) has = values_of(lines, lists[i].key);
		gchar *const *want = lists[i].want ? lists[i].want : nothing;
		if (g_strv_equal((const gchar *const *)has, (const gchar *const *)want))
			continue;
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"service file: '%s=' is not what the manifest says", lists[i].key);
		return FALSE;
	}
	if (number(lines, "uid", uid) && number(lines, "gid", gid))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"service file: no 'uid=' and 'gid=' of an unprivileged user");
	return FALSE;
}
