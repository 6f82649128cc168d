#include "policy/advice.h"

#include <stdlib.h>
#include <string.h>

/* @port: "80/tcp", "5000-5010/udp", as isc_image_parse() leaves it */
static gboolean listens(const gchar *port, IscProto proto, guint number)
{
	gchar *end;
	gulong first = strtoul(port, &end, 10);
	gulong last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
	return *end == '/' && g_str_equal(end + 1, isc_proto_name(proto)) && number >= first &&
	       number <= last;
}

static gboolean image_listens(const IscImage *image, IscProto proto, guint number)
{
	for (gchar **port = image->ports; port && *port; port++)
		if (listens(*port, proto, number))
			return TRUE;
	return FALSE;
}

void isc_policy_advise(const IscSpec *spec, const IscImage *image, GPtrArray *warnings)
{
	/* An image that names no port at all says nothing about them. */
	if (!image->ports || !image->ports[0])
		return;
	g_autofree gchar *known = g_strjoinv(", ", image->ports);
	for (guint i = 0; i < spec->expose->len; i++) {
		const IscExpose *e = &g_array_index(spec->expose, IscExpose, i);
		guint last = (guint)e->node_first + e->host_last - e->host_first;
		for (guint port = e->node_first; port <= last; port++) {
			if (image_listens(image, e->proto, port))
				continue;
			g_autofree gchar *rule = isc_expose_print(e);
			g_ptr_array_add(warnings,
					g_strdup_printf("expose %s: image '%s' does not say that "
							"it listens on %u/%s; it names %s",
							rule, image->name, port,
							isc_proto_name(e->proto), known));
			break;
		}
	}
}
