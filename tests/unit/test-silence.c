/* R4.1, T18: an agent that says nothing any more is an alarm, and nothing else is.  The clock is
 * this program's own: what it defines here goes before the libraries'. */
#include "cm.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/dock.h"
#include "daemon/silence.h"

static gint64 now = G_USEC_PER_SEC;

gint64 g_get_monotonic_time(void)
{
	return now;
}

typedef struct {
	gchar *dir;
	int collector; /* its socket */
	IscDock dock;
} Fixture;

static void on_link(gpointer data, const IscLinkMsg *msg, gboolean up)
{
	(void)data, (void)msg, (void)up;
}

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	f->dir = g_dir_make_tmp("isc-silence-XXXXXX", NULL);
	g_autofree gchar *db = g_build_filename(f->dir, "register.db", NULL);
	g_autofree gchar *path = g_build_filename(f->dir, "s", NULL);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	g_strlcpy(addr.sun_path, path, sizeof addr.sun_path);
	f->collector = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(f->collector, (struct sockaddr *)&addr, sizeof addr) != 0 ||
			listen(f->collector, 1) != 0)
		return -1;
	f->dock.reg = isc_register_open(db, NULL);
	f->dock.link = isc_link_new(path, getuid(), on_link, NULL);
	f->dock.runs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	f->dock.began = now;
	g_mutex_init(&f->dock.lock);
	g_cond_init(&f->dock.changed);
	*state = f;
	return f->dock.reg && isc_link_is_up(f->dock.link) ? 0 : -1;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	isc_link_free(f->dock.link);
	isc_register_close(f->dock.reg);
	g_hash_table_unref(f->dock.runs);
	g_mutex_clear(&f->dock.lock);
	g_cond_clear(&f->dock.changed);
	while (g_source_remove_by_user_data(&f->dock))
		;
	close(f->collector);
	static const gchar *const names[] = { "register.db", "register.db-wal", "register.db-shm",
		"s" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree gchar *path = g_build_filename(f->dir, names[i], NULL);
		(void)g_unlink(path);
	}
	(void)g_rmdir(f->dir);
	g_free(f->dir);
	g_free(f);
	return 0;
}

static void add_node(Fixture *f, const gchar *name)
{
	static const IscSlots slots = { ISC_SLOT_MIN, ISC_SLOT_MAX };
	g_autoptr(GError) error = NULL;
	g_autofree gchar *uuid = g_uuid_string_random();
	g_autofree gchar *text = g_strdup_printf("[Node]\nName=%s\nImage=nginx\n", name);
	g_autoptr(IscNode) node = g_new0(IscNode, 1);
	node->spec = isc_spec_parse("test", text, strlen(text), NULL);
	g_strlcpy(node->uuid, uuid, sizeof node->uuid);
	memset(node->digest, 'a', 64);
	node->image_name = g_strdup("nginx");
	node->image_version = g_strdup("1");
	node->reason = g_strdup("");
	node->state = ISC_NODE_DISABLED;
	assert_true(isc_register_add_node(f->dock.reg, node, &slots, &error));
	assert_no_error(error);
}

static void set_state(Fixture *f, const gchar *name, IscNodeState state)
{
	isc_dock_set_state(&f->dock, name, state, NULL, ISC_CALLER_DOCK);
}

static IscRun *run_of(Fixture *f, const gchar *name)
{
	return isc_dock_run(&f->dock, name);
}

static void beat(Fixture *f, const gchar *name)
{
	run_of(f, name)->heartbeat = now;
}

/* Time goes by, with a look every ten seconds. */
static void look_for(Fixture *f, guint seconds)
{
	for (guint i = 0; i < seconds; i += 10) {
		now += 10 * G_USEC_PER_SEC;
		isc_silence_look(&f->dock);
	}
}

/* How often it was told that @name is silent; or, @kind: node.heard, that it is not any more. */
static guint told(Fixture *f, const gchar *name, const gchar *kind)
{
	g_autoptr(GPtrArray) rows = isc_register_list_events(f->dock.reg, name, 0, 1000, NULL);
	guint n = 0;
	for (guint i = 0; i < rows->len; i++)
		n += g_str_equal(((const IscEventRow *)rows->pdata[i])->kind, kind);
	return n;
}

static void an_agent_that_says_nothing_is_told_once_and_when_it_is_back(void **state)
{
	Fixture *f = *state;
	add_node(f, "web");
	set_state(f, "web", ISC_NODE_READY);
	beat(f, "web");
	look_for(f, 30);
	assert_int_equal(told(f, "web", "node.silent"), 0);
	look_for(f, 10); /* it may have been halted till a moment ago */
	assert_int_equal(told(f, "web", "node.silent"), 0);
	look_for(f, 10);
	assert_int_equal(told(f, "web", "node.silent"), 1);
	look_for(f, 300);
	assert_int_equal(told(f, "web", "node.silent"), 1);
	beat(f, "web");
	look_for(f, 10);
	assert_int_equal(told(f, "web", "node.heard"), 1);
	assert_int_equal(told(f, "web", "node.silent"), 1);
}

