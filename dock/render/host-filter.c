#include "render/host-filter.h"

#include <string.h>

#include "base/error.h"
#include "model/rules.h"
#include "render/nft.h"

static gboolean refuse(const gchar *word, const gchar *why, GError **error)
{
	g_autofree gchar *shown = isc_text_escape(word, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s': %s; the host filter knows tcp:PORT, udp:PORT, tcp:FIRST-LAST, icmp",
			shown, why);
	return FALSE;
}

/* "22" or "8000-8010", as nft writes it, too. */
static gboolean is_ports(const gchar *text)
{
	g_auto(GStrv) ends = g_strsplit(text, "-", 3);
	guint64 first = 0, last = 0;

	if (g_strv_length(ends) == 1)
		return g_ascii_string_to_unsigned(text, 10, 1, 65535, &first, NULL);
	return g_strv_length(ends) == 2 &&
	       g_ascii_string_to_unsigned(ends[0], 10, 1, 65535, &first, NULL) &&
	       g_ascii_string_to_unsigned(ends[1], 10, 1, 65535, &last, NULL) && first < last;
}

static gboolean append_word(GString *s, const gchar *word, GError **error)
{
	if (g_str_equal(word, "icmp")) {
		g_string_append(s, "\t\ticmp type echo-request accept\n"
				   "\t\ticmpv6 type echo-request accept\n");
		return TRUE;
	}
	if (!g_str_has_prefix(word, "tcp:") && !g_str_has_prefix(word, "udp:"))
		return refuse(word, "neither a port nor icmp", error);
	if (!is_ports(word + 4))
		return refuse(word, "ports are 1 to 65535", error);
	g_string_append_printf(s, "\t\t%.3s dport %s accept\n", word, word + 4);
	return TRUE;
}

static gboolean append_words(GString *s, const gchar *words, GError **error)
{
	g_auto(GStrv) all = g_strsplit_set(words, " \t", -1);

	for (gsize i = 0; all[i]; i++)
		if (*all[i] && !append_word(s, all[i], error))
			return FALSE;
	return TRUE;
}

gboolean isc_host_filter_check(const gchar *words, GError **error)
{
	g_autoptr(GString) unused = g_string_new(NULL);
	return append_words(unused, words, error);
}

gchar *isc_host_filter_render(
		const gchar *words, const gchar *outside, guint seconds, GError **error)
{
	g_autofree gchar *timeout =
			seconds ? g_strdup_printf(" timeout %us", seconds) : g_strdup("");
	g_autoptr(GString) s = g_string_new(isc_host_filter_render_delete());

	if (!isc_nft_is_ifname(outside)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is no name of a network interface", outside);
		return NULL;
	}
	g_string_append_printf(s,
			"table inet " ISC_HOST_FILTER_TABLE " {\n"
			"\tcounter dropped {\n\t}\n"
			"\tset armed {\n\t\ttype nf_proto\n\t\tflags timeout\n"
			"\t\telements = { ipv4%s, ipv6%s }\n\t}\n",
			timeout, timeout);
	/* After the boundary (-10), which drops and counts what comes from nodes. */
	g_string_append_printf(s,
			"\tchain input {\n"
			"\t\ttype filter hook input priority 10; policy accept;\n"
			"\t\tiifname \"%s\" meta nfproto @armed goto outside\n"
			"\t}\n"
			"\tchain outside {\n"
			"\t\tct state established accept\n"
			"\t\tct state related meta l4proto { icmp, icmpv6 } accept\n"
			"\t\tip6 hoplimit 255 icmpv6 type { nd-router-advert, "
			"nd-neighbor-solicit, nd-neighbor-advert } accept\n",
			outside);
	if (!append_words(s, words, error))
		return NULL;
	g_string_append(s, "\t\tcounter name dropped drop\n\t}\n}\n");
	return g_string_free(g_steal_pointer(&s), FALSE);
}

const gchar *isc_host_filter_render_confirm(void)
{
	return "flush set inet " ISC_HOST_FILTER_TABLE " armed\n"
	       "add element inet " ISC_HOST_FILTER_TABLE " armed { ipv4, ipv6 }\n";
}

const gchar *isc_host_filter_render_delete(void)
{
	return "table inet " ISC_HOST_FILTER_TABLE "\ndelete table inet " ISC_HOST_FILTER_TABLE
	       "\n";
}
