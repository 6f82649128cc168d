/* R4.2: the oldest files go, and that is on record. */
#include "trail-fixture.h"

#include <sys/stat.h>

#define SEGMENT 500
#define KEEP 9000 /* bytes; some three pairs of files of this size */
#define FRAMES 60u

static gchar *name_of(const gchar *base, guint n)
{
	return g_strdup_printf("%s.%u", base, n);
}

static gboolean has(const Folder *f, const gchar *base, guint n)
{
	g_autofree gchar *name = name_of(base, n);
	struct stat st;
	return fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static guint64 closed_bytes(const Folder *f)
{
	guint64 sum = 0;
	g_autoptr(GDir) dir = g_dir_open(f->path, 0, NULL);
	for (const gchar *name; (name = g_dir_read_name(dir));) {
		struct stat st;
		if (g_ascii_isdigit(name[strlen(name) - 1]) &&
				fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			sum += (guint64)st.st_size;
	}
	return sum;
}

static guint highest(const Folder *f)
{
	guint n = 0;
	for (guint i = 1; i < 1000; i++)
		n = has(f, "audit.log", i) ? i : n;
	return n;
}

static void write_frames(IscTrailWriter *t, guint from, guint to)
{
	for (guint n = from; n <= to; n++) {
		add_frame(t, n);
		commit(t, FALSE);
	}
}

/* Returns: the writer of a trail with many files, all of them there */
static IscTrailWriter *make_trail(const Folder *f)
{
	IscTrailWriter *t = folder_open_trail(f, SEGMENT, NULL);
	write_frames(t, 1, FRAMES);
	assert_true(highest(f) > 8);
	return t;
}

static void keep(IscTrailWriter *t, guint64 bytes)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = isc_trail_writer_keep(t, bytes, &error);
	assert_no_error(error);
	assert_true(ok);
}

static void assert_report(const Folder *f, IscTrailFault fault, IscTrailReport *r)
{
	const IscTrailExpect expect = { .name = "web", .root = f->root.pub };
	gboolean ok = folder_verify(f, &expect, r);
	if (ok != (fault == ISC_TRAIL_GOOD) || r->fault != fault)
		fail_msg("got %s (%s), wanted %s", isc_trail_fault_name(r->fault),
				r->detail ? r->detail : "", isc_trail_fault_name(fault));
}

static void assert_fault(const Folder *f, IscTrailFault fault)
{
	g_auto(IscTrailReport) r;
	assert_report(f, fault, &r);
}

static void take_away(const Folder *f, const gchar *base, guint n)
{
	g_autofree gchar *name = name_of(base, n);
	folder_unlock(f);
	assert_int_equal(unlinkat(f->fd, name, 0), 0);
}

static void a_bound_holds_and_what_is_left_verifies_at_any_time(void **state)
{
	Folder *f = *state;
	g_autoptr(IscTrailWriter) t = folder_open_trail(f, SEGMENT, NULL);
	guint64 gone = 0;
	keep(t, KEEP);
	for (guint n = 1; n <= FRAMES; n++) {
		g_auto(IscTrailReport) r;
		write_frames(t, n, n);
		assert_true(closed_bytes(f) <= KEEP);
		assert_report(f, ISC_TRAIL_GOOD, &r);
		assert_int_equal(r.records + r.trimmed_records, 2 * n);
		assert_true(r.trimmed_records >= gone &&
				(r.trimmed_files > 0) == (r.trimmed_records > 0));
		assert_int_equal(r.trimmed_time > 0, r.trimmed_files > 0);
		gone = r.trimmed_records;
	}
	assert_true(gone > FRAMES);
	IscTrailTrimmed told = isc_trail_writer_trimmed(t);
	assert_int_equal(told.from, 1);
	assert_int_equal(told.first, gone + 1);
	assert_false(has(f, "audit.log", told.to) || has(f, "audit.chain", told.to));
	assert_true(has(f, "audit.log", told.to + 1));
	assert_int_equal(isc_trail_writer_trimmed(t).to, 0);
	commit(t, TRUE);
	assert_fault(f, ISC_TRAIL_GOOD);
}

/* In the order of going: chain before log, oldest first.  However far it came, what is there is
 * good, and the next start brings it to its end. */
static void a_crash_on_the_way_leaves_a_trail_that_verifies(void **state)
{
	Folder *f = *state;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) bytes = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	IscTrailWriter *t = make_trail(f);
	for (guint n = 1; n <= highest(f); n++) {
		g_ptr_array_add(names, name_of("audit.chain", n));
		g_ptr_array_add(names, name_of("audit.log", n));
	}
	for (guint i = 0; i < names->len; i++)
		g_ptr_array_add(bytes, folder_read(f, names->pdata[i]));
	keep(t, KEEP);
	guint gone = 2 * isc_trail_writer_trimmed(t).to;
	isc_trail_writer_free(t);
	assert_true(gone > 8 && gone < names->len);

	for (guint left = gone; left > 0; left--) {
		/* One file more that is still there. */
		folder_write(f, names->pdata[left - 1],
				g_bytes_get_data(bytes->pdata[left - 1], NULL),
				g_bytes_get_size(bytes->pdata[left - 1]));
		assert_fault(f, ISC_TRAIL_GOOD);
	}
	gboolean broken = TRUE;
	t = folder_open_trail(f, SEGMENT, &broken);
	assert_false(broken);
	keep(t, KEEP);
	assert_true(closed_bytes(f) <= KEEP);
	isc_trail_writer_free(t);
	assert_fault(f, ISC_TRAIL_GOOD);
}

