/* R3.2: the rights of the service inside. */
#include "golden.h"
#include "builder/service.h"
#include "init/nodeconf.h"

static const gchar text[] =
		"[Image]\nName=web\nVersion=1\n[Service]\nExec=/usr/sbin/nginx -g 'daemon off;'\n"
		"Pre=/bin/a b\nPre=/bin/c\nUser=www-data\nPorts=80/tcp\nWritable=/var/lib/nginx "
		"/run/x\nCapabilities=cap_net_bind_service\nEnvironment=A=1 'B=x y'\n"
		"Health=http:80/\nStopSignal=SIGQUIT\nWorkingDirectory=/srv\n";

static gchar *print(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(IscRecipe) recipe = isc_recipe_parse("r", text, strlen(text), &error);
	assert_no_error(error);
	g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(guint));
	guint group = 4;
	g_array_append_val(groups, group);
	IscServiceUser user = { .uid = 33, .gid = 34, .groups = groups };
	return isc_service_print(recipe, &user);
}

static IscImage *manifest(void)
{
	IscImage *image = isc_image_new();
	image->exec = g_strsplit("/usr/sbin/nginx|-g|daemon off;", "|", -1);
	image->user = g_strdup("www-data");
	image->writable = g_strsplit("/var/lib/nginx /run/x", " ", -1);
	image->capabilities = g_strsplit("cap_net_bind_service", " ", -1);
	image->environment = g_strsplit("A=1|B=x y", "|", -1);
	image->health = g_strdup("http:80/");
	return image;
}

static void the_file_prints_as_agreed(void **state)
{
	(void)state;
	g_autofree gchar *file = print();
	assert_golden("service/web", file);
}

/* Both ends of the format: what is printed here is parsed by the guest's own parser. */
static void the_guest_understands_what_is_printed(void **state)
{
	(void)state;
	g_autofree gchar *file = print();
	g_autofree IscNodeConf *conf = g_new0(IscNodeConf, 1);
	unsigned line;
	assert_int_equal(isc_nodeconf_service(conf, file, strlen(file), &line), 0);
	assert_string_equal(conf->exec[0], "/usr/sbin/nginx");
	assert_string_equal(conf->exec[2], "daemon off;");
	assert_null(conf->exec[3]);
	assert_int_equal(conf->n_pre, 2);
	assert_string_equal(conf->pre[0][1], "b");
	assert_null(conf->pre[0][2]);
	assert_string_equal(conf->pre[1][0], "/bin/c");
	assert_int_equal(conf->uid, 33);
	assert_int_equal(conf->gid, 34);
	assert_int_equal(conf->groups[0], 4);
	assert_int_equal(conf->n_writable, 2);
	assert_int_equal(conf->stop_signal, 3);
	assert_int_equal(conf->health_port, 80);
	assert_string_equal(conf->dir, "/srv");
}

static void the_file_agrees_with_its_manifest_and_with_no_other(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscImage) image = manifest();
	g_autofree gchar *file = print();
	guint uid = 0, gid = 0;
	assert_true(isc_service_agrees(file, image, &uid, &gid, &error));
	assert_int_equal(uid, 33);
	assert_int_equal(gid, 34);

	static const gchar *const extra[] = { "capability=cap_chown", "writable=/etc", "exec=-x",
		"env=C=1", "user=other", "uid=1" };
	for (gsize i = 0; i < G_N_ELEMENTS(extra); i++) {
		g_autofree gchar *other = g_strdup_printf("%s%s\n", file, extra[i]);
		assert_false(isc_service_agrees(other, image, &uid, &gid, &error));
		assert_error(error, ISC_ERROR_VERIFY, "service file");
	}
	g_clear_pointer(&image->health, g_free);
	assert_false(isc_service_agrees(file, image, &uid, &gid, &error));
	assert_error(error, ISC_ERROR_VERIFY, "health=");
}

static void a_command_of_health_goes_word_by_word(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *asks = g_strconcat(text, NULL);
	gchar *health = strstr(asks, "Health=http:80/\n");
	static const gchar line[] = "Health=exec:/bin/a 'b c' d=e\nStopSignal=SIGQUIT\n";
	g_autofree gchar *other = g_strdup_printf("%.*s%s", (int)(health - asks), asks, line);
	g_autoptr(IscRecipe) recipe = isc_recipe_parse("r", other, strlen(other), &error);
	assert_no_error(error);
	g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(guint));
	IscServiceUser user = { .uid = 33, .gid = 34, .groups = groups };
	g_autofree gchar *file = isc_service_print(recipe, &user);

	g_autoptr(IscImage) image = manifest();
	guint uid, gid;
	assert_false(isc_service_agrees(file, image, &uid, &gid, &error));
	assert_error(error, ISC_ERROR_VERIFY, "health=");
	g_free(image->health);
	image->health = g_strdup("exec:/bin/a 'b c' d=e");
	assert_true(isc_service_agrees(file, image, &uid, &gid, &error));
	g_autofree gchar *more = g_strconcat(file, "check=x\n", NULL);
	assert_false(isc_service_agrees(more, image, &uid, &gid, &error));
	assert_error(error, ISC_ERROR_VERIFY, "check=");

	g_autofree IscNodeConf *conf = g_new0(IscNodeConf, 1);
	unsigned at;
	assert_int_equal(isc_nodeconf_service(conf, file, strlen(file), &at), 0);
	assert_int_equal(conf->n_check, 3);
	assert_string_equal(conf->check[1], "b c");
	assert_string_equal(conf->check[2], "d=e");
	assert_null(conf->check[3]);
	assert_int_equal(conf->health, ISC_HEALTH_NONE);
	assert_string_equal(conf->exec[2], "daemon off;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_prints_as_agreed),
		cmocka_unit_test(the_guest_understands_what_is_printed),
		cmocka_unit_test(the_file_agrees_with_its_manifest_and_with_no_other),
		cmocka_unit_test(a_command_of_health_goes_word_by_word),
	};
	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
