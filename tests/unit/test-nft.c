/* R1.1 to R1.10: the elements of a node, as text. */
#include "golden.h"

#include "fence.h"
#include "render/nft.h"

/* Node db; a host with two addresses, and one whose answers point inward. */
static void knows_db(const IscEgress *rule, GArray *out, gpointer data)
{
	static const guint32 db[] = { 0x0a4d0009 }, good[] = { 0xcb007107, 0xcb007108 },
			     evil[] = { 0x0a4d0009, 0xa9fea9fe, 0xc6336401, 0x0a010203,
				     0xcb007109 };
	(void)data;
	if (rule->kind == ISC_EGRESS_NODE && strcmp(rule->name, "db") == 0)
		g_array_append_vals(out, db, 1);
	if (rule->kind == ISC_EGRESS_HOST && strcmp(rule->name, "deb.example.org") == 0)
		g_array_append_vals(out, good, 2);
	if (rule->kind == ISC_EGRESS_HOST && strcmp(rule->name, "evil.example.org") == 0)
		g_array_append_vals(out, evil, 5);
}

static gchar *text_of(const IscFence *fence)
{
	GError *error = NULL;
	g_autoptr(GArray) elements =
			isc_nft_fence_elements(&test_config, fence, knows_db, NULL, &error);
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	assert_no_error(error);
	for (guint i = 0; i < elements->len; i++)
		g_ptr_array_add(list, &g_array_index(elements, IscNftElement, i));
	return isc_nft_render_change(NULL, list);
}

static void each_option_of_a_node_reads_as_agreed(void **state)
{
	(void)state;
	static const struct {
		const gchar *golden, *expose, *egress, *group;
		guint16 health;
		guint64 up, down;
		gboolean quarantined;
	} cases[] = {
		{ "nft/node-bare.nft", NULL, NULL, NULL, 0, 0, 0, FALSE },
		{ "nft/node-quarantined.nft", "8080:80", "open", NULL, 80, 0, 0, TRUE },
		{ "nft/node-expose.nft", "8080:80 udp:5000-5003:6000-6003 192.0.2.7:443:8443", NULL,
				NULL, 80, 0, 0, FALSE },
		{ "nft/node-rates.nft", NULL, NULL, NULL, 0, 125000, 12500000, FALSE },
		{ "nft/egress-open.nft", NULL, "open", NULL, 0, 0, 0, FALSE },
		{ "nft/egress-deny.nft", NULL, "deny", NULL, 0, 0, 0, FALSE },
		{ "nft/egress-exact.nft", NULL,
				"tcp:203.0.113.7:443 udp:203.0.113.7:53 tcp:203.0.113.8:80-82",
				NULL, 0, 0, 0, FALSE },
		{ "nft/egress-wide.nft", NULL, "tcp:203.0.113.0/24:443 udp:0.0.0.0/0:123 icmp",
				NULL, 0, 0, 0, FALSE },
		{ "nft/egress-overlap.nft", NULL,
				"tcp:203.0.113.0/24:400-500 tcp:203.0.113.128/25:450-600 "
				"tcp:203.0.0.0/16:80",
				NULL, 0, 0, 0, FALSE },
		{ "nft/egress-reserved.nft", NULL,
				"tcp:10.0.0.0/8:80 tcp:169.254.0.0/16:80 tcp:169.254.169.254:80 "
				"icmp:192.168.1.0/24 "
				"tcp:198.51.100.0/25:22 tcp:0.0.0.0/0:443",
				NULL, 0, 0, 0, FALSE },
		{ "nft/egress-node.nft", NULL, "node:db:tcp/5432 node:gone:tcp/1 node:db:udp/7-8",
				NULL, 0, 0, 0, FALSE },
		{ "nft/egress-twice.nft", NULL, "tcp:203.0.113.7:80 tcp:203.0.113.7:80-81", NULL, 0,
				0, 0, FALSE },
		{ "nft/egress-host.nft", NULL,
				"host:deb.example.org:tcp/443 host:deb.example.org:udp/1-2 "
				"host:gone.example.org:tcp/80",
				NULL, 0, 0, 0, FALSE },
		/* Of its answers only the one outside holds: metadata, the dock's networks and the
		 * nodes' are refused. */
		{ "nft/egress-host-inward.nft", NULL, "host:evil.example.org:tcp/443", NULL, 0, 0,
				0, FALSE },
		/* But where a rule lies in that network, of the same protocol. */
		{ "nft/egress-host-named.nft", NULL,
				"host:evil.example.org:tcp/443 tcp:10.1.0.0/16:5432 "
				"udp:198.51.100.1:53 tcp:169.254.0.0/16:1",
				NULL, 0, 0, 0, FALSE },
		{ "nft/node-group.nft", NULL, NULL, "shop", 0, 0, 0, FALSE },
		{ "nft/egress-group.nft", NULL, "group:shop:tcp/80 group:shop:udp/7-8", "shop", 0,
				0, 0, FALSE },
		/* Whoever made the fence, a rule for a group is nothing to one outside of it. */
		{ "nft/egress-group-alien.nft", NULL, "group:shop:tcp/80", "other", 0, 0, 0,
				FALSE },
		{ "nft/node-everything.nft", "8080:80 192.0.2.7:443:8443",
				"node:db:tcp/5432 group:shop:tcp/80 tcp:203.0.113.7:443 "
				"tcp:10.0.0.0/8:80 udp:0.0.0.0/0:123 open",
				"shop", 80, 125000, 250000, TRUE },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscFence) fence = fence_new(2, "web", cases[i].expose, cases[i].egress);
		if (cases[i].group)
			g_strlcpy(fence->group, cases[i].group, sizeof fence->group);
		fence->health_port = cases[i].health;
		fence->rate_up = cases[i].up;
		fence->rate_down = cases[i].down;
		fence->quarantined = cases[i].quarantined;
		g_autofree gchar *text = text_of(fence);
		assert_golden(cases[i].golden, text);
	}
}

