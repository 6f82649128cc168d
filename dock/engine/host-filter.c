#include "engine/host-filter.h"

#include <json-c/json.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "render/host-filter.h"

typedef struct nft_ctx IscNftContext;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNftContext, nft_ctx_free)

const gchar *isc_host_filter_state_name(IscHostFilterState state)
{
	static const gchar *const names[] = { "off", "trial", "on" };
	return names[state];
}

/* It is asked once in a long while: a context for each time.  Returns: (transfer full): NULL on
 * failure */
static gchar *ask(const gchar *text, guint flags, GError **error)
{
	g_autoptr(IscNftContext) nft = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!nft) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_HOST, "libnftables does not start");
		return NULL;
	}
	nft_ctx_output_set_flags(nft, flags);
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	if (nft_run_cmd_from_buffer(nft, text) == 0)
		return g_strdup(nft_ctx_get_output_buffer(nft));
	const gchar *words = nft_ctx_get_error_buffer(nft);
	g_autofree gchar *first = g_strndup(words ? words : "", words ? strcspn(words, "\n") : 0);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "nft: %s", first);
	return NULL;
}

gboolean isc_host_filter_run(const gchar *text, GError **error)
{
	g_autofree gchar *out = ask(text, 0, error);
	return out != NULL;
}

/* {"set": {…, "elem": ["ipv4", …]}} or [{"elem": {"val": "ipv4", "timeout": 60, "expires": 59}}, …]
 */
static void take_set(IscHostFilterView *out, json_object *set)
{
	json_object *elements, *one, *inside, *left;

	if (!json_object_object_get_ex(set, "elem", &elements) ||
			!json_object_is_type(elements, json_type_array) ||
			json_object_array_length(elements) == 0)
		return;
	out->state = ISC_HOST_FILTER_ON;
	one = json_object_array_get_idx(elements, 0);
	if (!json_object_is_type(one, json_type_object) ||
			!json_object_object_get_ex(one, "elem", &inside) ||
			!json_object_object_get_ex(inside, "expires", &left))
		return;
	out->state = ISC_HOST_FILTER_TRIAL;
	out->seconds = (guint)MAX(json_object_get_int(left), 0);
}

static gboolean is_there(gboolean *there, GError **error)
{
	g_autofree gchar *tables = ask("list tables inet", 0, error);
	*there = tables && strstr(tables, "table inet " ISC_HOST_FILTER_TABLE "\n");
	return tables != NULL;
}

gboolean isc_host_filter_read(IscHostFilterView *out, GError **error)
{
	memset(out, 0, sizeof *out);
	if (!is_there(&out->stands, error))
		return FALSE;
	if (!out->stands)
		return TRUE;
	g_autofree gchar *text =
			ask("list table inet " ISC_HOST_FILTER_TABLE, NFT_CTX_OUTPUT_JSON, error);
	g_autoptr(IscJson) json = text ? json_tokener_parse(text) : NULL;
	json_object *all, *it, *packets;
	if (!json || !json_object_object_get_ex(json, "nftables", &all) ||
			!json_object_is_type(all, json_type_array)) {
		if (text)
			g_set_error_literal(error, ISC_ERROR, ISC_ERROR_HOST,
					"nft prints no JSON that is understood");
		return FALSE;
	}
	for (gsize i = 0; i < json_object_array_length(all); i++) {
		json_object *entry = json_object_array_get_idx(all, i);
		if (json_object_object_get_ex(entry, "set", &it))
			take_set(out, it);
		else if (json_object_object_get_ex(entry, "counter", &it) &&
				json_object_object_get_ex(it, "packets", &packets))
			out->dropped = (guint64)json_object_get_int64(packets);
	}
	return TRUE;
}
