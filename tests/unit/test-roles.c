/* R3.5, T30: who may call what. */
#include "cm.h"

#include <gio/gio.h>

#include "api/roles.h"
#include "daemon/handlers.h"

/* Every method of the definition must be in the table: one that is not can be called by nobody. */
static void every_method_has_its_roles_and_its_handler(void **state)
{
	(void)state;
	g_autofree gchar *xml = NULL;
	g_autoptr(GError) error = NULL;
	guint n = 0;
	assert_true(g_file_get_contents("dock/api/org.iscdock.Dock1.xml", &xml, NULL, NULL));
	g_autoptr(GDBusNodeInfo) info = g_dbus_node_info_new_for_xml(xml, &error);
	assert_no_error(error);
	for (gsize i = 0; info->interfaces[i]; i++) {
		const gchar *interface = info->interfaces[i]->name + strlen("org.iscdock.");
		for (gsize m = 0; info->interfaces[i]->methods && info->interfaces[i]->methods[m];
				m++, n++) {
			const gchar *method = info->interfaces[i]->methods[m]->name;
			if (!isc_roles_for_method(interface, method) ||
					!isc_handlers_find(interface, method))
				fail_msg("%s.%s is in no table", interface, method);
		}
	}
	assert_true(n > 20);
}

static void a_role_may_do_what_is_its_own_and_no_more(void **state)
{
	(void)state;
	static const struct {
		guint roles;
		const gchar *interface, *method;
		gboolean ok;
	} cases[] = {
		{ 0, "Dock1", "ListNodes", FALSE },
		{ ISC_ROLE_AUDITOR, "Dock1", "ListNodes", TRUE },
		{ ISC_ROLE_AUDITOR, "Dock1.Node", "Destroy", FALSE },
		{ ISC_ROLE_AUDITOR, "Dock1", "OpenTrail", TRUE },
		{ ISC_ROLE_OPERATOR, "Dock1.Node", "Destroy", TRUE },
		{ ISC_ROLE_OPERATOR, "Dock1.Node", "Release", FALSE },
		{ ISC_ROLE_SECURITY, "Dock1.Node", "Release", TRUE },
		{ ISC_ROLE_SECURITY, "Dock1", "Provision", FALSE },
		{ ISC_ROLE_ANY, "Dock1", "Nonsense", FALSE },
		{ ISC_ROLE_ANY, "Dock1.Node", "Provision", FALSE },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		gboolean ok = isc_roles_check(
				cases[i].roles, cases[i].interface, cases[i].method, &error);
		if (ok != cases[i].ok)
			fail_msg("%u %s", cases[i].roles, cases[i].method);
		if (!ok)
			assert_error(error, ISC_ERROR_AUTH, cases[i].method);
	}
}

static void root_has_all_roles_and_a_stranger_none(void **state)
{
	(void)state;
	assert_int_equal(isc_roles_of_uid(0), ISC_ROLE_ANY);
	assert_int_equal(isc_roles_of_uid(4000000000u), 0);
	assert_int_equal(isc_roles_of_uid(1900000002u), 0); /* a node's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_has_its_roles_and_its_handler),
		cmocka_unit_test(a_role_may_do_what_is_its_own_and_no_more),
		cmocka_unit_test(root_has_all_roles_and_a_stranger_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