static void the_rules_read_as_agreed(void **state)
{
	(void)state;
	GError *error = NULL;
	static const gchar *const two[] = { "wan", "lte0", NULL };
	IscNftConfig quiet = test_config;

	g_autofree gchar *text = isc_nft_render_base(&test_config, &error);
	assert_no_error(error);
	assert_golden("nft/base.nft", text);

	g_autofree gchar *guard = isc_nft_render_guard(&test_config, 0, &error);
	assert_no_error(error);
	assert_golden("nft/guard.nft", guard);

	quiet.log_group = 0;
	quiet.outside = NULL;
	quiet.dedicated.prefix = 0;
	quiet.n_resolvers = quiet.n_host_nets = 0;
	memset(quiet.bridge_mac, 0, sizeof quiet.bridge_mac);
	g_autofree gchar *quiet_text = isc_nft_render_base(&quiet, &error);
	assert_no_error(error);
	assert_golden("nft/base-quiet.nft", quiet_text);
	assert_null(strchr(text, '$'));

	quiet.outside = two;
	g_autofree gchar *two_text = isc_nft_render_base(&quiet, &error);
	assert_non_null(strstr(two_text, "iifname { \"wan\", \"lte0\" } "));
}

static void a_removal_names_keys_and_stands_before_additions(void **state)
{
	(void)state;
	g_autoptr(IscFence) fence = fence_new(2, "web", "8080:80", NULL);
	g_autoptr(GArray) elements = isc_nft_fence_elements(&test_config, fence, NULL, NULL, NULL);
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (guint i = 0; i < elements->len; i++)
		if (g_array_index(elements, IscNftElement, i).set == ISC_NFT_EXPOSE)
			g_ptr_array_add(list, &g_array_index(elements, IscNftElement, i));
	g_autofree gchar *text = isc_nft_render_change(list, list);
	assert_string_equal(text,
			"delete element inet isc-dock expose { 6 . 8080 }\n"
			"add element inet isc-dock expose { 6 . 8080 : 10.77.0.2 . 80 }\n");
}

