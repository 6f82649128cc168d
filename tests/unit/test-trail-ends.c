/* R4.2, T19: how far other trails are, as the dock's own says. */
#include "cm.h"

#include <string.h>

#include "cli/trail-ends.h"

#define HEAD "type=DAEMON_CONFIG msg=audit(1700000000.123:4000000001): "

static void take(GHashTable *ends, guint16 type, guint16 flags, const gchar *line)
{
	const IscTrailRecord r = {
		.type = type, .flags = flags, .line = line, .len = strlen(line)
	};
	isc_trail_ends_take(&r, ends);
}

static void assert_end(
		GHashTable *ends, const gchar *name, guint32 file, guint64 block, guint8 head)
{
	const IscTrailEnd *end = g_hash_table_lookup(ends, name);
	assert_non_null(end);
	assert_int_equal(end->file, file);
	assert_true(end->end.block == block);
	assert_int_equal(end->end.head[7], head);
}

static void the_last_word_of_each_trail_counts(void **state)
{
	(void)state;
	g_autoptr(GHashTable) ends = isc_trail_ends_new();
	take(ends, 1203, ISC_RECORD_DOCK,
			HEAD "op=trail-end trail=web file=1 end=7:0011223344556677 records=9 "
			     "res=success");
	take(ends, 1203, ISC_RECORD_DOCK,
			HEAD "op=trail-end trail=+web file=3 end=70:0011223344556678 records=90 "
			     "res=success");
	take(ends, 1203, ISC_RECORD_DOCK,
			HEAD "op=trail-end trail=web file=2 end=8:0011223344556679 records=9 "
			     "res=success");
	take(ends, 1203, ISC_RECORD_DOCK,
			HEAD "op=trail-end trail=+@dock file=1 end=1:001122334455667a records=1 "
			     "res=success");
	assert_int_equal(g_hash_table_size(ends), 3);
	assert_end(ends, "web", 2, 8, 0x79);
	assert_end(ends, "+web", 3, 70, 0x78);
	assert_end(ends, "+@dock", 1, 1, 0x7a);
}

/* isc-dockd writes into this trail, too, and in its records stand words of callers. */
static void only_the_collector_says_it(void **state)
{
	(void)state;
	static const gchar line[] = HEAD "op=trail-end trail=web file=1 end=7:0011223344556677 "
					 "records=9 res=success";
	static const gchar *const others[] = {
		HEAD "op=network-left-out kind=mac left-out=9",
		HEAD "cmd=\"): op=trail-end trail=web file=1\"",
		HEAD "op=trail-end trail=../web file=1 end=7:0011223344556677 records=9",
		HEAD "op=trail-end trail=++web file=1 end=7:0011223344556677 records=9",
		HEAD "op=trail-end trail=web file=0 end=7:0011223344556677 records=9",
		HEAD "op=trail-end trail=web file=4294967295 end=7:0011223344556677 records=9",
		HEAD "op=trail-end trail=web file=-1 end=7:0011223344556677 records=9",
		HEAD "op=trail-end trail=web end=7:0011223344556677 records=9",
		HEAD "op=trail-end trail=web file=1 records=9",
		HEAD "op=trail-end trail=web file=1 end=7:00 records=9",
		HEAD "op=trail-end trail=",
		"",
	};
	g_autoptr(GHashTable) ends = isc_trail_ends_new();
	take(ends, 1203, 0, line);
	take(ends, 1123, ISC_RECORD_DOCK, line);
	for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
		take(ends, 1203, ISC_RECORD_DOCK, others[i]);
	assert_int_equal(g_hash_table_size(ends), 0);
	take(ends, 1203, ISC_RECORD_DOCK, line);
	assert_int_equal(g_hash_table_size(ends), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_word_of_each_trail_counts),
		cmocka_unit_test(only_the_collector_says_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
