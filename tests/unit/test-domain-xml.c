/* R2.1, R3.1, R6.7, T1, T35: the domain of a node. */
#include "cm.h"
#include "golden.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "collector/wire.h"
#include "render/domain-xml.h"

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define RUN "/run/isc-dock/nodes/web/"

/* Every character that XML, XPath or a shell would like to have a word about. */
#define EVIL "</title><on_crash>restart</on_crash>&amp;&lt;\"'<!--]]>$(id)`%s"

static gchar *load(const gchar *machine, gsize *len)
{
	g_autoptr(GError) error = NULL;
	g_autofree gchar *path = g_strdup_printf("xml-templates/node-%s.xml", machine);
	gchar *text = isc_file_read(AT_FDCWD, path, ISC_DOMAIN_TEMPLATE_MAX, len, &error);
	assert_no_error(error);
	return text;
}

static const IscDomainVolume volumes[] = {
	{ "/var/lib/isc-dock/nodes/web/data.qcow2", "22222222-2222-4222-8222-222222222222",
			"22222222222242228222" },
	{ "/var/lib/isc-dock/nodes/web/more.qcow2", "33333333-3333-4333-8333-333333333333",
			"33333333333343338333" },
};

static IscDomainLabel labels[] = { { (gchar *)"team", (gchar *)"a & b" },
	{ (gchar *)"empty", (gchar *)"" } };

static IscDomainParams plain(void)
{
	return (IscDomainParams){
		.name = "web",
		.uuid = "00000000-0000-4000-8000-000000000001",
		.title = "isc node web (nginx 1.0) [emulated]",
		.description = "front",
		.accel = ISC_ACCEL_TCG,
		.memory_mib = 128,
		.vcpus = 1,
		.kernel = "/var/lib/isc-dock/images/" DIGEST_A "/vmlinuz",
		.initrd = "/var/lib/isc-dock/images/" DIGEST_A "/initrd",
		.root = "/var/lib/isc-dock/images/" DIGEST_A "/root.squashfs",
		.cmdline = "quiet audit=1",
		.fwcfg = "/var/lib/isc-dock/nodes/web/config",
		.overlay = "/var/lib/isc-dock/nodes/web/overlay.qcow2",
		.overlay_secret = "11111111-1111-4111-8111-111111111111",
		.tap = "isct2",
		.mac = "52:54:4e:00:00:02",
		.uid = 1900000002,
		.gid = 1900000002,
		.sockets = { RUN "audit.sock", RUN "log.sock", RUN "control.sock" },
		.meta = {
			.slot = 2,
			.address = (gchar *)"10.77.0.2",
			.environment = (gchar *)"development",
			.image_name = (gchar *)"nginx",
			.image_version = (gchar *)"1.0",
			.image_digest = (gchar *)DIGEST_A,
			.image_status = (gchar *)"grey",
			.spec_digest = (gchar *)DIGEST_B,
			.emulated = TRUE,
		},
	};
}

static IscDomainParams full(void)
{
	IscDomainParams p = plain();
	p.accel = ISC_ACCEL_KVM;
	p.volumes = volumes;
	p.n_volumes = G_N_ELEMENTS(volumes);
	p.console = "/var/log/isc-dock/console/web.log";
	p.limits = (IscLimits){ .cpu_percent = 150,
		.cpu_weight = 20,
		.read_bps = 40000000,
		.write_bps = 20000000,
		.iops = 500 };
	p.cpu_shares = 204;
	p.meta.emulated = FALSE;
	p.meta.labels = labels;
	p.meta.n_labels = G_N_ELEMENTS(labels);
	p.meta.spec = (gchar *)"[Node]\nName=web\nDescription=<b>&amp;</b>\n";
	return p;
}

static gchar *render(const gchar *machine, const IscDomainParams *p, GError **error)
{
	gsize len = 0;
	g_autofree gchar *template = load(machine, &len);
	return isc_domain_xml_render(template, len, p, error);
}

