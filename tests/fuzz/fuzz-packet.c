/* What the kernel hands over of dropped packets: its frame around bytes that a node has chosen. */
#include "fuzz.h"

#include "collector/packet.h"

static void on_packet(const IscPacket *packet, gpointer data)
{
	GString *out = data;
	g_string_truncate(out, 0);
	isc_packet_print(out, packet);
	g_assert(out->len < ISC_PACKET_TEXT_MAX);
	/* One line, nothing of which a terminal or a reader of the trail takes for more. */
	for (gsize i = 0; i < out->len; i++)
		g_assert(g_ascii_isprint(out->str[i]));
	g_assert(strspn(packet->kind, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
			strlen(packet->kind));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree guint8 *copy = g_memdup2(data, size); /* aligned, and of exactly this size */
	guint n = isc_packet_parse(copy, size, on_packet, out);
	g_assert(n <= size / 20);
	return 0;
}
