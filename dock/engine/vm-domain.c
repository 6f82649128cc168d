#include "engine/vm-domain.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/vm-private.h"
#include "render/domain-xml.h"

#define XML_MAX (1024 * 1024) /* bytes of a domain's XML that are looked at */
#define START_TRIES 3

virDomain *isc_vm_lookup(virConnect *conn, const gchar *domain, GError **error)
{
	virDomain *found = virDomainLookupByName(conn, domain);
	if (!found)
		isc_vm_set_error(error, "cannot find domain '%s'", domain);
	return found;
}

/* The beginning of every call.  *found is NULL on success where the domain is absent and that is
 * fine. */
static gboolean begin(IscVm *vm, const gchar *domain, gboolean may_be_absent, virConnect **conn,
		virDomain **found, GError **error)
{
	g_autoptr(GError) inner = NULL;

	*conn = isc_vm_use(vm, error);
	if (!*conn)
		return FALSE;
	*found = isc_vm_lookup(*conn, domain, &inner);
	if (*found || (may_be_absent && g_error_matches(inner, ISC_ERROR, ISC_ERROR_NOT_FOUND)))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&inner));
	return FALSE;
}

static IscVmState state_of(int state)
{
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return ISC_VM_STATE_RUNNING;
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_PMSUSPENDED:
		return ISC_VM_STATE_PAUSED;
	case VIR_DOMAIN_SHUTDOWN:
		return ISC_VM_STATE_STOPPING;
	case VIR_DOMAIN_CRASHED:
		return ISC_VM_STATE_CRASHED;
	default:
		return ISC_VM_STATE_OFF;
	}
}

/* ABSENT if libvirt cannot say, e.g. because it went away just now. */
static IscVmState ask_state(virDomain *domain)
{
	int state = 0;
	if (virDomainGetState(domain, &state, NULL, 0) < 0)
		return ISC_VM_STATE_ABSENT;
	return state_of(state);
}

/* --- life
 * ----------------------------------------------------------------------------------------- */

gboolean isc_vm_define(IscVm *vm, const gchar *xml, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	if (!conn)
		return FALSE;
	g_autoptr(IscVirDomain) domain = virDomainDefineXMLFlags(conn, xml, 0);
	return domain || isc_vm_set_error(error, "cannot define the domain");
}

