/* R4.2, T19: every way of tampering is found. */
#include "trail-fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "base/error.h"

/* A closed trail of 40 records in file 1; each mutation works on a copy of its bytes. */
typedef struct {
	Folder *f;
	GString *log, *chain;
	IscTrailExpect expect;
} Copy;

static void make_trail(const Folder *f, guint from, guint to, gboolean close)
{
	IscTrailWriter *t = folder_open_trail(f, 0, NULL);
	for (guint n = from; n <= to; n++) {
		add_frame(t, n);
		if (n % 2 == 0)
			commit(t, FALSE);
	}
	commit(t, close);
	isc_trail_writer_free(t);
}

static GString *read_string(const Folder *f, const gchar *name)
{
	g_autoptr(GBytes) b = folder_read(f, name);
	return g_string_new_len(g_bytes_get_data(b, NULL), (gssize)g_bytes_get_size(b));
}

static Copy copy_of(Folder *f)
{
	return (Copy){ .f = f,
		.log = read_string(f, "audit.log"),
		.chain = read_string(f, "audit.chain"),
		.expect = { .name = "web", .root = f->root.pub, .at_rest = TRUE } };
}

static void copy_clear(Copy *c)
{
	g_string_free(c->log, TRUE);
	g_string_free(c->chain, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Copy, copy_clear)

static gboolean verify_copy(
		const Copy *c, IscTrailRecordFunc func, gpointer data, IscTrailReport *r)
{
	IscBytes log = { (const guint8 *)c->log->str, c->log->len };
	IscBytes chain = { (const guint8 *)c->chain->str, c->chain->len };
	g_autoptr(IscTrailVerify) v = isc_trail_verify_new(&c->expect, func, data);
	isc_trail_verify_begin(v, isc_source_bytes(&log), isc_source_bytes(&chain));
	isc_trail_verify_end(v, TRUE);
	return isc_trail_verify_finish(v, r);
}

static void assert_fault(const Copy *c, IscTrailFault fault, guint64 record)
{
	g_auto(IscTrailReport) r;
	gboolean ok = verify_copy(c, NULL, NULL, &r);
	if (ok != (fault == ISC_TRAIL_GOOD) || r.fault != fault || r.record != record)
		fail_msg("got %s at %" G_GUINT64_FORMAT " (%s), wanted %s at %" G_GUINT64_FORMAT,
				isc_trail_fault_name(r.fault), r.record, r.detail ? r.detail : "",
				isc_trail_fault_name(fault), record);
	assert_true((r.detail == NULL) == ok);
}

/* Offset of line @n (from 1); of the end, if there are fewer. */
static gsize line_at(const GString *log, guint n)
{
	const gchar *p = log->str;
	while (--n > 0)
		p = strchr(p, '\n') + 1;
	return (gsize)(p - log->str);
}

static gsize block_at(const GString *chain, guint n)
{
	gsize at = 0;
	IscBlock b;
	while (n-- > 0 && isc_block_parse((const guint8 *)chain->str + at, chain->len - at, &b) ==
					  ISC_BLOCK_OK)
		at += b.header->len;
	return at;
}

static void count_record(const IscTrailRecord *r, gpointer data)
{
	guint64 *n = data;
	assert_true(r->number == ++*n);
	assert_true(r->session == FIXTURE_SESSION);
	assert_true(r->frame == (*n + 1) / 2);
	assert_true(g_str_has_prefix(r->line, "type="));
	assert_null(memchr(r->line, '\n', r->len));
	assert_true(ABS(r->time - g_get_real_time()) < 60 * G_USEC_PER_SEC);
}

static void an_untouched_trail_is_good_and_reads_back(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 20, TRUE);
	g_auto(Copy) c = copy_of(f);
	guint64 n = 0;
	g_auto(IscTrailReport) r;
	assert_true(verify_copy(&c, count_record, &n, &r));
	assert_true(n == 40 && r.records == 40 && r.closed && r.uncovered == 0);
	assert_string_equal(r.name, "web");
	assert_memory_equal(r.root, f->root.pub, 32);
	c.expect = (IscTrailExpect){ 0 };
	assert_fault(&c, ISC_TRAIL_GOOD, 0);
}

