#pragma once
#include <glib.h>

#include "model/spec.h"
#include "render/domain-meta.h"

/* Values + template (xml-templates/node-*.xml) → the XML of a libvirt domain.  Pure: reads no file,
 * asks no host. */

#define ISC_DOMAIN_PREFIX "isc-"      /* domain "isc-web" is node "web" */
#define ISC_DOMAIN_TEMPLATE_MAX 65536 /* bytes */
#define ISC_CPU_PERIOD_US 100000      /* of the CPU quota */
#define ISC_DOMAIN_VOLUMES_MAX                                                                     \
	4 /* microvm has 8 virtio devices: vda, vdb, network, serial, and these */

typedef enum {
	ISC_ACCEL_TCG, /* emulated: no isolation promised by QEMU; never for production */
	ISC_ACCEL_KVM,
} IscAccel;

/* The order of the channels is that of IscChannel (audit, log, control). */
#define ISC_DOMAIN_CHANNELS 3

/* A persistent volume: qcow2 with LUKS, as the overlay.  Becomes vdc, vdd, … in this order. */
typedef struct {
	const gchar *path;        /* absolute */
	const gchar *secret_uuid; /* libvirt secret that opens it */
	const gchar *serial;      /* what the disk calls itself in the guest: 1..20 of [0-9a-z] */
} IscDomainVolume;

/* All pointers are borrowed.  Paths are absolute. */
typedef struct {
	const gchar *name;        /* of the node: isc_name_is_valid() */
	const gchar *uuid;        /* of the node and of its domain */
	const gchar *title;       /* one line, for virsh list --title; never shown to the guest */
	const gchar *description; /* may have several lines; "" or NULL: none */
	IscAccel accel;
	guint memory_mib; /* MiB, 32..1048576 */
	guint vcpus;      /* 1..64 */

	const gchar *kernel, *initrd, *root; /* the image's files, shared by all its nodes */
	const gchar *cmdline;  /* isc_domain_cmdline(); anybody in the guest reads it: no secrets */
	const gchar *fwcfg;    /* the node's own configuration: a file that only its uid reads */
	const gchar *overlay;  /* qcow2 with LUKS */
	gboolean overlay_kept; /* what the guest says is flushed must be */
	const gchar *overlay_secret; /* uuid of the libvirt secret that opens it */
	const IscDomainVolume *volumes;
	gsize n_volumes; /* 0..ISC_DOMAIN_VOLUMES_MAX */

	const gchar *tap; /* device name, made, fenced and raised by the dock; ≤ 15 bytes */
	const gchar *mac; /* xx:xx:xx:xx:xx:xx */
	guint32 uid, gid; /* of the QEMU process; never 0 */
	const gchar *sockets[ISC_DOMAIN_CHANNELS]; /* the dock listens there; ≤ 107 bytes */
	const gchar *console; /* log file of the guest's serial console, written and bounded by
				 virtlogd; NULL: no console */

	IscLimits limits;   /* only those of CPU are in the XML */
	guint64 cpu_shares; /* isc_limits_cpu_shares() of their weight; looked at if there is one */

	IscDomainMeta meta; /* borrowed as well: do not free */
} IscDomainParams;

/**
 * isc_domain_xml_render:
 * @template: text of node-microvm.xml or node-q35.xml, UTF-8; @len: bytes, at most
 * ISC_DOMAIN_TEMPLATE_MAX
 *
 * Each hole must be there exactly once: a template that lacks one is refused here, not by libvirt.
 * No value can become markup: they go in as XML nodes. Errors: ISC_ERROR_INVALID naming the hole or
 * the value at fault. Returns: (transfer full): XML, UTF-8, ends in a newline
 */
gchar *isc_domain_xml_render(const gchar *template, gsize len, const IscDomainParams *params,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_domain_cmdline:
 * @tsc_khz: what isc_accel_tsc_khz() measured, or 0: unknown.  Used under emulation only: microvm
 * has no timer that the kernel could calibrate the TSC against, and without a frequency it now and
 * then waits for ever for its first tick
 * @console: kernel messages go to the serial console
 *
 * The words that a node's kernel gets, without those of the image (verity root hash, …).
 * Returns: (transfer full)
 */
gchar *isc_domain_cmdline(IscMachine machine, IscAccel accel, guint tsc_khz, gboolean console);

/* "tcg", "kvm"; static. */
const gchar *isc_accel_name(IscAccel accel);