/* The string value of @xpath in @xml. */
static gchar *ask(const gchar *xml, const gchar *xpath)
{
	g_autoptr(xmlDoc) doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
	assert_non_null(doc);
	g_autoptr(xmlXPathContext) ctx = xmlXPathNewContext(doc);
	g_autoptr(xmlXPathObject) hit = xmlXPathEvalExpression(BAD_CAST xpath, ctx);
	xmlChar *text = xmlXPathCastToString(hit);
	gchar *copy = g_strdup((const gchar *)text);
	xmlFree(text);
	return copy;
}

static void assert_xpath(const gchar *xml, const gchar *xpath, const gchar *wanted)
{
	g_autofree gchar *got = ask(xml, xpath);
	if (strcmp(got, wanted) != 0)
		fail_msg("%s is '%s', wanted '%s'", xpath, got, wanted);
}

static void domains_are_as_in_the_golden_files(void **state)
{
	(void)state;
	const struct {
		const gchar *file, *machine;
		IscDomainParams params;
	} cases[] = {
		{ "domain/microvm.xml", "microvm", plain() },
		{ "domain/microvm-full.xml", "microvm", full() },
		{ "domain/q35.xml", "q35", plain() },
		{ "domain/q35-full.xml", "q35", full() },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *xml = render(cases[i].machine, &cases[i].params, &error);
		assert_no_error(error);
		assert_golden(cases[i].file, xml);
	}
}

static void libvirts_schema_accepts_the_golden_files(void **state)
{
	static const gchar *const files[] = { "microvm", "microvm-full", "q35", "q35-full" };
	(void)state;
	g_autofree gchar *validate = g_find_program_in_path("virt-xml-validate");
	if (!validate)
		skip();
	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree gchar *path = g_strdup_printf("tests/golden/domain/%s.xml", files[i]);
		const gchar *argv[] = { validate, path, "domain", NULL };
		g_autofree gchar *out = NULL, *err = NULL;
		int status = -1;
		assert_true(g_spawn_sync(NULL, (gchar **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL,
				&out, &err, &status, NULL));
		if (status != 0)
			fail_msg("%s: %s%s", path, out, err);
	}
}

static void our_schema_accepts_our_metadata(void **state)
{
	(void)state;
	g_autofree gchar *lint = g_find_program_in_path("xmllint");
	if (!lint)
		skip();
	g_autofree gchar *xml = NULL;
	g_autoptr(GError) error = NULL;
	IscDomainParams p = full();
	xml = render("microvm", &p, &error);
	assert_no_error(error);
	g_autoptr(xmlDoc) doc =
			xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NOBLANKS);
	xmlNode *node = xmlDocGetRootElement(doc)->children;
	while (strcmp((const char *)node->name, "metadata") != 0)
		node = node->next;
	g_autoptr(xmlDoc) alone = xmlNewDoc(BAD_CAST "1.0");
	xmlDocSetRootElement(alone, xmlDocCopyNode(node->children, alone, 1));
	xmlChar *text = NULL;
	xmlDocDumpMemory(alone, &text, NULL);
	g_autofree gchar *path = NULL;
	int fd = g_file_open_tmp("isc-meta.XXXXXX", &path, &error);
	assert_no_error(error);
	assert_true(isc_file_write_all(fd, text, strlen((char *)text), NULL));
	close(fd);
	xmlFree(text);
	const gchar *argv[] = { lint, "--noout", "--relaxng", "xml-templates/isc-node.rng", path,
		NULL };
	g_autofree gchar *err = NULL;
	int status = -1;
	g_spawn_sync(NULL, (gchar **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &err, &status,
			NULL);
	unlink(path);
	if (status != 0)
		fail_msg("%s", err);
}

