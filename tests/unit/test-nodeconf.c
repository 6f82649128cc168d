/* What PID 1 of a node is told: node-images/init/nodeconf.c, built for the host. */
#include "cm.h"

#include "init/nodeconf.c" /* the code of PID 1 is in no library */

typedef int (*Parse)(IscNodeConf *, char *, size_t, unsigned *);

typedef struct {
	IscNodeConf conf;
	GPtrArray *texts; /* conf points into them */
	unsigned line;
} Fix;

static int setup(void **state)
{
	Fix *f = g_new0(Fix, 1);

	f->texts = g_ptr_array_new_with_free_func(g_free);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fix *f = *state;

	g_ptr_array_unref(f->texts);
	g_free(f);
	return 0;
}

static int parse_text(Fix *f, Parse how, const gchar *text)
{
	gchar *copy = g_strdup(text);

	g_ptr_array_add(f->texts, copy);
	return how(&f->conf, copy, strlen(text), &f->line);
}

static void the_service_file_is_understood(void **state)
{
	Fix *f = *state;
	IscNodeConf *c = &f->conf;

	assert_int_equal(parse_text(f, isc_nodeconf_service,
					 "# made by isc-image\n"
					 "pre=/bin/mk\npre=-p\npre=\npre=/bin/two\n"
					 "exec=/usr/sbin/nginx\nexec=-g\nexec=daemon off; "
					 "a=b\nexec=\n"
					 "user=www-data\nuid=33\ngid=34\ngroup=4\ngroup=5\n"
					 "writable=/var/lib/nginx/\nwritable=/run/nginx\n"
					 "capability=cap_net_bind_service\n"
					 "env=A=1\nenv=B=x=y\ndir=/srv\nhealth=http:8080/up?x=1\n"
					 "stop-signal=3\nlater-key=whatever\n"),
			0);
	assert_string_equal(c->pre[0][0], "/bin/mk");
	assert_string_equal(c->pre[0][1], "-p");
	assert_null(c->pre[0][2]);
	assert_string_equal(c->pre[1][0], "/bin/two");
	assert_null(c->pre[1][1]);
	assert_int_equal(c->n_pre, 2);
	assert_string_equal(c->exec[2], "daemon off; a=b");
	assert_string_equal(c->exec[3], ""); /* an empty argument is one */
	assert_null(c->exec[4]);
	assert_string_equal(c->user, "www-data");
	assert_int_equal(c->uid, 33);
	assert_int_equal(c->gid, 34);
	assert_int_equal(c->n_groups, 2);
	assert_int_equal(c->n_writable, 2);
	assert_string_equal(c->writable[0], "/var/lib/nginx");
	assert_int_equal(c->capabilities, UINT64_C(1) << CAP_NET_BIND_SERVICE);
	assert_int_equal(c->n_env, 2);
	assert_string_equal(c->dir, "/srv");
	assert_int_equal(c->health, ISC_HEALTH_HTTP);
	assert_int_equal(c->health_port, 8080);
	assert_string_equal(c->health_path, "/up?x=1");
	assert_int_equal(c->stop_signal, 3);
}

