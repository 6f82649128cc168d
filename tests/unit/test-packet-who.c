/* R1.9: whose packet it was. */
#include "cm.h"
#include "collector/packet-who.h"

static guint n_freed;

static void freed(IscPacketNode *node)
{
	(void)node;
	n_freed++;
}

static IscLinkMsg fence(const gchar *name, guint slot, guint port)
{
	IscLinkMsg m = { .version = ISC_LINK_VERSION,
		.kind = ISC_LINK_FENCE,
		.slot = slot,
		.a = port,
		.b = 0x0a4d0000 + slot,
		.c = 0x52544e000000 + slot,
		.d = 1900000000 + slot };
	g_strlcpy(m.node, name, sizeof m.node);
	g_snprintf(m.text, sizeof m.text, "isct%u", slot);
	return m;
}

static IscPacketWho *two_nodes(void)
{
	IscPacketWho *who = isc_packet_who_new(freed);
	const IscLinkMsg evil = fence("evil", 2, 12), peer = fence("peer", 3, 13);
	isc_packet_who_add(who, &evil);
	isc_packet_who_add(who, &peer);
	return who;
}

static void a_packet_is_whose_the_kernel_says(void **state)
{
	(void)state;
	IscPacketWho *who = two_nodes();
	static const IscPacket claims = { .is_ip = TRUE,
		.from = 0x0a4d0003, /* the peer's */
		.to = 0x0a4d0003,
		.has_macs = TRUE,
		.from_mac = { 0x52, 0x54, 0x4e, 0, 0, 3 },
		.uid = 1900000003 };
	static const struct {
		IscPacketWhose whose;
		guint32 port, uid;
		guint8 mac_end;
		const gchar *name;
	} cases[] = {
		/* Everything in it says that it is the peer's; it came in by the other's tap. */
		{ ISC_WHOSE_PORT, 12, 1900000003, 3, "evil" },
		{ ISC_WHOSE_PORT, 99, 1900000003, 3, "" },
		{ ISC_WHOSE_PORT, 0, 1900000003, 3, "" },
		{ ISC_WHOSE_FROM, 12, 0, 3, "peer" },
		{ ISC_WHOSE_FROM, 12, 0, 2, "" }, /* an address with another's MAC proves nothing */
		{ ISC_WHOSE_TO, 99, 0, 9, "peer" },
		{ ISC_WHOSE_UID, 12, 1900000002, 3, "evil" },
		{ ISC_WHOSE_UID, 12, G_MAXUINT32, 3, "" },
		{ ISC_WHOSE_NOBODY, 12, 1900000002, 3, "" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscPacket p = claims;
		p.whose = cases[i].whose;
		p.port = cases[i].port;
		p.uid = cases[i].uid;
		p.from_mac[5] = cases[i].mac_end;
		assert_string_equal(isc_packet_who_of(who, &p)->name, cases[i].name);
	}
	isc_packet_who_free(who);
}

static void a_port_belongs_to_its_latest_node(void **state)
{
	(void)state;
	IscPacketWho *who = two_nodes();
	const IscLinkMsg other = fence("other", 2, 12), moved = fence("peer", 3, 14);
	IscPacket p = { .whose = ISC_WHOSE_PORT, .port = 12 };

	n_freed = 0;
	isc_packet_who_add(who, &other);
	assert_string_equal(isc_packet_who_of(who, &p)->name, "other");
	/* The one that had it goes, and takes nothing of the new one's with it. */
	isc_packet_who_remove(who, isc_packet_who_find(who, "evil"));
	assert_int_equal(n_freed, 1);
	assert_null(isc_packet_who_find(who, "evil"));
	assert_string_equal(isc_packet_who_of(who, &p)->name, "other");
	isc_packet_who_add(who, &moved);
	p.port = 13;
	assert_string_equal(isc_packet_who_of(who, &p)->name, "");
	p.port = 14;
	assert_string_equal(isc_packet_who_of(who, &p)->name, "peer");
	isc_packet_who_free(who);
	assert_int_equal(n_freed, 4); /* other, peer, the dock */
}

static guint64 left_out(const IscPacketNode *n, const gchar *kind)
{
	for (guint i = 0; i < n->counts->len; i++) {
		IscPacketCount *c = &g_array_index(n->counts, IscPacketCount, i);
		if (strcmp(c->kind, kind) == 0)
			return isc_packet_count_left_out(c);
	}
	return 0;
}

static void a_flood_of_one_kind_hides_no_other_kind_and_no_other_node(void **state)
{
	(void)state;
	IscPacketWho *who = two_nodes();
	IscPacketNode *evil = isc_packet_who_find(who, "evil");
	guint lines = 0;
	for (guint i = 0; i < 100000; i++)
		lines += isc_packet_count_take(evil, "mac", i); /* in a tenth of a second */
	assert_in_range(lines, ISC_PACKET_BURST, ISC_PACKET_BURST + 1);
	assert_true(isc_packet_count_take(evil, "arp", 100000));
	assert_true(isc_packet_count_take(isc_packet_who_find(who, "peer"), "mac", 100000));
	assert_int_equal(left_out(evil, "mac"), 100000 - lines);
	assert_int_equal(left_out(evil, "mac"), 0); /* told once */
	gint64 later = (gint64)(ISC_PACKET_EVERY_S + 1) * G_USEC_PER_SEC;
	assert_true(isc_packet_count_take(evil, "mac", later));
	assert_false(isc_packet_count_take(evil, "mac", later));
	isc_packet_who_free(who);
}

static void what_the_kernel_left_out_is_counted_too(void **state)
{
	(void)state;
	IscPacketWho *who = two_nodes();
	IscPacketNode *n = isc_packet_who_find(who, "evil");
	isc_packet_count_set(n, "mac", 500, TRUE, 0); /* before our time */
	for (guint i = 0; i < 10; i++)
		assert_true(isc_packet_count_take(n, "mac", 0));
	assert_int_equal(left_out(n, "mac"), 0);
	isc_packet_count_set(n, "mac", 1500, FALSE, 0);
	assert_int_equal(left_out(n, "mac"), 990);
	/* isc-dockd is new and tells all again: that is no new beginning. */
	isc_packet_count_set(n, "mac", 1600, TRUE, 0);
	assert_int_equal(left_out(n, "mac"), 100);
	/* The tables were flushed. */
	isc_packet_count_set(n, "mac", 7, FALSE, 0);
	assert_int_equal(left_out(n, "mac"), 7);
	isc_packet_count_reset(n);
	assert_int_equal(left_out(n, "mac"), 0);
	isc_packet_who_free(who);
}

static void kinds_are_bounded(void **state)
{
	(void)state;
	IscPacketWho *who = two_nodes();
	IscPacketNode *n = isc_packet_who_find(who, "");
	for (guint i = 0; i < 2 * ISC_PACKET_KINDS; i++) {
		g_autofree gchar *kind = g_strdup_printf("k%u", i);
		assert_int_equal(isc_packet_count_take(n, kind, 0), i < ISC_PACKET_KINDS);
	}
	assert_int_equal(n->counts->len, ISC_PACKET_KINDS);
	isc_packet_who_free(who);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_is_whose_the_kernel_says),
		cmocka_unit_test(a_port_belongs_to_its_latest_node),
		cmocka_unit_test(a_flood_of_one_kind_hides_no_other_kind_and_no_other_node),
		cmocka_unit_test(what_the_kernel_left_out_is_counted_too),
		cmocka_unit_test(kinds_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
