#include "engine/vm-backup.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/vm-private.h"
#include "render/domain-meta.h"

#define POLL_MS 250
#define ABORT_MS 10000 /* QEMU ends a cancelled job at once, unless a disk hangs */

/* --- XML
 * ------------------------------------------------------------------------------------------ */

static const IscVmBackupDisk *wanted(
		const IscVmBackupDisk *disks, gsize n_disks, const xmlChar *dev)
{
	for (gsize i = 0; i < n_disks; i++)
		if (strcmp(disks[i].dev, (const char *)dev) == 0)
			return &disks[i];
	return NULL;
}

static xmlNode *add(xmlNode *parent, const gchar *name, const gchar *attr, const gchar *value)
{
	xmlNode *node = xmlNewChild(parent, NULL, BAD_CAST name, NULL);
	if (attr)
		xmlNewProp(node, BAD_CAST attr, BAD_CAST value);
	return node;
}

static void add_target(xmlNode *disk, const IscVmBackupDisk *to)
{
	xmlNewProp(disk, BAD_CAST "backup", BAD_CAST "yes");
	xmlNewProp(disk, BAD_CAST "type", BAD_CAST "file");
	add(disk, "driver", "type", "qcow2");
	/* Without <encryption> here libvirt would write the guest's data in the clear. */
	xmlNode *target = add(disk, "target", "file", to->path);
	xmlNode *encryption = add(target, "encryption", "format", "luks");
	xmlNode *secret = add(encryption, "secret", "type", "passphrase");
	xmlNewProp(secret, BAD_CAST "uuid", BAD_CAST to->secret_uuid);
}

gchar *isc_vm_backup_xml(const gchar *domain_xml, const IscVmBackupDisk *disks, gsize n_disks,
		GError **error)
{
	for (gsize i = 0; i < n_disks; i++)
		if (!isc_domain_text_check("backup target", disks[i].path, 1024, FALSE, error))
			return NULL;
		else if (*disks[i].path != '/' || !g_uuid_string_is_valid(disks[i].secret_uuid)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"backup of %s: wrong path or secret", disks[i].dev);
			return NULL;
		}

	g_autoptr(xmlDoc) domain = xmlReadMemory(domain_xml, (int)strlen(domain_xml), NULL, NULL,
			XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	g_autoptr(xmlXPathContext) ctx = domain ? xmlXPathNewContext(domain) : NULL;
	g_autoptr(xmlXPathObject) hit =
			ctx ? xmlXPathEvalExpression(
					      BAD_CAST "/domain/devices/disk/target/@dev", ctx)
			    : NULL;
	int n = hit && hit->nodesetval ? hit->nodesetval->nodeNr : 0;

	g_autoptr(xmlDoc) doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNode *top = xmlNewDocNode(doc, NULL, BAD_CAST "domainbackup", NULL);
	xmlDocSetRootElement(doc, top);
	xmlNewProp(top, BAD_CAST "mode", BAD_CAST "push");
	xmlNode *list = add(top, "disks", NULL, NULL);
	gsize found = 0;
	for (int i = 0; i < n; i++) {
		xmlChar *dev = xmlNodeGetContent(hit->nodesetval->nodeTab[i]);
		xmlNode *disk = add(list, "disk", "name", (const gchar *)dev);
		const IscVmBackupDisk *to = wanted(disks, n_disks, dev);
		if (to) {
			add_target(disk, to);
			found++;
		} else {
			xmlNewProp(disk, BAD_CAST "backup", BAD_CAST "no");
		}
		xmlFree(dev);
	}
	if (found != n_disks || found == 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"backup: the domain does not have all of the disks asked for");
		return NULL;
	}

	xmlChar *text = NULL;
	xmlDocDumpMemoryEnc(doc, &text, NULL, "UTF-8");
	gchar *copy = g_strdup((const gchar *)text);
	xmlFree(text);
	return copy;
}

/* --- waiting
 * -------------------------------------------------------------------------------------- */

typedef struct {
	GMutex lock;
	GCond changed;
	gboolean ended;
	gboolean ok;
	gchar *why;
} Wait;

static void job_ended(gpointer data, const gchar *domain, gboolean ok, const gchar *why)
{
	Wait *wait = data;

	(void)domain;
	g_mutex_lock(&wait->lock);
	wait->ended = TRUE;
	wait->ok = ok;
	g_free(wait->why);
	wait->why = g_strdup(why);
	g_cond_signal(&wait->changed);
	g_mutex_unlock(&wait->lock);
}

static void cancelled(GCancellable *cancel, gpointer data)
{
	Wait *wait = data;

	(void)cancel;
	g_mutex_lock(&wait->lock);
	g_cond_signal(&wait->changed);
	g_mutex_unlock(&wait->lock);
}

