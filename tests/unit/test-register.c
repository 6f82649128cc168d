/* R8.1, F18, F19: the register. */
#include "cm.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "store/register.h"

static const IscSlots all_slots = { ISC_SLOT_MIN, ISC_SLOT_MAX };

typedef struct {
	gchar *dir, *path;
	IscRegister *reg;
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	f->dir = g_dir_make_tmp("isc-register-XXXXXX", NULL);
	f->path = g_build_filename(f->dir, "register.db", NULL);
	f->reg = isc_register_open(f->path, NULL);
	*state = f;
	return f->reg ? 0 : -1;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	isc_register_close(f->reg);
	static const gchar *const tails[] = { "", "-wal", "-shm" };
	for (gsize i = 0; i < G_N_ELEMENTS(tails); i++) {
		g_autofree gchar *path = g_strconcat(f->path, tails[i], NULL);
		(void)g_unlink(path);
	}
	(void)g_rmdir(f->dir);
	g_free(f->dir);
	g_free(f->path);
	g_free(f);
	return 0;
}

static void reopen(Fixture *f)
{
	g_autoptr(GError) error = NULL;
	isc_register_close(f->reg);
	f->reg = isc_register_open(f->path, &error);
	assert_no_error(error);
}

static IscNode *make(const gchar *name)
{
	g_autofree gchar *text = g_strdup_printf("[Node]\nName=%s\nImage=nginx\n[Network]\nExpose="
						 "80:80\n[Service]\nEnv=SECRET=hunter2\n",
			name);
	g_autofree gchar *uuid = g_uuid_string_random();
	IscNode *node = g_new0(IscNode, 1);
	node->spec = isc_spec_parse("test", text, strlen(text), NULL);
	g_strlcpy(node->uuid, uuid, sizeof(node->uuid));
	memset(node->digest, 'a', 64);
	node->image_name = g_strdup("nginx");
	node->image_version = g_strdup("1.2");
	node->reason = g_strdup("");
	node->state = ISC_NODE_ENABLING;
	node->created = node->since = 1700000000;
	return node;
}

static void a_node_survives_the_daemon_and_its_secrets_do_not(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) node = make("web");
	assert_true(isc_register_add_node(f->reg, node, &all_slots, &error));
	assert_int_equal(node->slot, ISC_SLOT_MIN);
	assert_true(isc_register_set_state(f->reg, "web", ISC_NODE_FAILED, "because", &error));
	reopen(f);

	g_autoptr(IscNode) again = isc_register_get_node(f->reg, "web", &error);
	assert_no_error(error);
	assert_string_equal(again->uuid, node->uuid);
	assert_int_equal(again->state, ISC_NODE_FAILED);
	assert_string_equal(again->reason, "because");
	assert_int_equal(again->spec->expose->len, 1);
	assert_int_equal(again->spec->env->len, 0);

	g_autofree gchar *bytes = NULL;
	gsize len;
	assert_true(g_file_get_contents(f->path, &bytes, &len, NULL));
	assert_null(memmem(bytes, len, "hunter2", 7));
	struct stat st;
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void other_rules_take_the_place_of_the_old_ones(void **state)
{
	(void)state;
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) node = make("web"), stranger = make("stranger");
	assert_true(isc_register_add_node(f->reg, node, &all_slots, &error));
	g_autoptr(IscSpec) other = isc_spec_copy(node->spec);
	g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(IscExpose));
	isc_spec_set_rules(other, none, other->egress);
	assert_true(isc_register_set_spec(f->reg, other, &error));
	reopen(f);
	g_autoptr(IscNode) back = isc_register_get_node(f->reg, "web", &error);
	assert_no_error(error);
	assert_int_equal(back->spec->expose->len, 0);
	assert_int_equal(back->spec->env->len, 0); /* still no secret */
	assert_int_equal(back->state, ISC_NODE_ENABLING);
	assert_false(isc_register_set_spec(f->reg, stranger->spec, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "stranger");
}

static void a_name_is_taken_once(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) a = make("web"), b = make("web");
	assert_true(isc_register_add_node(f->reg, a, &all_slots, &error));
	assert_false(isc_register_add_node(f->reg, b, &all_slots, &error));
	assert_error(error, ISC_ERROR_STATE, "web");
	g_autoptr(IscNode) none = isc_register_get_node(f->reg, "db", &error);
	assert_null(none);
	assert_error(error, ISC_ERROR_NOT_FOUND, "db");
}