/* R4.2, T19: from here on each law is a kind of tampering. */
static void each_changed_byte_of_the_log_is_found_at_its_record(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 4, TRUE);
	g_auto(Copy) c = copy_of(f);
	guint64 record = 1;
	for (gsize i = 0; i < c.log->len; i++) {
		gchar was = c.log->str[i];
		c.log->str[i] = was == 'x' ? 'y' : 'x';
		g_auto(IscTrailReport) r;
		assert_false(verify_copy(&c, NULL, NULL, &r));
		assert_true(r.record == record);
		c.log->str[i] = was;
		record += was == '\n';
	}
	assert_fault(&c, ISC_TRAIL_GOOD, 0);
}

static void each_changed_byte_of_the_chain_is_found(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 2, TRUE);
	g_auto(Copy) c = copy_of(f);
	for (gsize i = 0; i < c.chain->len; i++) {
		c.chain->str[i] ^= 0x10;
		g_auto(IscTrailReport) r;
		assert_false(verify_copy(&c, NULL, NULL, &r));
		assert_true(r.record >= 1 && r.record <= 5);
		c.chain->str[i] ^= 0x10;
	}
	assert_fault(&c, ISC_TRAIL_GOOD, 0);
}

static void an_edited_record_is_named(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 20, TRUE);
	g_auto(Copy) c = copy_of(f);
	gchar *at = strstr(c.log->str, "cmd-9");
	memcpy(at, "cat-9", 5);
	assert_fault(&c, ISC_TRAIL_EDITED, 17);
	g_string_insert(c.log, at - c.log->str, "longer ");
	assert_fault(&c, ISC_TRAIL_EDITED, 17);
}

static void removed_records_are_named(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 20, TRUE);
	g_auto(Copy) c = copy_of(f);
	gsize from = line_at(c.log, 17);
	g_string_erase(c.log, (gssize)from, (gssize)(line_at(c.log, 20) - from));
	assert_fault(&c, ISC_TRAIL_REMOVED, 17);

	/* … and with their blocks. */
	g_auto(Copy) d = copy_of(f);
	gsize b = block_at(d.chain, 3);
	g_string_erase(d.chain, (gssize)b, (gssize)(block_at(d.chain, 4) - b));
	g_string_erase(d.log, (gssize)line_at(d.log, 9),
			(gssize)(line_at(d.log, 13) - line_at(d.log, 9)));
	assert_fault(&d, ISC_TRAIL_REMOVED, 9);
}

static void an_inserted_record_is_named(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 20, TRUE);
	g_auto(Copy) c = copy_of(f);
	g_string_insert(c.log, (gssize)line_at(c.log, 12),
			"type=EXECVE msg=audit(1.000:1): a0=\"x\"\n");
	assert_fault(&c, ISC_TRAIL_INSERTED, 12);
	g_auto(Copy) d = copy_of(f);
	g_string_append(d.log, "type=EXECVE msg=audit(1.000:1): a0=\"x\"\n");
	assert_fault(&d, ISC_TRAIL_INSERTED, 41);
	d.expect.at_rest = FALSE; /* closed is closed */
	assert_fault(&d, ISC_TRAIL_INSERTED, 41);
}

static void reordered_records_are_named(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 20, TRUE);
	g_auto(Copy) c = copy_of(f);
	gsize a = line_at(c.log, 5), b = line_at(c.log, 6);
	g_autofree gchar *line = g_strndup(c.log->str + a, b - a);
	g_string_erase(c.log, (gssize)a, (gssize)(b - a));
	g_string_insert(c.log, (gssize)line_at(c.log, 25), line);
	g_auto(IscTrailReport) r;
	assert_false(verify_copy(&c, NULL, NULL, &r));
	assert_int_equal(r.fault, ISC_TRAIL_REORDERED);
	assert_true(r.record == 5);
}

