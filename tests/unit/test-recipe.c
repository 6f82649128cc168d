/* R2.5: the recipe of an image. */
#include "cm.h"
#include "builder/recipe.h"

#define GOOD                                                                                       \
	"[Image]\nName=web\nVersion=1.0\nPackages=nginx-light, busybox\n"                          \
	"[Service]\nExec=/usr/sbin/nginx -g 'daemon off;'\nUser=www-data\n"

static IscRecipe *parse(const gchar *text, GError **error)
{
	return isc_recipe_parse("r/image.conf", text, strlen(text), error);
}

static void what_is_not_said_has_a_default(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscRecipe) r = parse(GOOD, &error);
	assert_no_error(error);
	assert_string_equal(r->suite, "bookworm");
	assert_int_equal(r->base, ISC_BASE_MINBASE);
	assert_string_equal(r->profile, "strict");
	assert_string_equal(r->directory, "/");
	assert_string_equal(r->description, "");
	assert_int_equal(r->stop_signal, 15);
	assert_null(r->health);
	assert_int_equal(r->packages->len, 2);
	assert_string_equal(r->packages->pdata[1], "busybox");
}

static void commands_are_split_as_a_shell_splits_words(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscRecipe) r = parse(GOOD "Pre=/bin/a \"b c\" $HOME\nPre=/bin/d\n", &error);
	assert_no_error(error);
	assert_string_equal(r->exec[0], "/usr/sbin/nginx");
	assert_string_equal(r->exec[2], "daemon off;");
	assert_null(r->exec[3]);
	assert_int_equal(r->pre->len, 2);
	gchar **first = r->pre->pdata[0];
	assert_string_equal(first[1], "b c");
	/* … but nothing is expanded: no shell ever sees it. */
	assert_string_equal(first[2], "$HOME");
}

static void lists_may_repeat_and_mix_separators(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscRecipe) r = parse(GOOD
			"Capabilities=CAP_NET_BIND_SERVICE\nPorts=80/tcp "
			"53/udp\nPorts=5000-5010/tcp\n"
			"Writable=/var/lib/x,/run/x\nEnvironment=A=1 'B=x y'\nEnvironment=C=\n"
			"Health=http:80\nStopSignal=SIGQUIT\nProfile=flexible\n",
			&error);
	assert_no_error(error);
	assert_string_equal(r->capabilities->pdata[0], "cap_net_bind_service");
	assert_int_equal(r->ports->len, 3);
	assert_string_equal(r->ports->pdata[2], "5000-5010/tcp");
	assert_string_equal(r->writable->pdata[1], "/run/x");
	assert_int_equal(r->environment->len, 3);
	assert_string_equal(r->environment->pdata[1], "B=x y");
	assert_string_equal(r->health, "http:80/");
	assert_int_equal(r->stop_signal, 3);
	assert_string_equal(r->profile, "flexible");
}

static void a_probe_without_a_port_takes_the_first_of_tcp(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscRecipe) r =
			parse(GOOD "Health=http:/up\nPorts=5353/udp 8080/tcp 9090/tcp\n", &error);
	assert_no_error(error);
	assert_string_equal(r->health, "http:8080/up");
	assert_int_equal(r->ports->len, 3);
	assert_null(parse(GOOD "Health=http:/up\nPorts=5353/udp\n", &error));
	assert_error(error, ISC_ERROR_INVALID, "names no port");
}

