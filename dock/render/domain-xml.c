#include "render/domain-xml.h"

#include <string.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/name.h"

#define PATH_BYTES 1024
#define SERIAL "0123456789abcdefghijklmnopqrstuvwxyz"
#define FIRST_VOLUME_SLOT                                                                          \
	8 /* on q35's root complex; the template's own devices stand below, ICH9 at 31 */

/* A place in the template: the text of one element, or one of its attributes. */
typedef struct {
	const gchar *xpath;
	const gchar *attr; /* NULL: the element's text */
	const gchar *value;
} Hole;

static gboolean broken(GError **error, const gchar *xpath, int found)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"domain template: '%s' must match one node, not %d", xpath, found);
	return FALSE;
}

static xmlNode *one_node(xmlXPathContext *ctx, const gchar *xpath, GError **error)
{
	g_autoptr(xmlXPathObject) hit = xmlXPathEvalExpression(BAD_CAST xpath, ctx);
	int found = hit && hit->nodesetval ? hit->nodesetval->nodeNr : 0;

	if (found == 1)
		return hit->nodesetval->nodeTab[0];
	broken(error, xpath, found);
	return NULL;
}

/* xmlNewText() and xmlSetProp() store the bytes as they are and escape them on output.
 * (xmlNodeSetContent() with a value would not: it reads entities in it.) */
static void set(xmlNode *node, const gchar *attr, const gchar *value)
{
	if (attr) {
		xmlSetProp(node, BAD_CAST attr, BAD_CAST value);
		return;
	}
	xmlNodeSetContent(node, NULL);
	xmlAddChild(node, xmlNewText(BAD_CAST value));
}

static gboolean fill(xmlXPathContext *ctx, const Hole *holes, gsize n, GError **error)
{
	for (gsize i = 0; i < n; i++) {
		xmlNode *node = one_node(ctx, holes[i].xpath, error);
		if (!node)
			return FALSE;
		if (holes[i].attr && !xmlHasProp(node, BAD_CAST holes[i].attr)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"domain template: '%s' has no attribute '%s'",
					holes[i].xpath, holes[i].attr);
			return FALSE;
		}
		set(node, holes[i].attr, holes[i].value);
	}
	return TRUE;
}

static xmlNode *add(xmlNode *parent, const gchar *name, const gchar *text)
{
	xmlNode *node = xmlNewChild(parent, NULL, BAD_CAST name, NULL);
	if (text)
		xmlAddChild(node, xmlNewText(BAD_CAST text));
	return node;
}

static void add_number(xmlNode *parent, const gchar *name, guint64 value)
{
	g_autofree gchar *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);
	add(parent, name, text);
}

/* --- values
 * --------------------------------------------------------------------------------------- */

static gboolean refuse(GError **error, const gchar *what)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "domain: %s is missing or wrong", what);
	return FALSE;
}

static gboolean check_path(const gchar *what, const gchar *path, gsize max, GError **error)
{
	if (!isc_domain_text_check(what, path, max, FALSE, error))
		return FALSE;
	return *path == '/' || refuse(error, what);
}

/* The daemon made all of these; they are checked again because here is the border to libvirtd,
 * which is root. */
