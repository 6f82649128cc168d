/* R2.5: the same files, the same bytes. */
#include "cm.h"
#include "builder/cpio.h"

/* Reads hexadecimal field @n of the newc header at @at. */
static guint field(const GByteArray *a, gsize at, guint n)
{
	gchar hex[9] = "";
	memcpy(hex, a->data + at + 6 + 8 * n, 8);
	return (guint)g_ascii_strtoull(hex, NULL, 16);
}

static gsize align(gsize n)
{
	return (n + 3) & ~(gsize)3;
}

static void entries_stand_as_the_kernel_reads_them(void **state)
{
	(void)state;
	IscCpio *cpio = isc_cpio_new(1700000000);
	isc_cpio_add_dir(cpio, "dev", 0755);
	isc_cpio_add_char_device(cpio, "dev/console", 0600, 5, 1);
	isc_cpio_add_file(cpio, "init", 0555, "abcde", 5);
	g_autoptr(GByteArray) a = isc_cpio_end(cpio);
	static const struct {
		const gchar *name;
		guint mode, size, major, minor;
	} want[] = { { "dev", 040755, 0, 0, 0 }, { "dev/console", 020600, 0, 5, 1 },
		{ "init", 0100555, 5, 0, 0 }, { "TRAILER!!!", 0, 0, 0, 0 } };

	gsize at = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(want); i++) {
		assert_memory_equal(a->data + at, "070701", 6);
		assert_int_equal(field(a, at, 1), want[i].mode);
		assert_int_equal(field(a, at, 2), 0); /* uid */
		assert_int_equal(field(a, at, 3), 0); /* gid */
		assert_int_equal(field(a, at, 6), want[i].size);
		assert_int_equal(field(a, at, 9), want[i].major);
		assert_int_equal(field(a, at, 10), want[i].minor);
		assert_int_equal(field(a, at, 11), strlen(want[i].name) + 1);
		assert_string_equal((const gchar *)a->data + at + 110, want[i].name);
		if (i < 3)
			assert_int_equal(field(a, at, 5), 1700000000);
		at = align(at + 110 + strlen(want[i].name) + 1);
		if (want[i].size)
			assert_memory_equal(a->data + at, "abcde", 5);
		at = align(at + want[i].size);
	}
	assert_int_equal(a->len % 512, 0);
	assert_true(at <= a->len);
}

static void equal_contents_give_equal_bytes(void **state)
{
	(void)state;
	GByteArray *a[2];
	for (gsize i = 0; i < 2; i++) {
		IscCpio *cpio = isc_cpio_new(0);
		isc_cpio_add_dir(cpio, "lib", 0755);
		isc_cpio_add_file(cpio, "lib/x", 0444, "x", 1);
		a[i] = isc_cpio_end(cpio);
	}
	assert_int_equal(a[0]->len, a[1]->len);
	assert_memory_equal(a[0]->data, a[1]->data, a[0]->len);
	g_byte_array_unref(a[0]);
	g_byte_array_unref(a[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_stand_as_the_kernel_reads_them),
		cmocka_unit_test(equal_contents_give_equal_bytes),
	};
	return cmocka_run_group_tests_name("cpio", tests, NULL, NULL);
}
