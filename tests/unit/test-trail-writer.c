/* R4.2, F6, F28: the writer of a trail. */
#include <sys/stat.h>

#include "trail-fixture.h"

static const gchar *const files[] = { "audit.log", "audit.chain", "chain.key" };
#define N_FILES G_N_ELEMENTS(files)

typedef struct {
	GBytes *bytes[N_FILES];
} Snapshot;

static Snapshot snapshot(const Folder *f)
{
	Snapshot s;
	for (gsize i = 0; i < N_FILES; i++)
		s.bytes[i] = folder_read(f, files[i]);
	return s;
}

static void snapshot_clear(Snapshot *s)
{
	for (gsize i = 0; i < N_FILES; i++)
		g_bytes_unref(s->bytes[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Snapshot, snapshot_clear)

static void assert_log(const Folder *f, const gchar *want)
{
	g_autoptr(GBytes) log = folder_read(f, "audit.log");
	gsize len;
	const gchar *text = g_bytes_get_data(log, &len);
	if (len != strlen(want) || memcmp(text, want, len) != 0)
		fail_msg("got:\n%.*s\nwanted:\n%s", (int)len, text, want);
}

/* The whole is good, closed and holds @records. */
static void assert_good(const Folder *f, guint64 records)
{
	g_auto(IscTrailReport) r;
	IscTrailExpect expect = { .name = "web", .root = f->root.pub, .at_rest = TRUE };
	if (!folder_verify(f, &expect, &r))
		fail_msg("%s: %s", isc_trail_fault_name(r.fault), r.detail);
	assert_true(r.closed && r.records == records);
}

static void lines_are_the_kernels_text(void **state)
{
	Folder *f = *state;
	g_autoptr(IscTrailWriter) t = folder_open_trail(f, 0, NULL);
	static const gchar unknown[] = "audit(1700000000.001:9): x=\"y\"";

	add_frame(t, 1);
	assert_true(isc_trail_writer_add(t, 0, 1, 1999, unknown, strlen(unknown)));
	commit(t, FALSE);
	g_autofree gchar *lines = frame_lines(1, 1);
	g_autofree gchar *want = g_strconcat(
			lines, "type=UNKNOWN[1999] msg=audit(1700000000.001:9): x=\"y\"\n", NULL);
	assert_log(f, want);
	assert_true(isc_trail_writer_durable(t)->frame == 1);
}

/* R4.2, T16 */
static void no_text_can_forge_a_line(void **state)
{
	Folder *f = *state;
	g_autoptr(IscTrailWriter) t = folder_open_trail(f, 0, NULL);
	static const struct {
		guint16 type;
		const gchar *text;
		gsize len;
		gboolean ok;
		const gchar *has;
	} cases[] = {
		{ 1112, "audit(1.000:1): msg='a\ntype=USER_LOGIN msg=audit(1.000:2): forged'", 0,
				TRUE, "msg='a\\x0atype=USER_LOGIN" },
		{ 1112, "audit(1.000:1): \033[2Jx\177\r", 0, TRUE, ": \\x1b[2Jx\\x7f\\x0d\n" },
		{ 1112, "audit(1.000:1): a\0b", 19, TRUE, "a\\x00b\n" },
		{ 1112, "audit(1.000:1): \303\244", 0, TRUE, ": \303\244\n" },
		{ 1209, "audit(1.000:1): op=lost", 0, FALSE,
				"rtype=1209 bytes=23 data=6175646974" },
		{ 1309, "no stamp", 0, FALSE, "rtype=1309 bytes=8 data=6E6F207374616D70 " },
		{ 1309, "audit(1.00:1): short", 0, FALSE, "op=malformed-record" },
		{ 1309, "audit(1.000:1) x", 0, FALSE, "op=malformed-record" },
		{ 1309, "", 0, FALSE, "bytes=0 data= res=failed\n" },
		{ 2, "audit(1.000:1): netlink done", 0, FALSE, "rtype=2 " },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		gsize len = cases[i].len ? cases[i].len : strlen(cases[i].text);
		assert_int_equal(isc_trail_writer_add(
						 t, 1000000, 1, cases[i].type, cases[i].text, len),
				cases[i].ok);
	}
	g_autofree gchar *long_text = g_strnfill(ISC_LINE_TEXT_MAX + 1, 'x');
	memcpy(long_text, "audit(1.000:1): ", 16);
	assert_false(isc_trail_writer_add(t, 1000000, 1, 1309, long_text, strlen(long_text)));
	commit(t, FALSE);

	g_autoptr(GBytes) log = folder_read(f, "audit.log");
	gsize len;
	const gchar *bytes = g_bytes_get_data(log, &len);
	g_autofree gchar *text = g_strndup(bytes, len);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	assert_int_equal(g_strv_length(lines), G_N_ELEMENTS(cases) + 2);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree gchar *line = g_strconcat(lines[i], "\n", NULL);
		if (!strstr(line, cases[i].has))
			fail_msg("case %zu: %s", i, line);
		assert_true(g_str_has_prefix(line, "type="));
	}
}

static void what_was_acknowledged_is_known_after_a_crash(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 0, NULL);
	IscTrailState s;
	gboolean broken;

	add_frame(t, 1);
	commit(t, FALSE);
	isc_trail_writer_count_lost(t, 5);
	isc_trail_writer_count_bad(t);
	add_frame(t, 2);
	commit(t, FALSE);
	add_frame(t, 3); /* never committed */
	isc_trail_writer_free(t);

	g_autoptr(IscTrailWriter) again = folder_open_trail(f, 0, &broken);
	isc_trail_writer_state(again, &s);
	assert_false(broken);
	assert_true(isc_trail_writer_durable(again)->session == FIXTURE_SESSION);
	assert_true(isc_trail_writer_durable(again)->frame == 2);
	assert_true(s.records == 4 && s.lost == 5 && s.bad == 1);
}

