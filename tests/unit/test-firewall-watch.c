/* R1.7, T40: somebody changes our tables. */
#include "netns.h"

#include <gio/gio.h>

#include "engine/firewall-watch.h"
#include "fence.h"

typedef struct {
	guint n;
	gchar *who, *why;
	gboolean failed;
} Seen;

static void on_event(const IscFirewallEvent *event, gpointer data)
{
	Seen *seen = data;
	seen->n++;
	g_free(seen->who);
	g_free(seen->why);
	seen->who = g_strdup(event->who);
	seen->why = g_strdup(event->why);
	seen->failed = event->error != NULL;
}

/* Lets the main loop run until something was seen, or @ms are over. */
static void spin(Seen *seen, guint ms)
{
	gint64 end = g_get_monotonic_time() + ms * 1000;
	guint before = seen->n;
	while (seen->n == before && g_get_monotonic_time() < end) {
		g_main_context_iteration(NULL, FALSE);
		g_usleep(1000);
	}
}

static void changes_of_others_to_our_tables_are_mended_and_told(void **state)
{
	(void)state;
	GError *error = NULL;
	Seen seen = { 0 };
	g_autoptr(IscFirewall) fw = isc_firewall_new(&test_config, &error);
	g_autoptr(IscFence) web = fence_new(2, "web", "80:80", "icmp");

	assert_true(isc_firewall_setup(fw, &error));
	g_autoptr(IscFirewallWatch) watch =
			isc_firewall_watch_new(fw, NULL, on_event, &seen, &error);
	assert_no_error(error);

	assert_true(isc_firewall_node_add(fw, web, &error));
	assert_true(isc_firewall_sync(fw, &error));
	netns_run("nft add table inet other");
	spin(&seen, 50);
	assert_int_equal(seen.n, 0); /* our own change, and others' tables */

	netns_run("nft flush ruleset");
	spin(&seen, 2000);
	assert_int_equal(seen.n, 1);
	assert_false(seen.failed);
	assert_true(g_str_has_prefix(seen.who, "nft, pid "));
	assert_true(isc_firewall_node_verify(fw, web, &error));

	/* Right after it, too: held back a little, but not forgotten. */
	netns_run("nft delete element inet isc-dock nodes { 10.77.0.2 }");
	spin(&seen, 2000);
	assert_int_equal(seen.n, 2);
	assert_non_null(strstr(seen.why, "set 'nodes'"));
	assert_true(isc_firewall_node_verify(fw, web, &error));
	spin(&seen, 50);
	assert_int_equal(seen.n, 2);
	g_free(seen.who);
	g_free(seen.why);
}

static void what_cannot_be_mended_is_told_and_tried_again(void **state)
{
	(void)state;
	GError *error = NULL;
	Seen seen = { 0 };
	g_autoptr(IscFirewall) fw = isc_firewall_new(&test_config, &error);

	netns_run("nft flush ruleset");
	assert_true(isc_firewall_setup(fw, &error));
	assert_true(isc_firewall_sync(fw, &error));
	g_autoptr(IscFirewallWatch) watch =
			isc_firewall_watch_new(fw, NULL, on_event, &seen, &error);
	/* A chain of another table jumps into a chain of ours' name is no hindrance; a second table
	 * of the same name that is owned by somebody else's socket is: nobody but its owner may
	 * change it. */
	g_autoptr(GSubprocess) owner = g_subprocess_new(
			G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_SILENCE |
					G_SUBPROCESS_FLAGS_STDERR_SILENCE,
			&error, "nft", "-i", NULL);
	if (!owner)
		skip();
	GOutputStream *in = g_subprocess_get_stdin_pipe(owner);
	const gchar words[] =
			"delete table inet isc-dock; add table inet isc-dock { flags owner; }\n";
	g_output_stream_write_all(in, words, strlen(words), NULL, NULL, NULL);
	g_output_stream_flush(in, NULL, NULL);
	for (guint i = 0; i < 20 && !seen.failed; i++)
		spin(&seen, 100);
	if (!seen.failed) { /* an nft without interactive mode */
		g_output_stream_close(in, NULL, NULL);
		g_subprocess_wait(owner, NULL, NULL);
		g_free(seen.who);
		g_free(seen.why);
		skip();
	}
	g_output_stream_close(in, NULL, NULL); /* the owner goes, and with it its table */
	g_subprocess_wait(owner, NULL, NULL);
	for (guint i = 0; i < 20 && seen.failed; i++)
		spin(&seen, 200);
	assert_false(seen.failed);
	gboolean intact = FALSE;
	assert_true(isc_firewall_is_intact(fw, &intact, NULL, &error));
	assert_true(intact);
	g_free(seen.who);
	g_free(seen.why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_of_others_to_our_tables_are_mended_and_told),
		cmocka_unit_test(what_cannot_be_mended_is_told_and_tried_again),
	};
	if (!netns_enter()) {
		puts("ok 1 - the watch over the boundary # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
