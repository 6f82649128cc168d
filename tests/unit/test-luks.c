/* R5.1, T29: the header of an overlay. */
#include "cm.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/luks.h"

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "f0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static int make(guint8 *bytes)
{
	g_autoptr(GError) error = NULL;
	int fd = isc_luks_new(KEY, &error);
	assert_no_error(error);
	assert_int_equal(pread(fd, bytes, ISC_LUKS_USED, 0), ISC_LUKS_USED);
	return fd;
}

static void a_header_opens_with_its_key_alone(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree guint8 *bytes = g_malloc(ISC_LUKS_USED);
	isc_autofd int fd = make(bytes);
	assert_true(isc_luks_check(fd, KEY, &error));
	assert_false(isc_luks_check(fd, OTHER, &error));
	assert_error(error, ISC_ERROR_VERIFY, "does not open");
}

static void its_fields_are_those_of_luks1_as_qemu_reads_it(void **state)
{
	(void)state;
	g_autofree guint8 *bytes = g_malloc(ISC_LUKS_USED);
	isc_autofd int fd = make(bytes);
	assert_memory_equal(bytes, "LUKS\xba\xbe\0\1", 8);
	assert_string_equal((gchar *)bytes + 8, "aes");
	assert_string_equal((gchar *)bytes + 40, "xts-plain64");
	assert_string_equal((gchar *)bytes + 72, "sha256");
	assert_memory_equal(bytes + 104, "\0\0\x0f\xc8", 4); /* payload: sector 4040 */
	assert_memory_equal(bytes + 108, "\0\0\0\x40", 4);   /* 64 key bytes */
	assert_memory_equal(bytes + 164, "\0\0\x03\xe8", 4); /* 1000 iterations */
	assert_true(g_uuid_string_is_valid((gchar *)bytes + 168));
	assert_memory_equal(bytes + 208, "\0\xac\x71\xf3", 4); /* slot 0 is used, */
	for (guint i = 1; i < 8; i++)                          /* and no other */
		assert_memory_equal(bytes + 208 + 48 * i, "\0\0\xde\xad", 4);
}

static void what_lies_behind_the_used_part_does_not_matter(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree guint8 *bytes = g_malloc(ISC_LUKS_USED);
	isc_autofd int fd = make(bytes);
	isc_autofd int copy = isc_file_new_memory("copy", &error);
	assert_true(isc_file_write_all(copy, bytes, ISC_LUKS_USED, &error));
	assert_true(isc_luks_check(copy, KEY, &error));
}

static void every_header_has_a_volume_key_and_salts_of_its_own(void **state)
{
	(void)state;
	g_autofree guint8 *a = g_malloc(ISC_LUKS_USED), *b = g_malloc(ISC_LUKS_USED);
	isc_autofd int fd_a = make(a);
	isc_autofd int fd_b = make(b);
	assert_memory_not_equal(a + 112, b + 112, 20);
	assert_memory_not_equal(a + 132, b + 132, 32);
	assert_memory_not_equal(a + 168, b + 168, 36);
	assert_memory_not_equal(a + 216, b + 216, 32);
	assert_null(memmem(a, ISC_LUKS_USED, KEY, 64));
}

static void damage_to_header_or_key_slot_is_fatal(void **state)
{
	(void)state;
	static const gsize at[] = { 0, 7, 9, 41, 73, 111, 115, 140, 211, 220, 4096, 4096 + 128000,
		4096 + 255999 };
	g_autofree guint8 *bytes = g_malloc(ISC_LUKS_USED);
	isc_autofd int fd = make(bytes);
	for (gsize i = 0; i < G_N_ELEMENTS(at); i++) {
		GError *error = NULL;
		isc_autofd int copy = isc_file_new_memory("copy", NULL);
		bytes[at[i]] ^= 1;
		assert_true(isc_file_write_all(copy, bytes, ISC_LUKS_USED, NULL));
		if (isc_luks_check(copy, KEY, &error))
			fail_msg("byte %zu does not count", at[i]);
		assert_error(error, ISC_ERROR_VERIFY, "");
		bytes[at[i]] ^= 1;
	}
	GError *error = NULL;
	isc_autofd int empty = isc_file_new_memory("empty", NULL);
	assert_false(isc_luks_check(empty, KEY, &error));
	assert_error(error, ISC_ERROR_VERIFY, "");
}

static void a_key_comes_and_the_others_go(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree guint8 *bytes = g_malloc(ISC_LUKS_USED);
	isc_autofd int fd = make(bytes);
	assert_true(isc_luks_add(fd, KEY, OTHER, ISC_LUKS_ITERATIONS_KEY, NULL));
	assert_true(isc_luks_add(fd, OTHER, "third", 2000, NULL));
	assert_true(isc_luks_check(fd, KEY, NULL) && isc_luks_check(fd, OTHER, NULL));
	assert_true(isc_luks_keep_only(fd, "third", NULL));
	assert_true(isc_luks_check(fd, "third", NULL));
	assert_false(isc_luks_check(fd, KEY, NULL) || isc_luks_check(fd, OTHER, NULL));
	assert_false(isc_luks_add(fd, KEY, OTHER, ISC_LUKS_ITERATIONS_KEY, &error));
	assert_error(error, ISC_ERROR_VERIFY, "does not open");
	/* not only marked as unused: what opened it is not there any more */
	guint8 after[8192];
	assert_int_equal(pread(fd, after, sizeof after, 0), sizeof after);
	assert_memory_not_equal(after + 4096, bytes + 4096, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_opens_with_its_key_alone),
		cmocka_unit_test(its_fields_are_those_of_luks1_as_qemu_reads_it),
		cmocka_unit_test(what_lies_behind_the_used_part_does_not_matter),
		cmocka_unit_test(every_header_has_a_volume_key_and_salts_of_its_own),
		cmocka_unit_test(damage_to_header_or_key_slot_is_fatal),
		cmocka_unit_test(a_key_comes_and_the_others_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
