#pragma once
#include "daemon/doctor.h"

/* What the files of doctor share. */

typedef enum {
	ISC_FINDING_OK,
	ISC_FINDING_WARN,
	ISC_FINDING_FAIL,
} IscFindingLevel;

typedef struct {
	IscFindingLevel level;
	gchar *found;        /* owned */
	const gchar *advice; /* static, $BRIDGE stands for the bridge's name; "" where all is well
			      */
} IscFinding;

void isc_doctor_say(IscFinding *f, IscFindingLevel level, const gchar *advice, const gchar *format,
		...) G_GNUC_PRINTF(4, 5);

/* The first line of a small file, or NULL.  (transfer full) */
gchar *isc_doctor_line_of(const gchar *path);

/* doctor-network.c */
void isc_doctor_forward(IscDock *dock, IscFinding *f);
void isc_doctor_addresses(IscDock *dock, IscFinding *f);
void isc_doctor_firewalld(IscDock *dock, IscFinding *f);
void isc_doctor_ufw(IscDock *dock, IscFinding *f);
void isc_doctor_docker(IscDock *dock, IscFinding *f);
void isc_doctor_libvirt_networks(IscDock *dock, IscFinding *f);
void isc_doctor_others(IscDock *dock, IscFinding *f);
void isc_doctor_nftables_service(IscDock *dock, IscFinding *f);
void isc_doctor_bridge_netfilter(IscDock *dock, IscFinding *f);
