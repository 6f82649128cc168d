#include "daemon/env.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

/* STATEDIR/env/NAME: nonce and secretbox of the lines, under a key of its own in the key store.
 * Erasing the key erases what it sealed, whatever copies of the file there are. */

#define SEALED_MAX (ISC_SPEC_MAX_BYTES + crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)

static gchar *path_of(const IscDock *dock, const gchar *name)
{
	return g_build_filename(dock->config->state_dir, "env", name, NULL);
}

static gchar *key_id(const gchar *name)
{
	return g_strconcat(name, ".env", NULL);
}

static void box_key(const IscKey *key, guint8 out[crypto_secretbox_KEYBYTES])
{
	const gchar *hex = isc_key_hex(key);
	(void)crypto_generichash(
			out, crypto_secretbox_KEYBYTES, (const guint8 *)hex, strlen(hex), NULL, 0);
}

static void free_text(gpointer text)
{
	sodium_memzero(text, strlen(text));
	g_free(text);
}

gboolean isc_env_keep(IscDock *dock, const IscNode *node, GError **error)
{
	const GPtrArray *env = node->spec->env;
	if (env->len == 0)
		return TRUE;

	const gchar *name = node->spec->name;
	g_autofree gchar *id = key_id(name);
	g_autofree gchar *path = path_of(dock, name);
	g_autoptr(IscKey) key = isc_key_new_random();
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < env->len; i++)
		g_string_append_printf(text, "%s\n", (const gchar *)env->pdata[i]);

	gsize len = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + text->len;
	g_autofree guint8 *sealed = g_malloc(len);
	guint8 secret[crypto_secretbox_KEYBYTES];
	box_key(key, secret);
	randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
	(void)crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const guint8 *)text->str,
			text->len, sealed, secret);
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(text->str, text->len);

	return isc_key_store_erase(dock->keys, id, error) &&
	       isc_key_store_save(dock->keys, id, key, error) &&
	       isc_file_write(AT_FDCWD, path, sealed, len, 0600, error);
}

gboolean isc_env_fetch(IscDock *dock, IscNode *node, GError **error)
{
	g_autofree gchar *id = key_id(node->spec->name);
	g_autofree gchar *path = path_of(dock, node->spec->name);
	g_autoptr(GError) why = NULL;
	gsize len;
	g_autofree gchar *sealed = isc_file_read(AT_FDCWD, path, SEALED_MAX, &len, &why);
	if (!sealed && g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return TRUE;
	if (!sealed) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}

	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, error);
	if (!key) {
		g_prefix_error(error, "environment of node '%s': ", node->spec->name);
		return FALSE;
	}
	guint8 secret[crypto_secretbox_KEYBYTES];
	box_key(key, secret);
	gsize head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
	gchar *text = g_malloc0(len + 1);
	gboolean opened = len >= head &&
			  crypto_secretbox_open_easy((guint8 *)text,
					  (const guint8 *)sealed + crypto_secretbox_NONCEBYTES,
					  len - crypto_secretbox_NONCEBYTES, (const guint8 *)sealed,
					  secret) == 0;
	sodium_memzero(secret, sizeof(secret));
	if (!opened) {
		g_free(text);
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"environment of node '%s' is damaged: provision the node anew",
				node->spec->name);
		return FALSE;
	}

	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	free_text(text);
	g_ptr_array_set_size(node->spec->env, 0);
	for (gsize i = 0; lines[i]; i++)
		if (*lines[i])
			g_ptr_array_add(node->spec->env, g_strdup(lines[i]));
	return TRUE;
}

gboolean isc_env_erase(IscDock *dock, const gchar *name)
{
	g_autofree gchar *id = key_id(name);
	g_autofree gchar *path = path_of(dock, name);
	g_autoptr(GError) why = NULL;
	if (!isc_key_store_erase(dock->keys, id, &why))
		g_warning("environment of '%s': %s", name, why->message);
	if (unlink(path) == 0)
		return why == NULL;
	if (errno != ENOENT)
		g_warning("cannot remove '%s': %s", path, g_strerror(errno));
	return FALSE;
}
