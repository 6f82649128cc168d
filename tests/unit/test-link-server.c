#include "cm.h"
#include "collector/link-server.h"

static IscLinkMsg good(IscLinkKind kind)
{
	IscLinkMsg m = {
		.version = ISC_LINK_VERSION, .kind = (guint16)kind, .node = "web", .text = "/"
	};
	if (kind == ISC_LINK_ORDER)
		m.a = ISC_ORDER_THAW;
	if (kind == ISC_LINK_FENCE || kind == ISC_LINK_DROPPED)
		g_strlcpy(m.text, "isct2", sizeof m.text);
	if (kind == ISC_LINK_PACKETS || kind == ISC_LINK_KEEP || kind == ISC_LINK_GUARD) {
		m.node[0] = '\0';
		m.a = 77;
	}
	return m;
}

static void each_kind_of_isc_dockd_passes_with_what_it_must_carry(void **state)
{
	(void)state;
	static const struct {
		IscLinkKind kind;
		gboolean with, without; /* a descriptor */
	} cases[] = {
		{ ISC_LINK_ATTACH, TRUE, FALSE },
		{ ISC_LINK_PROBE, TRUE, FALSE },
		{ ISC_LINK_ORDER, FALSE, TRUE },
		{ ISC_LINK_FORGET, FALSE, TRUE },
		{ ISC_LINK_FLUSH, FALSE, TRUE },
		{ ISC_LINK_FENCE, FALSE, TRUE },
		{ ISC_LINK_PACKETS, TRUE, FALSE },
		{ ISC_LINK_DROPPED, FALSE, TRUE },
		{ ISC_LINK_KEEP, FALSE, TRUE },
		{ ISC_LINK_GUARD, TRUE, FALSE },
		{ ISC_LINK_LISTENS, FALSE, FALSE },
		{ ISC_LINK_COUNT, FALSE, FALSE },
		{ ISC_LINK_EVENT, FALSE, FALSE },
		{ ISC_LINK_FLUSHED, FALSE, FALSE },
		{ 0, FALSE, FALSE },
		{ 77, FALSE, FALSE },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscLinkMsg m = good(cases[i].kind);
		assert_int_equal(isc_link_msg_is_valid(&m, sizeof m, TRUE), cases[i].with);
		assert_int_equal(isc_link_msg_is_valid(&m, sizeof m, FALSE), cases[i].without);
		assert_false(isc_link_msg_is_valid(&m, sizeof m - 1, TRUE));
	}
}

static void a_field_out_of_its_range_is_refused(void **state)
{
	(void)state;
	IscLinkMsg m = good(ISC_LINK_ATTACH);
	m.channel = ISC_N_CHANNELS;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, TRUE));
	m = good(ISC_LINK_ATTACH);
	m.version++;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, TRUE));
	m = good(ISC_LINK_ATTACH);
	m.flags = 1;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, TRUE));
	m = good(ISC_LINK_ORDER);
	m.a = ISC_ORDER_CHECK + 1;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	m = good(ISC_LINK_ORDER);
	m.b = (gint64)G_MAXUINT32 + 1;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	m = good(ISC_LINK_PROBE);
	g_strlcpy(m.text, "/\r\nx", sizeof m.text);
	assert_false(isc_link_msg_is_valid(&m, sizeof m, TRUE));
	m = good(ISC_LINK_PROBE);
	memset(m.text, 'x', sizeof m.text);
	assert_false(isc_link_msg_is_valid(&m, sizeof m, TRUE));
	static const gchar *const names[] = { "", "../etc", "Web", "a/b", "-x" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		m = good(ISC_LINK_FLUSH);
		g_strlcpy(m.node, names[i], sizeof m.node);
		assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	}
	static const gint64 bounds[] = { -1, 1, ISC_LINK_KEEP_MIN - 1, (gint64)G_MAXINT32 + 1 };
	for (gsize i = 0; i < G_N_ELEMENTS(bounds); i++) {
		m = good(ISC_LINK_KEEP);
		m.a = bounds[i];
		assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	}
	m = good(ISC_LINK_KEEP);
	m.a = 0;
	assert_true(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	/* The dock's own trail has one way in. */
	m = good(ISC_LINK_ATTACH);
	g_strlcpy(m.node, "@dock", sizeof m.node);
	assert_true(isc_link_msg_is_valid(&m, sizeof m, TRUE));
	m.channel = ISC_CHANNEL_LOG;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, TRUE));
	m = good(ISC_LINK_FORGET);
	g_strlcpy(m.node, "@dock", sizeof m.node);
	assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	m = good(ISC_LINK_FLUSH);
	memset(m.node, 'x', sizeof m.node);
	assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
}

/* They go into the packet log as they are. */
static void words_for_the_packet_log_are_words(void **state)
{
	(void)state;
	static const IscLinkKind kinds[] = { ISC_LINK_FENCE, ISC_LINK_DROPPED };
	static const gchar *const texts[] = { "", "a b", "a\nb", "Mac", "a=b", "\x1b[2J",
		"sixteen-letters-" };
	for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++)
		for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
			IscLinkMsg m = good(kinds[k]);
			g_strlcpy(m.text, texts[i], sizeof m.text);
			assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
		}
	IscLinkMsg m = good(ISC_LINK_FENCE);
	m.c = (gint64)1 << 48;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	m = good(ISC_LINK_FENCE);
	m.node[0] = '\0'; /* the dock has no fence */
	assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	m = good(ISC_LINK_DROPPED);
	m.node[0] = '\0'; /* but counters of its own */
	assert_true(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	m.b = 3;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, FALSE));
	m = good(ISC_LINK_PACKETS);
	m.a = 0;
	assert_false(isc_link_msg_is_valid(&m, sizeof m, TRUE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_isc_dockd_passes_with_what_it_must_carry),
		cmocka_unit_test(a_field_out_of_its_range_is_refused),
		cmocka_unit_test(words_for_the_packet_log_are_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
