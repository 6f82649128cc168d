#include "cm.h"

#include "base/name.h"
#include "model/node.h"

static IscNode *node_in(IscNodeState state)
{
	IscNode *node = g_new0(IscNode, 1);
	const gchar *text = "[Node]\nName=web\nImage=nginx\n";
	node->spec = isc_spec_parse("test", text, strlen(text), NULL);
	node->state = state;
	return node;
}

static void names_of_states_and_verbs_come_back(void **state)
{
	(void)state;
	for (guint i = 0; i < ISC_N_NODE_STATES; i++) {
		IscNodeState out;
		assert_true(isc_node_state_parse(isc_node_state_name((IscNodeState)i), &out));
		assert_int_equal(out, i);
	}
	for (guint i = 0; i < ISC_N_VERBS; i++) {
		IscVerb out;
		assert_true(isc_verb_parse(isc_verb_name((IscVerb)i), &out));
		assert_int_equal(out, i);
	}
	IscNodeState s;
	assert_false(isc_node_state_parse("running", &s));
	assert_false(isc_node_state_parse(NULL, &s));
}

static void a_stand_ins_name_is_a_name(void **state)
{
	(void)state;
	g_autofree gchar *a = isc_node_stand_in_name("web");
	g_autofree gchar *b = isc_node_stand_in_name("abcdefghijklmnopqrstuvwxyz01234");
	assert_string_equal(a, "web-next");
	assert_true(isc_name_is_valid(b));
	assert_true(g_str_has_suffix(b, "-next"));
}

static void nothing_starts_a_quarantined_node(void **state)
{
	(void)state;
	static const IscVerb refused[] = { ISC_VERB_ENABLE, ISC_VERB_RESUME,
		ISC_VERB_SNAPSHOT_RESTORE, ISC_VERB_DISABLE, ISC_VERB_SUSPEND, ISC_VERB_UPGRADE,
		ISC_VERB_ROLLBACK };
	g_autoptr(IscNode) node = node_in(ISC_NODE_QUARANTINED);
	for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_autoptr(GError) error = NULL;
		gboolean done;
		assert_false(isc_node_check_verb(node, refused[i], &done, &error));
		assert_error(error, ISC_ERROR_POLICY, "release");
	}
}

static void quarantine_and_destroy_are_possible_in_every_living_state(void **state)
{
	(void)state;
	for (guint s = 0; s < ISC_N_NODE_STATES; s++) {
		assert_int_equal(isc_node_verb_legal((IscNodeState)s, ISC_VERB_DESTROY),
				ISC_LEGAL_YES);
		if (s != ISC_NODE_DESTROYING)
			assert_int_not_equal(
					isc_node_verb_legal((IscNodeState)s, ISC_VERB_QUARANTINE),
					ISC_LEGAL_NO);
	}
}

static void a_node_under_destruction_never_comes_back(void **state)
{
	(void)state;
	for (guint v = 0; v < ISC_N_VERBS; v++)
		assert_int_equal(isc_node_verb_legal(ISC_NODE_DESTROYING, (IscVerb)v),
				v == ISC_VERB_DESTROY ? ISC_LEGAL_YES : ISC_LEGAL_NO);
}

static void what_is_so_already_is_done(void **state)
{
	(void)state;
	g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
	g_autoptr(GError) error = NULL;
	gboolean done = FALSE;
	assert_true(isc_node_check_verb(node, ISC_VERB_ENABLE, &done, &error));
	assert_true(done);
	assert_true(isc_node_check_verb(node, ISC_VERB_DISABLE, &done, &error));
	assert_false(done);
	assert_false(isc_node_check_verb(node, ISC_VERB_RELEASE, &done, &error));
	assert_error(error, ISC_ERROR_STATE, "not in quarantine");
}

static void rules_change_in_every_state_that_lasts_also_in_quarantine(void **state)
{
	(void)state;
	static const IscVerb verbs[] = { ISC_VERB_EXPOSE, ISC_VERB_UNEXPOSE, ISC_VERB_ALLOW,
		ISC_VERB_DENY };
	for (guint s = 0; s < ISC_N_NODE_STATES; s++)
		for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
			gboolean lasts = s != ISC_NODE_ENABLING && s != ISC_NODE_DISABLING &&
					 s != ISC_NODE_DESTROYING;
			assert_int_equal(isc_node_verb_legal((IscNodeState)s, verbs[i]),
					lasts ? ISC_LEGAL_YES : ISC_LEGAL_NO);
			assert_true(isc_verb_is_about_rules(verbs[i]));
		}
	assert_false(isc_verb_is_about_rules(ISC_VERB_QUARANTINE));
}

static void volumes_come_and_go_only_while_the_node_does_not_run(void **state)
{
	(void)state;
	for (guint s = 0; s < ISC_N_NODE_STATES; s++) {
		IscLegal want = s == ISC_NODE_DISABLED || s == ISC_NODE_FAILED ? ISC_LEGAL_YES
									       : ISC_LEGAL_NO;
		assert_int_equal(
				isc_node_verb_legal((IscNodeState)s, ISC_VERB_VOLUME_ATTACH), want);
		assert_int_equal(
				isc_node_verb_legal((IscNodeState)s, ISC_VERB_VOLUME_DETACH), want);
	}
}

static void no_two_slots_share_anything(void **state)
{
	(void)state;
	static const guint slots[] = { ISC_SLOT_MIN, 3, 255, 256, 257, 511, 512, ISC_SLOT_MAX };
	for (gsize a = 0; a < G_N_ELEMENTS(slots); a++)
		for (gsize b = 0; b < a; b++) {
			g_autofree gchar *mac_a = isc_node_mac_text(slots[a]),
					 *mac_b = isc_node_mac_text(slots[b]);
			g_autofree gchar *tap_a = isc_node_tap(slots[a]),
					 *tap_b = isc_node_tap(slots[b]);
			assert_string_not_equal(mac_a, mac_b);
			assert_string_not_equal(tap_a, tap_b);
			assert_int_not_equal(isc_node_uid(slots[a]), isc_node_uid(slots[b]));
			assert_true(strlen(tap_a) < 16); /* IFNAMSIZ */
		}
	guint8 mac[6];
	isc_node_mac(513, mac);
	assert_int_equal(mac[4] << 8 | mac[5], 513);
	assert_int_equal(mac[0] & 3, 2); /* locally administered, unicast */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_states_and_verbs_come_back),
		cmocka_unit_test(a_stand_ins_name_is_a_name),
		cmocka_unit_test(nothing_starts_a_quarantined_node),
		cmocka_unit_test(quarantine_and_destroy_are_possible_in_every_living_state),
		cmocka_unit_test(a_node_under_destruction_never_comes_back),
		cmocka_unit_test(what_is_so_already_is_done),
		cmocka_unit_test(rules_change_in_every_state_that_lasts_also_in_quarantine),
		cmocka_unit_test(volumes_come_and_go_only_while_the_node_does_not_run),
		cmocka_unit_test(no_two_slots_share_anything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
