/* R6.7, F20: what libvirt keeps of a node, and the register can be made from again. */
#include "cm.h"

#include "base/cleanup.h"
#include "render/domain-meta.h"

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BODY                                                                                       \
	"<isc:slot>7</isc:slot><isc:address>10.77.0.7</isc:address>"                               \
	"<isc:environment>production</isc:environment>"                                            \
	"<isc:image name='nginx' version='1.0' digest='" DIGEST "' status='green'/>"               \
	"<isc:emulated>no</isc:emulated><isc:spec digest='" DIGEST "'>[Node]</isc:spec>"           \
	"<isc:label key='team'>a &amp; b</isc:label>"
#define NODE(body) "<isc:node xmlns:isc='urn:iscdock:node:1'>" body "</isc:node>"
#define DOMAIN(inner)                                                                              \
	"<domain><name>isc-web</name><metadata><x:y xmlns:x='urn:x'/>" inner "</metadata></"       \
	"domain>"

static IscDomainMeta *parse(const gchar *xml, GError **error)
{
	return isc_domain_meta_parse(xml, strlen(xml), error);
}

static void what_was_written_is_read_back(void **state)
{
	(void)state;
	IscDomainLabel labels[] = { { (gchar *)"a.b", (gchar *)"<&>\"'" },
		{ (gchar *)"c", (gchar *)"" } };
	const IscDomainMeta in = {
		.slot = 65000,
		.address = (gchar *)"10.77.253.232",
		.environment = (gchar *)"staging",
		.image_name = (gchar *)"redis",
		.image_version = (gchar *)"7.0~rc1+b2",
		.image_digest = (gchar *)DIGEST,
		.image_status = (gchar *)"amber",
		.spec_digest = (gchar *)DIGEST,
		.spec = (gchar *)"[Node]\n\tName=<web>\n]]>&amp;\n",
		.emulated = TRUE,
		.labels = labels,
		.n_labels = 2,
	};
	g_autoptr(xmlDoc) doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNode *top = xmlNewDocNode(doc, NULL, BAD_CAST "domain", NULL);
	xmlDocSetRootElement(doc, top);
	xmlNode *metadata = xmlNewChild(top, NULL, BAD_CAST "metadata", NULL);
	g_autoptr(GError) error = NULL;
	assert_true(isc_domain_meta_append(metadata, &in, &error));
	xmlChar *text = NULL;
	xmlDocDumpMemory(doc, &text, NULL);

	g_autoptr(IscDomainMeta) out = parse((gchar *)text, &error);
	xmlFree(text);
	assert_no_error(error);
	assert_int_equal(out->slot, in.slot);
	assert_string_equal(out->address, in.address);
	assert_string_equal(out->environment, in.environment);
	assert_string_equal(out->image_name, in.image_name);
	assert_string_equal(out->image_version, in.image_version);
	assert_string_equal(out->image_digest, in.image_digest);
	assert_string_equal(out->image_status, in.image_status);
	assert_string_equal(out->spec_digest, in.spec_digest);
	assert_string_equal(out->spec, in.spec);
	assert_true(out->emulated);
	assert_int_equal(out->n_labels, 2);
	assert_string_equal(out->labels[0].key, "a.b");
	assert_string_equal(out->labels[0].value, "<&>\"'");
	assert_string_equal(out->labels[1].value, "");
}

static void it_is_found_in_a_domain_and_alone(void **state)
{
	(void)state;
	const gchar *good[] = { NODE(BODY), DOMAIN(NODE(BODY)) };
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscDomainMeta) meta = parse(good[i], &error);
		assert_no_error(error);
		assert_int_equal(meta->slot, 7);
		assert_false(meta->emulated);
		assert_string_equal(meta->labels[0].value, "a & b");
	}
}

static void what_is_not_ours_is_not_found(void **state)
{
	(void)state;
	const gchar *others[] = { "<domain/>", DOMAIN(""),
		"<domain><metadata><node xmlns='urn:other'>" BODY "</node></metadata></domain>" };
	/* the third names an unbound prefix on purpose */
	for (gsize i = 0; i < 2; i++) {
		g_autoptr(GError) error = NULL;
		assert_null(parse(others[i], &error));
		assert_error(error, ISC_ERROR_NOT_FOUND, "isc:node");
	}
	g_autoptr(GError) error = NULL;
	assert_null(parse(others[2], &error));
	assert_non_null(error);
}

static void what_an_edit_broke_is_refused(void **state)
{
	(void)state;
	static const struct {
		const gchar *from, *to, *what;
	} cases[] = {
		{ ">7<", ">1<", "slot" },
		{ ">7<", ">-7<", "slot" },
		{ ">7<", ">4294967303<", "slot" },
		{ "10.77.0.7", "10.77.0.7; flush ruleset", "address" },
		{ "production", "Production", "environment" },
		{ "'nginx'", "'../etc'", "image name" },
		{ "'1.0'", "''", "image version" },
		{ "status='green'", "status='gold'", "image status" },
		{ "digest='a", "digest='A", "digest" },
		{ "'team'", "'te am'", "label" },
		{ "a &amp; b", "a&#10;b", "label" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(GStrv) parts = g_strsplit(NODE(BODY), cases[i].from, -1);
		assert_true(g_strv_length(parts) > 1);
		g_autofree gchar *xml = g_strjoinv(cases[i].to, parts);
		g_autoptr(GError) error = NULL;
		assert_null(parse(xml, &error));
		assert_error(error, ISC_ERROR_INVALID, cases[i].what);
	}
}

static void entities_and_oversize_are_refused(void **state)
{
	(void)state;
	g_autofree gchar *huge = g_strnfill(ISC_DOMAIN_META_MAX + 1, 'x');
	g_autofree gchar *deep = NULL;
	{
		GString *s = g_string_new(NULL);
		for (int i = 0; i < 20000; i++)
			g_string_append(s, "<a>");
		deep = g_string_free(s, FALSE);
	}
	const gchar *bad[] = {
		"<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" DOMAIN(NODE(BODY)),
		"<!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b "
		"'&a;&a;'>]><domain><description>&b;</description></domain>",
		"<!DOCTYPE d SYSTEM 'http://203.0.113.9/x.dtd'>" NODE(BODY),
		"",
		"no xml",
		"<domain>",
		huge,
		deep,
	};
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		assert_null(parse(bad[i], &error));
		assert_error(error, ISC_ERROR_INVALID, "well-formed");
	}
}

static void text_that_xml_cannot_hold_is_refused(void **state)
{
	(void)state;
	static const gchar *const bad[] = { NULL, "", "a\x01", "\x1b[0m", "a\nb", "a\tb", "\xff",
		"\xef\xbf\xbe", "\xc2\x85", "\x7f", "12345678901" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(isc_domain_text_check("it", bad[i], 10, FALSE, NULL));
	assert_true(isc_domain_text_check("it", "a\n\tb", 10, TRUE, NULL));
	assert_false(isc_domain_text_check("it", "a\rb", 10, TRUE, NULL));
	assert_true(isc_domain_text_check("it", "\xc3\xa4 <&>", 10, FALSE, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(it_is_found_in_a_domain_and_alone),
		cmocka_unit_test(what_is_not_ours_is_not_found),
		cmocka_unit_test(what_an_edit_broke_is_refused),
		cmocka_unit_test(entities_and_oversize_are_refused),
		cmocka_unit_test(text_that_xml_cannot_hold_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
