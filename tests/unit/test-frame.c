/* T16: frames from hostile guests. */
#include "cm.h"
#include "collector/frame.h"

#define SESSION 0x1020304050607080u
#define OTHER 0x9090909090909090u

typedef struct {
	IscFrameParser parser;
	GString *seen; /* "f1 f2 bad fresh …" */
} Fixture;

static void on_frame(gpointer self, const IscFrame *frame)
{
	Fixture *x = self;
	g_string_append_printf(x->seen, "f%" G_GUINT64_FORMAT " ", frame->header->seq);
}

static void on_bad(gpointer self, IscWireBad what, gboolean fresh)
{
	Fixture *x = self;
	g_string_append(x->seen, fresh ? "fresh " : what == ISC_BAD_RECORDS ? "records " : "bad ");
}

static const IscFrameOps ops = { on_frame, on_bad };

static void start(Fixture *x, IscChannel channel, gboolean strict)
{
	isc_frame_parser_init(&x->parser, channel, strict, &ops, x);
	x->seen = g_string_new(NULL);
}

static void stop(Fixture *x)
{
	isc_frame_parser_clear(&x->parser);
	g_string_free(x->seen, TRUE);
}

static void add(GByteArray *out, guint64 session, guint64 seq, const gchar *text)
{
	IscWireRecord r = { 1309, (guint16)strlen(text) };
	IscWireHeader h = { ISC_WIRE_MAGIC, (guint32)(sizeof r + r.len), session, seq,
		ISC_WIRE_RECORDS, 1, 0 };
	g_byte_array_append(out, (const guint8 *)&h, sizeof h);
	g_byte_array_append(out, (const guint8 *)&r, sizeof r);
	g_byte_array_append(out, (const guint8 *)text, r.len);
}

static void frames_are_found_however_the_bytes_are_cut(void **state)
{
	(void)state;
	g_autoptr(GByteArray) in = g_byte_array_new();
	g_autofree gchar *big = g_strnfill(ISC_WIRE_PAYLOAD_MAX - 4, 'x');

	add(in, SESSION, 1, "one");
	add(in, SESSION, 2, "");
	add(in, SESSION, 3, big);
	add(in, SESSION, 4, "four");
	static const gsize bites[] = { 1, 2, 3, 31, 32, 33, 4096, 32767, 32768, 1000000 };
	for (gsize i = 0; i < G_N_ELEMENTS(bites); i++) {
		Fixture x;
		start(&x, ISC_CHANNEL_AUDIT, FALSE);
		for (gsize at = 0; at < in->len; at += bites[i]) {
			isc_frame_parser_feed(
					&x.parser, in->data + at, MIN(bites[i], in->len - at));
			assert_true(x.parser.rest->len < ISC_WIRE_FRAME_MAX);
		}
		assert_string_equal(x.seen->str, "f1 f2 f3 f4 ");
		assert_false(isc_frame_parser_is_midway(&x.parser));
		stop(&x);
	}
}

static void a_malformed_header_costs_only_its_own_frame(void **state)
{
	(void)state;
	static const struct {
		const gchar *what;
		IscWireHeader h;
	} cases[] = {
		{ "magic", { 0x12345678, 4, SESSION, 2, ISC_WIRE_RECORDS, 1, 0 } },
		{ "length", { ISC_WIRE_MAGIC, ISC_WIRE_PAYLOAD_MAX + 1, SESSION, 2,
					    ISC_WIRE_RECORDS, 1, 0 } },
		{ "huge length", { ISC_WIRE_MAGIC, 0xffffffff, SESSION, 2, ISC_WIRE_RECORDS, 1,
						 0 } },
		{ "no session", { ISC_WIRE_MAGIC, 4, 0, 2, ISC_WIRE_RECORDS, 1, 0 } },
		{ "no seq", { ISC_WIRE_MAGIC, 4, SESSION, 0, ISC_WIRE_RECORDS, 1, 0 } },
		{ "type", { ISC_WIRE_MAGIC, 4, SESSION, 2, ISC_WIRE_EVENT, 1, 0 } },
		{ "dock's type", { ISC_WIRE_MAGIC, 4, SESSION, 2, ISC_WIRE_ACK, 0, 0 } },
		{ "no records", { ISC_WIRE_MAGIC, 4, SESSION, 2, ISC_WIRE_RECORDS, 0, 0 } },
		{ "too many records", { ISC_WIRE_MAGIC, 4, SESSION, 2, ISC_WIRE_RECORDS, 2, 0 } },
		{ "reserved", { ISC_WIRE_MAGIC, 4, SESSION, 2, ISC_WIRE_RECORDS, 1, 7 } },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) in = g_byte_array_new();
		Fixture x;
		add(in, SESSION, 1, "one");
		g_byte_array_append(in, (const guint8 *)&cases[i].h, sizeof cases[i].h);
		g_byte_array_append(in, (const guint8 *)"\0\0\0\0", 4);
		add(in, SESSION, 3, "three");
		start(&x, ISC_CHANNEL_AUDIT, FALSE);
		isc_frame_parser_feed(&x.parser, in->data, in->len);
		if (strcmp(x.seen->str, "f1 bad f3 ") != 0)
			fail_msg("%s: %s", cases[i].what, x.seen->str);
		stop(&x);
	}
}

