#pragma once
#include <glib.h>

#include "model/address-plan.h"

/* /etc/isc-dock/dock.conf, see isc-dock.conf(5).  Every key has a default: the file may be empty or
 * missing. */
typedef struct {
	gchar *state_dir;       /* StateDirectory=/var/lib/isc-dock */
	gchar *run_dir;         /* RunDirectory=/run/isc-dock */
	gchar *log_dir;         /* LogDirectory=/var/log/isc-dock */
	gchar *trusted_dir;     /* TrustedKeys=/etc/isc-dock/trusted.d */
	gchar *template_dir;    /* TemplateDirectory=/usr/local/share/isc-dock/xml-templates */
	gchar *libvirt_uri;     /* LibvirtURI=qemu:///system */
	gchar *outside;         /* OutsideInterface=; NULL: that of the default route */
	gchar *host_filter;     /* HostFilter=; NULL: none */
	gchar *user;            /* User=isc-dock */
	gchar *collector_user;  /* CollectorUser=isc-collect */
	gchar *syslog_receiver; /* [Syslog] Receiver=; NULL: none.  These six are isc-forwardd's.
				 */
	gchar *syslog_deliver;  /* Deliver=audit acts packets logs */
	gchar *syslog_facility; /* Facility=local6 */
	gchar *syslog_level;    /* Level=info packets:notice */
	gchar *syslog_format;   /* Format=rfc5424 */
	guint syslog_spool_mib; /* Spool=1024: MiB that may wait in each trail */
	guint max_memory_mib;   /* MaxMemory=: MiB all nodes together; 0: 90 % of the host's */
	guint max_nodes;        /* MaxNodes=64999 */
	guint max_cpus;         /* MaxCPUs=: of all nodes that run together; 0: 16 for each of the
				   host's */
	guint max_disk_mib; /* MaxDisk=: MiB of overlays and volumes; 0: the file system's size */
	guint packet_log_keep_mib; /* PacketLogKeep=128: MiB of each packet log; 0: all */
	guint node_connections;    /* NodeConnections=: of each node and direction; 0: an eighth of
				      what    the kernel holds */
	guint16 leave[2];          /* MasqueradePorts=49152-65535: first and last */
	IscAddressPlan plan;       /* [Network] Subnet=, DedicatedSubnet=, Bridge= */
} IscConfig;

/**
 * isc_config_load:
 * @path: a missing file gives the defaults
 *
 * A file that group or others may write is refused: who writes it, is the dock.
 * Errors: ISC_ERROR_INVALID "PATH:LINE: …", ISC_ERROR_HOST (permissions).
 * Returns: (transfer full)
 */
IscConfig *isc_config_load(const gchar *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
IscConfig *isc_config_parse(const gchar *what, const gchar *text, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

void isc_config_free(IscConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscConfig, isc_config_free)
