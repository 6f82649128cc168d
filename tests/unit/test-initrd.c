/* R2.5: the same recipe, the same digest. */
#include "cm.h"
#include "builder/initrd.h"

static void init_and_its_modules_are_where_init_looks(void **state)
{
	(void)state;
	g_autoptr(GPtrArray) modules = g_ptr_array_new();
	g_autoptr(GPtrArray) contents =
			g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_ptr_array_add(modules, (gpointer) "kernel/drivers/virtio/virtio.ko");
	g_ptr_array_add(modules, (gpointer) "kernel/fs/erofs/erofs.ko.xz");
	g_ptr_array_add(contents, g_bytes_new_static("VIRTIO", 6));
	g_ptr_array_add(contents, g_bytes_new_static("EROFS", 5));
	g_autoptr(GByteArray) a = isc_initrd_pack("INIT", 4, modules, contents);
	g_autoptr(GByteArray) again = isc_initrd_pack("INIT", 4, modules, contents);

	/* Names and contents stand in the archive as they are. */
	static const gchar *const parts[] = { "lib/modules/virtio.ko", "VIRTIO",
		"lib/modules/erofs.ko", "EROFS", "lib/modules/order", "virtio.ko\nerofs.ko\n",
		"init", "INIT", "TRAILER!!!" };
	const guint8 *from = a->data;
	for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
		const guint8 *found = memmem(
				from, (gsize)(a->data + a->len - from), parts[i], strlen(parts[i]));
		if (!found)
			fail_msg("'%s' is missing, or out of order", parts[i]);
		from = found;
	}
	assert_null(memmem(a->data, a->len, ".ko.xz", 6));
	assert_int_equal(a->len, again->len);
	assert_memory_equal(a->data, again->data, a->len);
}

static void the_built_in_list_is_that_of_init(void **state)
{
	(void)state;
	g_autofree gchar *text = NULL;
	assert_true(g_file_get_contents("node-images/init/MODULES", &text, NULL, NULL));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	gsize n = 0;
	for (gsize i = 0; lines[i]; i++) {
		if (!*lines[i] || *lines[i] == '#' || g_str_equal(lines[i], "squashfs"))
			continue;
		assert_non_null(isc_initrd_modules[n]);
		assert_string_equal(isc_initrd_modules[n++], lines[i]);
	}
	assert_null(isc_initrd_modules[n]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_built_in_list_is_that_of_init),
		cmocka_unit_test(init_and_its_modules_are_where_init_looks),
	};
	return cmocka_run_group_tests_name("initrd", tests, NULL, NULL);
}