static void what_somebody_else_takes_is_missed(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = make_trail(f);
	guint last = highest(f);
	g_auto(IscTrailReport) first = { 0 }, second = { 0 }, third = { 0 };
	/* Without a word of retention. */
	take_away(f, "audit.chain", 1);
	assert_report(f, ISC_TRAIL_TRUNCATED, &first);
	assert_true(first.record == 1 && first.segment == 1);
	take_away(f, "audit.log", 1);
	take_away(f, "audit.chain", 2);
	take_away(f, "audit.log", 2);
	assert_report(f, ISC_TRAIL_REMOVED, &second);
	assert_true(second.record == 1 && second.segment == 1);
	assert_string_equal(second.detail, "files 1 to 2 are missing");
	/* Retention goes on from there, but not further back than it says. */
	keep(t, KEEP);
	guint oldest = isc_trail_writer_trimmed(t).to + 1;
	assert_fault(f, ISC_TRAIL_GOOD);
	take_away(f, "audit.chain", oldest);
	take_away(f, "audit.log", oldest);
	assert_report(f, ISC_TRAIL_REMOVED, &third);
	assert_int_equal(third.segment, 1);
	isc_trail_writer_free(t);
	assert_true(oldest < last);
}

static void a_file_from_the_middle_is_missed(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = make_trail(f);
	keep(t, KEEP);
	isc_trail_writer_free(t);
	take_away(f, "audit.chain", highest(f));
	take_away(f, "audit.log", highest(f));
	assert_fault(f, ISC_TRAIL_REMOVED);
}

static void the_first_file_that_is_left_cannot_be_another(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = make_trail(f);
	keep(t, KEEP);
	guint oldest = isc_trail_writer_trimmed(t).to + 1;
	isc_trail_writer_free(t);
	g_autofree gchar *name = name_of("audit.chain", oldest);
	g_autoptr(GBytes) chain = folder_read(f, name);
	gsize len;
	const guint8 *bytes = g_bytes_get_data(chain, &len);
	for (gsize i = 0; i < sizeof(IscChainHeader) + sizeof(IscChainOrigin) + ISC_CHAIN_SIG;
			i++) {
		g_autofree guint8 *copy = g_memdup2(bytes, len);
		copy[i] ^= 0x10;
		folder_write(f, name, copy, len);
		g_auto(IscTrailReport) r;
		const IscTrailExpect expect = { .name = "web", .root = f->root.pub };
		assert_false(folder_verify(f, &expect, &r));
	}
	folder_write(f, name, bytes, len);
	assert_fault(f, ISC_TRAIL_GOOD);
}

/* Who has the trail's own key, but not the dock's, cannot say that something was retention. */
static void retention_is_signed_by_the_dock(void **state)
{
	Folder *f = *state;
	isc_trail_writer_free(make_trail(f));
	const IscSealKey docks = f->root;
	crypto_sign_keypair(f->root.pub, f->root.secret);
	IscTrailWriter *t = folder_open_trail(f, SEGMENT, NULL);
	keep(t, KEEP);
	isc_trail_writer_free(t);
	f->root = docks;
	assert_fault(f, ISC_TRAIL_RESEALED);
}

/* The blocks of file @name, until one is of @kind; it is borrowed from the bytes, which the caller
 * keeps. */
static IscBlock find_block(GBytes *chain, IscChainKind kind)
{
	gsize len, at = 0;
	const guint8 *bytes = g_bytes_get_data(chain, &len);
	IscBlock b = { 0 };
	while (isc_block_parse(bytes + at, len - at, &b) == ISC_BLOCK_OK && b.header->kind != kind)
		at += b.header->len;
	assert_non_null(b.header);
	assert_int_equal(b.header->kind, kind);
	return b;
}

