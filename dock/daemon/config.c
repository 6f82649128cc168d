#include "daemon/config.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "collector/link.h"
#include "model/conf.h"
#include "render/host-filter.h"

#ifndef ISC_TEMPLATE_DIR
#define ISC_TEMPLATE_DIR "/usr/local/share/isc-dock/xml-templates"
#endif
#define CONFIG_MAX (64 * 1024)

typedef enum {
	KIND_PATH,
	KIND_TEXT,
	KIND_FILTER, /* see render/host-filter.h */
	KIND_NUMBER,
	KIND_KEEP,   /* a number of MiB, 0 or ISC_LINK_KEEP_MIN at least */
	KIND_NET,    /* IscNet */
	KIND_BRIDGE, /* gchar[ISC_BRIDGE_MAX + 1] */
	KIND_PORTS,  /* guint16[2], first and last */
} Kind;

/* clang-format off */
static const struct {
	const gchar *section, *key;
	Kind kind;
	gsize offset;
	const gchar *preset; /* text, or for KIND_NUMBER the digits */
} table[] = {
	{ "Dock", "StateDirectory",    KIND_PATH, offsetof(IscConfig, state_dir),      "/var/lib/isc-dock" },
	{ "Dock", "RunDirectory",      KIND_PATH, offsetof(IscConfig, run_dir),        "/run/isc-dock" },
	{ "Dock", "LogDirectory",      KIND_PATH, offsetof(IscConfig, log_dir),        "/var/log/isc-dock" },
	{ "Dock", "TrustedKeys",       KIND_PATH, offsetof(IscConfig, trusted_dir),    "/etc/isc-dock/trusted.d" },
	{ "Dock", "TemplateDirectory", KIND_PATH, offsetof(IscConfig, template_dir),   ISC_TEMPLATE_DIR },
	{ "Dock", "LibvirtURI",        KIND_TEXT, offsetof(IscConfig, libvirt_uri),    "qemu:///system" },
	{ "Dock", "OutsideInterface",  KIND_TEXT, offsetof(IscConfig, outside),        NULL },
	{ "Dock", "HostFilter",        KIND_FILTER, offsetof(IscConfig, host_filter),  NULL },
	{ "Dock", "User",              KIND_TEXT, offsetof(IscConfig, user),           "isc-dock" },
	{ "Dock", "CollectorUser",     KIND_TEXT, offsetof(IscConfig, collector_user), "isc-collect" },
	{ "Syslog", "Receiver",        KIND_TEXT, offsetof(IscConfig, syslog_receiver), NULL },
	{ "Syslog", "Deliver",         KIND_TEXT, offsetof(IscConfig, syslog_deliver),  "audit acts packets logs" },
	{ "Syslog", "Facility",        KIND_TEXT, offsetof(IscConfig, syslog_facility), "local6" },
	{ "Syslog", "Level",           KIND_TEXT, offsetof(IscConfig, syslog_level),    "info packets:notice" },
	{ "Syslog", "Format",          KIND_TEXT, offsetof(IscConfig, syslog_format),   "rfc5424" },
	{ "Syslog", "Spool",           KIND_NUMBER, offsetof(IscConfig, syslog_spool_mib), "1024" },
	{ "Limits", "MaxMemory",       KIND_NUMBER, offsetof(IscConfig, max_memory_mib), "0" },
	{ "Limits", "MaxNodes",        KIND_NUMBER, offsetof(IscConfig, max_nodes),      "64999" },
	{ "Limits", "MaxCPUs",         KIND_NUMBER, offsetof(IscConfig, max_cpus),       "0" },
	{ "Limits", "MaxDisk",         KIND_NUMBER, offsetof(IscConfig, max_disk_mib),   "0" },
	{ "Limits", "PacketLogKeep",   KIND_KEEP,   offsetof(IscConfig, packet_log_keep_mib), "128" },
	{ "Limits", "NodeConnections", KIND_NUMBER, offsetof(IscConfig, node_connections), "0" },
	{ "Network", "Subnet",          KIND_NET,    offsetof(IscConfig, plan.subnet),    NULL },
	{ "Network", "DedicatedSubnet", KIND_NET,    offsetof(IscConfig, plan.dedicated), NULL },
	{ "Network", "Bridge",          KIND_BRIDGE, offsetof(IscConfig, plan.bridge),    NULL },
	{ "Network", "MasqueradePorts", KIND_PORTS,  offsetof(IscConfig, leave),          NULL },
};
/* clang-format on */

