/* R6.1: copies of disks in use. */
#include "cm.h"

#include "base/cleanup.h"
#include "engine/vm-backup.h"

#define ID "11111111-1111-4111-8111-111111111111"
#define DOMAIN                                                                                     \
	"<domain><devices><disk><target dev='vda'/></disk><disk><target dev='vdb'/></disk>"        \
	"<disk><target dev='vdc'/></disk></devices></domain>"

static void disks_that_were_not_asked_for_are_left_out(void **state)
{
	(void)state;
	const IscVmBackupDisk disk = { "vdb", "/snap/a & b.qcow2", ID };
	g_autoptr(GError) error = NULL;
	g_autofree gchar *xml = isc_vm_backup_xml(DOMAIN, &disk, 1, &error);
	assert_no_error(error);
	assert_non_null(strstr(xml, "<domainbackup mode=\"push\">"));
	assert_non_null(strstr(xml, "<disk name=\"vda\" backup=\"no\"/>"));
	assert_non_null(strstr(xml, "<disk name=\"vdc\" backup=\"no\"/>"));
	assert_non_null(strstr(xml, "<disk name=\"vdb\" backup=\"yes\" type=\"file\">"));
	assert_non_null(strstr(xml, "file=\"/snap/a &amp; b.qcow2\""));
}

static void every_target_is_encrypted(void **state)
{
	(void)state;
	const IscVmBackupDisk disks[] = { { "vdb", "/b", ID }, { "vdc", "/c", ID } };
	g_autofree gchar *xml = isc_vm_backup_xml(DOMAIN, disks, 2, NULL);
	g_autoptr(xmlDoc) doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
	g_autoptr(xmlXPathContext) ctx = xmlXPathNewContext(doc);
	g_autoptr(xmlXPathObject) hit = xmlXPathEvalExpression(BAD_CAST
			"count(//disk[@backup='yes']/target/encryption[@format='luks']/"
			"secret[@uuid='" ID "'])",
			ctx);
	assert_int_equal((int)xmlXPathCastToNumber(hit), 2);
}

static void what_makes_no_sense_is_refused(void **state)
{
	(void)state;
	static const struct {
		IscVmBackupDisk disk;
		const gchar *domain;
		IscError code;
		const gchar *what;
	} cases[] = {
		{ { "vdx", "/b", ID }, DOMAIN, ISC_ERROR_NOT_FOUND, "disks" },
		{ { "vdb", "b", ID }, DOMAIN, ISC_ERROR_INVALID, "vdb" },
		{ { "vdb", "/b\n", ID }, DOMAIN, ISC_ERROR_INVALID, "target" },
		{ { "vdb", "/b", "x" }, DOMAIN, ISC_ERROR_INVALID, "vdb" },
		{ { "vdb", "/b", ID }, "<domain>", ISC_ERROR_NOT_FOUND, "disks" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		assert_null(isc_vm_backup_xml(cases[i].domain, &cases[i].disk, 1, &error));
		assert_error(error, cases[i].code, cases[i].what);
	}
	g_autoptr(GError) error = NULL;
	assert_null(isc_vm_backup_xml(DOMAIN, NULL, 0, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "disks");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_that_were_not_asked_for_are_left_out),
		cmocka_unit_test(every_target_is_encrypted),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
