#include "cm.h"

#include "policy/advice.h"

static guint advise(const gchar *expose, const gchar *const *ports, const gchar *says)
{
	g_autofree gchar *text = g_strdup_printf(
			"[Node]\nName=web\nImage=nginx\n[Network]\nExpose=%s\n", expose);
	g_autoptr(IscSpec) spec = isc_spec_parse("test", text, strlen(text), NULL);
	g_autoptr(IscImage) image = isc_image_new();
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
	assert_non_null(spec);
	g_strfreev(image->ports);
	image->ports = g_strdupv((gchar **)ports);
	g_free(image->name);
	image->name = g_strdup("nginx");
	isc_policy_advise(spec, image, warnings);
	if (says)
		assert_non_null(strstr(warnings->pdata[0], says));
	return warnings->len;
}

static void a_port_that_the_image_does_not_name_is_said(void **state)
{
	(void)state;
	const gchar *const web[] = { "80/tcp", "5000-5010/udp", NULL };
	const gchar *const silent[] = { NULL };
	assert_int_equal(advise("8080:80", web, NULL), 0);
	assert_int_equal(advise("udp:6000-6010:5000-5010", web, NULL), 0);
	assert_int_equal(advise("8080:81", web,
					 "expose tcp:8080:81: image 'nginx' does not say that it "
					 "listens on 81/tcp; it names 80/tcp, 5000-5010/udp"),
			1);
	assert_int_equal(advise("udp:8080:80", web, "80/udp"), 1);
	assert_int_equal(advise("udp:6000-6011:5000-5011", web, "5011/udp"), 1);
	assert_int_equal(advise("8080:81", silent, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_the_image_does_not_name_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