static void a_value_never_becomes_markup(void **state)
{
	(void)state;
	IscDomainParams p = full();
	p.title = EVIL;
	p.description = EVIL;
	p.cmdline = EVIL;
	p.kernel = "/" EVIL;
	p.overlay = "/" EVIL;
	p.meta.spec = (gchar *)EVIL;
	IscDomainLabel evil[] = { { (gchar *)"k", (gchar *)EVIL } };
	p.meta.labels = evil;
	p.meta.n_labels = 1;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *xml = render("microvm", &p, &error);
	assert_no_error(error);

	assert_xpath(xml, "/domain/title", EVIL);
	assert_xpath(xml, "/domain/description", EVIL);
	assert_xpath(xml, "/domain/os/cmdline", EVIL);
	assert_xpath(xml, "/domain/os/kernel", "/" EVIL);
	assert_xpath(xml, "/domain/devices/disk[2]/source/@file", "/" EVIL);
	assert_xpath(xml, "//*[local-name()='label'][@key='k']", EVIL);
	assert_xpath(xml, "//*[local-name()='spec']", EVIL);
	assert_xpath(xml, "count(/domain/on_crash)", "1");
	assert_xpath(xml, "/domain/on_crash", "destroy");
}

static void what_keeps_a_node_in_is_there(void **state)
{
	static const gchar *const machines[] = { "microvm", "q35" };
	static const struct {
		const gchar *xpath, *wanted;
	} laws[] = {
		{ "/domain/@type", "qemu" },
		{ "count(/domain/devices/disk[target/@dev='vda']/readonly)", "1" },
		{ "count(/domain/devices/disk[target/@dev='vdb']/readonly)", "0" },
		{ "/domain/devices/disk[target/@dev='vdb']/source/encryption/@format", "luks" },
		{ "/domain/devices/disk[target/@dev='vdb']/driver/@error_policy", "stop" },
		{ "/domain/seclabel/@relabel", "no" },
		{ "/domain/seclabel/label", "+1900000002:+1900000002" },
		{ "/domain/devices/interface/@type", "ethernet" },
		{ "/domain/devices/interface/target/@managed", "no" },
		{ "/domain/devices/interface/driver/@name", "qemu" },
		{ "/domain/memory/@dumpCore", "off" },
		{ "count(/domain/memoryBacking/nosharepages)", "1" },
		{ "/domain/devices/memballoon/@model", "none" },
		{ "/domain/devices/controller[@type='usb']/@model", "none" },
		{ "count(/domain/devices/channel)", "3" },
		{ "count(/domain/devices/channel/source[@mode='connect']/"
		  "reconnect[@enabled='yes'])",
				"3" },
		{ "count(/domain/devices/graphics | /domain/devices/video | /domain/devices/sound "
		  "| "
		  "/domain/devices/serial | /domain/devices/console | /domain/devices/hostdev | "
		  "/domain/devices/filesystem | /domain/devices/input | /domain/devices/rng)",
				"0" },
		{ "count(//comment())", "0" },
		/* Nothing of the host's or the node's identity goes to the guest through firmware
		   tables. */
		{ "count(/domain/sysinfo[@type='smbios'] | /domain/os/smbios)", "0" },
		{ "concat(/domain/on_poweroff, /domain/on_reboot, /domain/on_crash)",
				"destroydestroydestroy" },
	};

	(void)state;
	for (gsize m = 0; m < G_N_ELEMENTS(machines); m++) {
		IscDomainParams p = plain();
		g_autoptr(GError) error = NULL;
		g_autofree gchar *xml = render(machines[m], &p, &error);
		assert_no_error(error);
		for (gsize i = 0; i < G_N_ELEMENTS(laws); i++)
			assert_xpath(xml, laws[i].xpath, laws[i].wanted);
	}
}