static void a_truncated_trail_is_named(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 20, TRUE);
	g_auto(Copy) c = copy_of(f);
	g_string_truncate(c.log, line_at(c.log, 36)); /* head -n -5 */
	assert_fault(&c, ISC_TRAIL_TRUNCATED, 36);
	g_string_truncate(c.log, c.log->len - 1);
	assert_fault(&c, ISC_TRAIL_TRUNCATED, 35);
	g_string_truncate(c.log, 0);
	assert_fault(&c, ISC_TRAIL_TRUNCATED, 1);

	g_auto(Copy) d = copy_of(f);
	g_string_truncate(d.chain, block_at(d.chain, 5) + 100);
	assert_fault(&d, ISC_TRAIL_TRUNCATED, 17);
	g_string_truncate(d.chain, 0);
	assert_fault(&d, ISC_TRAIL_TRUNCATED, 1);
}

/* Who has the present key and the dock's own, but no time machine: makes the lines good and signs
 * all anew. */
static void a_resealed_trail_is_named(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 10, FALSE);
	g_autoptr(GBytes) slot = folder_read(f, "chain.key");
	IscChainKey key;
	assert_true(isc_chain_key_parse(g_bytes_get_data(slot, NULL), ISC_CHAIN_SLOT, &key));

	g_auto(Copy) c = copy_of(f);
	memcpy(strstr(c.log->str, "cmd-5"), "cat-5", 5);
	gsize at = block_at(c.chain, 3);
	g_autoptr(GByteArray) forged = g_byte_array_new();
	g_byte_array_append(forged, (const guint8 *)c.chain->str, (guint)at);
	guint8 prev[32];
	IscBlock b;
	assert_int_equal(isc_block_parse((const guint8 *)c.chain->str + block_at(c.chain, 2),
					 c.chain->len, &b),
			ISC_BLOCK_OK);
	isc_block_hash(&b, prev);
	key.index = 3;
	while (isc_block_parse((const guint8 *)c.chain->str + at, c.chain->len - at, &b) ==
			ISC_BLOCK_OK) {
		IscChainHeader h = *b.header;
		g_autofree IscChainEntry *e = g_memdup2(b.payload, b.payload_len);
		const gchar *line = c.log->str + h.offset;
		for (guint i = 0; i < h.n; line += e[i++].len)
			crypto_generichash(e[i].hash, 32, (const guint8 *)line, e[i].len, NULL, 0);
		memcpy(h.prev, prev, 32);
		isc_block_append(forged, &h, e, b.payload_len, &key, prev);
		at += b.header->len;
	}
	g_string_truncate(c.chain, 0);
	g_string_append_len(c.chain, (const gchar *)forged->data, forged->len);
	c.expect.at_rest = FALSE;
	assert_fault(&c, ISC_TRAIL_RESEALED, 9);

	/* A whole new trail under the dock's own key is told by an anchor only, under another key
	 * at once. */
	Folder *other = NULL;
	folder_setup((void **)&other);
	make_trail(other, 1, 10, TRUE);
	g_auto(Copy) d = copy_of(other);
	d.expect.root = f->root.pub;
	assert_fault(&d, ISC_TRAIL_RESEALED, 1);
	folder_teardown((void **)&other);
}