static void names_that_nft_would_read_otherwise_are_refused(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "", "a b", "wan\"", "wan;", "wan}",
		"this-name-is-too-long", "w\nn", "wän", "a/b", NULL };
	GError *error = NULL;

	for (gsize i = 0; bad[i]; i++) {
		const gchar *outside[] = { bad[i], NULL };
		IscNftConfig config = test_config;
		config.outside = outside;
		assert_false(isc_nft_is_ifname(bad[i]));
		assert_null(isc_nft_render_base(&config, &error));
		assert_error(error, ISC_ERROR_INVALID, "no name of a network interface");
	}
	assert_true(isc_nft_is_ifname("enp0s31f6.100"));
	assert_false(isc_nft_is_ifname(NULL));
}

static void a_node_that_cannot_be_one_is_refused(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(IscFence) good = fence_new(2, "web", NULL, NULL);
	static const struct {
		const gchar *name, *tap;
		guint8 mac0;
		guint32 address;
		const gchar *why;
	} cases[] = {
		{ "Web", "isct2", 0x52, 0x0a4d0002, "no node name" },
		{ "web", "eth0", 0x52, 0x0a4d0002, "tap" },
		{ "web", "isct2\"", 0x52, 0x0a4d0002, "tap" },
		{ "web", "isct2", 0x53, 0x0a4d0002, "group address" },
		{ "web", "isct2", 0x52, 0x0a4f0002, "address" },
		{ "web", "isct2", 0x52, 0x0a4d0001, "address" },
		{ "web", "isct2", 0x52, 0x0a4dffff, "address" },
		{ "web", "isct2", 0x52, 0x0a4e0001, "address" },
		{ "web", "isct2", 0x52, 0x0a4e1002, "address" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscFence fence = *good;
		g_strlcpy(fence.name, cases[i].name, sizeof fence.name);
		g_strlcpy(fence.tap, cases[i].tap, sizeof fence.tap);
		fence.mac[0] = cases[i].mac0;
		fence.address = cases[i].address;
		assert_null(isc_nft_fence_elements(&test_config, &fence, NULL, NULL, &error));
		assert_error(error, ISC_ERROR_INVALID, cases[i].why);
	}
}

static void equal_wide_rules_are_one_class_and_others_another(void **state)
{
	(void)state;
	g_autoptr(IscFence) a = fence_new(2, "a", NULL, "tcp:203.0.113.0/24:443");
	g_autoptr(IscFence) b = fence_new(3, "b", NULL, "tcp:203.0.113.0/24:443");
	g_autoptr(IscFence) c = fence_new(4, "c", NULL, "tcp:203.0.113.0/24:444");
	IscFence *fences[] = { a, b, c };
	guint32 class[3] = { 0 };

	for (gsize i = 0; i < 3; i++) {
		g_autoptr(GArray) elements =
				isc_nft_fence_elements(&test_config, fences[i], NULL, NULL, NULL);
		guint shared = 0;
		for (guint k = 0; k < elements->len; k++) {
			const IscNftElement *e = &g_array_index(elements, IscNftElement, k);
			if (e->set == ISC_NFT_EGRESS_CLASS)
				memcpy(&class[i], e -> data, 4);
			shared += isc_nft_element_is_shared(e) ? 1 : 0;
		}
		assert_int_equal(shared, 1);
	}
	assert_int_equal(class[0], class[1]);
	assert_int_not_equal(class[0], class[2]);
	assert_true(class[0] & 0x80000000u);
}

static void a_copy_shares_nothing(void **state)
{
	(void)state;
	g_autoptr(IscFence) a = fence_new(2, "a", "80:80", "open");
	g_autoptr(IscFence) b = isc_fence_copy(a);
	g_array_set_size(a->expose, 0);
	assert_int_equal(b->expose->len, 1);
	assert_string_equal(b->name, "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_option_of_a_node_reads_as_agreed),
		cmocka_unit_test(the_rules_read_as_agreed),
		cmocka_unit_test(a_removal_names_keys_and_stands_before_additions),
		cmocka_unit_test(names_that_nft_would_read_otherwise_are_refused),
		cmocka_unit_test(a_node_that_cannot_be_one_is_refused),
		cmocka_unit_test(equal_wide_rules_are_one_class_and_others_another),
		cmocka_unit_test(a_copy_shares_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