/* Puts back @before, then of what @after has more the first bytes of log and chain, and one of both
 * keys. */
static void restore(const Folder *f, const Snapshot *before, const Snapshot *after, gsize log,
		gsize chain, gboolean new_key)
{
	const gsize more[] = { log, chain };
	folder_empty(f);
	for (gsize i = 0; i < 2; i++)
		folder_write(f, files[i], g_bytes_get_data(after->bytes[i], NULL),
				g_bytes_get_size(before->bytes[i]) + more[i]);
	GBytes *key = (new_key ? after : before)->bytes[2];
	folder_write(f, files[2], g_bytes_get_data(key, NULL), g_bytes_get_size(key));
}

/* Opens, sends again what is not acknowledged, and looks at the whole. */
static void recover_and_check(const Folder *f)
{
	gboolean broken;
	IscTrailWriter *t = folder_open_trail(f, 0, &broken);
	assert_false(broken);
	for (guint n = (guint)isc_trail_writer_durable(t)->frame + 1; n <= 3; n++)
		add_frame(t, n);
	commit(t, TRUE);
	isc_trail_writer_free(t);

	g_autofree gchar *want = frame_lines(1, 3);
	assert_log(f, want);
	assert_good(f, 6);
}

/* R4.2, F6 */
static void a_crash_at_any_byte_loses_and_doubles_nothing(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 0, NULL);
	add_frame(t, 1);
	commit(t, FALSE);
	g_auto(Snapshot) before = snapshot(f);
	add_frame(t, 2);
	commit(t, FALSE);
	g_auto(Snapshot) after = snapshot(f);
	isc_trail_writer_free(t);
	gsize log = g_bytes_get_size(after.bytes[0]) - g_bytes_get_size(before.bytes[0]);
	gsize chain = g_bytes_get_size(after.bytes[1]) - g_bytes_get_size(before.bytes[1]);
	assert_true(log > 0 && chain > 0);

	for (gsize n = 0; n <= log; n++) {
		restore(f, &before, &after, n, 0, FALSE);
		recover_and_check(f);
		/* The power failed: what was written last came to the disk first. */
		restore(f, &before, &after, n, chain, FALSE);
		recover_and_check(f);
	}
	for (gsize n = 0; n <= chain; n++) {
		restore(f, &before, &after, log, n, FALSE);
		recover_and_check(f);
	}
	restore(f, &before, &after, log, chain, TRUE);
	recover_and_check(f);
}

static void a_crash_while_a_trail_begins_is_healed(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 0, NULL);
	g_auto(Snapshot) s = snapshot(f);
	isc_trail_writer_free(t);

	/* The key is made first, then the chain file, the log, the first block. */
	for (gsize n = 0; n < g_bytes_get_size(s.bytes[1]); n += 7) {
		IscChainKey key;
		guint8 slot[ISC_CHAIN_SLOT];
		folder_empty(f);
		isc_chain_key_new(&key);
		isc_chain_key_print(&key, slot);
		folder_write(f, "chain.key", slot, sizeof slot);
		folder_write(f, "audit.chain", g_bytes_get_data(s.bytes[1], NULL), n);
		if (n % 2)
			folder_write(f, "audit.log", "", 0);
		recover_and_check(f);
	}
}