static void an_address_is_not_given_out_again_at_once(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) a = make("a"), b = make("b"), c = make("c");
	assert_true(isc_register_add_node(f->reg, a, &all_slots, &error));
	assert_true(isc_register_remove_node(f->reg, "a", &error));
	assert_true(isc_register_add_node(f->reg, b, &all_slots, &error));
	assert_int_not_equal(a->slot, b->slot);
	reopen(f);
	assert_true(isc_register_remove_node(f->reg, "b", &error));
	assert_true(isc_register_add_node(f->reg, c, &all_slots, &error));
	assert_int_not_equal(c->slot, b->slot);
}

static void the_journal_shows_what_was_begun_and_not_ended(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscPlan) plan = isc_plan_new(ISC_VERB_SNAPSHOT_CREATE, "web");
	isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_SNAPSHOT, "s1");
	isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_PAUSE, NULL);

	guint64 done = isc_register_begin_op(f->reg, plan, 1000, &error);
	guint64 open = isc_register_begin_op(f->reg, plan, 1001, &error);
	assert_true(done && open && done != open);
	assert_true(isc_register_step_op(f->reg, open, 1, FALSE, &error));
	assert_true(isc_register_end_op(f->reg, done, 0, NULL, &error));
	reopen(f);

	g_autoptr(GPtrArray) ops = isc_register_unfinished_ops(f->reg, &error);
	assert_int_equal(ops->len, 1);
	const IscOp *op = ops->pdata[0];
	assert_int_equal(op->id, open);
	assert_int_equal(op->reached, 1);
	assert_int_equal(op->caller, 1001);
	assert_int_equal(op->plan->verb, ISC_VERB_SNAPSHOT_CREATE);
	assert_string_equal(g_array_index(op->plan->steps, IscStep, 0).arg, "s1");
}

static void events_come_in_order_and_by_node(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < 10; i++) {
		g_autofree gchar *text = g_strdup_printf("event %u", i);
		IscEventRow row = { .node = (gchar *)(i % 2 ? "web" : "db"),
			.kind = (gchar *)"test",
			.level = (gchar *)"info",
			.text = text,
			.caller = G_MAXUINT };
		assert_true(isc_register_add_event(f->reg, &row, &error));
		assert_int_equal(row.seq, i + 1);
	}
	g_autoptr(GPtrArray) web = isc_register_list_events(f->reg, "web", 0, 100, &error);
	assert_int_equal(web->len, 5);
	g_autoptr(GPtrArray) last = isc_register_list_events(f->reg, NULL, 0, 3, &error);
	assert_int_equal(last->len, 3);
	assert_string_equal(((IscEventRow *)last->pdata[0])->text, "event 7");
	assert_int_equal(((IscEventRow *)last->pdata[0])->caller, G_MAXUINT);
	g_autoptr(GPtrArray) since = isc_register_list_events(f->reg, NULL, 8, 100, &error);
	assert_int_equal(since->len, 2);
}

static void snapshots_belong_to_one_node(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	IscSnapshot s = {
		.name = (gchar *)"s1", .created = 5, .size = 77, .digest = "ab", .frozen = TRUE
	};
	assert_true(isc_register_add_snapshot(f->reg, "u1", &s, &error));
	g_autoptr(GPtrArray) of1 = isc_register_list_snapshots(f->reg, "u1", &error);
	g_autoptr(GPtrArray) of2 = isc_register_list_snapshots(f->reg, "u2", &error);
	assert_int_equal(of1->len, 1);
	assert_int_equal(of2->len, 0);
	assert_int_equal(((IscSnapshot *)of1->pdata[0])->size, 77);
	guint64 bytes = 0;
	assert_true(isc_register_add_snapshot(f->reg, "u2", &s, &error));
	assert_true(isc_register_snapshots_size(f->reg, &bytes, &error));
	assert_int_equal(bytes, 2 * 77);
	assert_true(isc_register_remove_snapshot(f->reg, "u2", "s1", &error));
	assert_true(isc_register_remove_snapshot(f->reg, "u1", "s1", &error));
	assert_true(isc_register_snapshots_size(f->reg, &bytes, &error));
	assert_int_equal(bytes, 0);
	g_autoptr(GPtrArray) after = isc_register_list_snapshots(f->reg, "u1", &error);
	assert_int_equal(after->len, 0);
}

