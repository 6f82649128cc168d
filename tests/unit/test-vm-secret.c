/* R5.4, T28: keys that libvirt holds. */
#include "cm.h"

#include "base/cleanup.h"
#include "engine/vm-secret.h"

#define ID "11111111-1111-4111-8111-111111111111"

static void a_secret_is_never_written_down_nor_given_back(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *xml = isc_vm_secret_xml(ID, "isc-web/overlay", &error);
	assert_no_error(error);
	assert_non_null(strstr(xml, "ephemeral=\"yes\""));
	assert_non_null(strstr(xml, "private=\"yes\""));
	assert_non_null(strstr(xml, "<uuid>" ID "</uuid>"));
	assert_non_null(strstr(xml, "<volume>isc-web/overlay</volume>"));
}

static void a_usage_never_becomes_markup(void **state)
{
	(void)state;
	g_autofree gchar *xml = isc_vm_secret_xml(ID, "</volume><x a='&b;'>", NULL);
	assert_null(strstr(xml, "<x"));
	g_autoptr(xmlDoc) doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
	assert_non_null(doc);
}

static void what_libvirt_would_choke_on_is_refused(void **state)
{
	(void)state;
	static const gchar *const keys[] = { "", "abc", "0123456789abcdef0123456789abcde\n",
		"0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcde\xff" };
	g_autoptr(GError) error = NULL;
	g_autoptr(IscVm) vm = isc_vm_new("test:///default", NULL, NULL);

	assert_null(isc_vm_secret_xml("no-uuid", "u", &error));
	assert_error(error, ISC_ERROR_INVALID, "uuid");
	assert_null(isc_vm_secret_xml(ID, "", &error));
	assert_error(error, ISC_ERROR_INVALID, "use of the secret");
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		assert_false(isc_vm_secret_set(vm, ID, "u", keys[i], &error));
		if (*keys[i] && strstr(error->message, keys[i]))
			fail_msg("the message gives the key away");
		assert_error(error, ISC_ERROR_INVALID, "hex digits");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_never_written_down_nor_given_back),
		cmocka_unit_test(a_usage_never_becomes_markup),
		cmocka_unit_test(what_libvirt_would_choke_on_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