static void an_older_state_is_told_by_an_anchor(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 10, FALSE);
	g_auto(Copy) old = copy_of(f);
	make_trail(f, 11, 20, TRUE);
	g_auto(Copy) now = copy_of(f);
	g_auto(IscTrailReport) r;
	assert_true(verify_copy(&now, NULL, NULL, &r));
	IscTrailAnchor anchor = { .block = r.last_block };
	memcpy(anchor.head, r.head, sizeof anchor.head);

	old.expect.anchors = now.expect.anchors = &anchor;
	old.expect.n_anchors = now.expect.n_anchors = 1;
	assert_fault(&now, ISC_TRAIL_GOOD, 0);
	assert_fault(&old, ISC_TRAIL_REPLAYED, 21);
	anchor.head[0] ^= 1;
	assert_fault(&now, ISC_TRAIL_RESEALED, 41);

	/* A block that comes twice needs no anchor. */
	g_auto(Copy) twice = copy_of(f);
	gsize at = block_at(twice.chain, 4);
	g_autofree gchar *block = g_memdup2(
			twice.chain->str + block_at(twice.chain, 3), at - block_at(twice.chain, 3));
	g_string_insert_len(
			twice.chain, (gssize)at, block, (gssize)(at - block_at(twice.chain, 3)));
	assert_fault(&twice, ISC_TRAIL_REPLAYED, 13);
}

static void a_swapped_file_is_named(void **state)
{
	Folder *f = *state, *other = NULL;
	make_trail(f, 1, 10, TRUE);
	folder_setup((void **)&other);
	IscTrailWriter *t = folder_open_trail(other, 0, NULL);
	for (guint n = 500; n < 520; n++)
		add_frame(t, n);
	commit(t, TRUE);
	isc_trail_writer_free(t);

	g_auto(Copy) c = copy_of(f), theirs = copy_of(other);
	GString *log = c.log;
	c.log = theirs.log;
	assert_fault(&c, ISC_TRAIL_SWAPPED, 1);
	c.log = log;
	c.expect.name = "db";
	assert_fault(&c, ISC_TRAIL_SWAPPED, 1);
	folder_teardown((void **)&other);
}