static gboolean check(const IscDomainParams *p, GError **error)
{
	const struct {
		const gchar *what;
		const gchar *path;
		gsize max;
	} paths[] = {
		{ "kernel", p->kernel, PATH_BYTES },
		{ "initrd", p->initrd, PATH_BYTES },
		{ "root image", p->root, PATH_BYTES },
		{ "fw_cfg file", p->fwcfg, PATH_BYTES },
		{ "overlay", p->overlay, PATH_BYTES },
		{ "audit socket", p->sockets[0], sizeof(((struct sockaddr_un *)0)->sun_path) - 1 },
		{ "log socket", p->sockets[1], sizeof(((struct sockaddr_un *)0)->sun_path) - 1 },
		{ "control socket", p->sockets[2],
				sizeof(((struct sockaddr_un *)0)->sun_path) - 1 },
		{ "console log", p->console ? p->console : "/", PATH_BYTES },
	};
	const struct {
		const gchar *what;
		gboolean ok;
	} rules[] = {
		{ "uuid", p->uuid && g_uuid_string_is_valid(p->uuid) },
		{ "overlay secret",
				p->overlay_secret && g_uuid_string_is_valid(p->overlay_secret) },
		{ "memory", p->memory_mib >= 32 && p->memory_mib <= 1048576 },
		{ "number of vCPUs", p->vcpus >= 1 && p->vcpus <= 64 },
		{ "tap device", p->tap && *p->tap && strlen(p->tap) <= 15 &&
						!strpbrk(p->tap, "/ %") },
		{ "MAC address", p->mac && strlen(p->mac) == 17 &&
						 strspn(p->mac, "0123456789abcdef:") == 17 },
		/* QEMU as root would undo the whole design. */
		{ "uid", p->uid > 0 && p->uid != G_MAXUINT32 },
		{ "gid", p->gid > 0 && p->gid != G_MAXUINT32 },
		{ "number of volumes", p->n_volumes <= ISC_DOMAIN_VOLUMES_MAX },
	};

	if (!isc_name_check("node", p->name, error) ||
			!isc_domain_text_check("title", p->title, 256, FALSE, error) ||
			!isc_domain_text_check(
					"kernel command line", p->cmdline, 2047, FALSE, error) ||
			(p->description && *p->description &&
					!isc_domain_text_check("description", p->description, 4096,
							/* lines= */ TRUE, error)))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
		if (!check_path(paths[i].what, paths[i].path, paths[i].max, error))
			return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
		if (!rules[i].ok)
			return refuse(error, rules[i].what);
	for (gsize i = 0; i < p->n_volumes; i++) {
		if (!check_path("volume", p->volumes[i].path, PATH_BYTES, error))
			return FALSE;
		if (!p->volumes[i].secret_uuid ||
				!g_uuid_string_is_valid(p->volumes[i].secret_uuid))
			return refuse(error, "volume secret");
		gsize n = p->volumes[i].serial ? strlen(p->volumes[i].serial) : 0;
		if (n < 1 || n > 20 || strspn(p->volumes[i].serial, SERIAL) != n)
			return refuse(error, "volume serial");
	}
	return isc_domain_text_check("tap device", p->tap, 15, FALSE, error);
}

/* --- parts that depend on more than one value
 * ----------------------------------------------------- */

static void add_feature(xmlNode *cpu, const gchar *policy, const gchar *name)
{
	xmlNode *feature = add(cpu, "feature", NULL);
	set(feature, "policy", policy);
	set(feature, "name", name);
}

/* KVM: the host's CPU, but no nested virtualisation: attack surface that no service needs.
 * Emulated: QEMU's plainest model, as each feature more costs time (measured: "max" boots in 1.3
 * times the time of it), and RDRAND, without which the guest has no random numbers for a second
 * after boot.  (Do not take svm off there: with QEMU 7.2 "max,svm=off" corrupts what the guest's
 * programs read.) */
static gboolean set_cpu(xmlXPathContext *ctx, IscAccel accel, GError **error)
{
	xmlNode *cpu = one_node(ctx, "/domain/cpu", error);
	if (!cpu)
		return FALSE;

	set(cpu, "mode", accel == ISC_ACCEL_KVM ? "host-passthrough" : "custom");
	if (accel == ISC_ACCEL_TCG)
		set(cpu, "match", "exact");
	set(cpu, "check", "none");
	if (accel == ISC_ACCEL_KVM) {
		add_feature(cpu, "disable", "vmx");
		add_feature(cpu, "disable", "svm");
	} else {
		set(add(cpu, "model", "qemu64"), "fallback", "forbid");
		add_feature(cpu, "require", "rdrand");
	}
	return TRUE;
}

/* The first virtio-mmio or PCI address says how the template addresses; volumes follow suit. */
static void set_address(xmlNode *disk, gsize index)
{
	for (xmlNode *n = disk->children; n; n = n->next) {
		if (n->type != XML_ELEMENT_NODE || strcmp((const char *)n->name, "address") != 0 ||
				!xmlHasProp(n, BAD_CAST "slot"))
			continue;
		g_autofree gchar *slot =
				g_strdup_printf("0x%02x", (guint)(FIRST_VOLUME_SLOT + index));
		set(n, "slot", slot);
	}
}

/* Each volume is a copy of vdb.  Its cache mode differs: the overlay dies with its key at a crash
 * of the host, so a flush buys nothing there; what a volume says is flushed must be. */