static IscSpec *spec_with(const gchar *name, const gchar *volume)
{
	g_autofree gchar *text = g_strdup_printf("[Node]\nName=%s\nImage=i\n%s%s\n", name,
			volume ? "[Resources]\nVolume=" : "", volume ? volume : "");
	return isc_spec_parse("t", text, strlen(text), NULL);
}

static void a_volume_has_one_owner_and_outlives_it(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	const IscVolume made = { .name = "data",
		.uuid = "11111111-1111-4111-8111-111111111111",
		.mib = 64,
		.fresh = TRUE,
		.created = 5 };
	IscVolume v;
	IscNode node = { .uuid = "22222222-2222-4222-8222-222222222222",
		.image_name = (gchar *)"i",
		.image_version = (gchar *)"1" };
	memset(node.digest, 'd', 64);
	g_autoptr(IscSpec) web = spec_with("web", "data:/srv");
	g_autoptr(IscSpec) bare = spec_with("web", NULL);
	g_autoptr(IscSpec) other = spec_with("other", "data:/srv");
	node.spec = bare;
	assert_true(isc_register_add_node(f->reg, &node, &all_slots, NULL));
	assert_true(isc_register_add_volume(f->reg, &made, NULL));
	assert_false(isc_register_add_volume(f->reg, &made, &error));
	assert_error(error, ISC_ERROR_STATE, "stands already");

	assert_true(isc_register_attach_volume(f->reg, "data", web, NULL));
	assert_true(isc_register_attach_volume(f->reg, "data", web, NULL));
	reopen(f);
	assert_true(isc_register_get_volume(f->reg, "data", &v, NULL));
	assert_string_equal(v.node, "web");
	assert_string_equal(v.path, "/srv");
	g_autoptr(IscNode) has = isc_register_get_node(f->reg, "web", NULL);
	assert_int_equal(has->spec->volumes->len, 1);
	error = NULL;
	assert_false(isc_register_attach_volume(f->reg, "data", other, &error));
	assert_error(error, ISC_ERROR_STATE, "in use by node 'web'");
	assert_true(isc_register_detach_volume(f->reg, "data", other, NULL)); /* not its own */
	assert_true(isc_register_get_volume(f->reg, "data", &v, NULL));
	assert_string_equal(v.node, "web");

	assert_true(v.fresh && isc_register_use_volumes(f->reg, "web", NULL));
	assert_true(isc_register_resize_volume(f->reg, "data", 128, NULL));
	assert_true(isc_register_detach_volume(f->reg, "data", bare, NULL));
	assert_true(isc_register_remove_node(f->reg, "web", NULL));
	g_autoptr(GArray) all = isc_register_list_volumes(f->reg, NULL);
	assert_int_equal(all->len, 1);
	v = g_array_index(all, IscVolume, 0);
	assert_string_equal(v.node, "");
	assert_false(v.fresh);
	assert_int_equal(v.mib, 128);
	g_autoptr(GArray) turns = g_array_new(FALSE, FALSE, sizeof(IscTurn));
	IscTurn turn = { .volume = "data", .side = 1 }, gone = { .volume = "gone", .side = 1 };
	g_array_append_val(turns, turn);
	g_array_append_val(turns, gone);
	assert_false(isc_register_turn(f->reg, "web", turns, NULL));
	assert_true(isc_register_get_volume(f->reg, "data", &v, NULL));
	assert_int_equal(v.side, 0); /* all or none */
	g_array_set_size(turns, 1);
	g_strlcpy(gone.volume, "", sizeof(gone.volume)); /* the overlay */
	g_array_append_val(turns, gone);
	assert_false(isc_register_turn(f->reg, "web", turns, NULL)); /* there is no such node */
	assert_true(isc_register_add_node(f->reg, &node, &all_slots, NULL));
	assert_int_equal(isc_register_overlay_side(f->reg, "web"), 0);
	assert_true(isc_register_turn(f->reg, "web", turns, NULL));
	assert_true(isc_register_turn(f->reg, "web", turns, NULL));
	assert_int_equal(isc_register_overlay_side(f->reg, "web"), 1);
	assert_int_equal(isc_register_overlay_side(f->reg, "none"), 0);
	assert_true(isc_register_get_volume(f->reg, "data", &v, NULL));
	assert_int_equal(v.side, 1);

	assert_true(isc_register_remove_volume(f->reg, "data", NULL));
	error = NULL;
	assert_false(isc_register_get_volume(f->reg, "data", &v, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "no volume 'data'");
}

static void an_upgrade_is_remembered(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) node = make("web"), other = make("web-next");
	other->stands_for = g_strdup("web");
	g_autoptr(IscImage) image = isc_image_new();
	image->name = g_strdup("nginx");
	image->version = g_strdup("2");
	memset(image->digest, 'b', 64);
	assert_true(isc_register_add_node(f->reg, node, &all_slots, &error));
	assert_true(isc_register_add_node(f->reg, other, &all_slots, &error));
	assert_true(isc_register_set_image(f->reg, "web", image, "old", &error));
	assert_true(isc_register_set_stand_in(f->reg, "web", other->slot, &error));
	reopen(f);
	g_autoptr(IscNode) back = isc_register_get_node(f->reg, "web", &error);
	assert_no_error(error);
	assert_string_equal(back->digest, image->digest);
	assert_string_equal(back->image_version, "2");
	assert_string_equal(back->previous, "old");
	assert_int_equal(back->stand_in, other->slot);
	assert_false(isc_node_is_stand_in(back));
	g_autoptr(IscNode) next = isc_register_get_node(f->reg, "web-next", &error);
	assert_true(isc_node_is_stand_in(next));
}