static void garbage_of_any_length_is_skipped_and_counted_once(void **state)
{
	(void)state;
	for (gsize n = 1; n < 200; n++) {
		g_autoptr(GByteArray) in = g_byte_array_new();
		Fixture x;
		add(in, SESSION, 1, "one");
		for (gsize i = 0; i < n; i++) {
			guint8 c = "1CSI\xff"[(i * 7 + n) % 5];
			g_byte_array_append(in, &c, 1);
		}
		add(in, SESSION, 2, "two");
		/* A header that the garbage made up may have eaten up to one frame. */
		g_autofree gchar *fill = g_strnfill(16000, 'x');
		add(in, SESSION, 3, fill);
		start(&x, ISC_CHANNEL_AUDIT, FALSE);
		for (gsize at = 0; at < in->len; at += 5)
			isc_frame_parser_feed(&x.parser, in->data + at, MIN(5, in->len - at));
		assert_string_equal(x.seen->str, "f1 bad f2 f3 ");
		stop(&x);
	}
}

static void a_service_cannot_forge_a_frame_out_of_its_own_bytes(void **state)
{
	(void)state;
	g_autoptr(GByteArray) forged = g_byte_array_new(), in = g_byte_array_new();
	Fixture x;

	add(forged, OTHER, 99, "I am the agent");
	g_byte_array_append(forged, (const guint8 *)"", 1);
	/* The connection broke within the frame that carried these bytes. */
	add(in, SESSION, 1, "one");
	g_byte_array_append(in, (const guint8 *)"rest of a cut frame", 19);
	g_byte_array_append(in, forged->data, forged->len - 1);
	add(in, SESSION, 2, "two");
	start(&x, ISC_CHANNEL_AUDIT, FALSE);
	isc_frame_parser_feed(&x.parser, in->data, in->len);
	assert_string_equal(x.seen->str, "f1 bad f2 ");
	stop(&x);

	/* … and as the first bytes of a connection to the port that carries what the service
	 * writes. */
	start(&x, ISC_CHANNEL_LOG, TRUE);
	isc_frame_parser_feed(&x.parser, forged->data, forged->len - 1);
	assert_string_equal(x.seen->str, "fresh ");
	isc_frame_parser_set_session(&x.parser, SESSION);
	isc_frame_parser_feed(&x.parser, in->data, in->len);
	assert_string_equal(x.seen->str, "fresh f1 bad f2 ");
	stop(&x);
}

static void a_reboot_brings_a_new_session_at_a_frame_border(void **state)
{
	(void)state;
	g_autoptr(GByteArray) in = g_byte_array_new();
	Fixture x;

	add(in, SESSION, 7, "old");
	add(in, OTHER, 1, "new");
	start(&x, ISC_CHANNEL_AUDIT, FALSE);
	isc_frame_parser_feed(&x.parser, in->data, in->len);
	assert_string_equal(x.seen->str, "f7 f1 ");
	assert_true(x.parser.session == OTHER);
	stop(&x);
}

static void a_new_connection_forgets_half_a_frame(void **state)
{
	(void)state;
	g_autoptr(GByteArray) in = g_byte_array_new();
	Fixture x;

	add(in, SESSION, 1, "one");
	start(&x, ISC_CHANNEL_AUDIT, FALSE);
	isc_frame_parser_feed(&x.parser, in->data, in->len - 1);
	assert_true(isc_frame_parser_is_midway(&x.parser));
	isc_frame_parser_restart(&x.parser);
	assert_false(isc_frame_parser_is_midway(&x.parser));
	isc_frame_parser_feed(&x.parser, in->data, in->len);
	assert_string_equal(x.seen->str, "f1 ");

	isc_frame_parser_feed(&x.parser, in->data, in->len - 1);
	isc_frame_parser_give_up(&x.parser);
	isc_frame_parser_feed(&x.parser, in->data, in->len);
	assert_string_equal(x.seen->str, "f1 f1 ");
	stop(&x);
}

