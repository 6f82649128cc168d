/* The table of verbs and what reads it: dispatch, help, completion; and the node file that options
 * become. */
#include "cm.h"

#include <gio/gio.h>

#include "cli/cli.h"
#include "cli/nodefile.h"
#include "model/spec.h"

static void each_verb_is_there_once_and_fits_its_usage(void **state)
{
	(void)state;
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (const IscCommand *v = isc_commands; v->name; v++) {
		assert_true(g_hash_table_add(seen, (gpointer)v->name));
		assert_true(v->min_args <= v->max_args);
		assert_non_null(v->run);
		assert_true(*v->help && !g_str_has_suffix(v->help, "."));
		g_auto(GStrv) words = g_strsplit(v->name, " ", -1);
		guint used = 0;
		assert_ptr_equal(isc_command_find(words, &used), v);
		assert_int_equal(used, g_strv_length(words));
	}
}

/* Completion and people rely on it: --name takes a value in all verbs or in none; no verb has two
 * meanings for a letter. */
static void options_of_one_name_are_of_one_kind(void **state)
{
	(void)state;
	g_autoptr(GHashTable) kinds = g_hash_table_new(g_str_hash, g_str_equal);
	for (const IscCommand *v = isc_commands; v->name; v++) {
		const IscOption *sets[] = { v->options, isc_common_options, isc_changing_options };
		g_autoptr(GHashTable) letters = g_hash_table_new(NULL, NULL);
		g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
		for (gsize s = 0; s < G_N_ELEMENTS(sets); s++)
			for (const IscOption *o = sets[s]; o->name; o++) {
				assert_true(g_hash_table_add(names, (gpointer)o->name));
				assert_true(!o->letter ||
						g_hash_table_add(letters,
								GINT_TO_POINTER(o->letter)));
				assert_int_equal(o->value == NULL, o->kind == ISC_OPT_FLAG);
				gpointer flag = GINT_TO_POINTER(1 + (o->kind == ISC_OPT_FLAG));
				gpointer before = g_hash_table_lookup(kinds, o->name);
				assert_true(!before || before == flag);
				g_hash_table_insert(kinds, (gpointer)o->name, flag);
			}
	}
}

static gchar *help_of(const gchar *const *topic, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	return isc_cli_help(out, (gchar *const *)topic, error) ? g_strdup(out->str) : NULL;
}

static void help_names_every_verb_and_every_option(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *all = help_of(NULL, &error);
	for (const IscCommand *v = isc_commands; v->name; v++) {
		assert_non_null(strstr(all, v->help));
		const gchar *topic[] = { v->name, NULL };
		g_autofree gchar *one = help_of(topic, &error);
		assert_no_error(error);
		for (const IscOption *o = v->options; o->name; o++) {
			g_autofree gchar *name = g_strconcat("--", o->name, NULL);
			assert_non_null(strstr(one, name));
		}
		assert_int_equal(strstr(one, "--dry-run") != NULL,
				(v->flags & ISC_COMMAND_CHANGES) != 0);
	}
	g_auto(GStrv) lines = g_strsplit(all, "\n", -1);
	for (gsize i = 0; lines[i]; i++)
		assert_true(strlen(lines[i]) <= 100);
}

static void help_takes_verbs_groups_and_nothing_else(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	const gchar *two[] = { "image", "import", NULL }, *group[] = { "snapshot", NULL };
	const gchar *none[] = { "\033[1mx", NULL };
	g_autofree gchar *import = help_of(two, &error), *snapshot = help_of(group, &error);
	assert_non_null(strstr(import, "isc-vm image import"));
	assert_non_null(strstr(snapshot, "snapshot restore"));
	assert_null(strstr(snapshot, "image"));
	assert_null(help_of(none, &error));
	assert_error(error, ISC_ERROR_INVALID, "\\x1b");
}

/* --- completion: a real bash, the real script --- */

static gchar *complete(const gchar *script, const gchar *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	g_autofree gchar *quoted = g_strjoinv("' '", words);
	g_autofree gchar *program = g_strdup_printf("isc-vm() { case $* in *--sets*) echo shop ;; "
						    "*) printf 'web\\ndb-1\\n' ;; esac; "
						    "}\n%s\nCOMP_WORDS=('%s')\nCOMP_CWORD=%u\n"
						    "_isc_vm\nprintf '%%s ' \"${COMPREPLY[@]}\"\n",
			script, quoted, g_strv_length(words) - 1);
	const gchar *argv[] = { "bash", "--norc", "-c", program, NULL };
	gchar *out = NULL;
	int status = -1;
	g_autoptr(GError) error = NULL;
	assert_true(g_spawn_sync(NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out,
			NULL, &status, &error));
	return g_strchomp(out);
}

