/* R5.1, R5.2: encrypted disks. */
#include "cm.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/volume.h"

/* qemu-img needs seconds for a template, so a script stands in for it.  It copies a qcow2 that this
 * test lays out by hand; whether real tools take the result is asked of the real qemu-img and
 * qemu-io. */

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "f0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define LUKS_AT 0x40000
#define FLAKE "Unable to get accurate CPU usage"

typedef struct {
	gchar *dir, *templates, *volume, *calls, *key_file;
	gchar *qemu_img, *qemu_io, *real_path;
} Fixture;

static gchar *in(const Fixture *f, const gchar *name)
{
	return g_build_filename(f->dir, name, NULL);
}

/* 256 MiB, empty: header, refcount table, refcount block, L1 table, LUKS area of 32 clusters. */
static void write_qcow2(const gchar *path)
{
	enum {
		CLUSTER = 65536,
		CLUSTERS = 36,
		SIZE = CLUSTER * CLUSTERS
	};
	static const guint8 head[] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0,
		3, [23] = 16, [28] = 16, [35] = 2, [39] = 1, [45] = 3, [53] = 1, [59] = 1, [99] = 4,
		[103] = 112, [112] = 0x05, 0x37, 0xbe, 0x77, 0, 0, 0, 16, 0, 0, 0, 0, 0, 4, 0, 0, 0,
		0, 0, 0, 0, 0x1f, 0x90, 0 };
	g_autofree guint8 *bytes = g_malloc0(SIZE);
	memcpy(bytes, head, sizeof head);
	bytes[CLUSTER + 5] = 2; /* refcount table: the block at cluster 2 */
	for (gsize i = 0; i < CLUSTERS; i++)
		bytes[2 * CLUSTER + 2 * i + 1] = 1;
	memset(bytes + LUKS_AT, 0xaa, 0x1f9000); /* key slots that nobody may inherit */
	assert_true(g_file_set_contents(path, (gchar *)bytes, SIZE, NULL));
}

/* @failures: how often it fails first, saying @words */
static void fake_qemu_img(const Fixture *f, guint failures, const gchar *words)
{
	g_autofree gchar *script = in(f, "bin/qemu-img"), *model = in(f, "model.qcow2");
	g_autofree gchar *text = g_strdup_printf(
			"#!/bin/sh\n"
			"echo \"$*\" >>'%s'\n"
			"grep -cE '^[0-9a-f]{64}$' /proc/self/fd/3 >>'%s.keys'\n"
			"[ $(wc -l <'%s') -gt %u ] || { echo '%s' >&2; exit 1; }\n"
			"for last; do [ \"${last%%.tmp}\" = \"$last\" ] || out=$last; done\n"
			"cp '%s' \"$out\"\n",
			f->calls, f->calls, f->calls, failures, words, model);
	assert_true(g_file_set_contents(script, text, -1, NULL));
	assert_int_equal(g_chmod(script, 0700), 0);
	g_unlink(f->calls);
}

static guint count_calls(const Fixture *f)
{
	g_autofree gchar *text = NULL;
	guint n = 0;
	if (g_file_get_contents(f->calls, &text, NULL, NULL))
		for (const gchar *p = text; *p; p++)
			n += *p == '\n';
	return n;
}

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	f->qemu_img = g_find_program_in_path("qemu-img");
	f->qemu_io = g_find_program_in_path("qemu-io");
	f->real_path = g_strdup(g_getenv("PATH"));
	f->dir = g_dir_make_tmp("isc-volume-XXXXXX", NULL);
	f->templates = in(f, "templates");
	f->volume = in(f, "overlay.qcow2");
	f->calls = in(f, "calls");
	f->key_file = in(f, "key");
	g_autofree gchar *bin = in(f, "bin"), *model = in(f, "model.qcow2");
	g_autofree gchar *path = g_strconcat(bin, ":", f->real_path, NULL);
	g_setenv("PATH", path, TRUE);
	assert_true(isc_file_mkdir(bin, 0700, NULL) && isc_file_mkdir(f->templates, 0700, NULL));
	write_qcow2(model);
	fake_qemu_img(f, 0, "");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	g_setenv("PATH", f->real_path, TRUE);
	gboolean ok = isc_file_remove_tree(f->dir, NULL);
	gchar **strings[] = { &f->dir, &f->templates, &f->volume, &f->calls, &f->key_file,
		&f->qemu_img, &f->qemu_io, &f->real_path };
	for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
		g_free(*strings[i]);
	g_free(f);
	return ok ? 0 : -1;
}

