/* What a guest writes into its ports: first byte the channel, second the size of the bites it comes
 * in. */
#include "fuzz.h"

#include "collector/frame.h"
#include "collector/line.h"

#define SESSION 0x1020304050607080u

typedef struct {
	IscFrameParser parser;
	GString *out;
	guint64 frames, bad;
} Target;

static void on_frame(gpointer self, const IscFrame *frame)
{
	Target *t = self;
	gsize at = 0, len;
	guint16 type, flags;
	const gchar *text;

	t->frames++;
	g_assert(frame->header->len <= ISC_WIRE_PAYLOAD_MAX);
	while (isc_frame_next_record(frame, &at, &type, &text, &len)) {
		g_string_truncate(t->out, 0);
		if (!isc_line_add_kernel(t->out, type, text, len, &flags)) {
			g_assert(t->out->len == 0);
			isc_line_add_malformed(t->out, 0, 0, type, text, len);
		}
		/* One line, whatever the text was, and no larger than a block can hold. */
		g_assert(t->out->len <= ISC_CHAIN_LINE_MAX);
		g_assert(memchr(t->out->str, '\n', t->out->len) == t->out->str + t->out->len - 1);
		for (gsize i = 0; i + 1 < t->out->len; i++)
			g_assert((guchar)t->out->str[i] >= 0x20 && t->out->str[i] != 0x7f);
	}
}

static void on_bad(gpointer self, IscWireBad what, gboolean fresh)
{
	Target *t = self;
	(void)what;
	(void)fresh;
	t->bad++;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
	static const IscFrameOps ops = { on_frame, on_bad };
	if (size < 2)
		return 0;
	gsize bite = data[1] ? data[1] * 16u : size;
	Target t = { .out = g_string_new(NULL) };
	isc_frame_parser_init(&t.parser, data[0] % ISC_N_CHANNELS, data[0] & 0x80, &ops, &t);
	if (data[0] & 0x40)
		isc_frame_parser_set_session(&t.parser, SESSION);

	for (gsize at = 2; at < size; at += bite) {
		isc_frame_parser_feed(&t.parser, data + at, MIN(bite, size - at));
		g_assert(t.parser.rest->len < ISC_WIRE_FRAME_MAX);
	}
	g_assert(t.frames == t.parser.frames && t.bad <= size);
	isc_frame_parser_clear(&t.parser);
	g_string_free(t.out, TRUE);
	return 0;
}
