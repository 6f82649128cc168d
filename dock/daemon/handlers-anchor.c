/* The ends of trails that somebody has verified, as a text that the dock signs, to be kept
 * elsewhere; and the key that verifies it. */
#include <fcntl.h>

#include "base/anchor.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "daemon/copies.h"
#include "daemon/handlers.h"
#include "model/anchors.h"

#define KEY_MAX 4096 /* bytes of a public key's file */

static gboolean read_seal_pub(const IscDock *dock, guint8 out[32], GError **error)
{
	gsize len;
	g_autofree gchar *path = g_build_filename(dock->config->log_dir, ISC_SEAL_PUB, NULL);
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, KEY_MAX, &len, error);
	if (text && isc_seal_pub_parse(text, len, out, error))
		return TRUE;
	g_prefix_error(error, "'%s': ", path);
	return FALSE;
}

/* One of the caller's: nothing else becomes part of what is signed. */
static gboolean take(
		GString *text, const gchar *name, const gchar *end, guint64 records, GError **error)
{
	IscTrailAnchor anchor;
	if (!isc_name_is_trail(name + (*name == ISC_TRAIL_PACKETS))) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"an anchor is a name, BLOCK:HASH and a number");
		return FALSE;
	}
	if (!isc_trail_anchor_parse(end, &anchor, error))
		return FALSE;
	isc_anchors_print_trail(text, name, &anchor, records);
	return TRUE;
}

/* The comment says whose word it is: isc-dockd reads no trail. */
static gchar *sign(IscCall *call, const GString *text, gint64 now, GError **error)
{
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(now);
	g_autofree gchar *shown = g_date_time_format(when, "%Y-%m-%d %H:%M:%S UTC");
	g_autofree gchar *comment = g_strdup_printf(
			"isc-dock anchors, verified by uid %u, %s", call->uid, shown);
	return isc_copies_sign_text(call->dock, text->str, comment, error);
}

ISC_HANDLE(note_anchors)
{
	g_autoptr(GVariant) all = g_variant_get_child_value(call->params, 0);
	g_autoptr(GString) text = g_string_new(NULL);
	gint64 now = g_get_real_time() / G_USEC_PER_SEC;
	const gchar *name, *end;
	guint64 records;
	guint8 key[32];
	GVariantIter i;

	if (g_variant_n_children(all) == 0)
		return g_variant_new("(s)", "");
	if (!read_seal_pub(call->dock, key, error))
		return NULL;
	isc_anchors_print_head(text, now, key);
	g_variant_iter_init(&i, all);
	while (g_variant_iter_next(&i, "(&s&st)", &name, &end, &records))
		if (!take(text, name, end, records, error))
			return NULL;
	g_autofree gchar *signature = sign(call, text, now, error);
	if (!signature)
		return NULL;

	g_variant_iter_init(&i, all);
	while (g_variant_iter_next(&i, "(&s&st)", &name, &end, &records))
		isc_dock_event(call->dock, isc_name_is_valid(name) ? name : "", "audit.anchor",
				"info", call->uid,
				"the trail of %s ends at %s, %" G_GUINT64_FORMAT " records", name,
				end, records);
	g_string_append(text, signature);
	return g_variant_new("(s)", text->str);
}

ISC_HANDLE(public_key)
{
	g_autofree gchar *path = isc_copies_public_key_path(call->dock);
	gsize len;
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, KEY_MAX, &len, error);
	IscPublicKey key;
	if (text && g_utf8_validate_len(text, len, NULL) &&
			isc_public_key_parse(text, len, &key, error))
		return g_variant_new("(s)", text);
	if (!error || !*error)
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "it is no text");
	g_prefix_error(error, "'%s': ", path);
	return NULL;
}
