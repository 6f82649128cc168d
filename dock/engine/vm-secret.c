#include "engine/vm-secret.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/vm-private.h"
#include "render/domain-meta.h"

#define KEY_MIN 32
#define KEY_MAX 128

static void add(xmlNode *parent, const gchar *name, const gchar *text)
{
	xmlAddChild(xmlNewChild(parent, NULL, BAD_CAST name, NULL), xmlNewText(BAD_CAST text));
}

gchar *isc_vm_secret_xml(const gchar *uuid, const gchar *usage, GError **error)
{
	if (!isc_domain_text_check("use of the secret", usage, 256, FALSE, error))
		return NULL;
	if (!uuid || !g_uuid_string_is_valid(uuid)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "secret: the uuid is wrong");
		return NULL;
	}

	g_autoptr(xmlDoc) doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNode *secret = xmlNewDocNode(doc, NULL, BAD_CAST "secret", NULL);
	xmlDocSetRootElement(doc, secret);
	xmlNewProp(secret, BAD_CAST "ephemeral", BAD_CAST "yes");
	xmlNewProp(secret, BAD_CAST "private", BAD_CAST "yes");
	add(secret, "uuid", uuid);
	xmlNode *use = xmlNewChild(secret, NULL, BAD_CAST "usage", NULL);
	xmlNewProp(use, BAD_CAST "type", BAD_CAST "volume");
	add(use, "volume", usage);

	xmlChar *text = NULL;
	xmlDocDumpMemoryEnc(doc, &text, NULL, "UTF-8");
	gchar *copy = g_strdup((const gchar *)text);
	xmlFree(text);
	return copy;
}

gboolean isc_vm_secret_set(
		IscVm *vm, const gchar *uuid, const gchar *usage, const gchar *key, GError **error)
{
	gsize len = strlen(key);
	if (len < KEY_MIN || len > KEY_MAX || strspn(key, "0123456789abcdef") != len) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"secret for '%s': the key is not %d to %d hex digits", usage,
				KEY_MIN, KEY_MAX);
		return FALSE;
	}
	g_autofree gchar *xml = isc_vm_secret_xml(uuid, usage, error);
	if (!xml)
		return FALSE;

	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	if (!conn)
		return FALSE;
	g_autoptr(IscVirSecret) secret = virSecretDefineXML(conn, xml, 0);
	if (!secret)
		return isc_vm_set_error(error, "cannot define the secret for '%s'", usage);
	if (virSecretSetValue(secret, (const unsigned char *)key, len, 0) == 0)
		return TRUE;
	return isc_vm_set_error(error, "cannot set the secret for '%s'", usage);
}

/* @secret: as it was looked up just now, or NULL; consumed */
static gboolean undefine(virSecretPtr secret, const gchar *what, GError **error)
{
	g_autoptr(IscVirSecret) own = secret;
	if ((own && virSecretUndefine(own) == 0) || isc_vm_last_error_is(VIR_ERR_NO_SECRET))
		return TRUE;
	return isc_vm_set_error(error, "cannot remove secret %s", what);
}

gboolean isc_vm_secret_unset(IscVm *vm, const gchar *uuid, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	return conn && undefine(virSecretLookupByUUIDString(conn, uuid), uuid, error);
}

gboolean isc_vm_secret_unset_usage(IscVm *vm, const gchar *usage, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	return conn && undefine(virSecretLookupByUsage(conn, VIR_SECRET_USAGE_TYPE_VOLUME, usage),
				       usage, error);
}

void isc_vm_secret_free(IscVmSecret *secret)
{
	if (!secret)
		return;
	g_free(secret->usage);
	g_free(secret);
}

static void free_secret(gpointer secret)
{
	isc_vm_secret_free(secret);
}

static IscVmSecret *describe(virSecretPtr from)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	const char *usage = virSecretGetUsageID(from);
	if (virSecretGetUsageType(from) != VIR_SECRET_USAGE_TYPE_VOLUME || !usage ||
			virSecretGetUUIDString(from, uuid) < 0)
		return NULL;
	IscVmSecret *secret = g_new0(IscVmSecret, 1);
	g_strlcpy(secret->uuid, uuid, sizeof(secret->uuid));
	secret->usage = g_strdup(usage);
	return secret;
}

GPtrArray *isc_vm_secret_list(IscVm *vm, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	if (!conn)
		return NULL;
	virSecretPtr *secrets = NULL;
	int n = virConnectListAllSecrets(conn, &secrets, 0);
	if (n < 0) {
		isc_vm_set_error(error, "cannot list secrets");
		return NULL;
	}
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(free_secret);
	for (int i = 0; i < n; i++) {
		IscVmSecret *secret = describe(secrets[i]);
		if (secret)
			g_ptr_array_add(list, secret);
		virSecretFree(secrets[i]);
	}
	free(secrets);
	return g_steal_pointer(&list);
}

gboolean isc_vm_secret_has(IscVm *vm, const gchar *uuid, gboolean *has, GError **error)
{
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, error);
	if (!conn)
		return FALSE;
	g_autoptr(IscVirSecret) secret = virSecretLookupByUUIDString(conn, uuid);
	*has = secret != NULL;
	if (secret || isc_vm_last_error_is(VIR_ERR_NO_SECRET))
		return TRUE;
	return isc_vm_set_error(error, "cannot ask for secret %s", uuid);
}

void isc_vm_wipe_freed_memory(void)
{
	/* mallopt(3).  The cache of small chunks is not covered, message buffers (64 KiB) are. */
	(void)mallopt(M_PERTURB, 0x5a);
}