static void completion_offers_what_the_table_has(void **state)
{
	(void)state;
	gchar *shell[] = { (gchar *)"bash", NULL };
	IscCli cli = { .words = shell, .n_words = 1, .out = g_string_new(NULL) };
	assert_true(isc_cmd_completion(&cli, NULL));
	g_autofree gchar *script = g_string_free(cli.out, FALSE);

	static const struct {
		const gchar *line, *wanted;
	} cases[] = {
		{ "isc-vm prov", "provision" },
		{ "isc-vm image ", "import list show rm" },
		{ "isc-vm snapshot re", "restore" },
		{ "isc-vm enable ", "shop web db-1" },
		{ "isc-vm scale ", "shop" },
		{ "isc-vm logs ", "shop web db-1" },
		{ "isc-vm network log s", "shop" },
		{ "isc-vm quarantine s", "shop" },
		{ "isc-vm release s", "shop" },
		{ "isc-vm expose s", "shop" },
		{ "isc-vm enable d", "db-1" },
		{ "isc-vm enable web db", "db-1" },
		{ "isc-vm snapshot restore w", "web" },
		{ "isc-vm disable --fo", "--force" },
		{ "isc-vm provision web --mach", "--machine" },
		{ "isc-vm provision web --machine q", "q35" },
		{ "isc-vm provision web -i d", "db-1" },
		{ "isc-vm provision web --environment pr", "production" },
		{ "isc-vm provision web --memory ", "" },
		{ "isc-vm list --timeout ", "" },
		{ "isc-vm help quar", "quarantine" },
		{ "isc-vm completion ", "bash" },
		{ "isc-vm --json lis", "list" },
		{ "isc-vm audit ", "web db-1 verify anchor export report" },
		{ "isc-vm audit w", "web" },
		{ "isc-vm audit web --succ", "--success" },
		{ "isc-vm audit web --success ", "yes no" },
		{ "isc-vm audit verify --al", "--all" },
		{ "isc-vm audit verify d", "db-1" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree gchar *got = complete(script, cases[i].line);
		if (!g_str_equal(got, cases[i].wanted))
			fail_msg("'%s' gave '%s', wanted '%s'", cases[i].line, got,
					cases[i].wanted);
	}
	for (const IscCommand *v = isc_commands; v->name; v++) {
		g_autofree gchar *line = g_strdup_printf("\t'%s') args=", v->name);
		assert_non_null(strstr(script, line));
	}
}

/* --- the node file --- */

static IscArgs *provision_args(const gchar *const *argv)
{
	gchar *words[] = { (gchar *)"provision", NULL };
	const IscCommand *v = isc_command_find(words, NULL);
	const IscOption *sets[] = { v->options, isc_common_options, isc_changing_options, NULL };
	g_autoptr(GError) error = NULL;
	IscArgs *args = isc_args_parse((gchar *const *)argv, sets, &error);
	assert_no_error(error);
	return args;
}

static void options_become_the_node_file_that_they_say(void **state)
{
	(void)state;
	const gchar *argv[] = { "web", "--image", "nginx:1", "--expose", "8080:80", "--expose",
		"udp:53:53", "--memory", "128", "--vcpus", "2", "--overlay", "64", "--egress",
		"tcp:10.0.0.0/8:443", "--label", "a=b", "--label", "c=d", "--environment",
		"staging", "--machine", "q35", "--description", "the shop's front", "--timeout",
		"30", "--writable", "/var/x", NULL };
	g_autoptr(IscArgs) args = provision_args(argv);
	g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	assert_true(isc_nodefile_env_add(env, "A= b = c", &error));
	g_autofree gchar *text = isc_nodefile_build("web", args, env, &error);
	assert_no_error(error);

	g_autoptr(IscSpec) spec = isc_spec_parse("test", text, strlen(text), &error);
	assert_no_error(error);
	assert_string_equal(spec->name, "web");
	assert_string_equal(spec->image, "nginx:1");
	assert_string_equal(spec->description, "the shop's front");
	assert_int_equal(spec->environment, ISC_ENV_STAGING);
	assert_int_equal(spec->machine, ISC_MACHINE_Q35);
	assert_int_equal(spec->memory_mib, 128);
	assert_int_equal(spec->vcpus, 2);
	assert_int_equal(spec->overlay_mib, 64);
	assert_int_equal(spec->timeout_s, 30);
	assert_int_equal(spec->expose->len, 2);
	assert_int_equal(spec->egress->len, 1);
	assert_int_equal(spec->labels->len, 2);
	assert_string_equal(spec->labels->pdata[1], "c=d");
	assert_string_equal(spec->env->pdata[0], "A= b = c");
	assert_string_equal(spec->writable->pdata[0], "/var/x");
}

static void a_value_cannot_smuggle_in_another_key(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "x\nMemory=65536", "x\\", "x\r", "x\033[2J", "x ", " x",
		"\xff" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		const gchar *argv[] = { "web", "--image", "nginx", "--description", bad[i], NULL };
		g_autoptr(IscArgs) args = provision_args(argv);
		g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
		g_autoptr(GError) error = NULL;
		assert_null(isc_nodefile_build("web", args, env, &error));
		assert_error(error, ISC_ERROR_INVALID, "--description: ");
	}
}