gboolean isc_vm_undefine(IscVm *vm, const gchar *name, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	if (!begin(vm, name, /* may_be_absent= */ TRUE, &conn, &domain, error))
		return FALSE;

	/* What an administrator saved, snapshot or marked must not keep a node from going.  test:
	 * knows no checkpoints. */
	const unsigned flags =
			VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA;
	if (!domain ||
			virDomainUndefineFlags(domain,
					flags | VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA) == 0 ||
			(isc_vm_last_error_is(VIR_ERR_INVALID_ARG) &&
					virDomainUndefineFlags(domain, flags) == 0) ||
			isc_vm_last_error_is(VIR_ERR_NO_DOMAIN))
		return TRUE;
	g_autoptr(GError) why = NULL;
	isc_vm_set_error(&why, "cannot undefine domain '%s'", name);
	if (virDomainIsPersistent(domain) == 0)
		return TRUE; /* it runs, and nothing is defined */
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* A libvirtd that was killed, or lost its power, leaves the folder domain-ID-NAME of a start
 * behind, labelled for the uid of then, and begins its ids anew.  The next try has the next id. */
static gboolean is_left_over(void)
{
	const gchar *message = virGetLastErrorMessage();
	return isc_vm_last_error_is(VIR_ERR_OPERATION_INVALID) && message &&
	       strstr(message, "/domain-");
}

static gboolean create(virDomainPtr domain, unsigned flags)
{
	int rc = -1;
	for (guint i = 0; i < START_TRIES && rc < 0; i++) {
		/* Force boot: never wake from a saved state, whose memory somebody may have edited.
		 * Drivers that save none (test:) do not know the flag. */
		rc = virDomainCreateWithFlags(domain, flags | VIR_DOMAIN_START_FORCE_BOOT);
		if (rc < 0 && isc_vm_last_error_is(VIR_ERR_INVALID_ARG))
			rc = virDomainCreateWithFlags(domain, flags);
		if (rc < 0 && !is_left_over())
			break;
	}
	return rc == 0;
}

gboolean isc_vm_start(IscVm *vm, const gchar *name, gboolean paused, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	if (!begin(vm, name, FALSE, &conn, &domain, error))
		return FALSE;

	if (create(domain, paused ? VIR_DOMAIN_START_PAUSED : 0))
		return TRUE;
	g_autoptr(GError) why = NULL;
	isc_vm_set_error(&why, "cannot start domain '%s'", name);
	if (virDomainIsActive(domain) == 1)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

gboolean isc_vm_destroy(IscVm *vm, const gchar *name, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	if (!begin(vm, name, /* may_be_absent= */ TRUE, &conn, &domain, error))
		return FALSE;

	if (!domain || virDomainDestroyFlags(domain, 0) == 0 ||
			isc_vm_last_error_is(VIR_ERR_NO_DOMAIN) ||
			isc_vm_last_error_is(VIR_ERR_OPERATION_INVALID))
		return TRUE;
	return isc_vm_set_error(error, "cannot destroy domain '%s'", name);
}

gboolean isc_vm_suspend(IscVm *vm, const gchar *name, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	if (!begin(vm, name, FALSE, &conn, &domain, error))
		return FALSE;
	return ask_state(domain) == ISC_VM_STATE_PAUSED || virDomainSuspend(domain) == 0 ||
	       isc_vm_set_error(error, "cannot suspend domain '%s'", name);
}

gboolean isc_vm_resume(IscVm *vm, const gchar *name, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	if (!begin(vm, name, FALSE, &conn, &domain, error))
		return FALSE;
	return ask_state(domain) == ISC_VM_STATE_RUNNING || virDomainResume(domain) == 0 ||
	       isc_vm_set_error(error, "cannot resume domain '%s'", name);
}

/* The <interface> of the running domain with <link state> in it, as XML of its own. */
static gchar *interface_xml(const gchar *domain_xml, gboolean up)
{
	g_autoptr(xmlDoc) doc = xmlReadMemory(domain_xml, (int)strlen(domain_xml), NULL, NULL,
			XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!doc)
		return NULL;
	g_autoptr(xmlXPathContext) ctx = xmlXPathNewContext(doc);
	g_autoptr(xmlXPathObject) hit =
			xmlXPathEvalExpression(BAD_CAST "/domain/devices/interface[1]", ctx);
	if (!hit || !hit->nodesetval || hit->nodesetval->nodeNr != 1)
		return NULL;

	xmlNode *device = hit->nodesetval->nodeTab[0];
	xmlNode *link = device->children;
	while (link && strcmp((const char *)link->name, "link") != 0)
		link = link->next;
	if (!link)
		link = xmlNewChild(device, NULL, BAD_CAST "link", NULL);
	xmlSetProp(link, BAD_CAST "state", BAD_CAST(up ? "up" : "down"));

	xmlBuffer *buffer = xmlBufferCreate();
	xmlNodeDump(buffer, doc, device, 0, 0);
	gchar *text = g_strdup((const gchar *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

gboolean isc_vm_set_link(IscVm *vm, const gchar *name, gboolean up, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	if (!begin(vm, name, FALSE, &conn, &domain, error))
		return FALSE;

	g_autofree gchar *xml = virDomainGetXMLDesc(domain, 0);
	if (!xml)
		return isc_vm_set_error(error, "cannot read domain '%s'", name);
	g_autofree gchar *device = interface_xml(xml, up);
	if (!device) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "domain '%s' has no network device",
				name);
		return FALSE;
	}
	return virDomainUpdateDeviceFlags(domain, device, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
	       isc_vm_set_error(error, "cannot set the link of domain '%s'", name);
}

/* --- questions
 * ------------------------------------------------------------------------------------ */

gboolean isc_vm_state(IscVm *vm, const gchar *name, IscVmState *state, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	if (!begin(vm, name, /* may_be_absent= */ TRUE, &conn, &domain, error))
		return FALSE;

	int seen = 0;
	if (!domain) {
		*state = ISC_VM_STATE_ABSENT;
		return TRUE;
	}
	if (virDomainGetState(domain, &seen, NULL, 0) < 0) {
		if (!isc_vm_last_error_is(VIR_ERR_NO_DOMAIN))
			return isc_vm_set_error(error, "cannot ask for domain '%s'", name);
		*state = ISC_VM_STATE_ABSENT;
		return TRUE;
	}
	*state = state_of(seen);
	return TRUE;
}

gboolean isc_vm_is_stalled(IscVm *vm, const gchar *name)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	int seen = 0, reason = 0;
	return begin(vm, name, /* may_be_absent= */ TRUE, &conn, &domain, NULL) && domain &&
	       virDomainGetState(domain, &seen, &reason, 0) == 0 && seen == VIR_DOMAIN_PAUSED &&
	       reason == VIR_DOMAIN_PAUSED_IOERROR;
}

const gchar *isc_vm_state_name(IscVmState state)
{
	static const gchar *const names[] = { "absent", "off", "running", "paused", "stopping",
		"crashed" };
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == ISC_N_VM_STATES);
	return (guint)state < ISC_N_VM_STATES ? names[state] : "unknown";
}

gchar *isc_vm_xml(IscVm *vm, const gchar *name, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	if (!begin(vm, name, FALSE, &conn, &domain, error))
		return NULL;
	gchar *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
	if (!xml)
		isc_vm_set_error(error, "cannot read domain '%s'", name);
	return xml; /* libvirt allocates with malloc, as g_free() expects */
}

void isc_vm_info_free(IscVmInfo *info)
{
	if (!info)
		return;
	g_free(info->domain);
	g_free(info->uuid);
	g_free(info->xml);
	g_free(info);
}

static void free_info(gpointer info)
{
	isc_vm_info_free(info);
}

/* NULL: it went away while it was looked at. */
static IscVmInfo *info_of(virDomain *domain)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	g_autoptr(IscVmInfo) info = g_new0(IscVmInfo, 1);

	info->domain = g_strdup(virDomainGetName(domain));
	virDomainGetUUIDString(domain, uuid);
	info->uuid = g_strdup(uuid);
	info->state = ask_state(domain);
	info->persistent = virDomainIsPersistent(domain) == 1;
	info->xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
	if (!info->xml || strlen(info->xml) > XML_MAX || info->state == ISC_VM_STATE_ABSENT)
		return NULL;
	return g_steal_pointer(&info);
}

GPtrArray *isc_vm_list(IscVm *vm, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	if (!conn)
		return NULL;

	virDomain **domains = NULL;
	int n = virConnectListAllDomains(conn, &domains, 0);
	if (n < 0) {
		isc_vm_set_error(error, "cannot list domains");
		return NULL;
	}
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(free_info);
	for (int i = 0; i < n; i++) {
		IscVmInfo *info = g_str_has_prefix(virDomainGetName(domains[i]), ISC_DOMAIN_PREFIX)
						  ? info_of(domains[i])
						  : NULL;
		if (info)
			g_ptr_array_add(list, info);
		virDomainFree(domains[i]);
	}
	free(domains);
	return g_steal_pointer(&list);
}

void isc_vm_stats_free(IscVmStats *stats)
{
	if (!stats)
		return;
	g_free(stats->domain);
	g_free(stats);
}

static void free_stats(gpointer stats)
{
	isc_vm_stats_free(stats);
}

static guint64 number(const virDomainStatsRecord *record, const gchar *key)
{
	unsigned long long value = 0;
	if (virTypedParamsGetULLong(record->params, record->nparams, key, &value) != 1)
		return 0;
	return value;
}

static guint64 sum_of_disks(const virDomainStatsRecord *record, const gchar *what)
{
	unsigned n = 0;
	guint64 sum = 0;

	(void)virTypedParamsGetUInt(record->params, record->nparams, "block.count", &n);
	for (unsigned i = 0; i < MIN(n, 16); i++) {
		g_autofree gchar *key = g_strdup_printf("block.%u.%s", i, what);
		sum += number(record, key);
	}
	return sum;
}

static IscVmStats *stats_of(const virDomainStatsRecord *record)
{
	IscVmStats *stats = g_new0(IscVmStats, 1);
	int state = 0;

	(void)virTypedParamsGetInt(record->params, record->nparams, "state.state", &state);
	stats->domain = g_strdup(virDomainGetName(record->dom));
	stats->state = state_of(state);
	stats->cpu_ns = number(record, "cpu.time");
	stats->memory_kib = number(record, "balloon.rss");
	stats->rx_bytes = number(record, "net.0.rx.bytes");
	stats->tx_bytes = number(record, "net.0.tx.bytes");
	stats->read_bytes = sum_of_disks(record, "rd.bytes");
	stats->write_bytes = sum_of_disks(record, "wr.bytes");
	return stats;
}

GPtrArray *isc_vm_stats(IscVm *vm, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	if (!conn)
		return NULL;

	virDomainStatsRecordPtr *records = NULL;
	/* Nowait: a domain in the middle of a job gives what it can; the others do not wait for it.
	 */
	int n = virConnectGetAllDomainStats(conn,
			VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL |
					VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_INTERFACE |
					VIR_DOMAIN_STATS_BLOCK,
			&records,
			VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |
					VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	if (n < 0) {
		isc_vm_set_error(error, "cannot read the domains' statistics");
		return NULL;
	}
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(free_stats);
	for (int i = 0; i < n; i++)
		if (g_str_has_prefix(virDomainGetName(records[i]->dom), ISC_DOMAIN_PREFIX))
			g_ptr_array_add(list, stats_of(records[i]));
	virDomainStatsRecordListFree(records);
	return g_steal_pointer(&list);
}

GPid isc_vm_pid(const gchar *run_dir, const gchar *domain)
{
	g_autofree gchar *path = g_strdup_printf(
			"%s/%s.pid", run_dir ? run_dir : "/run/libvirt/qemu", domain);
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, 32, NULL, NULL);
	guint64 pid = 0;

	if (!text || !g_ascii_string_to_unsigned(g_strstrip(text), 10, 1, G_MAXINT32, &pid, NULL))
		return 0;
	return (GPid)pid;
}
