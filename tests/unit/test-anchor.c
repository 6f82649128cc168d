/* R4.2, T19: the end of a trail, kept elsewhere. */
#include "cm.h"

#include "base/anchor.h"

static void an_anchor_is_read_as_it_is_printed(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	IscTrailAnchor a = { 18446744073709551615u, { 0, 1, 2, 0xfe, 0xff, 5, 6, 7 } }, b;
	g_autofree gchar *text = isc_trail_anchor_print(&a);
	assert_string_equal(text, "18446744073709551615:000102feff050607");
	assert_true(isc_trail_anchor_parse(text, &b, &error));
	assert_true(a.block == b.block);
	assert_memory_equal(a.head, b.head, sizeof a.head);
	static const gchar *const bad[] = { "", "1", "1:", "1:000102feff0506",
		"1:000102feff05060708", "1:000102feff05060g", "-1:000102feff050607",
		":000102feff050607", "1:00:102feff05060", "x:000102feff050607",
		"18446744073709551616:000102feff050607" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		assert_false(isc_trail_anchor_parse(bad[i], &b, &error));
		assert_error(error, ISC_ERROR_INVALID, "BLOCK:HASH");
		assert_true(a.block == b.block);
	}
}

#define HEX "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static void a_key_is_its_name_and_64_digits(void **state)
{
	(void)state;
	static const gchar *const good[] = { "ed25519 " HEX, "ed25519 " HEX "\n" };
	static const gchar *const bad[] = { "", "ed25519", "ed25519 ", HEX, "ed25519 " HEX "0",
		"ed25519 " HEX " \n", "rsa4096 " HEX, " ed25519 " HEX,
		"ed25519 x75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" };
	guint8 key[32];
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(GError) error = NULL;
		memset(key, 0, sizeof key);
		assert_true(isc_seal_pub_parse(good[i], strlen(good[i]), key, &error));
		assert_int_equal(key[0], 0xd7);
		assert_int_equal(key[31], 0x1a);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		if (isc_seal_pub_parse(bad[i], strlen(bad[i]), key, &error))
			fail_msg("taken: '%s'", bad[i]);
		assert_error(error, ISC_ERROR_INVALID, "no seal key");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_anchor_is_read_as_it_is_printed),
		cmocka_unit_test(a_key_is_its_name_and_64_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