static void create(const Fixture *f, const gchar *path)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = isc_volume_create(path, f->templates, 256, KEY, (uid_t)-1, (gid_t)-1, &error);
	assert_no_error(error);
	assert_true(ok);
}

/* Runs qemu-io on @path with @key; TRUE if it could open and do @command. */
static gboolean qemu_io(const Fixture *f, const gchar *path, const gchar *key, const gchar *command)
{
	assert_true(g_file_set_contents(f->key_file, key, -1, NULL));
	g_autofree gchar *secret = g_strconcat("secret,id=k,file=", f->key_file, NULL);
	g_autofree gchar *image = g_strconcat(
			"driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename=",
			path, NULL);
	const gchar *argv[] = { f->qemu_io, "--object", secret, "-c", command, "--image-opts",
		image, NULL };
	gint status = -1;
	g_autofree gchar *out = NULL;
	assert_true(g_spawn_sync(NULL, (gchar **)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
			&out, NULL, &status, NULL));
	return status == 0 && !strstr(out, "failed");
}

static void a_volume_opens_with_its_key_and_no_other(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	create(f, f->volume);
	assert_true(isc_volume_verify(f->volume, KEY, &error));
	assert_false(isc_volume_verify(f->volume, OTHER, &error));
	assert_error(error, ISC_ERROR_VERIFY, "does not open");
	struct stat st;
	assert_int_equal(stat(f->volume, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	g_autofree gchar *tmp = g_strconcat(f->volume, ".tmp", NULL);
	assert_false(g_file_test(tmp, G_FILE_TEST_EXISTS));
	assert_true(isc_volume_shred(f->volume, &error));
}

static void qemu_takes_a_volume_as_its_own(void **state)
{
	Fixture *f = *state;
	if (!f->qemu_img || !f->qemu_io)
		skip();
	create(f, f->volume);
	assert_true(qemu_io(f, f->volume, KEY, "write -P 7 0 1M"));
	assert_true(qemu_io(f, f->volume, KEY, "read -P 7 0 1M"));
	assert_true(qemu_io(f, f->volume, KEY, "read -P 0 255M 1M"));
	assert_false(qemu_io(f, f->volume, OTHER, "read 0 1M"));

	gint status = -1;
	g_autofree gchar *secret = g_strconcat("secret,id=k,file=", f->key_file, NULL);
	g_autofree gchar *image =
			g_strconcat("driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,"
				    "file.filename=",
					f->volume, NULL);
	assert_true(g_file_set_contents(f->key_file, KEY, -1, NULL));
	const gchar *check[] = { f->qemu_img, "check", "-q", "--object", secret, "--image-opts",
		image, NULL };
	assert_true(g_spawn_sync(
			NULL, (gchar **)check, NULL, 0, NULL, NULL, NULL, NULL, &status, NULL));
	assert_int_equal(status, 0);
	assert_true(isc_volume_shred(f->volume, NULL));
}

static void no_two_volumes_share_a_volume_key(void **state)
{
	Fixture *f = *state;
	g_autofree gchar *second = in(f, "second.qcow2");
	create(f, f->volume);
	create(f, second);
	guint8 a[592], b[592];
	isc_autofd int fd_a = open(f->volume, O_RDONLY | O_CLOEXEC);
	isc_autofd int fd_b = open(second, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd_a, a, sizeof a, LUKS_AT), sizeof a);
	assert_int_equal(pread(fd_b, b, sizeof b, LUKS_AT), sizeof b);
	assert_memory_equal(a, "LUKS\xba\xbe\0\1", 8);
	assert_memory_not_equal(a + 112, b + 112, 20); /* digest of the volume key, */
	assert_memory_not_equal(a + 132, b + 132, 32); /* its salt, */
	assert_memory_not_equal(a + 216, b + 216, 32); /* and that of slot 0 */
	assert_true(isc_volume_shred(f->volume, NULL) && isc_volume_shred(second, NULL));
}

static void nothing_of_the_templates_key_slots_is_inherited(void **state)
{
	Fixture *f = *state;
	create(f, f->volume);
	gsize len;
	g_autofree gchar *bytes = isc_file_read(AT_FDCWD, f->volume, 1 << 22, &len, NULL);
	assert_non_null(bytes);
	gchar old[64];
	memset(old, 0xaa, sizeof old);
	assert_null(memmem(bytes, len, old, sizeof old));
	assert_null(memmem(bytes, len, KEY, 64));
	assert_true(isc_volume_shred(f->volume, NULL));
}

static void a_shredded_volume_opens_with_no_key(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *rest = in(f, "rest.qcow2"), *was = in(f, "was.qcow2");
	create(f, f->volume);
	isc_autofd int fd = open(f->volume, O_RDWR | O_CLOEXEC);
	guint8 header[4096];
	assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	isc_autofd int was_fd = open(was, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(isc_file_copy_sparse(fd, was_fd, st.st_size, NULL));

	assert_true(isc_volume_shred(f->volume, &error));
	assert_false(g_file_test(f->volume, G_FILE_TEST_EXISTS));

	/* What a thief finds in the freed blocks, even with the qcow2 header put back by hand. */
	assert_int_equal(fstat(fd, &st), 0);
	isc_autofd int rest_fd = open(rest, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(isc_file_copy_sparse(fd, rest_fd, st.st_size, NULL));
	assert_int_equal(pwrite(rest_fd, header, sizeof header, 0), sizeof header);
	assert_false(isc_volume_verify(rest, KEY, &error));
	assert_error(error, ISC_ERROR_VERIFY, "does not open");
	/* And even with the LUKS header put back: the key slot is gone. */
	guint8 luks[4096];
	assert_int_equal(pread(was_fd, luks, sizeof luks, LUKS_AT), sizeof luks);
	assert_int_equal(pwrite(rest_fd, luks, sizeof luks, LUKS_AT), sizeof luks);
	assert_false(isc_volume_verify(rest, KEY, &error));
	assert_error(error, ISC_ERROR_VERIFY, "does not open");
	assert_true(isc_volume_verify(was, KEY, &error)); /* the opposite case */
	if (f->qemu_io)
		assert_false(qemu_io(f, rest, KEY, "read 0 1M"));
	assert_int_equal(unlink(rest) + unlink(was), 0);
}

static void shredding_nothing_is_no_error_and_leftovers_go_too(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *tmp = g_strconcat(f->volume, ".tmp", NULL);
	assert_true(isc_volume_shred(f->volume, &error));
	assert_true(g_file_set_contents(tmp, "cut short", -1, NULL));
	assert_true(isc_volume_shred(f->volume, &error));
	assert_false(g_file_test(tmp, G_FILE_TEST_EXISTS));
	assert_true(g_file_set_contents(tmp, "cut short", -1, NULL));
	create(f, f->volume);
	assert_true(isc_volume_shred(f->volume, &error));
}

static void links_are_neither_opened_nor_shredded(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *victim = in(f, "victim");
	assert_true(g_file_set_contents(victim, "keep me", -1, NULL));
	assert_int_equal(symlink(victim, f->volume), 0);
	assert_false(isc_volume_shred(f->volume, &error));
	assert_error(error, ISC_ERROR_FAILED, "overlay.qcow2");
	assert_int_equal(unlink(f->volume), 0);
	assert_int_equal(link(victim, f->volume), 0);
	assert_false(isc_volume_shred(f->volume, &error));
	assert_error(error, ISC_ERROR_FAILED, "overlay.qcow2");
	assert_int_equal(unlink(f->volume), 0);
	g_autofree gchar *text = isc_file_read(AT_FDCWD, victim, 100, NULL, NULL);
	assert_string_equal(text, "keep me");
}

static void an_existing_volume_is_never_replaced(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	create(f, f->volume);
	assert_false(isc_volume_create(
			f->volume, f->templates, 256, OTHER, (uid_t)-1, (gid_t)-1, &error));
	assert_error(error, ISC_ERROR_STATE, "overlay.qcow2");
	assert_true(isc_volume_verify(f->volume, KEY, &error));
	assert_true(isc_volume_shred(f->volume, &error));
}

static void wrong_keys_and_sizes_are_refused_and_keys_not_shown(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	static const gchar *const keys[] = { NULL, "", "00ff", KEY "0",
		"G0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" };
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		assert_false(isc_volume_create(f->volume, f->templates, 256, keys[i], (uid_t)-1,
				(gid_t)-1, &error));
		assert_null(strstr(error->message, "112233"));
		assert_error(error, ISC_ERROR_INVALID, "64 lower-case");
	}
	static const guint sizes[] = { 0, ISC_VOLUME_MIB_MAX + 1 };
	for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
		assert_false(isc_volume_create(f->volume, f->templates, sizes[i], KEY, (uid_t)-1,
				(gid_t)-1, &error));
		assert_error(error, ISC_ERROR_INVALID, "MiB");
	}
	assert_false(isc_volume_verify(f->volume, KEY, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "overlay.qcow2");
}

static gchar *fresh_templates(const Fixture *f, const gchar *name)
{
	gchar *path = in(f, name);
	assert_true(isc_file_mkdir(path, 0700, NULL));
	return path;
}

static void qemu_img_is_asked_again_when_its_benchmark_fails(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *a = fresh_templates(f, "t-a"), *b = fresh_templates(f, "t-b"),
			 *c = fresh_templates(f, "t-c");
	fake_qemu_img(f, 3, FLAKE);
	assert_true(isc_volume_template_ensure(a, 256, &error));
	assert_int_equal(count_calls(f), 4);
	assert_true(isc_volume_template_ensure(a, 256, &error));
	assert_int_equal(count_calls(f), 4); /* it stands already */

	fake_qemu_img(f, 99, FLAKE);
	assert_false(isc_volume_template_ensure(b, 256, &error));
	assert_error(error, ISC_ERROR_HOST, FLAKE);
	assert_int_equal(count_calls(f), 15);

	fake_qemu_img(f, 99, "no space");
	assert_false(isc_volume_template_ensure(c, 256, &error));
	assert_error(error, ISC_ERROR_HOST, "no space");
	assert_int_equal(count_calls(f), 1);
	g_autofree gchar *tmp = in(f, "t-c/luks-256M.qcow2.tmp");
	assert_false(g_file_test(tmp, G_FILE_TEST_EXISTS));

	g_setenv("PATH", "/nonexistent", TRUE);
	assert_false(isc_volume_template_ensure(c, 256, &error));
	g_autofree gchar *bin = in(f, "bin");
	g_autofree gchar *path = g_strconcat(bin, ":", f->real_path, NULL);
	g_setenv("PATH", path, TRUE);
	assert_error(error, ISC_ERROR_HOST, "qemu-utils");
	fake_qemu_img(f, 0, "");
}

static void the_templates_key_goes_by_descriptor_not_by_argument(void **state)
{
	Fixture *f = *state;
	g_autofree gchar *t = fresh_templates(f, "t-key"), *args = NULL, *keys = NULL,
			 *keys_file = g_strconcat(f->calls, ".keys", NULL);
	g_unlink(keys_file);
	fake_qemu_img(f, 0, "");
	assert_true(isc_volume_template_ensure(t, 256, NULL));
	assert_true(g_file_get_contents(f->calls, &args, NULL, NULL));
	assert_false(g_regex_match_simple("[0-9a-f]{32}", args, 0, 0));
	assert_true(g_file_get_contents(keys_file, &keys, NULL, NULL));
	assert_string_equal(keys, "1\n");
}

static void a_damaged_template_is_made_anew(void **state)
{
	Fixture *f = *state;
	g_autofree gchar *t = fresh_templates(f, "t-bad"), *file = in(f, "t-bad/luks-256M.qcow2");
	assert_true(g_file_set_contents(file, "QFI\xfb, but no more", -1, NULL));
	fake_qemu_img(f, 0, "");
	assert_true(isc_volume_template_ensure(t, 256, NULL));
	assert_int_equal(count_calls(f), 1);

	GError *error = NULL; /* and a tool that makes another size is found out */
	assert_false(isc_volume_template_ensure(t, 512, &error));
	assert_error(error, ISC_ERROR_FAILED, "wrong size");
}

typedef struct {
	const Fixture *f;
	const gchar *templates;
	guint number;
	gboolean ok;
} Worker;

static gpointer work(gpointer data)
{
	Worker *w = data;
	w->ok = TRUE;
	for (guint i = 0; i < 3; i++) {
		g_autofree gchar *name = g_strdup_printf("thread-%u", w->number);
		g_autofree gchar *path = in(w->f, name);
		w->ok = w->ok &&
			isc_volume_create(
					path, w->templates, 256, KEY, (uid_t)-1, (gid_t)-1, NULL) &&
			isc_volume_verify(path, KEY, NULL) && isc_volume_shred(path, NULL);
	}
	return NULL;
}

static void threads_share_one_template_and_disturb_nobody(void **state)
{
	Fixture *f = *state;
	g_autofree gchar *t = fresh_templates(f, "t-threads");
	fake_qemu_img(f, 2, FLAKE);
	Worker workers[4];
	GThread *threads[4];
	for (guint i = 0; i < 4; i++) {
		workers[i] = (Worker){ f, t, i, FALSE };
		threads[i] = g_thread_new("volume", work, &workers[i]);
	}
	for (guint i = 0; i < 4; i++) {
		g_thread_join(threads[i]);
		assert_true(workers[i].ok);
	}
	assert_int_equal(count_calls(f), 3);
	fake_qemu_img(f, 0, "");
}

/* In a child that is what isc-dockd is: no root, only CAP_CHOWN. */
static int as_daemon(const Fixture *f, const gchar *folder)
{
	g_autofree gchar *path = g_build_filename(folder, "overlay.qcow2", NULL);
	capng_clear(CAPNG_SELECT_BOTH);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_CHOWN);
	if (capng_change_id(65533, 65533, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0)
		return 2;
	struct stat st;
	if (!isc_volume_create(path, f->templates, 256, KEY, 1900000007, 1900000007, NULL) ||
			stat(path, &st) != 0 || st.st_uid != 1900000007 ||
			open(path, O_RDONLY) >= 0)
		return 3;
	if (!isc_volume_verify(path, KEY, NULL) || stat(path, &st) != 0 || st.st_uid != 1900000007)
		return 4;
	if (!isc_volume_shred(path, NULL) || stat(path, &st) == 0)
		return 5;
	return 0;
}

static void a_nodes_volume_is_shredded_with_cap_chown_alone(void **state)
{
	Fixture *f = *state;
	g_autofree gchar *folder = in(f, "node"), *probe = in(f, "probe");
	assert_true(g_file_set_contents(probe, "", 0, NULL));
	if (chown(probe, 1900000007, 1900000007) != 0) /* no root, or a user namespace */
		skip();
	assert_true(isc_volume_template_ensure(f->templates, 256, NULL));
	assert_true(isc_file_mkdir(folder, 0711, NULL));
	g_autofree gchar *template = in(f, "templates/luks-256M.qcow2");
	assert_int_equal(chown(folder, 65533, 65533) + chown(f->templates, 65533, 65533) +
					 chown(template, 65533, 65533) + chmod(f->dir, 0711),
			0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(as_daemon(f, folder));
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_opens_with_its_key_and_no_other),
		cmocka_unit_test(qemu_takes_a_volume_as_its_own),
		cmocka_unit_test(no_two_volumes_share_a_volume_key),
		cmocka_unit_test(nothing_of_the_templates_key_slots_is_inherited),
		cmocka_unit_test(a_shredded_volume_opens_with_no_key),
		cmocka_unit_test(shredding_nothing_is_no_error_and_leftovers_go_too),
		cmocka_unit_test(links_are_neither_opened_nor_shredded),
		cmocka_unit_test(an_existing_volume_is_never_replaced),
		cmocka_unit_test(wrong_keys_and_sizes_are_refused_and_keys_not_shown),
		cmocka_unit_test(qemu_img_is_asked_again_when_its_benchmark_fails),
		cmocka_unit_test(the_templates_key_goes_by_descriptor_not_by_argument),
		cmocka_unit_test(a_damaged_template_is_made_anew),
		cmocka_unit_test(threads_share_one_template_and_disturb_nobody),
		cmocka_unit_test(a_nodes_volume_is_shredded_with_cap_chown_alone),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