static void restarts_are_remembered_as_long_as_their_node(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) node = make("web");
	IscRestartRecord record = { 3, 2, 100, 200, 300, "it fell" }, back;
	assert_true(isc_register_add_node(f->reg, node, &all_slots, &error));
	assert_true(isc_register_get_restart(f->reg, node->uuid, &back, &error));
	assert_int_equal(back.total, 0);
	assert_true(isc_register_set_restart(f->reg, node->uuid, &record, &error));
	reopen(f);
	assert_true(isc_register_get_restart(f->reg, node->uuid, &back, &error));
	assert_memory_equal(&back, &record, sizeof(back));
	assert_true(isc_register_remove_node(f->reg, "web", &error));
	assert_true(isc_register_get_restart(f->reg, node->uuid, &back, &error));
	assert_int_equal(back.total, 0);
}

static void a_damaged_row_harms_its_own_node_only(void **state)
{
	Fixture *f = *state;
	static const gchar *const damages[] = {
		"UPDATE node SET spec = 'garbage' WHERE name = 'web'",
		"UPDATE node SET spec = replace(spec, 'web', 'app') WHERE name = 'web'",
		"UPDATE node SET state = 'flying' WHERE name = 'web'",
		"UPDATE node SET digest = '../x' WHERE name = 'web'",
		"UPDATE node SET uuid = '' WHERE name = 'web'",
		"UPDATE node SET slot = 99999999 WHERE name = 'web'",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(damages); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscNode) db1 = make("db1"), web = make("web");
		sqlite3 *db;
		gboolean done;
		assert_true(isc_register_add_node(f->reg, db1, &all_slots, &error));
		assert_true(isc_register_add_node(f->reg, web, &all_slots, &error));
		assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, damages[i], NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		g_autoptr(GPtrArray) nodes = isc_register_list_nodes(f->reg, &error);
		assert_no_error(error);
		assert_int_equal(nodes->len, 2);
		const IscNode *good = nodes->pdata[0], *bad = nodes->pdata[1];
		assert_null(good->damage);
		assert_string_equal(good->spec->name, "db1");
		assert_string_equal(bad->spec->name, "web");
		assert_non_null(strstr(bad->damage, "its row in the register is damaged"));
		assert_int_equal(bad->state, ISC_NODE_FAILED);
		assert_int_equal(bad->spec->expose->len, 0);
		assert_false(isc_node_check_verb(bad, ISC_VERB_ENABLE, &done, &error));
		assert_error(error, ISC_ERROR_STATE, "fsck --repair");
		assert_true(isc_node_check_verb(bad, ISC_VERB_DESTROY, &done, NULL));
		assert_true(isc_register_remove_node(f->reg, "web", NULL));
		assert_true(isc_register_remove_node(f->reg, "db1", NULL));
	}
}