static void the_channels_have_the_names_of_the_wire(void **state)
{
	(void)state;
	static const gchar *const names[] = { ISC_WIRE_PORT_AUDIT, ISC_WIRE_PORT_LOG,
		ISC_WIRE_PORT_CONTROL };
	IscDomainParams p = plain();
	g_autoptr(GError) error = NULL;
	g_autofree gchar *xml = render("microvm", &p, &error);
	assert_no_error(error);
	assert_int_equal(ISC_N_CHANNELS, ISC_DOMAIN_CHANNELS);
	for (gsize i = 0; i < ISC_N_CHANNELS; i++) {
		g_autofree gchar *xpath = g_strdup_printf(
				"/domain/devices/channel[target/@name='%s']/source/@path",
				names[i]);
		assert_xpath(xml, xpath, p.sockets[i]);
	}
	assert_xpath(xml, "/domain/sysinfo/entry[@name='" ISC_FWCFG_NODE "']/@file", p.fwcfg);
}

static void a_flush_of_a_volume_reaches_the_disk_one_of_the_overlay_need_not(void **state)
{
	(void)state;
	IscDomainParams p = full();
	g_autoptr(GError) error = NULL;
	g_autofree gchar *xml = render("q35", &p, &error);
	assert_no_error(error);
	assert_xpath(xml, "/domain/devices/disk[target/@dev='vdb']/driver/@cache", "unsafe");
	assert_xpath(xml, "/domain/devices/disk[target/@dev='vdc']/driver/@cache", "writeback");
	assert_xpath(xml, "/domain/devices/disk[target/@dev='vdd']/driver/@cache", "writeback");
	assert_xpath(xml, "/domain/devices/disk[target/@dev='vdd']/source/@file", volumes[1].path);
	assert_xpath(xml, "/domain/devices/disk[target/@dev='vdd']/address/@slot", "0x09");
	assert_xpath(xml, "count(/domain/devices/disk)", "4");
	p.overlay_kept = TRUE;
	g_autofree gchar *kept = render("q35", &p, &error);
	assert_xpath(kept, "/domain/devices/disk[target/@dev='vdb']/driver/@cache", "writeback");
}

static void a_wrong_value_is_refused_by_name(void **state)
{
	(void)state;
#define CASE(name_, change)                                                                        \
	{                                                                                          \
		IscDomainParams p = plain();                                                       \
		g_autoptr(GError) error = NULL;                                                    \
		change;                                                                            \
		assert_null(render("microvm", &p, &error));                                        \
		assert_error(error, ISC_ERROR_INVALID, name_);                                     \
	}
	IscDomainVolume bad = { "/v", "no-uuid", "1" };
	IscDomainVolume no_serial = { "/v", volumes[0].secret_uuid, "a,b" };
	CASE("node", p.name = "../x")
	CASE("node", p.name = NULL)
	CASE("uuid", p.uuid = "x")
	CASE("title", p.title = "a\x1b[2J")
	CASE("title", p.title = "two\nlines")
	CASE("title", p.title = "\xff\xfe")
	CASE("description", p.description = "bell\a")
	CASE("command line", p.cmdline = "")
	CASE("kernel", p.kernel = "vmlinuz")
	CASE("kernel", p.kernel = NULL)
	CASE("root image", p.root = "/a\nb")
	CASE("overlay", p.overlay = "json:{}")
	CASE("overlay secret", p.overlay_secret = NULL)
	CASE("memory", p.memory_mib = 0)
	CASE("vCPUs", p.vcpus = 0)
	CASE("tap", p.tap = "eth0/../x")
	CASE("tap", p.tap = "averyverylongname")
	CASE("MAC", p.mac = "52:54:4e:00:00")
	CASE("uid", p.uid = 0)
	CASE("gid", p.gid = 0)
	CASE("audit socket", p.sockets[0] = "/" EVIL EVIL EVIL)
	CASE("volume secret", (p.volumes = &bad, p.n_volumes = 1))
	CASE("volume serial", (p.volumes = &no_serial, p.n_volumes = 1))
	CASE("volumes", (p.volumes = volumes, p.n_volumes = 5))
	CASE("image digest", p.meta.image_digest = (gchar *)"abc")
	CASE("slot", p.meta.slot = 0)
	CASE("environment", p.meta.environment = (gchar *)"prod")
}