/* Each is refused with the line at fault, and the key. */
static void a_wrong_recipe_is_refused_with_its_line(void **state)
{
	(void)state;
	/* clang-format off */
	static const struct {
		const gchar *text;
		const gchar *where; /* what the message must begin with */
	} cases[] = {
		{ "", "r/image.conf:1: Name: " },
		{ "[Image]\nVersion=1\n", "r/image.conf:2: Name: is missing" },
		{ "[Image]\nName=web\n[Service]\nExec=/x\n", "r/image.conf:2: Version: is missing" },
		{ "[Image]\nName=Web\n", "r/image.conf:2: Name: 'Web'" },
		{ "[Image]\nName=../x\n", "r/image.conf:2: Name: '../x'" },
		{ "[Image]\nName=web\nVersion=1 2\n", "r/image.conf:3: Version: " },
		{ "[Image]\nName=web\nVersion=1\nSuite=../x\n", "r/image.conf:4: Suite: " },
		{ "[Image]\nName=web\nVersion=1\nBase=alpine\n", "r/image.conf:4: Base: " },
		{ "[Image]\nName=web\nVersion=1\nColour=red\n", "r/image.conf:4: unknown key 'Colour'" },
		{ "[Image]\nName=web\nVersion=1\nPackage=x\n", "r/image.conf:4: unknown key 'Package' in [Image]; did you mean 'Packages'?" },
		{ "[Image]\nName=web\nVersion=1\n[Srevice]\n", "r/image.conf:4: unknown section" },
		{ "[Image]\nName=web\nVersion=1\n[Service]\nUser=x\n", "r/image.conf:5: Exec: is missing" },
		{ "[Image]\nName=web\nVersion=1\n[Service]\nExec=/x\n", "r/image.conf:5: User: is missing" },
		{ "[Image]\nName=web\nVersion=1\n[Service]\nExec=nginx\nUser=x\n", "r/image.conf:5: Exec: 'nginx'" },
		{ "[Image]\nName=web\nVersion=1\n[Service]\nExec=/usr/../x\nUser=x\n", "r/image.conf:5: Exec: " },
		{ "[Image]\nName=web\nVersion=1\n[Service]\nExec='/x\nUser=x\n", "r/image.conf:5: Exec: " },
		{ "[Image]\nName=web\nVersion=1\n[Service]\nExec=\nUser=x\n", "r/image.conf:5: Exec: is empty" },
		{ "[Image]\nName=web\nVersion=1\n[Service]\nExec=/x\nUser=root\n", "r/image.conf:6: User: 'root'" },
		{ "[Image]\nName=web\nVersion=1\n[Service]\nExec=/x\nUser=0\n", "r/image.conf:6: User: '0'" },
		{ GOOD "Ports=0/tcp\n", "r/image.conf:8: Ports: '0/tcp'" },
		{ GOOD "Ports=65536/tcp\n", "r/image.conf:8: Ports: '65536/tcp'" },
		{ GOOD "Ports=8080\n", "r/image.conf:8: Ports: '8080'" },
		{ GOOD "Ports=9000-8000/tcp\n", "r/image.conf:8: Ports: " },
		{ GOOD "Ports=8080/tcp 80/sctp\n", "r/image.conf:8: Ports: '80/sctp'" },
		{ GOOD "Ports=80/tcp\n", "r/image.conf:8: Ports: '80/tcp': below 1024" },
		{ GOOD "Ports=8080/tcp\nPorts=9090/tcp 8080/tcp\n", "r/image.conf:9: Ports: '8080/tcp': stands there twice" },
		{ GOOD "Writable=var/x\n", "r/image.conf:8: Writable: 'var/x'" },
		{ GOOD "Writable=/\n", "r/image.conf:8: Writable: '/'" },
		{ GOOD "Writable=/usr\n", "r/image.conf:8: Writable: '/usr'" },
		{ GOOD "Writable=/proc/sys\n", "r/image.conf:8: Writable: " },
		{ GOOD "Writable=/var/../etc\n", "r/image.conf:8: Writable: " },
		{ GOOD "Writable=/a:b\n", "r/image.conf:8: Writable: " },
		{ GOOD "Capabilities=cap_fly\n", "r/image.conf:8: Capabilities: 'cap_fly'" },
		{ GOOD "Capabilities=cap_sys_admin\n", "r/image.conf:8: Capabilities: 'cap_sys_admin'" },
		{ GOOD "Environment=A\n", "r/image.conf:8: Environment: 'A'" },
		{ GOOD "Environment=1A=x\n", "r/image.conf:8: Environment: " },
		{ GOOD "Health=icmp\n", "r/image.conf:8: Health: 'icmp'" },
		{ GOOD "Health=tcp:80/x\n", "r/image.conf:8: Health: " },
		{ GOOD "Health=http:99999/\n", "r/image.conf:8: Health: " },
		{ GOOD "StopSignal=9\n", "r/image.conf:8: StopSignal: " },
		{ GOOD "Profile=loose\n", "r/image.conf:8: Profile: " },
		{ GOOD "WorkingDirectory=tmp\n", "r/image.conf:8: WorkingDirectory: " },
		{ GOOD "User=other\n", "r/image.conf:8: User: stands in line 7" },
		{ "[Image]\nName=web\nVersion=1\nPackages=a;rm\n[Service]\nExec=/x\nUser=x\n", "r/image.conf:4: Packages: 'a;rm'" },
		{ "[Image]\nName=web\nVersion=1\nPackages=nginx --allow\n[Service]\nExec=/x\nUser=x\n", "r/image.conf:4: Packages: '--allow'" },
	};
	/* clang-format on */
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscRecipe) r = parse(cases[i].text, &error);
		if (r)
			fail_msg("taken: %s", cases[i].text);
		if (!g_str_has_prefix(error->message, cases[i].where))
			fail_msg("'%s', wanted '%s…'", error->message, cases[i].where);
		assert_error(error, ISC_ERROR_INVALID, "r/image.conf:");
	}
}

static void later_errors_find_the_line_of_a_word(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscRecipe) r = parse("[Image]\nName=web\nVersion=1\nPackages=aa bb\nPackages=cc\n"
				       "[Service]\nExec=/x\nUser=x\n",
			&error);
	assert_no_error(error);
	assert_false(isc_recipe_error(r, "Image", "Packages", "bb", &error, "no such package"));
	assert_error(error, ISC_ERROR_INVALID, "r/image.conf:4: Packages: no such package");
	assert_false(isc_recipe_error(r, "Image", "Packages", NULL, &error, "x"));
	assert_error(error, ISC_ERROR_INVALID, "r/image.conf:5: Packages: x");
	assert_false(isc_recipe_error(r, "Service", "Health", NULL, &error, "x"));
	assert_error(error, ISC_ERROR_INVALID, "r/image.conf:7: Health: x");
}

static void a_missing_recipe_is_not_found(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscRecipe) r = isc_recipe_load("/nonexistent", &error);
	assert_null(r);
	assert_error(error, ISC_ERROR_NOT_FOUND, "/nonexistent/image.conf");
}

static void shipped_recipes_are_right(void **state)
{
	(void)state;
	static const gchar *const names[] = { "minimal", "nginx", "redis", "lighttpd", "memcached",
		"postgresql" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *dir = g_build_filename("node-images", names[i], NULL);
		g_autoptr(IscRecipe) r = isc_recipe_load(dir, &error);
		assert_no_error(error);
		assert_string_equal(r->name, names[i]);
		assert_non_null(r->health);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_a_default),
		cmocka_unit_test(commands_are_split_as_a_shell_splits_words),
		cmocka_unit_test(lists_may_repeat_and_mix_separators),
		cmocka_unit_test(a_wrong_recipe_is_refused_with_its_line),
		cmocka_unit_test(a_probe_without_a_port_takes_the_first_of_tcp),
		cmocka_unit_test(later_errors_find_the_line_of_a_word),
		cmocka_unit_test(a_missing_recipe_is_not_found),
		cmocka_unit_test(shipped_recipes_are_right),
	};
	return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