/* Not even a name to call it by: it is in no list of nodes, and so in one of its own. */
static void a_row_without_a_name_is_told_with_its_slot(void **state)
{
	Fixture *f = *state;
	static const gchar *const damages[] = {
		"UPDATE node SET name = 'No Name' WHERE name = 'web'",
		"UPDATE node SET name = '' WHERE name = 'web'",
		"UPDATE node SET name = 'w' || char(27) || '[2J' WHERE name = 'web'",
	};
	static const gchar *const shown[] = { "No Name", "", "w\\x1b[2J" };
	for (gsize i = 0; i < G_N_ELEMENTS(damages); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscNode) db1 = make("db1"), web = make("web");
		sqlite3 *db;
		assert_true(isc_register_add_node(f->reg, db1, &all_slots, &error));
		assert_true(isc_register_add_node(f->reg, web, &all_slots, &error));
		g_autoptr(GPtrArray) none = isc_register_list_lost(f->reg, &error);
		assert_int_equal(none->len, 0);
		assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, damages[i], NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		g_autoptr(GPtrArray) nodes = isc_register_list_nodes(f->reg, &error);
		assert_int_equal(nodes->len, 1);
		g_autoptr(GPtrArray) lost = isc_register_list_lost(f->reg, &error);
		assert_int_equal(lost->len, 1);
		const IscLostRow *row = lost->pdata[0];
		assert_int_equal(row->slot, web->slot);
		assert_string_equal(row->uuid, web->uuid);
		assert_string_equal(row->name, shown[i]);
		assert_true(isc_register_remove_lost(f->reg, row, &error));
		g_autoptr(GPtrArray) left = isc_register_list_lost(f->reg, &error);
		assert_int_equal(left->len, 0);
		assert_true(isc_register_remove_node(f->reg, "db1", &error));
	}
}

static void a_newer_schema_and_a_damaged_file_are_refused(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	sqlite3 *db;
	assert_true(isc_register_check(f->reg, &error));
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_null(isc_register_open(f->path, &error));
	assert_error(error, ISC_ERROR_HOST, "schema 99");

	g_autofree gchar *other = g_build_filename(f->dir, "garbage.db", NULL);
	assert_true(g_file_set_contents(other,
			"this is no database, and long enough to be seen as none at all ....", -1,
			NULL));
	assert_null(isc_register_open(other, &error));
	assert_error(error, ISC_ERROR_HOST, "garbage.db");
	(void)g_unlink(other);
}

static IscNode *make_member(const gchar *name)
{
	IscNode *node = make(name);
	g_strlcpy(node->spec->replica.set, "set", sizeof(node->spec->replica.set));
	return node;
}

static void a_set_is_what_is_wanted_and_its_members_what_there_is(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) set = make("set"), other = make("other");
	g_autoptr(IscNode) ten = make_member("set-10"), two = make_member("set-2");
	assert_true(isc_register_add_set(f->reg, set->spec, 0, &error));
	assert_true(isc_register_set_wanted(f->reg, "set", 10, &error));
	assert_true(isc_register_add_node(f->reg, ten, &all_slots, &error));
	assert_true(isc_register_add_node(f->reg, other, &all_slots, &error));
	assert_true(isc_register_add_node(f->reg, two, &all_slots, &error));
	reopen(f);

	g_autoptr(IscReplicaSet) back = isc_register_get_set(f->reg, "set", &error);
	assert_no_error(error);
	assert_int_equal(back->wanted, 10);
	assert_non_null(strstr(back->spec, "Image=nginx"));
	assert_null(strstr(back->spec, "hunter2"));
	g_autoptr(GPtrArray) members = isc_register_list_members(f->reg, "set", &error);
	assert_int_equal(members->len, 2);
	assert_string_equal(((IscNode *)members->pdata[0])->spec->name, "set-2");
	assert_string_equal(((IscNode *)members->pdata[1])->spec->name, "set-10");
	g_autoptr(GPtrArray) nobody = isc_register_list_members(f->reg, "", &error);
	assert_int_equal(nobody->len, 0);

	/* One name, one thing. */
	g_autoptr(IscNode) node = make("set");
	assert_false(isc_register_add_node(f->reg, node, &all_slots, &error));
	assert_error(error, ISC_ERROR_STATE, "name of a set");
	assert_false(isc_register_add_set(f->reg, other->spec, 1, &error));
	assert_error(error, ISC_ERROR_STATE, "'other' stands already");
	assert_false(isc_register_add_set(f->reg, set->spec, 1, &error));
	assert_error(error, ISC_ERROR_STATE, "'set' stands already");

	assert_true(isc_register_remove_set(f->reg, "set", &error));
	assert_true(isc_register_remove_set(f->reg, "set", &error));
	assert_null(isc_register_get_set(f->reg, "set", &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "'set'");
}