static void sealed_records_that_vanished_begin_a_new_trail_and_are_kept(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 0, NULL);
	gboolean broken;

	add_frame(t, 1);
	commit(t, FALSE);
	g_auto(Snapshot) old = snapshot(f);
	add_frame(t, 2);
	commit(t, FALSE);
	add_frame(t, 3);
	commit(t, FALSE);
	isc_trail_writer_free(t);
	/* Somebody cut both files at a commit; the key has gone on. */
	for (gsize i = 0; i < 2; i++)
		folder_write(f, files[i], g_bytes_get_data(old.bytes[i], NULL),
				g_bytes_get_size(old.bytes[i]));

	t = folder_open_trail(f, 0, &broken);
	assert_true(broken);
	add_frame(t, 4);
	commit(t, TRUE);
	isc_trail_writer_free(t);
	g_autoptr(GBytes) kept = folder_read(f, "audit.log.1");
	assert_true(g_bytes_equal(kept, old.bytes[0]));
	g_auto(IscTrailReport) r;
	IscTrailExpect expect = { .name = "web" };
	assert_false(folder_verify(f, &expect, &r));
	assert_true(r.record == 3);
}

static void a_key_that_vanished_begins_a_new_trail(void **state)
{
	Folder *f = *state;
	gboolean broken;
	IscTrailWriter *t = folder_open_trail(f, 0, NULL);
	add_frame(t, 1);
	commit(t, FALSE);
	isc_trail_writer_free(t);
	folder_unlock(f);
	unlinkat(f->fd, "chain.key", 0);
	t = folder_open_trail(f, 0, &broken);
	assert_true(broken);
	isc_trail_writer_free(t);
	/* … and that one is as good as any. */
	t = folder_open_trail(f, 0, &broken);
	assert_false(broken);
	isc_trail_writer_free(t);
}

/* R4.2, T19 */
static void no_key_is_left_that_could_seal_the_past(void **state)
{
	Folder *f = *state;
	g_autoptr(IscTrailWriter) t = folder_open_trail(f, 0, NULL);
	add_frame(t, 1);
	commit(t, FALSE);
	g_autoptr(GBytes) chain = folder_read(f, "audit.chain");
	g_autoptr(GBytes) slot = folder_read(f, "chain.key");
	IscChainKey key;
	gsize len;
	const guint8 *bytes = g_bytes_get_data(chain, &len);
	assert_true(isc_chain_key_parse(
			g_bytes_get_data(slot, NULL), g_bytes_get_size(slot), &key));
	IscBlock b;
	guint n = 0;
	for (; isc_block_parse(bytes, len, &b) == ISC_BLOCK_OK; n++) {
		assert_memory_not_equal(b.header->pub, key.pub, 32);
		bytes += b.header->len;
		len -= b.header->len;
	}
	assert_int_equal(len, 0);
	assert_int_equal(n, 2);
	assert_true(key.index == n);
}

/* R4.2, F28 */
static void rotation_goes_on_in_the_next_file(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 300, NULL);
	for (guint n = 1; n <= 20; n++) {
		add_frame(t, n);
		commit(t, FALSE);
		if (n % 7 == 0) {
			isc_trail_writer_free(t);
			t = folder_open_trail(f, 300, NULL);
		}
	}
	commit(t, TRUE);
	isc_trail_writer_free(t);
	assert_int_equal(faccessat(f->fd, "audit.chain.3", R_OK, 0), 0);
	assert_good(f, 40);
}

/* Writes the ROTATE block by hand, and nothing of what follows it. */
static void end_file(const Folder *f)
{
	g_auto(Snapshot) s = snapshot(f);
	g_autoptr(GByteArray) block = g_byte_array_new();
	guint8 hash[32], slot[ISC_CHAIN_SLOT];
	IscChainKey key;
	gsize len;
	const guint8 *bytes = g_bytes_get_data(s.bytes[1], &len);
	IscBlock b, last = { 0 };

	assert_true(isc_chain_key_parse(g_bytes_get_data(s.bytes[2], NULL), ISC_CHAIN_SLOT, &key));
	for (; isc_block_parse(bytes, len, &b) == ISC_BLOCK_OK; len -= b.header->len) {
		last = b;
		bytes += b.header->len;
	}
	IscChainHeader h = *last.header;
	h.offset += isc_block_log_bytes(&last);
	h.first += h.n;
	h.kind = ISC_CHAIN_ROTATE;
	h.n = 0;
	isc_block_hash(&last, h.prev);
	isc_block_append(block, &h, NULL, 0, &key, hash);
	isc_chain_key_print(&key, slot);
	folder_write(f, "chain.key", slot, sizeof slot);
	isc_autofd int fd = openat(f->fd, "audit.chain", O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, block->data, block->len), block->len);
}

