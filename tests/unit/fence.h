#pragma once
/* Nodes for tests of the boundary. */
#include "cm.h"

#include "render/nft.h"

static const gchar *const test_outside[] = { "wan", NULL };
static const guint32 test_resolvers[] = { 0xc0a80101 };
static const IscNet test_host_nets[] = { { 0xc0a80100, 24 }, { 0xc6336400, 24 } };

/* The dock of the golden files. */
static const IscNftConfig test_config = {
	.bridge = "isc0",
	.subnet = { 0x0a4d0000, 16 },
	.dedicated = { 0x0a4e0000, 20 },
	.bridge_mac = { 0x52, 0x54, 0x4e, 0, 0, 1 },
	.tap_prefix = "isct",
	.outside = test_outside,
	.uid_first = 1900000002,
	.uid_last = 1900065000,
	.daemon_uid = 990,
	.log_group = 77,
	.resolvers = test_resolvers,
	.n_resolvers = 1,
	.host_nets = test_host_nets,
	.n_host_nets = 2,
};

/* @expose, @egress: rules parted by blanks, or NULL */
static inline IscFence *fence_new(
		guint slot, const gchar *name, const gchar *expose, const gchar *egress)
{
	IscFence *f = g_new0(IscFence, 1);
	g_auto(GStrv) exposes = g_strsplit(expose ? expose : "", " ", -1);
	g_auto(GStrv) egresses = g_strsplit(egress ? egress : "", " ", -1);
	const guint8 mac[6] = { 0x52, 0x54, 0x4e, 0, (guint8)(slot >> 8), (guint8)slot };
	GError *error = NULL;

	f->slot = slot;
	f->address = 0x0a4d0000 + slot;
	memcpy(f->mac, mac, sizeof mac);
	g_strlcpy(f->name, name, sizeof f->name);
	g_snprintf(f->tap, sizeof f->tap, "isct%u", slot);
	f->expose = isc_expose_parse_list((const gchar *const *)exposes, &error);
	assert_no_error(error);
	f->egress = isc_egress_parse_list((const gchar *const *)egresses, &error);
	assert_no_error(error);
	return f;
}