static gboolean add_volumes(xmlXPathContext *ctx, const IscDomainParams *p, GError **error)
{
	static const gchar overlay[] = "/domain/devices/disk[target/@dev='vdb']";
	xmlNode *after = one_node(ctx, overlay, error);
	if (!after)
		return FALSE;

	xmlNode *pattern = after;
	for (gsize i = 0; i < p->n_volumes; i++) {
		xmlNode *disk = xmlCopyNode(pattern, 1);
		xmlAddNextSibling(after, disk);
		after = disk;
		gchar dev[] = { 'v', 'd', (gchar)('c' + i), '\0' };
		g_autoptr(xmlXPathContext) in = xmlXPathNewContext(disk->doc);
		xmlXPathSetContextNode(disk, in);
		const Hole holes[] = {
			{ "./target", "dev", dev },
			{ "./driver", "cache", "writeback" },
			{ "./source", "file", p->volumes[i].path },
			{ "./source/encryption/secret", "uuid", p->volumes[i].secret_uuid },
		};
		if (!fill(in, holes, G_N_ELEMENTS(holes), error))
			return FALSE;
		set_address(disk, i);
		add(disk, "serial", p->volumes[i].serial);
	}
	return TRUE;
}

/* The limits of its disks are set when it starts: engine/vm-limits.c says why. */
static gboolean add_limits(xmlXPathContext *ctx, const IscDomainParams *p, GError **error)
{
	if (!p->limits.cpu_percent && !p->limits.cpu_weight)
		return TRUE;
	xmlNode *vcpu = one_node(ctx, "/domain/vcpu", error);
	if (!vcpu)
		return FALSE;
	xmlNode *tune = xmlNewNode(NULL, BAD_CAST "cputune");
	xmlAddNextSibling(vcpu, tune);
	if (p->limits.cpu_weight)
		add_number(tune, "shares", p->cpu_shares);
	if (p->limits.cpu_percent) {
		/* µs of CPU in each period, QEMU's own threads included. */
		add_number(tune, "global_period", ISC_CPU_PERIOD_US);
		add_number(tune, "global_quota",
				(guint64)p->limits.cpu_percent * ISC_CPU_PERIOD_US / 100);
	}
	return TRUE;
}

/* The guest decides what it prints: only virtlogd, which rotates at 2 MiB, may write it to a disk.
 */
static gboolean add_console(xmlXPathContext *ctx, const gchar *path, GError **error)
{
	if (!path)
		return TRUE;
	xmlNode *devices = one_node(ctx, "/domain/devices", error);
	if (!devices)
		return FALSE;

	xmlNode *serial = add(devices, "serial", NULL);
	set(serial, "type", "file");
	xmlNode *source = add(serial, "source", NULL);
	set(source, "path", path);
	set(source, "append", "on");
	xmlNode *target = add(serial, "target", NULL);
	set(target, "type", "isa-serial");
	set(target, "port", "0");
	return TRUE;
}

static void drop_comments(xmlNode *node)
{
	for (xmlNode *n = node->children, *next; n; n = next) {
		next = n->next;
		if (n->type == XML_COMMENT_NODE) {
			xmlUnlinkNode(n);
			xmlFreeNode(n);
		} else if (n->type == XML_ELEMENT_NODE) {
			drop_comments(n);
		}
	}
}

