/* R1.7: what the kernel holds. */
#include "netns.h"

#include "engine/nft-read.h"
#include "fence.h"

static gchar *print(IscNftReader *reader, guint *n)
{
	GError *error = NULL;
	gchar *text = isc_nft_read_print(reader, n, &error);
	assert_no_error(error);
	return text;
}

static void the_fingerprint_moves_with_our_rules_alone(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(IscNftReader) reader = isc_nft_reader_new(&error);
	guint n;

	netns_run("nft flush ruleset");
	g_autofree gchar *none = print(reader, &n);
	assert_int_equal(n, 0);
	netns_run("nft add table inet isc-dock");
	netns_run("nft add chain inet isc-dock c");
	netns_run("nft add rule inet isc-dock c accept");
	netns_run("nft add set inet isc-dock s { type ipv4_addr \\; }");
	g_autofree gchar *one = print(reader, &n);
	assert_int_equal(n, 1);
	assert_string_not_equal(one, none);
	netns_run("nft add table inet other");
	netns_run("nft add chain inet other c");
	netns_run("nft add rule inet other c drop");
	netns_run("nft add element inet isc-dock s { 10.0.0.1 }");
	g_autofree gchar *same = print(reader, &n);
	assert_string_equal(same, one);
	assert_int_equal(n, 1);
	netns_run("nft insert rule inet isc-dock c drop");
	g_autofree gchar *two = print(reader, &n);
	assert_int_equal(n, 2);
	assert_string_not_equal(two, one);
}

static void without_tables_there_is_nothing_and_no_error(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(IscNftReader) reader = isc_nft_reader_new(&error);
	guint64 packets[ISC_N_DROPS], bytes[ISC_N_DROPS], passed[ISC_N_PASSES];

	netns_run("nft flush ruleset");
	g_autoptr(GArray) set = isc_nft_read_set(reader, ISC_NFT_WIDE, &error);
	assert_int_equal(set->len, 0);
	g_autoptr(GArray) counts = isc_nft_read_counts(reader, &error);
	assert_int_equal(counts->len, 0);
	assert_true(isc_nft_read_sums(reader, packets, bytes, passed, &error));
	assert_int_equal(packets[ISC_DROP_MAC] + passed[ISC_PASS_EXPOSED], 0);
}

static void sums_add_both_tables_up(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(IscNftReader) reader = isc_nft_reader_new(&error);
	guint64 packets[ISC_N_DROPS], bytes[ISC_N_DROPS], passed[ISC_N_PASSES];

	netns_run("nft flush ruleset");
	netns_run("nft add table inet isc-dock");
	netns_run("nft add table bridge isc-dock");
	netns_run("nft add counter inet isc-dock drop-ip { packets 3 bytes 30 }");
	netns_run("nft add counter bridge isc-dock drop-ip { packets 4 bytes 40 }");
	netns_run("nft add counter inet isc-dock opened { packets 9 bytes 1 }");
	netns_run("nft add counter inet isc-dock allowed { packets 2 bytes 1 }");
	netns_run("nft add counter inet isc-dock drop-ipv6 { packets 5 bytes 1 }");
	netns_run("nft add table inet other");
	netns_run("nft add counter inet other drop-ip { packets 100 bytes 100 }");
	assert_true(isc_nft_read_sums(reader, packets, bytes, passed, &error));
	assert_int_equal(packets[ISC_DROP_IP], 7);
	assert_int_equal(bytes[ISC_DROP_IP], 70);
	assert_int_equal(packets[ISC_DROP_IPV6], 5);
	assert_int_equal(passed[ISC_PASS_EXPOSED], 9);
	assert_int_equal(passed[ISC_PASS_ALLOWED], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fingerprint_moves_with_our_rules_alone),
		cmocka_unit_test(without_tables_there_is_nothing_and_no_error),
		cmocka_unit_test(sums_add_both_tables_up),
	};
	if (!netns_enter()) {
		puts("ok 1 - reading nf_tables back # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