static void a_crash_between_the_steps_of_a_rotation_is_healed(void **state)
{
	Folder *f = *state;
	for (guint step = 0; step < 4; step++) {
		gboolean broken;
		folder_empty(f);
		IscTrailWriter *t = folder_open_trail(f, 0, NULL);
		add_frame(t, 1);
		commit(t, FALSE);
		isc_trail_writer_free(t);
		end_file(f);
		folder_unlock(f);
		if (step >= 1)
			assert_int_equal(renameat(f->fd, "audit.log", f->fd, "audit.log.1"), 0);
		if (step >= 2)
			assert_int_equal(renameat(f->fd, "audit.chain", f->fd, "audit.chain.1"), 0);
		if (step >= 3)
			folder_write(f, "audit.chain", "half a block", 12);

		t = folder_open_trail(f, 0, &broken);
		assert_false(broken);
		assert_true(isc_trail_writer_durable(t)->frame == 1);
		add_frame(t, 2);
		commit(t, TRUE);
		isc_trail_writer_free(t);
		assert_int_equal(faccessat(f->fd, "audit.chain.1", R_OK, 0), 0);
		assert_good(f, 4);
	}
}

static void a_block_never_grows_beyond_its_bound(void **state)
{
	Folder *f = *state;
	g_autoptr(IscTrailWriter) t = folder_open_trail(f, 0, NULL);
	for (guint i = 0; i < ISC_CHAIN_RECORDS_MAX + 10; i++)
		isc_trail_writer_add(t, 0, 1, 1320, "audit(1.000:1): ", 16);
	assert_true(isc_trail_writer_is_full(t));
	commit(t, TRUE);
	IscTrailState s;
	isc_trail_writer_state(t, &s);
	assert_true(s.records == ISC_CHAIN_RECORDS_MAX && s.lost == 10);
	assert_good(f, ISC_CHAIN_RECORDS_MAX);
}

static void the_seal_key_is_made_once_and_kept_private(void **state)
{
	Folder *f = *state;
	g_autoptr(GError) error = NULL;
	IscSealKey one, two;
	guint8 pub[32];

	assert_true(isc_seal_key_load(f->fd, &one, &error));
	assert_true(isc_seal_key_load(f->fd, &two, &error));
	assert_memory_equal(one.pub, two.pub, 32);
	g_autoptr(GBytes) text = folder_read(f, "seal.pub");
	assert_true(isc_seal_pub_parse(
			g_bytes_get_data(text, NULL), g_bytes_get_size(text), pub, &error));
	assert_memory_equal(one.pub, pub, 32);
	assert_int_equal(fchmodat(f->fd, "seal.key", 0640, 0), 0);
	assert_false(isc_seal_key_load(f->fd, &two, &error));
	assert_error(error, ISC_ERROR_INVALID, "others can read it");
	folder_write(f, "seal.key", "ed25519 00", 10);
	assert_int_equal(fchmodat(f->fd, "seal.key", 0600, 0), 0);
	assert_false(isc_seal_key_load(f->fd, &two, &error));
	assert_error(error, ISC_ERROR_INVALID, "no seal key");
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(lines_are_the_kernels_text),
		in_folder(no_text_can_forge_a_line),
		in_folder(what_was_acknowledged_is_known_after_a_crash),
		in_folder(a_crash_at_any_byte_loses_and_doubles_nothing),
		in_folder(a_crash_while_a_trail_begins_is_healed),
		in_folder(sealed_records_that_vanished_begin_a_new_trail_and_are_kept),
		in_folder(a_key_that_vanished_begins_a_new_trail),
		in_folder(no_key_is_left_that_could_seal_the_past),
		in_folder(rotation_goes_on_in_the_next_file),
		in_folder(a_crash_between_the_steps_of_a_rotation_is_healed),
		in_folder(a_block_never_grows_beyond_its_bound),
		in_folder(the_seal_key_is_made_once_and_kept_private),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
