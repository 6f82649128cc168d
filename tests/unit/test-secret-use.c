/* R5.4, T28: whose a key in libvirtd is, so that one that outlived its owner is found. */
#include "cm.h"

#include "base/name.h"
#include "model/secret-use.h"

static void a_use_tells_whose_secret_it_is(void **state)
{
	(void)state;
	static const struct {
		const gchar *usage;
		IscSecretKind kind;
		const gchar *name; /* NULL: it is none of the dock's */
	} cases[] = {
		{ "isc-web/overlay", ISC_SECRET_OVERLAY, "web" },
		{ "isc-web-1/overlay", ISC_SECRET_OVERLAY, "web-1" },
		{ "isc-copy/overlay", ISC_SECRET_OVERLAY, "copy" },
		{ "isc-volume/data", ISC_SECRET_VOLUME, "data" },
		{ "isc-volume/overlay/", ISC_SECRET_VOLUME, "overlay" },
		{ "isc-volume/overlay", ISC_SECRET_OVERLAY, "volume" },
		{ "isc-volume/data/", 0, NULL },
		{ "isc-copy/web.snapshot.s1", ISC_SECRET_COPY, "web" },
		{ "isc-copy/web.evidence.q1.data", ISC_SECRET_COPY, "web" },
		{ "", 0, NULL },
		{ "isc-", 0, NULL },
		{ "isc-/overlay", 0, NULL },
		{ "isc-overlay", 0, NULL },
		{ "isc-web", 0, NULL },
		{ "isc-web/other", 0, NULL },
		{ "isc-web/x/overlay", 0, NULL },
		{ "isc-WEB/overlay", 0, NULL },
		{ "isc-volume/", 0, NULL },
		{ "isc-volume/../x", 0, NULL },
		{ "isc-copy/.snapshot.s1", 0, NULL },
		{ "web/overlay", 0, NULL },
		{ "/var/lib/libvirt/images/isc-web/overlay", 0, NULL },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscSecretKind kind = 0;
		g_autofree gchar *name = NULL;
		gboolean is = isc_secret_use_parse(cases[i].usage, &kind, &name);
		if (is != (cases[i].name != NULL) || g_strcmp0(name, cases[i].name) != 0 ||
				kind != cases[i].kind)
			fail_msg("'%s': %d, kind %u, '%s'", cases[i].usage, is, kind, name);
	}
}

static void what_is_made_is_understood(void **state)
{
	(void)state;
	g_autofree gchar *overlay = isc_secret_use_overlay("web"), *name = NULL, *long_name = NULL;
	g_autofree gchar *volume = isc_secret_use_volume("data");
	g_autofree gchar *copy = isc_secret_use_copy("web.snapshot.s1");
	IscSecretKind kind;
	assert_string_equal(overlay, "isc-web/overlay");
	assert_string_equal(volume, "isc-volume/data");
	assert_string_equal(copy, "isc-copy/web.snapshot.s1");

	g_autofree gchar *longest = g_strnfill(ISC_NAME_MAX, 'n');
	g_autofree gchar *id = g_strconcat(longest, ".snapshot.", longest, ".", longest, NULL);
	g_autofree gchar *use = isc_secret_use_copy(id);
	assert_true(isc_secret_use_parse(use, &kind, &long_name));
	assert_string_equal(long_name, longest);
	g_autofree gchar *endless = g_strnfill(100000, 'n');
	g_autofree gchar *more = isc_secret_use_volume(endless);
	assert_false(isc_secret_use_parse(more, &kind, &name));
}

/* libvirtd has each usage once: two disks with the same one could not run at a time. */
static void no_two_disks_have_the_same_use(void **state)
{
	(void)state;
	static const gchar *const names[] = { "overlay", "volume", "copy", "overlay-1", "web" };
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree gchar *id = g_strconcat(names[i], ".snapshot.overlay", NULL);
		gchar *uses[] = { isc_secret_use_overlay(names[i]), isc_secret_use_volume(names[i]),
			isc_secret_use_copy(id) };
		static const IscSecretKind kinds[] = { ISC_SECRET_OVERLAY, ISC_SECRET_VOLUME,
			ISC_SECRET_COPY };
		for (gsize k = 0; k < G_N_ELEMENTS(uses); k++) {
			g_autofree gchar *name = NULL;
			IscSecretKind kind;
			assert_true(isc_secret_use_parse(uses[k], &kind, &name));
			assert_int_equal(kind, kinds[k]);
			assert_string_equal(name, names[i]);
			if (!g_hash_table_add(seen, uses[k]))
				fail_msg("'%s' is in use twice", uses[k]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_use_tells_whose_secret_it_is),
		cmocka_unit_test(what_is_made_is_understood),
		cmocka_unit_test(no_two_disks_have_the_same_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