static void errors_name_the_option_at_fault(void **state)
{
	(void)state;
	static const struct {
		const gchar *option, *value;
	} cases[] = {
		{ "--memory", "5" },
		{ "--memory", "lots" },
		{ "--vcpus", "0" },
		{ "--overlay", "1" },
		{ "--expose", "80" },
		{ "--expose", "99999:80" },
		{ "--egress", "everywhere" },
		{ "--environment", "prod" },
		{ "--machine", "pc" },
		{ "--label", "novalue" },
		{ "--timeout", "9999" },
		{ "--writable", "relative" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const gchar *argv[] = { "web", "--image", "nginx", cases[i].option, cases[i].value,
			NULL };
		g_autoptr(IscArgs) args = provision_args(argv);
		g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
		g_autoptr(GError) error = NULL;
		g_autofree gchar *says = g_strconcat(cases[i].option, ": ", NULL);
		assert_null(isc_nodefile_build("web", args, env, &error));
		assert_null(strstr(error->message, "command line"));
		assert_error(error, ISC_ERROR_INVALID, says);
	}
}

static void environment_comes_from_options_files_and_our_own(void **state)
{
	(void)state;
	g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	g_setenv("ISC_TEST_SECRET", "s3cret=", TRUE);
	assert_true(isc_nodefile_env_parse(
			env, "f", "# note\n\nA=1\n  B=\"two words\"\r\nC=\n", &error));
	assert_true(isc_nodefile_env_add(env, "A=3", &error));
	assert_true(isc_nodefile_env_add(env, "ISC_TEST_SECRET", &error));
	assert_no_error(error);
	assert_int_equal(env->len, 4);
	assert_string_equal(env->pdata[0], "A=3");
	assert_string_equal(env->pdata[1], "B=\"two words\"");
	assert_string_equal(env->pdata[2], "C=");
	assert_string_equal(env->pdata[3], "ISC_TEST_SECRET=s3cret=");

	assert_false(isc_nodefile_env_add(env, "ISC_TEST_UNSET", &error));
	assert_error(error, ISC_ERROR_INVALID, "ISC_TEST_UNSET");
	assert_false(isc_nodefile_env_add(env, "=x", &error));
	assert_error(error, ISC_ERROR_INVALID, "--env");
	assert_false(isc_nodefile_env_parse(env, "f.env", "A=1\nhunter2\n", &error));
	assert_null(strstr(error->message, "hunter2"));
	assert_error(error, ISC_ERROR_INVALID, "f.env:2:");
	assert_false(isc_nodefile_env_parse(env, "f.env", "P=hunter2\\\n", &error));
	assert_null(strstr(error->message, "hunter2"));
	assert_error(error, ISC_ERROR_INVALID, "P: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_verb_is_there_once_and_fits_its_usage),
		cmocka_unit_test(options_of_one_name_are_of_one_kind),
		cmocka_unit_test(help_names_every_verb_and_every_option),
		cmocka_unit_test(help_takes_verbs_groups_and_nothing_else),
		cmocka_unit_test(completion_offers_what_the_table_has),
		cmocka_unit_test(options_become_the_node_file_that_they_say),
		cmocka_unit_test(a_value_cannot_smuggle_in_another_key),
		cmocka_unit_test(errors_name_the_option_at_fault),
		cmocka_unit_test(environment_comes_from_options_files_and_our_own),
	};
	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
