/* R2.5: the kernel of an image. */
#include "cm.h"
#include "builder/kernel.h"

static const gchar dep[] = "kernel/fs/erofs/erofs.ko: kernel/lib/libcrc32c.ko\n"
			   "kernel/lib/libcrc32c.ko:\n"
			   "kernel/drivers/virtio/virtio_ring.ko:\n"
			   "kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n"
			   "kernel/drivers/virtio/virtio_mmio.ko: kernel/drivers/virtio/virtio.ko "
			   "kernel/drivers/virtio/virtio_ring.ko\n"
			   "kernel/drivers/firmware/qemu_fw_cfg.ko.xz:\n"
			   "kernel/drivers/char/hw-random.ko:\n";
static const gchar builtin[] = "kernel/fs/ext4/ext4.ko\nkernel/lib/crc-t10dif.ko\n";

static gchar *order(const gchar *const *wanted, GError **error)
{
	g_autoptr(GPtrArray) list = isc_kernel_order(dep, builtin, wanted, error);
	if (!list)
		return NULL;
	g_ptr_array_add(list, NULL);
	return g_strjoinv(" ", (gchar **)list->pdata);
}

static void a_module_comes_after_all_it_needs(void **state)
{
	(void)state;
	static const gchar *const wanted[] = { "virtio_mmio", "erofs", NULL };
	g_autoptr(GError) error = NULL;
	g_autofree gchar *text = order(wanted, &error);
	assert_no_error(error);
	assert_string_equal(text, "kernel/drivers/virtio/virtio_ring.ko "
				  "kernel/drivers/virtio/virtio.ko "
				  "kernel/drivers/virtio/virtio_mmio.ko "
				  "kernel/lib/libcrc32c.ko kernel/fs/erofs/erofs.ko");
}

static void each_module_stands_once_and_builtin_ones_not_at_all(void **state)
{
	(void)state;
	static const gchar *const wanted[] = { "virtio", "ext4", "virtio_mmio", "virtio",
		"crc_t10dif", NULL };
	g_autoptr(GError) error = NULL;
	g_autofree gchar *text = order(wanted, &error);
	assert_no_error(error);
	assert_string_equal(text, "kernel/drivers/virtio/virtio_ring.ko "
				  "kernel/drivers/virtio/virtio.ko "
				  "kernel/drivers/virtio/virtio_mmio.ko");
}

static void names_are_taken_as_modprobe_takes_them(void **state)
{
	(void)state;
	static const gchar *const wanted[] = { "hw_random", "qemu-fw-cfg", NULL };
	g_autoptr(GError) error = NULL;
	g_autofree gchar *text = order(wanted, &error);
	assert_no_error(error);
	assert_string_equal(text, "kernel/drivers/char/hw-random.ko "
				  "kernel/drivers/firmware/qemu_fw_cfg.ko.xz");
}

static void an_unknown_module_is_named(void **state)
{
	(void)state;
	static const gchar *const wanted[] = { "virtio", "zfs", NULL };
	g_autoptr(GError) error = NULL;
	assert_null(order(wanted, &error));
	assert_error(error, ISC_ERROR_HOST, "'zfs'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_comes_after_all_it_needs),
		cmocka_unit_test(each_module_stands_once_and_builtin_ones_not_at_all),
		cmocka_unit_test(names_are_taken_as_modprobe_takes_them),
		cmocka_unit_test(an_unknown_module_is_named),
	};
	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
