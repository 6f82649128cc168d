/* R5.1, T22. */
#include "cm.h"

#include "engine/qcow2.h"

/* The start of a 64 MiB file as qemu-img 7.2 makes it, without the names of the feature bits. */
static void make(guint8 out[4096])
{
	static const guint8 head[] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3, [23] = 16, [28] = 4,
		[35] = 2, [39] = 1, [45] = 3, [53] = 1, [59] = 1, [99] = 4, [103] = 112,
		/* an unknown extension of 5 bytes first: skipped with its padding */
		[112] = 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0,
		/* crypto */
		[128] = 0x05, 0x37, 0xbe, 0x77, 0, 0, 0, 16, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
		0x1f, 0x90, 0 };
	memset(out, 0, 4096);
	memcpy(out, head, sizeof head);
}

static void the_luks_region_is_found_behind_other_extensions(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	guint8 bytes[4096];
	IscQcow2 info;
	make(bytes);
	assert_true(isc_qcow2_parse(bytes, sizeof bytes, &info, &error));
	assert_int_equal(info.size, 64 << 20);
	assert_int_equal(info.luks_offset, 0x40000);
	assert_int_equal(info.luks_length, 0x1f9000);
}

static void what_is_not_ours_is_refused(void **state)
{
	(void)state;
	static const struct {
		guint at;
		guint8 value;
		const gchar *says;
	} cases[] = {
		{ 3, 0, "magic" },
		{ 7, 2, "version 3" },
		{ 15, 1, "backing file" },
		{ 23, 8, "cluster size" },
		{ 23, 22, "cluster size" },
		{ 35, 0, "not encrypted" },
		{ 35, 1, "not encrypted" }, /* the old AES, broken */
		{ 79, 4, "external data file" },
		{ 79, 1, "dirty" },
		{ 103, 96, "header length" },
		{ 103, 113, "header length" },
		{ 100, 0xff, "do not end" },
		{ 101, 0xff, "do not end" },
		{ 116, 0xff, "too long" },
		{ 118, 0xff, "too long" },
		{ 131, 0, "no LUKS region" }, /* another extension instead, then the end */
		{ 135, 8, "wrong size" },
		{ 136, 0xff, "out of range" },
		{ 143, 1, "out of range" },
		{ 141, 0, "out of range" }, /* offset 0: would overwrite the qcow2 header */
		{ 144, 0xff, "out of range" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		GError *error = NULL;
		guint8 bytes[4096];
		IscQcow2 info = { 1, 2, 3, 4 };
		make(bytes);
		bytes[cases[i].at] = cases[i].value;
		if (isc_qcow2_parse(bytes, sizeof bytes, &info, &error))
			fail_msg("took a wrong byte at %u", cases[i].at);
		assert_error(error, ISC_ERROR_INVALID, cases[i].says);
		assert_int_equal(info.size, 1);
	}
}

static void a_length_is_noted_once(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	GError *no = NULL;
	guint8 bytes[4096], was[4096];
	IscQcow2 info;
	make(bytes);
	assert_true(isc_qcow2_parse(bytes, sizeof bytes, &info, &error));
	assert_int_equal(info.length, 0);
	for (guint64 length = 0x123456; length < 0x123459; length++) {
		assert_true(isc_qcow2_note_length(bytes, sizeof bytes, length, &error));
		assert_true(isc_qcow2_parse(bytes, sizeof bytes, &info, &error));
		assert_int_equal(info.length, length);
		assert_int_equal(info.luks_offset, 0x40000);
		assert_int_equal(bytes[152 + 16], 0); /* it is the last one */
	}
	/* Something lies where it would go. */
	make(bytes);
	bytes[152 + 8] = 1;
	memcpy(was, bytes, sizeof was);
	assert_false(isc_qcow2_note_length(bytes, sizeof bytes, 1, &no));
	assert_error(no, ISC_ERROR_FAILED, "no room");
	assert_memory_equal(bytes, was, sizeof was);
}

static void no_cut_is_read_beyond_its_end(void **state)
{
	(void)state;
	guint8 bytes[4096];
	make(bytes);
	memset(bytes + 152, 0x41, sizeof bytes - 152); /* extensions that never end */
	bytes[131] = 0;
	for (gsize len = 0; len <= 640; len++) {
		GError *error = NULL;
		IscQcow2 info;
		g_autofree guint8 *cut =
				g_memdup2(bytes, len + 1); /* valgrind and ASan watch its end */
		assert_false(isc_qcow2_parse(cut, len, &info, &error));
		assert_error(error, ISC_ERROR_INVALID, "qcow2");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_luks_region_is_found_behind_other_extensions),
		cmocka_unit_test(what_is_not_ours_is_refused),
		cmocka_unit_test(a_length_is_noted_once),
		cmocka_unit_test(no_cut_is_read_beyond_its_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
