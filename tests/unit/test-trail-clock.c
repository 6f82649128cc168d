/* The host's clock is set, forwards and backwards, while records come in (F13): the order is that
 * of their numbers, the chain holds, and an auditor is told.  The clock is this program's own: what
 * it defines here goes before the libraries'. */
#include "trail-fixture.h"

#include <sys/syscall.h>
#include <time.h>

#define YEAR (G_GINT64_CONSTANT(365) * 86400)

static gint64 set_by; /* s that the clock was set by so far */

int clock_gettime(clockid_t clock, struct timespec *t)
{
	long rc = syscall(SYS_clock_gettime, clock, t);
	if (clock == CLOCK_REALTIME)
		t->tv_sec += set_by;
	return (int)rc;
}

gint64 g_get_real_time(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (gint64)t.tv_sec * G_USEC_PER_SEC + t.tv_nsec / 1000;
}

typedef struct {
	guint64 n;     /* records seen */
	gint64 begin;  /* µs: the true time when it began */
	gint64 set[6]; /* s that the clock was set by when frame 4 * i + 1 and those behind it were
			  sealed */
} Seen;

static void on_record(const IscTrailRecord *r, gpointer data)
{
	Seen *seen = data;
	assert_true(r->number == ++seen->n);
	assert_true(r->frame == (seen->n + 1) / 2);
	gint64 since = r->time - seen->begin - seen->set[(r->frame - 1) / 4] * G_USEC_PER_SEC;
	assert_true(since >= 0 && since < 60 * G_USEC_PER_SEC);
}

static void add_four(IscTrailWriter *t, guint from)
{
	for (guint n = from; n < from + 4; n++)
		add_frame(t, n);
}

static void verify(const Folder *f, Seen *seen, guint records, guint steps)
{
	IscTrailExpect expect = { .name = "web", .root = f->root.pub, .at_rest = TRUE };
	g_auto(IscTrailReport) r = { 0 };
	g_autoptr(GError) error = NULL;
	seen->n = 0;
	gboolean ok = isc_trail_verify_dir(f->fd, &expect, on_record, seen, &r, &error);
	assert_no_error(error);
	assert_true(ok && seen->n == records && r.records == records);
	assert_int_equal(r.clock_steps, steps);
}

/* @segment_bytes: 0: one file, 1: a file for each commit */
static void set_again_and_again(const Folder *f, goffset segment_bytes)
{
	set_by = 0;
	Seen seen = { .begin = g_get_real_time() };
	g_autoptr(IscTrailWriter) t = folder_open_trail(f, segment_bytes, NULL);
	add_four(t, 1);
	commit(t, FALSE);
	set_by = seen.set[1] = YEAR;
	add_four(t, 5);
	commit(t, FALSE);
	/* Set back between their coming and their being sealed: no record is of a time to come. */
	add_four(t, 9);
	set_by = seen.set[2] = -YEAR;
	commit(t, FALSE);
	/* While nobody was there. */
	isc_trail_writer_free(g_steal_pointer(&t));
	set_by = seen.set[3] = 1;
	gboolean broken = TRUE;
	t = folder_open_trail(f, segment_bytes, &broken);
	assert_false(broken);
	add_four(t, 13);
	commit(t, FALSE);
	/* What a time server does all day is no step. */
	set_by = seen.set[4] = 2;
	add_four(t, 17);
	commit(t, TRUE);
	set_by = 0;
	verify(f, &seen, 40, 3);
}

static void a_clock_that_is_set_costs_no_record_and_no_order(void **state)
{
	set_again_and_again(*state, 0);
}

static void nor_does_it_where_a_file_begins(void **state)
{
	set_again_and_again(*state, 1);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(a_clock_that_is_set_costs_no_record_and_no_order),
		in_folder(nor_does_it_where_a_file_begins),
	};
	return cmocka_run_group_tests_name("trail-clock", tests, NULL, NULL);
}
