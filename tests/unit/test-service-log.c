/* R4.3, T33: what a service prints. */
#include "trail-fixture.h"

#include "collector/service-log.h"

static IscServiceLog *open_log(const Folder *f, goffset max)
{
	g_autoptr(GError) error = NULL;
	IscServiceLog *l = isc_service_log_open(f->fd, max, &error);
	assert_no_error(error);
	return l;
}

static void add_line(IscServiceLog *l, guint n)
{
	g_autofree gchar *text = g_strdup_printf("line %u", n);
	isc_service_log_add(l, (gint64)1767323045678000 + n * 1000, 1 + n % 2, text, strlen(text));
	isc_service_log_mark(l, 7, n);
}

static void commit_log(IscServiceLog *l)
{
	g_autoptr(GError) error = NULL;
	assert_true(isc_service_log_begin(l));
	isc_service_log_work(l);
	assert_true(isc_service_log_end(l, &error));
	assert_no_error(error);
}

static gchar *text_of(const Folder *f, const gchar *name)
{
	g_autoptr(GBytes) b = folder_read(f, name);
	gsize len;
	const gchar *bytes = g_bytes_get_data(b, &len);
	return g_strndup(len ? bytes : "", len);
}

static void lines_have_time_stream_and_escaped_text(void **state)
{
	Folder *f = *state;
	g_autoptr(IscServiceLog) l = open_log(f, 0);
	gint64 t = 1767323045678000;
	static const gchar nasty[] = "a\033[2J\nb\\ \303\244 \377";

	isc_service_log_add(l, t, 1, "hello", 5);
	isc_service_log_add(l, t, 2, nasty, strlen(nasty));
	isc_service_log_add(l, t, 9, "", 0);
	isc_service_log_add_lost(l, t, 12);
	commit_log(l);
	g_autofree gchar *text = text_of(f, "service.log");
	assert_string_equal(text,
			"2026-01-02T03:04:05.678Z stdout hello\n"
			"2026-01-02T03:04:05.678Z stderr a\\x1b[2J\\x0ab\\x5c \303\244 \\xff\n"
			"2026-01-02T03:04:05.678Z ? \n"
			"2026-01-02T03:04:05.678Z dock 12 lines lost here\n");
}

static void a_crash_at_any_byte_loses_and_doubles_no_line(void **state)
{
	Folder *f = *state;
	IscServiceLog *l = open_log(f, 0);
	add_line(l, 1);
	commit_log(l);
	g_autoptr(GBytes) pos = folder_read(f, "service.pos");
	add_line(l, 2);
	commit_log(l);
	isc_service_log_free(l);
	g_autofree gchar *want = text_of(f, "service.log");

	gsize first = strchr(want, '\n') + 1 - want, all = strlen(want);
	for (gsize n = first; n <= all; n++) {
		guint64 session, seq;
		folder_write(f, "service.log", want, n);
		folder_write(f, "service.pos", g_bytes_get_data(pos, NULL), g_bytes_get_size(pos));
		l = open_log(f, 0);
		isc_service_log_durable(l, &session, &seq);
		assert_true(session == 7 && seq == 1);
		add_line(l, 2);
		commit_log(l);
		isc_service_log_free(l);
		g_autofree gchar *text = text_of(f, "service.log");
		assert_string_equal(text, want);
	}
	/* A mark that is half written leaves the one before it. */
	for (gsize n = 0; n < 64; n++) {
		g_autoptr(GBytes) now = folder_read(f, "service.pos");
		g_autofree guint8 *torn = g_memdup2(g_bytes_get_data(now, NULL), 128);
		torn[n] ^= 1;
		folder_write(f, "service.pos", torn, 128);
		l = open_log(f, 0);
		guint64 session, seq;
		isc_service_log_durable(l, &session, &seq);
		assert_true(session == 7 && seq >= 1 && seq <= 2);
		for (; seq < 2; seq++)
			add_line(l, 2);
		isc_service_log_mark(l, 7, 2);
		commit_log(l);
		isc_service_log_free(l);
		g_autofree gchar *text = text_of(f, "service.log");
		assert_string_equal(text, want);
	}
}

static void it_never_takes_more_than_its_quota(void **state)
{
	Folder *f = *state;
	IscServiceLog *l = open_log(f, 200);
	for (guint n = 1; n <= 100; n++) {
		add_line(l, n);
		commit_log(l);
		if (n % 9 == 0) {
			isc_service_log_free(l);
			l = open_log(f, 200);
			guint64 session, seq;
			isc_service_log_durable(l, &session, &seq);
			assert_true(seq == n);
		}
	}
	isc_service_log_free(l);
	g_autoptr(GString) all = g_string_new(NULL);
	static const gchar *const names[] = { "service.log.3", "service.log.2", "service.log.1",
		"service.log" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree gchar *text = text_of(f, names[i]);
		assert_true(strlen(text) < 300);
		g_string_append(all, text);
	}
	assert_int_equal(faccessat(f->fd, "service.log.4", F_OK, 0), -1);
	/* What is left is the end, without a gap. */
	g_auto(GStrv) lines = g_strsplit(all->str, "\n", -1);
	guint n = g_strv_length(lines) - 1;
	for (guint i = 0; i < n; i++) {
		g_autofree gchar *want = g_strdup_printf(" line %u", 100 - n + 1 + i);
		assert_true(g_str_has_suffix(lines[i], want));
	}
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(lines_have_time_stream_and_escaped_text),
		in_folder(a_crash_at_any_byte_loses_and_doubles_no_line),
		in_folder(it_never_takes_more_than_its_quota),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