static void a_job_keeps_its_runs_and_when_it_is_due(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) node = make("job");
	IscJobRun run = { .due = 100, .started = 101, .status = -1 }, last;
	IscJobDue due;
	gboolean was = FALSE;
	assert_true(isc_register_add_node(f->reg, node, &all_slots, &error));
	g_strlcpy(run.uuid, node->uuid, sizeof(run.uuid));
	g_strlcpy(run.name, "job", sizeof(run.name));
	g_strlcpy(run.cause, "schedule", sizeof(run.cause));
	assert_true(isc_register_add_run(f->reg, &run, &error));
	assert_int_equal(run.id, 1);
	assert_true(isc_register_last_run(f->reg, node->uuid, TRUE, &last, &error));
	assert_int_equal(last.id, 1);

	run.state = ISC_RUN_FAILED;
	run.status = 3;
	run.ended = 110;
	assert_true(isc_register_end_run(f->reg, &run, &was, &error) && was);
	run.state = ISC_RUN_DONE;
	assert_true(isc_register_end_run(f->reg, &run, &was, &error) && !was);
	assert_true(isc_register_last_run(f->reg, node->uuid, TRUE, &last, &error));
	assert_int_equal(last.id, 0);
	run.state = ISC_RUN_RUNNING;
	assert_true(isc_register_add_run(f->reg, &run, &error));

	assert_true(isc_register_get_due(f->reg, node->uuid, &due, &error));
	assert_true(due.due == 0 && due.last == 0 && !due.owed);
	due = (IscJobDue){ 200, 100, TRUE };
	assert_true(isc_register_set_due(f->reg, node->uuid, &due, &error));
	reopen(f);
	gint64 next = 0;
	g_auto(GStrv) early = isc_register_list_due(f->reg, 199, &next, &error);
	assert_int_equal(g_strv_length(early), 0);
	assert_int_equal(next, 200);
	g_auto(GStrv) due_now = isc_register_list_due(f->reg, 200, &next, &error);
	assert_int_equal(g_strv_length(due_now), 1);
	assert_string_equal(due_now[0], "job");
	assert_int_equal(next, 0);
	assert_true(isc_register_get_due(f->reg, node->uuid, &due, &error) && due.owed);

	/* It does not run, as the register has it. */
	assert_true(isc_register_set_state(f->reg, "job", ISC_NODE_FAILED, NULL, &error));
	assert_true(isc_register_close_runs(f->reg, "interrupted", &error));
	assert_true(isc_register_remove_node(f->reg, "job", &error));
	g_autoptr(GPtrArray) runs = isc_register_list_runs(f->reg, "job", 0, 10, &error);
	assert_no_error(error);
	assert_int_equal(runs->len, 2);
	const IscJobRun *one = runs->pdata[0], *two = runs->pdata[1];
	assert_true(one->state == ISC_RUN_FAILED && one->status == 3 && one->ended == 110);
	assert_true(two->state == ISC_RUN_FAILED && two->status == -1);
	assert_string_equal(two->message, "interrupted");
	g_auto(GStrv) none = isc_register_list_due(f->reg, G_MAXINT64, &next, &error);
	assert_true(none && !*none && next == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_upgrade_is_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_set_is_what_is_wanted_and_its_members_what_there_is, setup,
				teardown),
		cmocka_unit_test_setup_teardown(
				a_job_keeps_its_runs_and_when_it_is_due, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_node_survives_the_daemon_and_its_secrets_do_not, setup, teardown),
		cmocka_unit_test_setup_teardown(
				other_rules_take_the_place_of_the_old_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_is_taken_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
				an_address_is_not_given_out_again_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
				the_journal_shows_what_was_begun_and_not_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(events_come_in_order_and_by_node, setup, teardown),
		cmocka_unit_test_setup_teardown(snapshots_belong_to_one_node, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_volume_has_one_owner_and_outlives_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
				restarts_are_remembered_as_long_as_their_node, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_damaged_row_harms_its_own_node_only, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_row_without_a_name_is_told_with_its_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_newer_schema_and_a_damaged_file_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
