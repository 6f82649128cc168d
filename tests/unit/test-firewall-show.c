/* What the kernel holds, in the words of rules: the way back from isc_nft_fence_elements(). */
#include "cm.h"

#include "engine/firewall-show.h"

static void resolve(const IscEgress *rule, GArray *out, gpointer data)
{
	static const guint32 db = 0x0a4d0003, host = 0xc6336408;
	(void)data;
	if (g_str_equal(rule->name, "db"))
		g_array_append_val(out, db);
	else if (rule->kind == ISC_EGRESS_HOST)
		g_array_append_val(out, host);
}

static const gchar *name_of(guint32 address, gpointer data)
{
	(void)data;
	return address == 0x0a4d0003 ? "db" : NULL;
}

static IscFence fence_of(guint slot, const gchar *const *expose, const gchar *const *egress)
{
	IscFence f = { .slot = slot,
		.address = 0x0a4d0000 + slot,
		.mac = { 0x52, 0x54, 0x4e, 0, 0, (guint8)slot } };
	g_snprintf(f.name, sizeof f.name, "n%u", slot);
	g_snprintf(f.tap, sizeof f.tap, "isct%u", slot);
	f.expose = isc_expose_parse_list(expose, NULL);
	f.egress = isc_egress_parse_list(egress, NULL);
	assert_non_null(f.expose);
	assert_non_null(f.egress);
	return f;
}

static const IscNftConfig config = {
	.bridge = "isc0", .subnet = { 0x0a4d0000, 16 }, .tap_prefix = "isct"
};

static void add(GArray *to, const IscFence *fence)
{
	g_autoptr(GArray) elements = isc_nft_fence_elements(&config, fence, resolve, NULL, NULL);
	assert_non_null(elements);
	g_array_append_vals(to, elements->data, elements->len);
}

static void is_list(const GPtrArray *got, const gchar *const *want)
{
	g_autofree gchar *wanted = g_strjoinv(" ", (gchar **)want);
	g_autoptr(GString) all = g_string_new(NULL);
	for (guint i = 0; i < got->len; i++)
		g_string_append_printf(all, "%s%s", i ? " " : "", (const gchar *)got->pdata[i]);
	assert_string_equal(all->str, wanted);
}

static void a_node_is_shown_as_it_was_written_and_no_other(void **state)
{
	(void)state;
	static const gchar *const expose[] = { "tcp:80:80", "tcp:8080-8089:80-89", "tcp:9000:91",
		"tcp:9001:91", "udp:53:53", "tcp:192.0.2.7:443:8443", NULL };
	static const gchar *const egress[] = { "tcp:198.51.100.7:443-445", "udp:198.51.100.7:53",
		"node:db:tcp/5432-5433", "host:a.example.org:tcp/80", "group:shop:tcp/80-82",
		"group:shop:udp/53", "open", "tcp:10.0.0.0/8:22", "icmp", "udp:0.0.0.0/0:1-1000",
		NULL };
	static const gchar *const other[] = { "tcp:81:80", NULL };
	static const gchar *const other_egress[] = { "tcp:10.0.0.0/8:23", NULL };
	IscFence one = fence_of(2, expose, egress), two = fence_of(4, other, other_egress);
	one.health_port = 80;
	one.rate_up = 1000;
	g_strlcpy(one.group, "shop", sizeof one.group);
	g_strlcpy(two.group, "shop", sizeof two.group);
	two.quarantined = TRUE;

	g_autoptr(GArray) elements = g_array_new(FALSE, TRUE, sizeof(IscNftElement));
	add(elements, &two);
	add(elements, &one);
	g_autoptr(IscFirewallShow) show = isc_firewall_show_new(elements);
	g_auto(IscFirewallView) a = { 0 }, b = { 0 };
	isc_firewall_show_node(show, &one, name_of, NULL, &a);
	isc_firewall_show_node(show, &two, name_of, NULL, &b);

	static const gchar *const a_expose[] = { "tcp:80:80", "tcp:8080-8089:80-89", "tcp:9000:91",
		"tcp:9001:91", "udp:53:53", "tcp:192.0.2.7:443:8443", NULL };
	static const gchar *const a_egress[] = { "tcp:198.51.100.7:443-445", "udp:198.51.100.7:53",
		"tcp:198.51.100.8:80", "node:db:tcp/5432-5433", "group:shop:tcp/80-82",
		"group:shop:udp/53", "open", "tcp:10.0.0.0/8:22", "udp:0.0.0.0/0:1-1000",
		"icmp:0.0.0.0/0", NULL };
	is_list(a.expose, a_expose);
	is_list(a.egress, a_egress);
	assert_true(a.bandwidth.out == 8000 && a.bandwidth.in == 0);
	assert_true(a.is_pinned && !a.is_cut && !a.is_quarantined);
	assert_int_equal(a.health_port, 80);
	is_list(b.expose, other);
	is_list(b.egress, other_egress);
	assert_true(b.bandwidth.out == 0 && b.bandwidth.in == 0);
	assert_true(b.is_pinned && b.is_cut && b.is_quarantined);
	assert_int_equal(b.health_port, 0);
	isc_fence_clear(&one);
	isc_fence_clear(&two);
}

static void a_node_that_the_kernel_lacks_is_not_pinned(void **state)
{
	(void)state;
	static const gchar *const none[] = { NULL };
	IscFence one = fence_of(2, none, none);
	g_autoptr(GArray) elements = g_array_new(FALSE, TRUE, sizeof(IscNftElement));
	add(elements, &one);
	for (guint gone = 0; gone < elements->len; gone++) {
		g_autoptr(GArray) rest = g_array_copy(elements);
		if (g_array_index(rest, IscNftElement, gone).set == ISC_NFT_ORDINARY)
			continue; /* then it is judged the longer way */
		g_array_remove_index(rest, gone);
		g_autoptr(IscFirewallShow) show = isc_firewall_show_new(rest);
		g_auto(IscFirewallView) view = { 0 };
		isc_firewall_show_node(show, &one, name_of, NULL, &view);
		assert_false(view.is_pinned);
	}
	isc_fence_clear(&one);
}

/* What the rules look at first must not stand beside what it saves them. */
static void a_node_that_is_ordinary_is_neither_cut_off_nor_limited(void **state)
{
	(void)state;
	static const gchar *const none[] = { NULL };
	IscFence one = fence_of(2, none, none);
	g_autoptr(GArray) elements = g_array_new(FALSE, TRUE, sizeof(IscNftElement));
	add(elements, &one);
	one.quarantined = TRUE;
	one.rate_up = one.rate_down = 1000;
	add(elements, &one);
	g_autoptr(IscFirewallShow) show = isc_firewall_show_new(elements);
	g_auto(IscFirewallView) view = { 0 };
	isc_firewall_show_node(show, &one, name_of, NULL, &view);
	assert_false(view.is_cut || view.is_quarantined);
	assert_true(view.bandwidth.in == 0 && view.bandwidth.out == 0);
	isc_fence_clear(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_is_shown_as_it_was_written_and_no_other),
		cmocka_unit_test(a_node_that_the_kernel_lacks_is_not_pinned),
		cmocka_unit_test(a_node_that_is_ordinary_is_neither_cut_off_nor_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