static const gchar *const wants[] = {
	[KIND_PATH] = "wants an absolute path without '..'",
	[KIND_TEXT] = "wants text",
	[KIND_NUMBER] = "wants a whole number",
	[KIND_KEEP] = "wants 0, which is all, or at least 32 (MiB)",
	[KIND_FILTER] = "wants words like tcp:22, udp:68, tcp:8000-8010, icmp",
	[KIND_NET] = "wants a network, ADDRESS/BITS, that begins at its address",
	[KIND_PORTS] = "wants FIRST-LAST, 1024 ports of 1024 to 65535 at least",
	[KIND_BRIDGE] = "wants a name for an interface: 1 to 8 of a-z, 0-9, the first one a letter",
};

static gboolean is_bridge_name(const gchar *name)
{
	gsize len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");
	return g_ascii_islower(*name) && name[len] == '\0' && len <= ISC_BRIDGE_MAX &&
	       !g_str_has_prefix(name, ISC_TAP_PREFIX);
}

/* Fewer would be the most connections that all nodes together have to one port of one host. */
static gboolean set_ports(guint16 *at, const gchar *value)
{
	g_auto(GStrv) ends = g_strsplit(value, "-", 2);
	guint64 first, last;
	if (g_strv_length(ends) != 2 ||
			!g_ascii_string_to_unsigned(ends[0], 10, 1024, G_MAXUINT16, &first, NULL) ||
			!g_ascii_string_to_unsigned(ends[1], 10, 1024, G_MAXUINT16, &last, NULL) ||
			last < first + 1023)
		return FALSE;
	at[0] = (guint16)first;
	at[1] = (guint16)last;
	return TRUE;
}

static gboolean set(IscConfig *config, gsize row, const gchar *value)
{
	gpointer at = (gchar *)config + table[row].offset;
	if (table[row].kind == KIND_NUMBER || table[row].kind == KIND_KEEP) {
		guint64 number;
		if (!g_ascii_string_to_unsigned(value, 10, 0, 1u << 30, &number, NULL) ||
				(table[row].kind == KIND_KEEP && number > 0 &&
						number < ISC_LINK_KEEP_MIN))
			return FALSE;
		*(guint *)at = (guint)number;
		return TRUE;
	}
	if (table[row].kind == KIND_NET)
		return isc_net_parse(value, at, NULL);
	if (table[row].kind == KIND_PORTS)
		return set_ports(at, value);
	if (table[row].kind == KIND_BRIDGE) {
		if (!is_bridge_name(value))
			return FALSE;
		g_strlcpy(at, value, ISC_BRIDGE_MAX + 1);
		return TRUE;
	}
	if (table[row].kind == KIND_PATH && (value[0] != '/' || strstr(value, "..")))
		return FALSE;
	if (table[row].kind == KIND_FILTER && !isc_host_filter_check(value, NULL))
		return FALSE;
	g_free(*(gchar **)at);
	*(gchar **)at = g_strdup(value);
	return TRUE;
}

IscConfig *isc_config_parse(const gchar *what, const gchar *text, gsize len, GError **error)
{
	IscConfKey keys[G_N_ELEMENTS(table) + 1] = { 0 };
	g_autoptr(IscConfig) config = g_new0(IscConfig, 1);
	config->plan = isc_address_plan_default();
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		keys[i] = (IscConfKey){ table[i].section, table[i].key, FALSE };
		if (table[i].preset)
			set(config, i, table[i].preset);
	}

	g_autoptr(IscConf) conf = isc_conf_parse(what, text, len, keys, error);
	if (!conf)
		return NULL;
	gsize n;
	const IscConfEntry *entries = isc_conf_entries(conf, &n);
	for (gsize e = 0; e < n; e++)
		for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
			if (!g_str_equal(table[i].key, entries[e].key) ||
					!g_str_equal(table[i].section, entries[e].section))
				continue;
			if (!set(config, i, entries[e].value)) {
				isc_conf_error(conf, &entries[e], error, "%s",
						wants[table[i].kind]);
				return NULL;
			}
		}
	if (!isc_address_plan_check(&config->plan, error)) {
		g_prefix_error(error, "%s: ", what);
		return NULL;
	}
	return g_steal_pointer(&config);
}

IscConfig *isc_config_load(const gchar *path, GError **error)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return isc_config_parse(path, "", 0, error);
	if (st.st_mode & 022) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"%s: others than its owner may write it (mode %04o): chmod 0644 it",
				path, st.st_mode & 07777);
		return NULL;
	}
	gsize len;
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, CONFIG_MAX, &len, error);
	return text ? isc_config_parse(path, text, len, error) : NULL;
}

void isc_config_free(IscConfig *config)
{
	if (!config)
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
		if (table[i].kind == KIND_PATH || table[i].kind == KIND_TEXT ||
				table[i].kind == KIND_FILTER)
			g_free(*(gchar **)((gchar *)config + table[i].offset));
	g_free(config);
}