static void the_nodes_word_wins_over_the_images(void **state)
{
	Fix *f = *state;
	IscNodeConf *c = &f->conf;
	const gchar *what;

	assert_int_equal(parse_text(f, isc_nodeconf_service,
					 "exec=/bin/x\nuid=1\ngid=1\nenv=MODE=image\nenv=KEEP=1\n"
					 "writable=/a\n"),
			0);
	assert_int_equal(isc_nodeconf_check(c, &what), -EINVAL);
	assert_string_equal(what, "node=");
	assert_int_equal(parse_text(f, isc_nodeconf_node,
					 "node=web\nhostname=web.example\n"
					 "machine-id=0123456789abcdef0123456789abcdef\n"
					 "address=10.77.0.2/16\ngateway=10.77.0.1\n"
					 "mac=52:54:4e:00:00:02\nenv=MODE=node\nwritable=/b\n"
					 "profile=flexible\ndns=9.9.9.9\nhost=10.77.0.3 db\n"
					 "volume=vdc 0123abc fresh /srv/a\n"
					 "volume=vdd 0123abd used /srv/b\n"),
			0);
	assert_int_equal(isc_nodeconf_check(c, &what), 0);
	assert_int_equal(c->n_env, 2);
	assert_string_equal(c->env[0], "MODE=node");
	assert_int_equal(c->n_writable, 2);
	assert_int_equal(c->profile, ISC_PROFILE_FLEXIBLE);
	assert_int_equal(ntohl(c->address.s_addr), 0x0a4d0002);
	assert_int_equal(c->prefix, 16);
	assert_int_equal(ntohl(c->gateway.s_addr), 0x0a4d0001);
	assert_int_equal(c->mac[2], 0x4e);
	assert_string_equal(c->hosts[0].name, "db");
	assert_int_equal(c->n_dns, 1);
	assert_int_equal(c->n_volumes, 2);
	assert_true(c->volumes[0].fresh && !c->volumes[1].fresh);
	assert_int_equal(c->volumes[1].dev, 'd');
	assert_string_equal(c->volumes[1].serial, "0123abd");
	assert_string_equal(c->volumes[1].path, "/srv/b");
}

static void what_is_not_understood_is_refused_with_its_line(void **state)
{
	(void)state;
	/* clang-format off */
	static const struct {
		gboolean service;
		const gchar *text;
		int error;
	} bad[] = {
		{ TRUE, "uid=1\nnonsense\n", -EINVAL },
		{ TRUE, "uid=1\nexec=bin/x\n", -EINVAL },
		{ TRUE, "\nuid=-1\n", -EINVAL },
		{ TRUE, "\nuid=4294967295\n", -EINVAL },
		{ TRUE, "\ngid=\n", -EINVAL },
		{ TRUE, "\nwritable=var\n", -EINVAL },
		{ TRUE, "\nwritable=/\n", -EINVAL },
		{ TRUE, "\nwritable=/a/../etc\n", -EINVAL },
		{ TRUE, "\nwritable=/a/..\n", -EINVAL },
		{ TRUE, "\nwritable=//a\n", -EINVAL },
		{ TRUE, "\nwritable=/a,b\n", -EINVAL },
		{ TRUE, "\nwritable=/a:b\n", -EINVAL },
		{ TRUE, "\ncapability=cap_nonsense\n", -EINVAL },
		{ TRUE, "\ncapability=cap_sys_admin\n", -EPERM },
		{ TRUE, "\ncapability=CAP_AUDIT_CONTROL\n", -EPERM },
		{ TRUE, "\nhealth=udp:3\n", -EINVAL },
		{ TRUE, "\nhealth=tcp:0\n", -EINVAL },
		{ TRUE, "\nhealth=tcp:65536\n", -EINVAL },
		{ TRUE, "\nhealth=http:80/a b\n", -EINVAL },
		{ TRUE, "\nhealth=http:123456789/x\n", -EINVAL },
		{ TRUE, "\ncheck=bin/a\n", -EINVAL },
		{ FALSE, "\ncheck=\n", -EINVAL },
		{ TRUE, "\nenv==x\n", -EINVAL },
		{ TRUE, "\ndir=srv\n", -EINVAL },
		{ TRUE, "\nstop-signal=0\n", -EINVAL },
		{ FALSE, "\naddress=10.0.0.1\n", -EINVAL },
		{ FALSE, "\naddress=10.0.0.1/0\n", -EINVAL },
		{ FALSE, "\naddress=10.0.0.1/33\n", -EINVAL },
		{ FALSE, "\naddress=10.0.0/8\n", -EINVAL },
		{ FALSE, "\nmac=52:54:00:00:00\n", -EINVAL },
		{ FALSE, "\nmac=52:54:00:00:00:00:\n", -EINVAL },
		{ FALSE, "\nhostname=a b\n", -EINVAL },
		{ FALSE, "\nmachine-id=12\n", -EINVAL },
		{ FALSE, "\nprofile=loose\n", -EINVAL },
		{ FALSE, "\nhost=10.0.0.1 a\tb\n", -EINVAL },
		{ FALSE, "\nvolume=vdc 1 fresh\n", -EINVAL },
		{ FALSE, "\nvolume=vdb 1 used /x\n", -EINVAL },
		{ FALSE, "\nvolume=../c 1 used /x\n", -EINVAL },
		{ FALSE, "\nvolume=vdc ../x used /x\n", -EINVAL },
		{ FALSE, "\nvolume=vdc 1 new /x\n", -EINVAL },
		{ FALSE, "\nvolume=vdc 1 used /\n", -EINVAL },
		{ FALSE, "\nvolume=vdc 1 used /x/../y\n", -EINVAL },
	};
	/* clang-format on */

	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		Fix *f = NULL;

		setup((void **)&f);
		int got = parse_text(f, bad[i].service ? isc_nodeconf_service : isc_nodeconf_node,
				bad[i].text);
		if (got != bad[i].error || f->line != 2)
			fail_msg("'%s' gave %d in line %u", bad[i].text, got, f->line);
		teardown((void **)&f);
	}
}