static void control_takes_events_only(void **state)
{
	(void)state;
	struct __attribute__((packed)) {
		IscWireHeader h;
		IscWireEvent e;
	} m = { { ISC_WIRE_MAGIC, sizeof m.e, SESSION, 1, ISC_WIRE_EVENT, 0, 0 },
		{ .kind = ISC_EVENT_READY } };
	g_autoptr(GByteArray) records = g_byte_array_new();
	Fixture x;

	add(records, SESSION, 1, "no event");
	start(&x, ISC_CHANNEL_CONTROL, FALSE);
	isc_frame_parser_feed(&x.parser, (const guint8 *)&m, sizeof m);
	isc_frame_parser_feed(&x.parser, records->data, records->len);
	m.h.seq = 2;
	isc_frame_parser_feed(&x.parser, (const guint8 *)&m, sizeof m);
	m.h.seq = 3;
	m.h.len--;
	isc_frame_parser_feed(&x.parser, (const guint8 *)&m, sizeof m);
	assert_string_equal(x.seen->str, "f1 bad f2 bad ");
	stop(&x);
}

/* The guest began again in the middle of a frame: however it was cut, what follows is found, and no
 * record is made up. */
static void a_frame_cut_by_another_one_is_no_frame(void **state)
{
	(void)state;
	g_autoptr(GByteArray) one = g_byte_array_new(), two = g_byte_array_new();
	add(one, SESSION, 1,
			"audit(1700000000.123:45): argc=1 a0=\"a long enough text, for it to be "
			"cut in\"");
	add(two, SESSION, 1, "one");
	add(two, SESSION, 2, "two");
	/* The last bytes: the header of the other one is not seen whole within the cut one. */
	for (gsize cut = 1; cut + sizeof(IscWireHeader) / 2 < one->len; cut++) {
		Fixture x;
		start(&x, ISC_CHANNEL_AUDIT, FALSE);
		isc_frame_parser_feed(&x.parser, one->data, one->len);
		isc_frame_parser_feed(&x.parser, one->data, cut);
		isc_frame_parser_feed(&x.parser, two->data, two->len);
		isc_frame_parser_feed(&x.parser, one->data, one->len);
		if (!g_str_has_suffix(x.seen->str, "f1 f2 f1 ") || strlen(x.seen->str) > 24)
			fail_msg("cut at %zu: %s", cut, x.seen->str);
		stop(&x);
	}
}

static void records_must_add_up(void **state)
{
	(void)state;
	static const struct {
		guint16 count;
		const gchar *payload;
		gsize len;
		gboolean ok;
	} cases[] = {
		{ 1, "\1\0\0\0", 4, TRUE },
		{ 1, "\1\0\2\0ab", 6, TRUE },
		{ 2, "\1\0\2\0ab\1\0\1\0c", 11, TRUE },
		{ 1, "\1\0\2\0ab\1\0\1\0c", 11, FALSE },
		{ 3, "\1\0\2\0ab\1\0\1\0c", 11, FALSE },
		{ 1, "\1\0\3\0ab", 6, FALSE },
		{ 1, "\1\0\377\377ab", 6, FALSE },
		{ 1, "\1\0\1\0ab", 6, FALSE },
		{ 1, "\1\0", 2, FALSE },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscWireHeader h = { .len = (guint32)cases[i].len, .count = cases[i].count };
		IscFrame f = { &h, (const guint8 *)cases[i].payload };
		if (isc_frame_records_are_valid(&f) != cases[i].ok)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_found_however_the_bytes_are_cut),
		cmocka_unit_test(a_malformed_header_costs_only_its_own_frame),
		cmocka_unit_test(garbage_of_any_length_is_skipped_and_counted_once),
		cmocka_unit_test(a_service_cannot_forge_a_frame_out_of_its_own_bytes),
		cmocka_unit_test(a_reboot_brings_a_new_session_at_a_frame_border),
		cmocka_unit_test(a_new_connection_forgets_half_a_frame),
		cmocka_unit_test(control_takes_events_only),
		cmocka_unit_test(a_frame_cut_by_another_one_is_no_frame),
		cmocka_unit_test(records_must_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
