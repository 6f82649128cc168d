/* The guest's side of the wire: node-images/init/ring.c, built for the host. */
#include "cm.h"

#include "init/ring.c" /* the code of PID 1 is in no library */

enum {
	SIZE = 65536,
};
#define SESSION UINT64_C(0x1122334455667788)

typedef struct {
	IscRing ring;
	guint8 buf[SIZE];
	GByteArray *wire; /* what a dock would have received */
} Fix;

static int setup(void **state)
{
	Fix *f = g_new0(Fix, 1);

	f->wire = g_byte_array_new();
	isc_ring_init(&f->ring, f->buf, SIZE, SESSION);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fix *f = *state;

	g_byte_array_unref(f->wire);
	g_free(f);
	return 0;
}

/* Sends all there is, at most @chunk bytes a write. */
static void transmit(Fix *f, gsize chunk)
{
	const guint8 *data;
	gsize n;

	while ((n = isc_ring_peek(&f->ring, &data)) > 0) {
		n = MIN(n, chunk);
		g_byte_array_append(f->wire, data, (guint)n);
		isc_ring_sent(&f->ring, n);
	}
}

typedef struct {
	guint64 frames, records, lost, first, last;
	guint64 sum; /* of the numbers that the records hold */
} Seen;

/* Reads the wire as a dock does; every frame must be whole and in order. */
static Seen receive(Fix *f)
{
	Seen seen = { 0 };
	gsize at = 0;

	while (at < f->wire->len) {
		IscWireHeader h;

		assert_true(f->wire->len - at >= sizeof h);
		memcpy(&h, f->wire->data + at, sizeof h);
		assert_int_equal(h.magic, ISC_WIRE_MAGIC);
		assert_int_equal(h.session, SESSION);
		assert_int_equal(h.reserved, 0);
		assert_true(h.len <= ISC_WIRE_PAYLOAD_MAX);
		if (seen.last)
			assert_int_equal(h.seq, seen.last + 1);
		else
			seen.first = h.seq;
		seen.last = h.seq;
		seen.frames++;
		at += sizeof h;
		assert_true(f->wire->len - at >= h.len);
		for (gsize r = at; h.type == ISC_WIRE_RECORDS && r < at + h.len; h.count--) {
			IscWireRecord record;
			gchar text[32] = "";

			memcpy(&record, f->wire->data + r, sizeof record);
			r += sizeof record;
			memcpy(text, f->wire->data + r, MIN(record.len, sizeof text - 1));
			r += record.len;
			assert_true(r <= at + h.len);
			if (record.type == ISC_WIRE_LOST) {
				seen.lost += g_ascii_strtoull(text, NULL, 10);
			} else {
				seen.records++;
				seen.sum += g_ascii_strtoull(text, NULL, 10);
			}
		}
		assert_int_equal(h.count, 0);
		at += h.len;
	}
	g_byte_array_set_size(f->wire, 0);
	return seen;
}

static gboolean add(Fix *f, guint64 number, gsize len)
{
	gchar text[ISC_RING_TEXT_MAX];

	memset(text, ' ', sizeof text);
	g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, number);
	return isc_ring_record(&f->ring, 7, text, len);
}

static void records_travel_in_numbered_frames(void **state)
{
	Fix *f = *state;

	for (guint i = 1; i <= 10; i++)
		assert_true(add(f, i, 20));
	transmit(f, SIZE);
	assert_int_equal(f->wire->len, 0); /* an open frame is not sent */
	isc_ring_seal(&f->ring);
	assert_true(add(f, 11, 20));
	isc_ring_seal(&f->ring);
	isc_ring_seal(&f->ring);
	transmit(f, SIZE);

	Seen seen = receive(f);
	assert_int_equal(seen.frames, 2);
	assert_int_equal(seen.first, 1);
	assert_int_equal(seen.records, 11);
	assert_int_equal(seen.sum, 66);
}

static void a_full_frame_closes_itself_and_fits_one_write(void **state)
{
	Fix *f = *state;
	const guint8 *data;

	for (guint i = 0; i < 5; i++)
		assert_true(add(f, i, 9000));
	assert_in_range(isc_ring_peek(&f->ring, &data), 27000, ISC_WIRE_FRAME_MAX);
}

static void an_acknowledged_frame_is_never_sent_again(void **state)
{
	Fix *f = *state;

	for (guint i = 1; i <= 4; i++) {
		add(f, i, 20);
		isc_ring_seal(&f->ring);
	}
	transmit(f, 13); /* in pieces */
	receive(f);
	isc_ring_ack(&f->ring, 2);
	isc_ring_resume(&f->ring, SESSION, 3); /* the dock has one more than it could say */
	transmit(f, SIZE);

	Seen seen = receive(f);
	assert_int_equal(seen.first, 4);
	assert_int_equal(seen.last, 4);
	isc_ring_ack(&f->ring, 4);
	assert_true(isc_ring_is_empty(&f->ring));
}