static void a_nul_byte_is_refused(void **state)
{
	Fix *f = *state;
	gchar text[] = "node=a\0b\n";

	assert_int_equal(isc_nodeconf_node(&f->conf, text, sizeof text - 1, &f->line), -EINVAL);
}

static void too_many_is_refused_and_writes_nowhere(void **state)
{
	(void)state;
	static const struct {
		const gchar *line;
		guint times;
	} many[] = {
		{ "exec=/x\n", ISC_CONF_ARGS + ISC_CONF_PRE + 2 },
		{ "pre=/x\npre=\n", ISC_CONF_PRE + 1 },
		{ "group=1\n", ISC_CONF_GROUPS + 1 },
		{ "writable=/x\n", ISC_CONF_PATHS + 1 },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(many); i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		Fix *f = NULL;

		setup((void **)&f);
		for (guint n = 0; n < many[i].times; n++)
			g_string_append(text, many[i].line);
		assert_int_equal(parse_text(f, isc_nodeconf_service, text->str), -E2BIG);
		teardown((void **)&f);
	}
}

static void what_breaks_the_box_is_in_the_table(void **state)
{
	(void)state;
	static const int must[] = { CAP_AUDIT_CONTROL, CAP_SYS_MODULE, CAP_SYS_ADMIN, CAP_SYS_RAWIO,
		CAP_SYS_PTRACE, CAP_SYS_BOOT, CAP_MKNOD, CAP_DAC_READ_SEARCH, CAP_BPF, CAP_SYSLOG };

	for (gsize i = 0; i < G_N_ELEMENTS(must); i++)
		assert_true(isc_nodeconf_is_forbidden(must[i]));
	assert_false(isc_nodeconf_is_forbidden(CAP_NET_BIND_SERVICE));
	/* the names stand in the kernel's order */
	assert_int_equal(isc_nodeconf_capability("cap_chown"), CAP_CHOWN);
	assert_int_equal(isc_nodeconf_capability("cap_sys_admin"), CAP_SYS_ADMIN);
	assert_int_equal(isc_nodeconf_capability("cap_audit_control"), CAP_AUDIT_CONTROL);
	assert_int_equal(isc_nodeconf_capability("cap_checkpoint_restore"), CAP_LAST_CAP);
}

int main(void)
{
#define CONF(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		CONF(the_service_file_is_understood),
		CONF(the_nodes_word_wins_over_the_images),
		cmocka_unit_test(what_is_not_understood_is_refused_with_its_line),
		CONF(a_nul_byte_is_refused),
		cmocka_unit_test(too_many_is_refused_and_writes_nowhere),
		cmocka_unit_test(what_breaks_the_box_is_in_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