/* TRUE when the job has ended within @ms. */
static gboolean wait_for(Wait *wait, guint ms)
{
	gint64 until = g_get_monotonic_time() + (gint64)ms * 1000;

	g_mutex_lock(&wait->lock);
	if (!wait->ended)
		g_cond_wait_until(&wait->changed, &wait->lock, until);
	gboolean ended = wait->ended;
	g_mutex_unlock(&wait->lock);
	return ended;
}

static gboolean ended_within(Wait *wait, guint ms)
{
	gint64 until = g_get_monotonic_time() + (gint64)ms * 1000;
	while (g_get_monotonic_time() < until)
		if (wait_for(wait, POLL_MS))
			return TRUE;
	return FALSE;
}

/* How far is it?  Also finds the end where its event was lost together with the connection that
 * would have brought it. */
static gboolean look(virDomain *domain, Wait *wait, IscVmProgress progress, gpointer data,
		GError **error)
{
	virDomainJobInfo info;

	if (virDomainGetJobInfo(domain, &info) < 0)
		return isc_vm_set_error(error, "backup");
	if (info.type == VIR_DOMAIN_JOB_NONE) {
		/* The event may be on its way. */
		if (wait_for(wait, POLL_MS) || ended_within(wait, 2000))
			return TRUE;
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"backup: the job is gone, and how it ended is not known");
		return FALSE;
	}
	if (progress)
		progress(data, info.dataProcessed, info.dataTotal);
	return TRUE;
}

static gboolean follow(virDomain *domain, Wait *wait, guint timeout_ms, GCancellable *cancel,
		IscVmProgress progress, gpointer data, GError **error)
{
	gint64 until = g_get_monotonic_time() + (gint64)timeout_ms * 1000;

	while (!wait_for(wait, POLL_MS)) {
		if (g_cancellable_set_error_if_cancelled(cancel, error))
			return FALSE;
		if (g_get_monotonic_time() >= until) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT,
					"backup: not done within %u ms", timeout_ms);
			return FALSE;
		}
		if (!look(domain, wait, progress, data, error))
			return FALSE;
	}
	if (wait->ok)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "backup: %s",
			*wait->why ? wait->why : "the job failed");
	return FALSE;
}

/* A job that nobody waits for any more, e.g. because the dock was restarted in its midst. */
static void abort_stale(virDomain *domain, Wait *wait)
{
	g_autofree gchar *xml = virDomainBackupGetXMLDesc(domain, 0);
	if (!xml || virDomainAbortJob(domain) < 0)
		return;
	(void)ended_within(wait, ABORT_MS);
	g_mutex_lock(&wait->lock);
	wait->ended = FALSE;
	g_mutex_unlock(&wait->lock);
}

static gboolean run(virDomain *domain, const gchar *xml, Wait *wait, guint timeout_ms,
		GCancellable *cancel, void (*begun)(gpointer data), IscVmProgress progress,
		gpointer data, GError **error)
{
	abort_stale(domain, wait);
	/* The targets are ours: made, sized and encrypted before; libvirt must not make them. */
	if (virDomainBackupBegin(domain, xml, NULL, VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL) < 0) {
		(void)isc_vm_set_error(error, "cannot begin the backup");
		if (virDomainIsActive(domain) != 0)
			return FALSE;
		g_clear_error(error);
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"its machine does not run: there is nothing to copy");
		return FALSE;
	}
	if (begun)
		begun(data);
	if (follow(domain, wait, timeout_ms, cancel, progress, data, error))
		return TRUE;
	if (!wait_for(wait, 0) && virDomainAbortJob(domain) == 0)
		(void)ended_within(wait, ABORT_MS);
	return FALSE;
}

gboolean isc_vm_backup(IscVm *vm, const gchar *name, const IscVmBackupDisk *disks, gsize n_disks,
		guint timeout_ms, GCancellable *cancel, void (*begun)(gpointer data),
		IscVmProgress progress, gpointer data, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	if (!conn)
		return FALSE;
	g_autoptr(IscVirDomain) domain = isc_vm_lookup(conn, name, error);
	if (!domain)
		return FALSE;
	g_autofree gchar *domain_xml = virDomainGetXMLDesc(domain, 0);
	if (!domain_xml)
		return isc_vm_set_error(error, "cannot read domain '%s'", name);
	g_autofree gchar *xml = isc_vm_backup_xml(domain_xml, disks, n_disks, error);
	if (!xml)
		return FALSE;

	Wait wait = { 0 };
	g_mutex_init(&wait.lock);
	g_cond_init(&wait.changed);
	isc_vm_listen_job(vm, name, job_ended, &wait);
	gulong handler = cancel ? g_cancellable_connect(cancel, G_CALLBACK(cancelled), &wait, NULL)
				: 0;
	gboolean ok = run(domain, xml, &wait, timeout_ms, cancel, begun, progress, data, error);
	g_cancellable_disconnect(cancel, handler);
	isc_vm_listen_job(vm, name, NULL, NULL);
	g_free(wait.why);
	g_mutex_clear(&wait.lock);
	g_cond_clear(&wait.changed);
	return ok;
}