/* @from of the template is replaced by @to: it must be refused, naming @what. */
static void assert_broken(const gchar *from, const gchar *to, const gchar *what)
{
	gsize len = 0;
	g_autofree gchar *template = load("microvm", &len);
	g_auto(GStrv) parts = g_strsplit(template, from, -1);
	assert_true(g_strv_length(parts) > 1);
	g_autofree gchar *text = g_strjoinv(to, parts);
	IscDomainParams p = plain();
	g_autoptr(GError) error = NULL;
	assert_null(isc_domain_xml_render(text, strlen(text), &p, &error));
	assert_error(error, ISC_ERROR_INVALID, what);
}

static void a_broken_template_is_refused(void **state)
{
	(void)state;
	assert_broken("<vcpu placement=\"static\"/>", "", "/domain/vcpu");
	assert_broken("<name/>", "<name/><name/>", "/domain/name");
	assert_broken("<metadata/>", "", "metadata");
	/* Taking a guard away is as bad as taking a hole away. */
	assert_broken("<readonly/>", "", "vda");
	assert_broken("relabel=\"no\"", "relabel=\"yes\"", "seclabel");
	assert_broken("managed=\"no\"", "managed=\"yes\"", "managed");
	assert_broken("format=\"luks\"", "format=\"qcow\"", "encryption");
	assert_broken("<source file=\"\"/>", "<source/>", "file");
	assert_broken("</domain>", "", "well-formed");
	assert_broken("<domain type=\"\">",
			"<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/shadow\">]><domain "
			"type=\"\">",
			"DTD");
}

static void the_kernels_words_fit_the_machine(void **state)
{
	(void)state;
	g_autofree gchar *tcg =
			isc_domain_cmdline(ISC_MACHINE_MICROVM, ISC_ACCEL_TCG, 2000000, FALSE);
	g_autofree gchar *kvm =
			isc_domain_cmdline(ISC_MACHINE_MICROVM, ISC_ACCEL_KVM, 2000000, FALSE);
	g_autofree gchar *q35 = isc_domain_cmdline(ISC_MACHINE_Q35, ISC_ACCEL_TCG, 0, TRUE);
	const gchar *all[] = { tcg, kvm, q35 };

	for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
		assert_non_null(strstr(all[i], " audit=1 audit_backlog_limit=8192 "));
		assert_non_null(strstr(all[i], " panic=-1"));
		assert_null(strstr(all[i], "mitigations"));
		assert_null(strstr(all[i], "nokaslr"));
	}
	assert_non_null(strstr(tcg, " tsc_early_khz=2000000"));
	assert_non_null(strstr(tcg, " pci=off"));
	/* Guessing at a real CPU's clock would be wrong, and KVM tells it. */
	assert_null(strstr(kvm, "tsc"));
	assert_null(strstr(kvm, "no_timer_check"));
	assert_null(strstr(q35, "tsc_early_khz"));
	assert_null(strstr(q35, "pci=off"));
	assert_non_null(strstr(q35, "console=ttyS0"));
	assert_null(strstr(tcg, "console="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_are_as_in_the_golden_files),
		cmocka_unit_test(libvirts_schema_accepts_the_golden_files),
		cmocka_unit_test(our_schema_accepts_our_metadata),
		cmocka_unit_test(a_value_never_becomes_markup),
		cmocka_unit_test(what_keeps_a_node_in_is_there),
		cmocka_unit_test(the_channels_have_the_names_of_the_wire),
		cmocka_unit_test(a_flush_of_a_volume_reaches_the_disk_one_of_the_overlay_need_not),
		cmocka_unit_test(a_wrong_value_is_refused_by_name),
		cmocka_unit_test(a_broken_template_is_refused),
		cmocka_unit_test(the_kernels_words_fit_the_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
