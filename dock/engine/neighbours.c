#include "engine/neighbours.h"

#include <json-c/json.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"

typedef struct nft_ctx IscNftContext;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNftContext, nft_ctx_free)

/* How each shows itself: a chain (or all that begin so), or a table; and where a rule for the
 * bridge would stand. */
static const struct {
	IscNeighbourKind kind;
	const gchar *table, *chain; /* NULL: any */
	const gchar *own;           /* what of it is looked at for the bridge's name */
} signs[] = {
	{ ISC_NEIGHBOUR_FIREWALLD, "firewalld", NULL, "list table inet firewalld" },
	{ ISC_NEIGHBOUR_UFW, NULL, "ufw-user-forward", "list chain ip filter ufw-user-forward" },
	{ ISC_NEIGHBOUR_DOCKER, NULL, "DOCKER-USER", "list chain ip filter DOCKER-USER" },
	{ ISC_NEIGHBOUR_LIBVIRT, NULL, "LIBVIRT_FWI", NULL },
	{ ISC_NEIGHBOUR_LIBVIRT, "libvirt_network", NULL, NULL },
};

static gchar *ask(IscNftContext *nft, const gchar *text, GError **error)
{
	if (nft_run_cmd_from_buffer(nft, text) == 0)
		return g_strdup(nft_ctx_get_output_buffer(nft));
	const gchar *words = nft_ctx_get_error_buffer(nft);
	(void)nft_ctx_get_output_buffer(nft);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "nft: %.*s",
			words ? (int)strcspn(words, "\n") : 0, words ? words : "");
	return NULL;
}

static const gchar *text_of(json_object *chain, const gchar *key)
{
	json_object *value;
	return json_object_object_get_ex(chain, key, &value) ? json_object_get_string(value) : "";
}

static void take_chain(IscNeighbours *out, json_object *chain)
{
	const gchar *family = text_of(chain, "family"), *table = text_of(chain, "table"),
		    *name = text_of(chain, "name");

	if (g_str_has_prefix(table, "isc-dock"))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(signs); i++)
		if ((!signs[i].table || g_str_equal(signs[i].table, table)) &&
				(!signs[i].chain || g_str_equal(signs[i].chain, name)))
			out->is_there[signs[i].kind] = TRUE;
	if (!g_str_equal(text_of(chain, "hook"), "forward") ||
			!g_str_equal(text_of(chain, "policy"), "drop") ||
			g_str_equal(family, "bridge") || g_str_equal(family, "ip6"))
		return;
	if (g_str_equal(family, "ip") && g_str_equal(table, "filter") &&
			g_str_equal(name, "FORWARD")) {
		out->forward_drops = TRUE;
		return;
	}
	/* Anybody may have named it. */
	g_autofree gchar *full = g_strdup_printf("%s %s %s", family, table, name);
	g_autofree gchar *shown = isc_text_escape(full, -1, 80);
	g_autofree gchar *old = out->dropping;
	out->dropping = old ? g_strconcat(old, ", ", shown, NULL) : g_strdup(shown);
}

/* The chains alone: sets may hold tens of thousands of elements. */
static gboolean take_chains(IscNeighbours *out, IscNftContext *nft, GError **error)
{
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_TERSE);
	g_autofree gchar *text = ask(nft, "list chains", error);
	g_autoptr(IscJson) json = text ? json_tokener_parse(text) : NULL;
	json_object *all, *chain;

	if (!text)
		return FALSE;
	if (!json || !json_object_object_get_ex(json, "nftables", &all) ||
			!json_object_is_type(all, json_type_array)) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_HOST,
				"nft prints no JSON that is understood");
		return FALSE;
	}
	for (gsize i = 0; i < json_object_array_length(all); i++)
		if (json_object_object_get_ex(json_object_array_get_idx(all, i), "chain", &chain))
			take_chain(out, chain);
	return TRUE;
}

gboolean isc_neighbours_read(const gchar *bridge, IscNeighbours *out, GError **error)
{
	g_autoptr(IscNftContext) nft = nft_ctx_new(NFT_CTX_DEFAULT);
	g_autofree gchar *name = g_strdup_printf("\"%s\"", bridge);

	memset(out, 0, sizeof *out);
	if (!nft) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_HOST, "libnftables does not start");
		return FALSE;
	}
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	if (!take_chains(out, nft, error))
		return FALSE;
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_TERSE);
	for (gsize i = 0; i < G_N_ELEMENTS(signs); i++) {
		g_autofree gchar *text = out->is_there[signs[i].kind] && signs[i].own
							 ? ask(nft, signs[i].own, NULL)
							 : NULL;
		if (text && strstr(text, name))
			out->lets_through[signs[i].kind] = TRUE;
	}
	return TRUE;
}

void isc_neighbours_clear(IscNeighbours *n)
{
	g_clear_pointer(&n->dropping, g_free);
}

gboolean isc_neighbours_flushes(const gchar *text)
{
	g_auto(GStrv) lines = g_strsplit_set(text, "\n;", -1);

	for (gsize i = 0; lines[i]; i++) {
		g_auto(GStrv) words = g_strsplit_set(g_strstrip(lines[i]), " \t", 3);
		if (words[0] && words[1] && g_str_equal(words[0], "flush") &&
				g_str_equal(words[1], "ruleset"))
			return TRUE;
	}
	return FALSE;
}