/* One that runs and beats, whatever else goes on, and one whose service does not answer. */
static void who_beats_is_never_told(void **state)
{
	Fixture *f = *state;
	add_node(f, "web");
	set_state(f, "web", ISC_NODE_READY);
	for (guint i = 0; i < 50; i++) {
		beat(f, "web");
		look_for(f, 10);
		set_state(f, "web", i % 2 ? ISC_NODE_READY : ISC_NODE_UNREADY);
	}
	assert_int_equal(told(f, "web", "node.silent"), 0);
	look_for(f, 50);
	assert_int_equal(told(f, "web", "node.silent"), 1);
}

static void who_cannot_speak_is_not_told(void **state)
{
	static const IscNodeState states[] = { ISC_NODE_DISABLED, ISC_NODE_ENABLING,
		ISC_NODE_SUSPENDED, ISC_NODE_QUARANTINED, ISC_NODE_FAILED, ISC_NODE_DISABLING,
		ISC_NODE_DESTROYING };
	Fixture *f = *state;
	add_node(f, "web");
	for (gsize i = 0; i < G_N_ELEMENTS(states); i++) {
		set_state(f, "web", ISC_NODE_READY);
		beat(f, "web");
		look_for(f, 40); /* in doubt already */
		set_state(f, "web", states[i]);
		look_for(f, 300);
		assert_int_equal(told(f, "web", "node.silent"), 0);
		/* It was resumed, or put back: it has the time to say something. */
		set_state(f, "web", ISC_NODE_READY);
		look_for(f, 10);
		assert_int_equal(told(f, "web", "node.silent"), 0);
		beat(f, "web");
		look_for(f, 10);
		assert_int_equal(told(f, "web", "node.silent"), 0);
	}
	/* But one that was resumed and stays silent is. */
	set_state(f, "web", ISC_NODE_SUSPENDED);
	look_for(f, 100);
	set_state(f, "web", ISC_NODE_READY);
	look_for(f, 20);
	assert_int_equal(told(f, "web", "node.silent"), 1);
}

static void while_a_verb_is_at_work_nobody_is_told(void **state)
{
	Fixture *f = *state;
	add_node(f, "web");
	set_state(f, "web", ISC_NODE_READY);
	run_of(f, "web")->busy = "snapshot create";
	look_for(f, 300);
	assert_int_equal(told(f, "web", "node.silent"), 0);
	run_of(f, "web")->busy = NULL;
	look_for(f, 10);
	assert_int_equal(told(f, "web", "node.silent"), 0);
	look_for(f, 10);
	assert_int_equal(told(f, "web", "node.silent"), 1);
}

static void a_new_daemon_waits_for_the_first_beat(void **state)
{
	Fixture *f = *state;
	add_node(f, "web");
	set_state(f, "web", ISC_NODE_READY);
	look_for(f, 40); /* since it began; the run has no beat */
	assert_int_equal(told(f, "web", "node.silent"), 0);
	look_for(f, 10);
	assert_int_equal(told(f, "web", "node.silent"), 1);
}

static void without_the_collector_nobody_can_be_heard(void **state)
{
	Fixture *f = *state;
	add_node(f, "web");
	set_state(f, "web", ISC_NODE_READY);
	beat(f, "web");
	close(f->collector);
	f->collector = -1;
	/* The connection that it had not taken yet ends with it. */
	for (guint i = 0; i < 100000 && isc_link_is_up(f->dock.link); i++)
		g_main_context_iteration(NULL, FALSE);
	assert_false(isc_link_is_up(f->dock.link));
	look_for(f, 300);
	assert_int_equal(told(f, "web", "node.silent"), 0);
	/* It is not taken for off: when there is a collector, somebody has to listen. */
	assert_true(run_of(f, "web")->off != run_of(f, "web")->states + 1);
}

/* A dock may know thousands of nodes that are off: the register is asked for each but once. */
static void who_is_off_costs_nothing(void **state)
{
	Fixture *f = *state;
	add_node(f, "off");
	set_state(f, "off", ISC_NODE_DISABLED);
	run_of(f, "gone"); /* not even in the register */
	look_for(f, 60);
	/* It would be told now, if anybody looked. */
	assert_true(isc_register_set_state(f->dock.reg, "off", ISC_NODE_READY, NULL, NULL));
	add_node(f, "gone");
	assert_true(isc_register_set_state(f->dock.reg, "gone", ISC_NODE_READY, NULL, NULL));
	look_for(f, 100);
	assert_int_equal(told(f, "off", "node.silent"), 0);
	assert_int_equal(told(f, "gone", "node.silent"), 0);
	/* As it is as soon as the dock sets a state. */
	set_state(f, "off", ISC_NODE_READY);
	set_state(f, "gone", ISC_NODE_READY);
	look_for(f, 20);
	assert_int_equal(told(f, "off", "node.silent"), 1);
	assert_int_equal(told(f, "gone", "node.silent"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_agent_that_says_nothing_is_told_once_and_when_it_is_back),
		TEST(who_beats_is_never_told),
		TEST(who_cannot_speak_is_not_told),
		TEST(while_a_verb_is_at_work_nobody_is_told),
		TEST(a_new_daemon_waits_for_the_first_beat),
		TEST(without_the_collector_nobody_can_be_heard),
		TEST(who_is_off_costs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
