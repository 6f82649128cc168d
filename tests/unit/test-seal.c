/* R4.2, T19: seals that nobody can make again. */
#include "cm.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/seal.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BLOCK 65536
#define HEAD (8 + 24)

static int file_of(const guint8 *bytes, gsize len)
{
	int fd = isc_file_new_memory("test", NULL);
	assert_true(fd >= 0 && isc_file_write_all(fd, bytes, len, NULL));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static guint8 *bytes_of(int fd, gsize *len)
{
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return (guint8 *)isc_file_read_fd(fd, "test", 16 * BLOCK, len, NULL);
}

static guint8 *seal(const guint8 *bytes, gsize len, gsize *sealed_len)
{
	g_autoptr(GError) error = NULL;
	isc_autofd int from = file_of(bytes, len), to = isc_file_new_memory("test", NULL);
	assert_true(isc_seal(from, to, KEY, &error));
	assert_no_error(error);
	return bytes_of(to, sealed_len);
}

/* NULL where it does not open. */
static guint8 *unseal(const guint8 *sealed, gsize len, const gchar *key, gsize *out_len)
{
	g_autoptr(GError) error = NULL;
	isc_autofd int from = file_of(sealed, len), to = isc_file_new_memory("test", NULL);
	if (isc_unseal(from, to, key, &error))
		return bytes_of(to, out_len);
	assert_int_equal(error->code, ISC_ERROR_VERIFY);
	return NULL;
}

static void what_is_sealed_opens_and_is_not_in_the_clear(void **state)
{
	(void)state;
	static const gsize lens[] = { 0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK };
	for (gsize i = 0; i < G_N_ELEMENTS(lens); i++) {
		gsize sealed_len, len;
		g_autofree guint8 *bytes = g_malloc(lens[i] + 1);
		memset(bytes, 'x', lens[i]);
		g_autofree guint8 *sealed = seal(bytes, lens[i], &sealed_len);
		g_autofree guint8 *back = unseal(sealed, sealed_len, KEY, &len);
		assert_non_null(back);
		assert_int_equal(len, lens[i]);
		assert_memory_equal(back, bytes, len);
		assert_null(memmem(sealed, sealed_len, "xxxxxxxx", 8));
		assert_null(unseal(sealed, sealed_len, OTHER, &len));
	}
}

static void what_was_changed_cut_off_or_moved_does_not_open(void **state)
{
	(void)state;
	gsize n, len;
	const gsize block = BLOCK + 17;
	g_autofree guint8 *bytes = g_malloc0(2 * BLOCK + 100);
	g_autofree guint8 *sealed = seal(bytes, 2 * BLOCK + 100, &n);
	const gsize at[] = { 0, 10, HEAD, HEAD + block + 5, n - 1 };
	for (gsize i = 0; i < G_N_ELEMENTS(at); i++) {
		sealed[at[i]] ^= 1;
		assert_null(unseal(sealed, n, KEY, &len));
		sealed[at[i]] ^= 1;
	}
	const gsize cuts[] = { 0, 7, HEAD, HEAD + block, HEAD + 2 * block, n - 1 };
	for (gsize i = 0; i < G_N_ELEMENTS(cuts); i++)
		assert_null(unseal(sealed, cuts[i], KEY, &len));
	g_autofree guint8 *longer = g_malloc0(n + 1);
	memcpy(longer, sealed, n);
	assert_null(unseal(longer, n + 1, KEY, &len));
	memcpy(longer + HEAD, sealed + HEAD + block, block);
	memcpy(longer + HEAD + block, sealed + HEAD, block);
	assert_null(unseal(longer, n, KEY, &len));
	g_autofree guint8 *back = unseal(sealed, n, KEY, &len);
	assert_non_null(back);
}

static void a_key_is_64_digits(void **state)
{
	(void)state;
	GError *error = NULL;
	isc_autofd int from = file_of((const guint8 *)"x", 1);
	assert_false(isc_seal(from, from, "0123", &error));
	assert_error(error, ISC_ERROR_INVALID, "no key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_opens_and_is_not_in_the_clear),
		cmocka_unit_test(what_was_changed_cut_off_or_moved_does_not_open),
		cmocka_unit_test(a_key_is_64_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
