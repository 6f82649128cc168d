/* Sets of equal nodes: what the node file of one says, and what that makes of its members. */
#include "cm.h"

#include "model/member.h"

static IscSpec *parse(const gchar *name, const gchar *more, GError **error)
{
	g_autofree gchar *text = g_strdup_printf("[Node]\nName=%s\nImage=nginx\n%s", name, more);
	return isc_spec_parse("test", text, strlen(text), error);
}

static void a_member_is_named_by_its_number(void **state)
{
	(void)state;
	static const struct {
		const gchar *name;
		guint number;
	} cases[] = {
		{ "web-1", 1 },
		{ "web-60", 60 },
		{ "web-61", 0 },
		{ "web-0", 0 },
		{ "web-01", 0 },
		{ "web-", 0 },
		{ "web-1x", 0 },
		{ "web", 0 },
		{ "web2-1", 0 },
		{ "webs-1", 0 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(isc_replica_number("web", cases[i].name), cases[i].number);
	g_autofree gchar *name = isc_replica_name("web", 7);
	assert_int_equal(isc_replica_number("web", name), 7);
}

static void members_are_equal_but_for_their_names(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscSpec) set = parse("web",
			"Replicas=3\nProtect=yes\n[Network]\nExpose=8080:80\n[Service]\n"
			"Env=SECRET=hunter2\n",
			&error);
	assert_no_error(error);
	g_autoptr(IscSpec) one = isc_member_spec(set, 1), two = isc_member_spec(set, 2);
	assert_string_equal(one->name, "web-1");
	assert_string_equal(two->name, "web-2");
	assert_string_equal(two->replica.set, "web");
	assert_int_equal(two->replica.count, 0);
	assert_true(isc_member_shares_ports(two));
	assert_false(isc_member_shares_ports(set));
	assert_string_equal(two->env->pdata[0], "SECRET=hunter2");
	assert_true(two->protect);
	g_free(two->name);
	two->name = g_strdup("web-1");
	g_autofree gchar *a = isc_spec_print(one), *b = isc_spec_print(two);
	assert_string_equal(a, b);
	/* Through the one door, as it is provisioned. */
	g_autoptr(IscSpec) again = isc_spec_parse("test", a, strlen(a), &error);
	assert_no_error(error);
	assert_string_equal(again->replica.set, "web");
	isc_member_leave(again);
	assert_false(isc_member_shares_ports(again));
}

static void ports_of_their_own_are_counted_up(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscSpec) set = parse("web",
			"Replicas=3\n[Network]\nReplicaPorts=own\nExpose=8080:80\n"
			"Expose=udp:5000-5003:6000-6003\n",
			&error);
	assert_no_error(error);
	g_autoptr(IscSpec) one = isc_member_spec(set, 1), three = isc_member_spec(set, 3);
	assert_false(isc_member_shares_ports(three));
	g_autofree gchar *first = isc_expose_print(&g_array_index(one->expose, IscExpose, 0));
	g_autofree gchar *tcp = isc_expose_print(&g_array_index(three->expose, IscExpose, 0));
	g_autofree gchar *udp = isc_expose_print(&g_array_index(three->expose, IscExpose, 1));
	assert_string_equal(first, "tcp:8080:80");
	assert_string_equal(tcp, "tcp:8082:80");
	assert_string_equal(udp, "udp:5008-5011:6000-6003");
	g_autofree gchar *text = isc_spec_print(three);
	g_autoptr(IscSpec) again = isc_spec_parse("test", text, strlen(text), &error);
	assert_no_error(error);
	assert_true(again->replica.own_ports);
	/* And back. */
	g_autoptr(IscSpec) back = isc_member_to_set(again, 3);
	g_autofree gchar *was = isc_spec_print(set), *is = isc_spec_print(back);
	assert_string_equal(is, was);
}

static void what_replicas_cannot_have_is_refused(void **state)
{
	(void)state;
	static const struct {
		const gchar *name, *more, *names;
	} cases[] = {
		{ "web", "Replicas=0\n", "no number from 1 to 60" },
		{ "web", "Replicas=61\n", "Replicas" },
		{ "web", "Replicas=2\n[Resources]\nVolume=data:/srv:16M\n",
				"one node's at a time" },
		{ "web", "Replicas=2\n[Service]\nJob=yes\n", "Job=" },
		{ "web", "Ephemeral=yes\nReplicas=2\n", "Ephemeral=" },
		{ "web", "[Network]\nReplicaPorts=own\n", "wants Replicas=" },
		{ "web", "Replicas=2\n[Network]\nReplicaPorts=some\n", "shared or own" },
		{ "web", "Replicas=2\n[Network]\nExpose=8000-8016:8000-8016\n", "16 ports" },
		{ "web", "Replicas=3\n[Network]\nReplicaPorts=own\nExpose=65534:80\n", "65535" },
		{ "web-1", "Replicas=2\nSet=web\n", "Set=" },
		{ "web", "Set=web\n", "SET-1" },
		{ "web-1", "Set=We b\n", "Set" },
		{ "a23456789012345678901234567890", "Replicas=2\n", "28 bytes" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscSpec) spec = parse(cases[i].name, cases[i].more, &error);
		assert_null(spec);
		assert_error(error, ISC_ERROR_INVALID, cases[i].names);
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(IscSpec) longest = parse("a234567890123456789012345678", "Replicas=60\n", &error);
	assert_no_error(error);
	g_autoptr(IscSpec) last = isc_member_spec(longest, 60);
	assert_int_equal(strlen(last->name), ISC_NAME_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_is_named_by_its_number),
		cmocka_unit_test(members_are_equal_but_for_their_names),
		cmocka_unit_test(ports_of_their_own_are_counted_up),
		cmocka_unit_test(what_replicas_cannot_have_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