/* A trail made up from nothing, with what the dock once signed put into it. */
static void what_the_dock_signed_serves_for_no_other_trail(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = make_trail(f);
	keep(t, KEEP);
	g_autofree gchar *name = name_of("audit.chain", isc_trail_writer_trimmed(t).to + 1);
	isc_trail_writer_free(t);
	g_autoptr(GBytes) first = folder_read(f, name), last = folder_read(f, "audit.chain");
	const IscBlock origin = find_block(first, ISC_CHAIN_SEGMENT);
	const IscBlock trim = find_block(last, ISC_CHAIN_TRIM);
	folder_empty(f);

	IscChainKey key;
	g_autoptr(GByteArray) forged = g_byte_array_new();
	IscChainHeader h = *origin.header;
	isc_chain_key_new(&key);
	isc_chain_key_evolve(&key, h.index);
	isc_block_append(forged, &h, origin.payload, origin.payload_len, &key, h.prev);
	h.kind = ISC_CHAIN_TRIM;
	guint8 head[ISC_CHAIN_HASH];
	isc_block_append(forged, &h, trim.payload, trim.payload_len, &key, head);
	folder_write(f, "audit.chain", forged->data, forged->len);
	folder_write(f, "audit.log", "", 0);
	g_auto(IscTrailReport) r;
	assert_report(f, ISC_TRAIL_RESEALED, &r);
	assert_non_null(strstr(r.detail, "is not the one that retention left"));
}

static void a_broken_trail_is_evidence_and_stays(void **state)
{
	Folder *f = *state;
	isc_trail_writer_free(make_trail(f));
	guint before = highest(f);
	folder_unlock(f);
	assert_int_equal(unlinkat(f->fd, "chain.key", 0), 0);
	gboolean broken = FALSE;
	IscTrailWriter *t = folder_open_trail(f, SEGMENT, &broken);
	assert_true(broken);
	keep(t, KEEP);
	write_frames(t, 1, 20);
	isc_trail_writer_free(t);
	for (guint n = 1; n <= before + 1; n++)
		assert_true(has(f, "audit.log", n) && has(f, "audit.chain", n));
	assert_fault(f, ISC_TRAIL_TRUNCATED); /* where the broken one ends */
}

/* A number is never given twice, also where retention has left nothing but the open file. */
static void a_trail_that_breaks_keeps_its_numbers(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = make_trail(f);
	keep(t, 1);
	assert_int_equal(highest(f), 0);
	IscTrailState before, after;
	isc_trail_writer_state(t, &before);
	isc_trail_writer_free(t);
	folder_write(f, "audit.log", "x", 1);
	gboolean broken = FALSE;
	t = folder_open_trail(f, SEGMENT, &broken);
	assert_true(broken);
	commit(t, TRUE);
	isc_trail_writer_state(t, &after);
	assert_int_equal(after.segment, before.segment + 1);
	assert_true(has(f, "audit.log", before.segment));
	isc_trail_writer_free(t);
}

static void anchors_of_what_went_are_counted_and_others_must_hold(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = make_trail(f);
	IscTrailAnchor anchors[2] = { { .block = 3 }, { 0 } };
	IscTrailState s;
	isc_trail_writer_state(t, &s);
	anchors[1].block = s.block;
	memcpy(anchors[1].head, s.head, sizeof anchors[1].head);
	keep(t, KEEP);
	const IscTrailExpect expect = { .root = f->root.pub, .anchors = anchors, .n_anchors = 2 };
	g_auto(IscTrailReport) good = { 0 }, bad = { 0 };
	assert_true(folder_verify(f, &expect, &good));
	assert_int_equal(good.trimmed_anchors, 1);
	anchors[1].head[0] ^= 1;
	assert_false(folder_verify(f, &expect, &bad));
	assert_int_equal(bad.fault, ISC_TRAIL_RESEALED);
	isc_trail_writer_free(t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_bound_holds_and_what_is_left_verifies_at_any_time),
		TEST(a_crash_on_the_way_leaves_a_trail_that_verifies),
		TEST(what_somebody_else_takes_is_missed),
		TEST(a_file_from_the_middle_is_missed),
		TEST(the_first_file_that_is_left_cannot_be_another),
		TEST(retention_is_signed_by_the_dock),
		TEST(what_the_dock_signed_serves_for_no_other_trail),
		TEST(a_broken_trail_is_evidence_and_stays),
		TEST(a_trail_that_breaks_keeps_its_numbers),
		TEST(anchors_of_what_went_are_counted_and_others_must_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