static void files_of_a_rotated_trail_cannot_change_places(void **state)
{
	Folder *f = *state;
	static const struct {
		const gchar *from, *to;
		IscTrailFault fault;
		guint segment;
	} cases[] = {
		{ NULL, NULL, ISC_TRAIL_GOOD, 0 },
		{ ".1", ".2", ISC_TRAIL_REPLAYED, 2 },
		{ ".3", ".2", ISC_TRAIL_REMOVED, 2 },
		{ NULL, ".2", ISC_TRAIL_REMOVED, 2 },
		{ NULL, ".1", ISC_TRAIL_REMOVED, 1 },
		{ ".1", "", ISC_TRAIL_REPLAYED, 5 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		folder_empty(f);
		IscTrailWriter *t = folder_open_trail(f, 400, NULL);
		for (guint n = 1; n <= 20; n++) {
			add_frame(t, n);
			commit(t, FALSE);
		}
		commit(t, TRUE);
		isc_trail_writer_free(t);
		assert_int_not_equal(faccessat(f->fd, "audit.chain.3", R_OK, 0), -1);
		static const gchar *const kinds[] = { "audit.log", "audit.chain" };
		for (gsize k = 0; k < 2 && cases[i].to; k++) {
			g_autofree gchar *to = g_strconcat(kinds[k], cases[i].to, NULL);
			g_autofree gchar *from = g_strconcat(kinds[k], cases[i].from, NULL);
			g_autoptr(GBytes) b = folder_read(f, from);
			folder_unlock(f);
			if (!cases[i].from)
				unlinkat(f->fd, to, 0);
			else
				folder_write(f, to, g_bytes_get_data(b, NULL), g_bytes_get_size(b));
		}
		g_auto(IscTrailReport) r;
		IscTrailExpect expect = { .name = "web", .at_rest = TRUE };
		gboolean ok = folder_verify(f, &expect, &r);
		if (ok != (cases[i].fault == ISC_TRAIL_GOOD) || r.fault != cases[i].fault ||
				(!ok && r.segment != cases[i].segment))
			fail_msg("case %zu: %s in file %u: %s", i, isc_trail_fault_name(r.fault),
					r.segment, r.detail);
	}
}

/* R4.2, T19: what is left is whole in itself; that there was more was noted elsewhere, or is said
 * by the end of the last file that is left. */
static void files_that_are_missing_at_the_end_are_missed(void **state)
{
	Folder *f = *state;
	static const struct {
		guint gone;   /* files, the newest first */
		guint noted;  /* of all: those that are known of */
		gboolean cut; /* … and the last one left does not say that another one follows */
		gboolean at_rest, whole, good;
		const gchar *detail;
	} cases[] = {
		{ 0, 0, FALSE, TRUE, TRUE, TRUE, NULL },
		{ 0, 1, FALSE, FALSE, TRUE, TRUE, NULL },
		{ 1, 1, FALSE, FALSE, FALSE, FALSE, "file 4 is missing" },
		{ 1, 1, TRUE, FALSE, FALSE, FALSE, "file 4 is missing" },
		{ 1, 0, FALSE, TRUE, FALSE, FALSE, "file 4 is missing" },
		{ 1, 0, FALSE, FALSE, TRUE, FALSE, "file 4 is missing" },
		{ 2, 1, TRUE, FALSE, FALSE, FALSE, "files 3 to 4 are missing" },
		/* The collector may have been killed between two files, and nobody has noted the
		 * next one: none can be told to be missing. */
		{ 1, 0, FALSE, FALSE, FALSE, TRUE, NULL },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		folder_empty(f);
		IscTrailWriter *t = folder_open_trail(f, 400, NULL);
		IscTrailState s = { 0 };
		for (guint n = 1; s.segment < 4; n++) {
			add_frame(t, n);
			commit(t, FALSE);
			isc_trail_writer_state(t, &s);
		}
		commit(t, TRUE);
		isc_trail_writer_free(t);
		folder_unlock(f);
		for (guint k = 0; k < cases[i].gone; k++) {
			assert_int_equal(unlinkat(f->fd, k ? "audit.log.3" : "audit.log", 0), 0);
			assert_int_equal(
					unlinkat(f->fd, k ? "audit.chain.3" : "audit.chain", 0), 0);
		}
		if (cases[i].cut) {
			const gchar *last = cases[i].gone == 1 ? "audit.chain.3" : "audit.chain.2";
			g_autoptr(GBytes) b = folder_read(f, last);
			folder_write(f, last, g_bytes_get_data(b, NULL),
					g_bytes_get_size(b) - sizeof(IscChainHeader) -
							ISC_CHAIN_SIG);
		}
		g_auto(IscTrailReport) r;
		const IscTrailExpect expect = { .name = "web",
			.at_rest = cases[i].at_rest,
			.whole = cases[i].whole,
			.files = cases[i].noted ? 4 : 0 };
		gboolean ok = folder_verify(f, &expect, &r);
		if (ok != cases[i].good || g_strcmp0(r.detail, cases[i].detail) != 0 ||
				(!ok && (r.fault != ISC_TRAIL_TRUNCATED ||
							r.segment != 5 - cases[i].gone ||
							r.record != r.records + 1)))
			fail_msg("case %zu: %s at %" G_GUINT64_FORMAT " in file %u: %s", i,
					isc_trail_fault_name(r.fault), r.record, r.segment,
					r.detail);
	}
}

/* Who may not open a file, or so many, has not found it missing. */
static void what_cannot_be_opened_is_not_missing(void **state)
{
	Folder *f = *state;
	const IscTrailExpect expect = { .name = "web" };
	IscTrailWriter *t = folder_open_trail(f, 1, NULL);
	for (guint n = 1; n <= 40; n++) {
		add_frame(t, n);
		commit(t, FALSE);
	}
	commit(t, TRUE);
	isc_trail_writer_free(t);
	struct rlimit was;
	g_autoptr(GError) error = NULL;
	g_auto(IscTrailReport) many = { 0 }, few = { 0 };
	assert_true(folder_verify(f, &expect, &many));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	const struct rlimit low = { (rlim_t)f->fd + 30, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	gboolean ok = isc_trail_verify_dir(f->fd, &expect, NULL, NULL, &few, &error);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_false(ok);
	assert_int_equal(few.fault, ISC_TRAIL_GOOD);
	assert_false(g_error_matches(error, ISC_ERROR, ISC_ERROR_VERIFY));
	assert_non_null(strstr(error->message, "cannot open all files"));
}

/* T16: who is given a copy to look at must not wait for ever. */
static void what_is_no_file_is_none(void **state)
{
	Folder *f = *state;
	const IscTrailExpect expect = { .name = "web" };
	make_trail(f, 1, 4, TRUE);
	alarm(60);
	g_auto(IscTrailReport) beside = { 0 }, amid = { 0 };
	assert_int_equal(mkfifoat(f->fd, "audit.log.2", 0600), 0);
	assert_true(folder_verify(f, &expect, &beside));
	assert_int_equal(unlinkat(f->fd, "audit.log.2", 0), 0);
	folder_unlock(f);
	assert_int_equal(unlinkat(f->fd, "audit.log", 0), 0);
	assert_int_equal(mkfifoat(f->fd, "audit.log", 0600), 0);
	assert_false(folder_verify(f, &expect, &amid));
	assert_int_equal(amid.fault, ISC_TRAIL_TRUNCATED);
	assert_int_equal(unlinkat(f->fd, "audit.log", 0), 0);
	alarm(0);
}

static void a_trail_that_is_being_written_is_good_at_each_moment(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 10, FALSE);
	g_auto(Copy) c = copy_of(f);
	g_auto(Copy) part = copy_of(f);
	part.expect.at_rest = FALSE;
	/* The chain was copied at any byte of it, the log later. */
	for (gsize n = block_at(c.chain, 1); n <= c.chain->len; n++) {
		g_string_truncate(part.chain, 0);
		g_string_append_len(part.chain, c.chain->str, (gssize)n);
		g_auto(IscTrailReport) r;
		if (!verify_copy(&part, NULL, NULL, &r))
			fail_msg("%zu: %s", n, r.detail);
		assert_false(r.closed);
	}
}

static void reading_goes_on_when_the_files_grow(void **state)
{
	Folder *f = *state;
	make_trail(f, 1, 20, TRUE);
	g_auto(Copy) c = copy_of(f);
	IscBytes log = { (const guint8 *)c.log->str, 0 },
		 chain = { (const guint8 *)c.chain->str, 0 };
	guint64 n = 0;
	g_auto(IscTrailReport) r;
	g_autoptr(IscTrailVerify) v = isc_trail_verify_new(&c.expect, count_record, &n);
	isc_trail_verify_begin(v, isc_source_bytes(&log), isc_source_bytes(&chain));
	for (gsize i = 0; i < MAX(c.log->len, c.chain->len); i += 10) {
		gsize l = MIN(i + 10, c.log->len), k = MIN(i + 10, c.chain->len);
		log.left = l - (gsize)(log.next - (const guint8 *)c.log->str);
		chain.left = k - (gsize)(chain.next - (const guint8 *)c.chain->str);
		assert_true(isc_trail_verify_run(v));
	}
	assert_true(n == 40);
	isc_trail_verify_end(v, TRUE);
	assert_true(isc_trail_verify_finish(v, &r));
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(an_untouched_trail_is_good_and_reads_back),
		in_folder(each_changed_byte_of_the_log_is_found_at_its_record),
		in_folder(each_changed_byte_of_the_chain_is_found),
		in_folder(an_edited_record_is_named),
		in_folder(removed_records_are_named),
		in_folder(an_inserted_record_is_named),
		in_folder(reordered_records_are_named),
		in_folder(a_truncated_trail_is_named),
		in_folder(a_resealed_trail_is_named),
		in_folder(an_older_state_is_told_by_an_anchor),
		in_folder(a_swapped_file_is_named),
		in_folder(files_of_a_rotated_trail_cannot_change_places),
		in_folder(files_that_are_missing_at_the_end_are_missed),
		in_folder(what_cannot_be_opened_is_not_missing),
		in_folder(what_is_no_file_is_none),
		in_folder(a_trail_that_is_being_written_is_good_at_each_moment),
		in_folder(reading_goes_on_when_the_files_grow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