static gboolean render(xmlDoc *doc, const IscDomainParams *p, GError **error)
{
	g_autoptr(xmlXPathContext) ctx = xmlXPathNewContext(doc);
	g_autofree gchar *name = g_strconcat(ISC_DOMAIN_PREFIX, p->name, NULL);
	g_autofree gchar *memory = g_strdup_printf("%u", p->memory_mib);
	g_autofree gchar *vcpus = g_strdup_printf("%u", p->vcpus);
	/* "+": numbers, never looked up as names. */
	g_autofree gchar *label = g_strdup_printf("+%u:+%u", p->uid, p->gid);
	const Hole holes[] = {
		/* clang-format off */
		{ "/domain",                       "type", p->accel == ISC_ACCEL_KVM ? "kvm" : "qemu" },
		{ "/domain/name",                  NULL,   name },
		{ "/domain/uuid",                  NULL,   p->uuid },
		{ "/domain/title",                 NULL,   p->title },
		{ "/domain/description",           NULL,   p->description ? p->description : "" },
		{ "/domain/memory[@unit='MiB']",   NULL,   memory },
		{ "/domain/vcpu",                  NULL,   vcpus },
		{ "/domain/os/kernel",             NULL,   p->kernel },
		{ "/domain/os/initrd",             NULL,   p->initrd },
		{ "/domain/os/cmdline",            NULL,   p->cmdline },
		{ "/domain/sysinfo/entry[@name='opt/org.iscdock/node']",         "file", p->fwcfg },
		{ "/domain/devices/disk[target/@dev='vda'][readonly]/source",    "file", p->root },
		{ "/domain/devices/disk[target/@dev='vdb']/source",              "file", p->overlay },
		{ "/domain/devices/disk[target/@dev='vdb']/driver",              "cache", p->overlay_kept ? "writeback" : "unsafe" },
		{ "/domain/devices/disk[target/@dev='vdb']/source/encryption[@format='luks']/secret",
		                                                                 "uuid", p->overlay_secret },
		{ "/domain/devices/interface[@type='ethernet']/mac",             "address", p->mac },
		{ "/domain/devices/interface/target[@managed='no']",             "dev",  p->tap },
		{ "/domain/devices/channel[target/@name='org.iscdock.audit.0']/source[@mode='connect']",
		                                                                 "path", p->sockets[0] },
		{ "/domain/devices/channel[target/@name='org.iscdock.log.0']/source[@mode='connect']",
		                                                                 "path", p->sockets[1] },
		{ "/domain/devices/channel[target/@name='org.iscdock.control.0']/source[@mode='connect']",
		                                                                 "path", p->sockets[2] },
		{ "/domain/seclabel[@type='static'][@model='dac'][@relabel='no']/label", NULL, label },
		/* clang-format on */
	};

	drop_comments((xmlNode *)doc);
	xmlNode *metadata = one_node(ctx, "/domain/metadata", error);
	return metadata && isc_domain_meta_append(metadata, &p->meta, error) &&
	       fill(ctx, holes, G_N_ELEMENTS(holes), error) && set_cpu(ctx, p->accel, error) &&
	       add_volumes(ctx, p, error) && add_limits(ctx, p, error) &&
	       add_console(ctx, p->console, error);
}

gchar *isc_domain_xml_render(
		const gchar *template, gsize len, const IscDomainParams *params, GError **error)
{
	if (!check(params, error))
		return NULL;

	g_autoptr(xmlDoc) doc = NULL;
	if (len <= ISC_DOMAIN_TEMPLATE_MAX)
		doc = xmlReadMemory(template, (int)len, NULL, NULL,
				XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR |
						XML_PARSE_NOWARNING);
	if (!doc || doc->intSubset) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"domain template: not well-formed XML, too long, or with a DTD");
		return NULL;
	}
	if (!render(doc, params, error))
		return NULL;

	xmlChar *text = NULL;
	xmlDocDumpFormatMemoryEnc(doc, &text, NULL, "UTF-8", 1);
	gchar *copy = g_strdup((const gchar *)text);
	xmlFree(text);
	return copy;
}

gchar *isc_domain_cmdline(IscMachine machine, IscAccel accel, guint tsc_khz, gboolean console)
{
	GString *words = g_string_new("quiet");

	/* Every task is audited from the first one on; 8192 records wait for the agent, 64 would be
	 * lost in boot. */
	g_string_append(words, " audit=1 audit_backlog_limit=8192");
	/* A kernel that is no longer sane stops; the dock sees the domain go and decides. */
	g_string_append(words, " oops=panic panic=-1");
	g_string_append(words, " random.trust_cpu=on cryptomgr.notests vsyscall=none");
	g_string_append(words, " i8042.noaux i8042.nokbd");
	g_string_append(words, console ? " 8250.nr_uarts=1 console=ttyS0" : " 8250.nr_uarts=0");
	if (machine == ISC_MACHINE_MICROVM)
		g_string_append(words, " pci=off");
	if (accel == ISC_ACCEL_TCG) {
		g_string_append(words, " no_timer_check tsc=reliable noreplace-smp");
		/* QEMU's TCG hands the host's TSC through (cpu_get_host_ticks()). */
		if (tsc_khz > 0)
			g_string_append_printf(words, " tsc_early_khz=%u", tsc_khz);
	}
	return g_string_free(words, FALSE);
}

const gchar *isc_accel_name(IscAccel accel)
{
	return accel == ISC_ACCEL_KVM ? "kvm" : "tcg";
}