static void a_broken_connection_doubles_and_loses_nothing(void **state)
{
	Fix *f = *state;
	const guint8 *data;

	for (guint i = 1; i <= 3; i++) {
		add(f, i, 50);
		isc_ring_seal(&f->ring);
	}
	/* one frame and a half go out; the dock has only the first on disk */
	assert_true(isc_ring_peek(&f->ring, &data) > 130);
	isc_ring_sent(&f->ring, 130);
	isc_ring_resume(&f->ring, SESSION, 1);
	transmit(f, SIZE);

	Seen seen = receive(f);
	assert_int_equal(seen.first, 2);
	assert_int_equal(seen.sum, 5);
}

static void a_dock_that_knows_another_session_gets_all_that_is_held(void **state)
{
	Fix *f = *state;

	for (guint i = 1; i <= 3; i++) {
		add(f, i, 50);
		isc_ring_seal(&f->ring);
	}
	transmit(f, SIZE);
	receive(f);
	isc_ring_ack(&f->ring, 1);
	isc_ring_resume(&f->ring, SESSION + 1, 3);
	transmit(f, SIZE);

	Seen seen = receive(f);
	assert_int_equal(seen.first, 2);
	assert_int_equal(seen.last, 3);
}

static void an_acknowledgement_of_what_was_not_sent_frees_nothing(void **state)
{
	Fix *f = *state;

	add(f, 1, 50);
	isc_ring_seal(&f->ring);
	isc_ring_ack(&f->ring, UINT64_MAX);
	isc_ring_resume(&f->ring, SESSION, UINT64_MAX);
	transmit(f, SIZE);
	assert_int_equal(receive(f).sum, 1);
}

static void a_full_ring_drops_the_newest_and_says_how_many(void **state)
{
	Fix *f = *state;
	guint64 kept = 0, dropped = 0;

	for (guint i = 0; i < 3000; i++) {
		if (add(f, 1, 60))
			kept++;
		else
			dropped++;
	}
	assert_true(dropped > 0);
	assert_int_equal(f->ring.lost_total, dropped);
	isc_ring_seal(&f->ring);
	transmit(f, SIZE);
	Seen seen = receive(f);
	assert_int_equal(seen.records, kept);
	assert_int_equal(seen.lost, 0);

	/* as soon as there is room the count goes out, in its place: before what comes after */
	isc_ring_ack(&f->ring, seen.last);
	assert_true(isc_ring_is_open(&f->ring));
	assert_true(add(f, 5, 60));
	isc_ring_seal(&f->ring);
	transmit(f, SIZE);
	seen = receive(f);
	assert_int_equal(seen.lost, dropped);
	assert_int_equal(seen.sum, 5);
}

static void a_frame_that_does_not_fit_is_counted(void **state)
{
	Fix *f = *state;
	guint8 payload[1000] = { 0 };
	guint fits = 0;

	while (isc_ring_frame(&f->ring, ISC_WIRE_EVENT, payload, sizeof payload))
		fits++;
	assert_int_equal(fits, SIZE / (1000 + ISC_WIRE_HEADER));
	assert_int_equal(f->ring.lost_total, 1);
	assert_false(isc_ring_frame(&f->ring, ISC_WIRE_EVENT, payload, ISC_WIRE_PAYLOAD_MAX + 1));
}

static void text_that_is_too_long_is_cut(void **state)
{
	Fix *f = *state;
	g_autofree gchar *text = g_strnfill(40000, 'x');

	assert_true(isc_ring_record(&f->ring, 7, text, 40000));
	isc_ring_seal(&f->ring);
	transmit(f, SIZE);
	assert_int_equal(f->wire->len, ISC_WIRE_HEADER + sizeof(IscWireRecord) + ISC_RING_TEXT_MAX);
}

/* Whatever happens in whatever order: what the dock has on disk is each record once, in order, or
 * counted as lost. */
static void chance_breaks_no_law(void **state)
{
	Fix *f = *state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(42);
	guint64 made = 0, disk = 0, records = 0, lost = 0, sum = 0, expected = 0;

	for (guint round = 0; round < 20000; round++) {
		guint what = (guint)g_rand_int_range(rand, 0, 10);

		if (what < 5) {
			made++;
			if (add(f, made, (gsize)g_rand_int_range(rand, 20, 2000)))
				expected += made;
		} else if (what < 7) {
			isc_ring_seal(&f->ring);
		} else {
			const guint8 *data;
			gsize n = isc_ring_peek(&f->ring, &data);
			gsize most = (gsize)g_rand_int_range(rand, 1, 40000);

			n = MIN(n, most);
			g_byte_array_append(f->wire, data, (guint)n);
			isc_ring_sent(&f->ring, n);
		}
		if (what == 9 || round == 19999) {
			/* the connection breaks; then all that is held comes through */
			g_byte_array_set_size(f->wire, 0);
			isc_ring_seal(&f->ring);
			isc_ring_resume(&f->ring, SESSION, disk);
			transmit(f, 5000);
			Seen seen = receive(f);
			if (seen.frames)
				assert_int_equal(seen.first, disk + 1);
			disk = seen.frames ? seen.last : disk;
			records += seen.records;
			lost += seen.lost;
			sum += seen.sum;
			isc_ring_ack(&f->ring, disk);
		}
	}
	isc_ring_seal(&f->ring);
	transmit(f, SIZE);
	lost += receive(f).lost;
	assert_int_equal(records + lost, made);
	assert_int_equal(sum, expected);
	assert_int_equal(lost, f->ring.lost_total);
}

