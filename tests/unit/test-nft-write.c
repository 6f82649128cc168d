/* R1.7: one transaction a change. */
#include "netns.h"

#include "engine/nft-read.h"
#include "engine/nft-write.h"
#include "fence.h"

/* Our tables without a rule, and the elements of one node. */
static GArray *prepare(GPtrArray **list, const gchar *expose)
{
	g_autoptr(IscFence) fence = fence_new(2, "web", expose, "tcp:203.0.113.0/24:80-90");
	g_autofree gchar *base = isc_nft_render_base(&test_config, NULL);
	g_autofree gchar *path = NULL;
	int fd = g_file_open_tmp("isc-nft-XXXXXX", &path, NULL);

	assert_true(fd >= 0);
	close(fd);
	assert_true(g_file_set_contents(path, base, -1, NULL));
	g_autofree gchar *command = g_strdup_printf("nft -f %s", path);
	netns_run("nft flush ruleset");
	netns_run(command);
	unlink(path);
	GArray *elements = isc_nft_fence_elements(&test_config, fence, NULL, NULL, NULL);
	*list = g_ptr_array_new();
	for (guint i = 0; i < elements->len; i++)
		g_ptr_array_add(*list, &g_array_index(elements, IscNftElement, i));
	return elements;
}

static void what_is_written_reads_back_with_its_value(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GArray) elements = prepare(&list, "80:80 192.0.2.1:81:81");
	g_autoptr(IscNftWriter) writer = isc_nft_writer_new(&error);
	g_autoptr(IscNftReader) reader = isc_nft_reader_new(&error);
	const IscNftElement *missing;
	gboolean all;

	assert_true(isc_nft_read_has(reader, list, &all, &missing, &error));
	assert_false(all);
	assert_ptr_equal(missing, g_ptr_array_index(list, 0));
	assert_true(isc_nft_write(writer, NULL, list, NULL, &error));
	assert_true(isc_nft_write(writer, NULL, list, NULL, &error)); /* again: no harm */
	assert_true(isc_nft_read_has(reader, list, &all, &missing, &error));
	assert_true(all);
	for (guint i = 0; i < elements->len; i++) {
		IscNftElement *e = &g_array_index(elements, IscNftElement, i);
		g_autoptr(GArray) set = isc_nft_read_set(reader, e->set, &error);
		assert_int_equal(set->len, 1);
		assert_true(isc_nft_element_equal(&g_array_index(set, IscNftElement, 0), e));
		if (e->set == ISC_NFT_EXPOSE)
			e->data[3] ^= 1; /* the same key with another value is not what we wrote */
	}
	assert_true(isc_nft_read_has(reader, list, &all, &missing, &error));
	assert_false(all);
	assert_int_equal(missing->set, ISC_NFT_EXPOSE);
}

static void all_of_a_transaction_or_nothing(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GArray) elements = prepare(&list, "80:80");
	g_autoptr(IscNftWriter) writer = isc_nft_writer_new(&error);
	g_autoptr(IscNftReader) reader = isc_nft_reader_new(&error);

	assert_false(isc_nft_write(writer, list, NULL, NULL, &error));
	assert_error(error, ISC_ERROR_HOST, "set 'pin-mac': No such file or directory");
	netns_run("nft add element inet isc-dock expose { 6 . 80 : 10.77.9.9 . 1 }");
	assert_false(isc_nft_write(writer, NULL, list, NULL, &error));
	assert_error(error, ISC_ERROR_HOST, "set 'expose': File exists");
	g_autoptr(GArray) nodes = isc_nft_read_set(reader, ISC_NFT_NODES, &error);
	assert_int_equal(nodes->len, 0);
	netns_run("nft flush ruleset");
	assert_false(isc_nft_write(writer, NULL, list, NULL, &error));
	assert_error(error, ISC_ERROR_HOST, "No such file");
	g_autoptr(GArray) none = isc_nft_read_set(reader, ISC_NFT_NODES, &error);
	assert_int_equal(none->len, 0);
	assert_true(isc_nft_write(writer, NULL, NULL, NULL, &error)); /* nothing to do */
}

static void a_set_may_get_more_than_one_message_holds(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GArray) elements =
			prepare(&list, "1000-1255:1-256 2000-2255:1-256 3000-3099:1-100");
	g_autoptr(IscNftWriter) writer = isc_nft_writer_new(&error);
	g_autoptr(IscNftReader) reader = isc_nft_reader_new(&error);

	assert_true(isc_nft_write(writer, NULL, list, NULL, &error));
	g_autoptr(GArray) set = isc_nft_read_set(reader, ISC_NFT_EXPOSE, &error);
	assert_int_equal(set->len, 612);
	assert_true(isc_nft_write(writer, list, NULL, NULL, &error));
	g_autoptr(GArray) empty = isc_nft_read_set(reader, ISC_NFT_EXPOSE, &error);
	assert_int_equal(empty->len, 0);
}

static void what_was_counted_is_forgotten(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GArray) elements = prepare(&list, NULL);
	g_autoptr(IscFence) fence = fence_new(2, "web", NULL, NULL);
	g_autoptr(IscNftWriter) writer = isc_nft_writer_new(&error);
	g_autoptr(IscNftReader) reader = isc_nft_reader_new(&error);

	netns_run("nft add element bridge isc-dock dropped "
		  "{ \"isct2\" . 0x00000001 counter packets 5 bytes 300 , "
		  "\"isct3\" . 0x00000002 counter packets 7 bytes 301 }");
	g_autoptr(GArray) before = isc_nft_read_counts(reader, &error);
	assert_int_equal(before->len, 2);
	assert_true(isc_nft_write(writer, NULL, NULL, fence, &error));
	g_autoptr(GArray) after = isc_nft_read_counts(reader, &error);
	assert_int_equal(after->len, 1);
	const IscNftCount *count = &g_array_index(after, IscNftCount, 0);
	assert_string_equal(count->tap, "isct3");
	assert_int_equal(count->kind, ISC_DROP_IP);
	assert_int_equal(count->packets, 7);
	assert_int_equal(count->bytes, 301);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_reads_back_with_its_value),
		cmocka_unit_test(all_of_a_transaction_or_nothing),
		cmocka_unit_test(a_set_may_get_more_than_one_message_holds),
		cmocka_unit_test(what_was_counted_is_forgotten),
	};
	if (!netns_enter()) {
		puts("ok 1 - elements by netlink # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