/* --- what comes from the dock
 * --------------------------------------------------------------------- */

static void put_frame(GByteArray *to, guint16 type, guint64 seq, const void *payload, guint32 len)
{
	IscWireHeader h = {
		.magic = ISC_WIRE_MAGIC, .len = len, .session = SESSION, .seq = seq, .type = type
	};

	g_byte_array_append(to, (const guint8 *)&h, sizeof h);
	if (len)
		g_byte_array_append(to, payload, len);
}

static guint feed_all(IscInput *in, const GByteArray *bytes, gsize chunk, guint64 seqs[8])
{
	guint8 payload[ISC_INPUT_PAYLOAD];
	IscWireHeader h;
	guint n = 0;

	for (gsize at = 0; at < bytes->len; at += chunk) {
		gsize len = MIN(chunk, bytes->len - at);

		assert_int_equal(isc_input_feed(in, bytes->data + at, len), len);
		while (isc_input_next(in, &h, payload)) {
			assert_true(n < 8);
			seqs[n++] = h.seq;
		}
	}
	return n;
}

static void frames_of_the_dock_are_found_in_any_pieces(void **state)
{
	(void)state;
	IscWireOrder order = { .kind = ISC_ORDER_FREEZE, .id = 3, .a = 1000 };

	for (gsize chunk = 1; chunk < 100; chunk++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();
		IscInput in = { 0 };
		guint64 seqs[8];

		put_frame(bytes, ISC_WIRE_RESUME, 1, NULL, 0);
		put_frame(bytes, ISC_WIRE_ORDER, 2, &order, sizeof order);
		put_frame(bytes, ISC_WIRE_ACK, 3, NULL, 0);
		assert_int_equal(feed_all(&in, bytes, chunk, seqs), 3);
		assert_int_equal(seqs[1], 2);
		assert_int_equal(in.len, 0);
	}
}

static void half_a_frame_of_an_old_connection_is_skipped(void **state)
{
	(void)state;
	IscWireOrder order = { .kind = ISC_ORDER_FREEZE, .id = 3, .a = 1000 };

	for (guint cut = 1; cut < ISC_WIRE_HEADER; cut++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();
		IscInput in = { 0 };
		guint64 seqs[8];

		put_frame(bytes, ISC_WIRE_ORDER, 1, &order, sizeof order);
		g_byte_array_set_size(bytes, cut);
		put_frame(bytes, ISC_WIRE_RESUME, 2, NULL, 0);
		put_frame(bytes, ISC_WIRE_ACK, 3, NULL, 0);
		put_frame(bytes, ISC_WIRE_ACK, 4, NULL, 0);
		assert_int_equal(feed_all(&in, bytes, 7, seqs), 3);
		assert_int_equal(seqs[0], 2);
	}
}

static void noise_never_fills_the_reader(void **state)
{
	(void)state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	guint8 payload[ISC_INPUT_PAYLOAD], noise[256];
	IscInput in = { 0 };
	IscWireHeader h;

	for (guint round = 0; round < 2000; round++) {
		for (gsize i = 0; i < sizeof noise; i++)
			noise[i] = (guint8) "ISC1\0\1\2x"[g_rand_int_range(rand, 0, 8)];
		assert_int_equal(isc_input_feed(&in, noise, sizeof noise), sizeof noise);
		while (isc_input_next(&in, &h, payload))
			;
		assert_true(in.len < ISC_WIRE_HEADER + ISC_INPUT_PAYLOAD);
	}
}

int main(void)
{
#define RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		RING(records_travel_in_numbered_frames),
		RING(a_full_frame_closes_itself_and_fits_one_write),
		RING(an_acknowledged_frame_is_never_sent_again),
		RING(a_broken_connection_doubles_and_loses_nothing),
		RING(a_dock_that_knows_another_session_gets_all_that_is_held),
		RING(an_acknowledgement_of_what_was_not_sent_frees_nothing),
		RING(a_full_ring_drops_the_newest_and_says_how_many),
		RING(a_frame_that_does_not_fit_is_counted),
		RING(text_that_is_too_long_is_cut),
		RING(chance_breaks_no_law),
		cmocka_unit_test(frames_of_the_dock_are_found_in_any_pieces),
		cmocka_unit_test(half_a_frame_of_an_old_connection_is_skipped),
		cmocka_unit_test(noise_never_fills_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
