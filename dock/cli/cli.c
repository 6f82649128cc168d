#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"

#define TIMEOUT_MAX 3600 /* s; what the dock takes */
#define UNDO_GRACE                                                                                 \
	60 /* s that the dock may take to undo after its own deadline, before we give up, too */

/* --- finding the verb ------------------------------------------------------------------------- */

static guint words_of(const gchar *name)
{
	return strchr(name, ' ') ? 2 : 1;
}

const IscCommand *isc_command_find(gchar *const *words, guint *used)
{
	if (!words[0])
		return NULL;
	g_autofree gchar *two = words[1] ? g_strjoin(" ", words[0], words[1], NULL) : NULL;
	const IscCommand *found = NULL;
	for (const IscCommand *v = isc_commands; v->name; v++)
		if (g_strcmp0(v->name, two) == 0 || (!found && g_str_equal(v->name, words[0])))
			found = v;
	if (found && used)
		*used = words_of(found->name);
	return found;
}

/* What can follow @group ("image"), or the first words where it is NULL.  Returns: (transfer full)
 */
static GPtrArray *known_words(const gchar *group)
{
	GPtrArray *known = g_ptr_array_new_with_free_func(g_free);
	for (const IscCommand *v = isc_commands; v->name; v++) {
		g_auto(GStrv) parts = g_strsplit(v->name, " ", 2);
		if (!group)
			g_ptr_array_add(known, g_strdup(parts[0]));
		else if (g_str_equal(parts[0], group) && parts[1])
			g_ptr_array_add(known, g_strdup(parts[1]));
	}
	return known;
}

static gboolean unknown_verb(gchar *const *words, GError **error)
{
	g_autoptr(GPtrArray) in_group = known_words(words[0]);
	gboolean is_group = in_group->len > 0;
	g_autoptr(GPtrArray) known = is_group ? g_steal_pointer(&in_group) : known_words(NULL);
	g_ptr_array_add(known, NULL);

	if (is_group && !words[1]) {
		g_autofree gchar *all = g_strjoinv(", ", (gchar **)known->pdata);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s what? One of: %s", words[0],
				all);
		return FALSE;
	}

	const gchar *given = is_group ? words[1] : words[0];
	const gchar *near = isc_args_nearest(given, (const gchar *const *)known->pdata);
	g_autofree gchar *shown = isc_text_escape(given, -1, 64);
	g_autofree gchar *group = is_group ? g_strconcat(words[0], " ", NULL) : g_strdup("");
	g_autofree gchar *hint = near ? g_strdup_printf("did you mean '%s%s'?", group, near)
				      : g_strdup("isc-vm help lists those there are");
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "unknown verb '%s%s': %s", group, shown,
			hint);
	return FALSE;
}

/* --- context ---------------------------------------------------------------------------------- */

IscClient *isc_cli_client(IscCli *cli, GError **error)
{
	if (cli->client)
		return cli->client;

	guint limit = cli->timeout_s;
	if (limit > 0 && cli->verb->flags & ISC_COMMAND_TIMED)
		limit += UNDO_GRACE;
	IscProgressMode progress = cli->verb->flags & ISC_COMMAND_CHANGES
						   ? isc_progress_mode(STDERR_FILENO, cli->verbose)
						   : ISC_PROGRESS_NONE;
	cli->client = isc_client_new(limit, progress, error);
	return cli->client;
}

const gchar *isc_cli_name(const IscCli *cli, guint n, const gchar *what, GError **error)
{
	if (n >= cli->n_words)
		return NULL;
	return isc_name_check(what, cli->words[n], error) ? cli->words[n] : NULL;
}

const gchar *isc_cli_trail_word(const IscCli *cli, guint n, GError **error)
{
	if (n >= cli->n_words)
		return NULL;
	const gchar *word = cli->words[n];
	gboolean is_packets = *word == ISC_TRAIL_PACKETS;
	if (is_packets && g_str_equal(word + 1, ISC_TRAIL_DOCK))
		return word;
	return isc_name_check("node", word + is_packets, error) ? word : NULL;
}

const gchar *isc_cli_trail(const IscCli *cli, guint n_more, GError **error)
{
	gboolean is_dock = isc_args_has(cli->args, "dock");
	if (cli->n_words == (is_dock ? 0 : 1) + n_more)
		return is_dock ? ISC_TRAIL_DOCK : isc_cli_trail_word(cli, 0, error);
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
			is_dock ? "a NAME and --dock exclude each other"
				: "say whose trail: NAME, or --dock for the dock's own");
	return NULL;
}

GVariant *isc_cli_options(const IscCli *cli, const gchar *name, GVariant *value)
{
	GVariantDict dict;
	g_variant_dict_init(&dict, NULL);
	if (cli->dry_run)
		g_variant_dict_insert(&dict, "dry-run", "b", TRUE);
	if (cli->timeout_s > 0 && cli->verb->flags & ISC_COMMAND_TIMED)
		g_variant_dict_insert(&dict, "timeout", "u", cli->timeout_s);
	if (name)
		g_variant_dict_insert_value(&dict, name, value);
	return g_variant_dict_end(&dict);
}

GVariant *isc_cli_ask(IscCli *cli, const gchar *node, const gchar *method, GVariant *params,
		const gchar *type, GError **error)
{
	g_autoptr(GVariant) owned = params ? g_variant_ref_sink(params) : NULL;
	IscClient *client = isc_cli_client(cli, error);
	return client ? isc_client_ask(client, node, method, owned, type, error) : NULL;
}

gboolean isc_cli_list(IscCli *cli, const gchar *method, const IscColumn *columns, GError **error)
{
	g_autoptr(GVariant) rows = isc_cli_ask(cli, NULL, method, NULL, "(aa{sv})", error);
	if (!rows)
		return FALSE;
	if (isc_args_has(cli->args, "names"))
		isc_output_names(cli->out, rows, cli->json);
	else
		(void)isc_cli_print_rows(cli, rows, columns);
	return TRUE;
}

gboolean isc_cli_print_rows(IscCli *cli, GVariant *rows, const IscColumn *columns)
{
	if (rows && cli->json)
		isc_cli_print_json(cli, rows);
	else if (rows)
		isc_output_table(cli->out, rows, columns);
	return rows != NULL;
}

gboolean isc_cli_print_pairs(IscCli *cli, GVariant *dict, const gchar *const *first)
{
	if (dict && cli->json)
		isc_cli_print_json(cli, dict);
	else if (dict)
		isc_output_pairs(cli->out, dict, first);
	return dict != NULL;
}

void isc_cli_print_json(IscCli *cli, GVariant *value)
{
	g_autoptr(IscJson) json = isc_output_to_json(value);
	isc_output_json(cli->out, json, TRUE);
}

gboolean isc_cli_print_result(IscCli *cli, GVariant *result)
{
	if (cli->json)
		isc_cli_print_json(cli, result);
	return cli->json || isc_cli_print_plan(cli, result);
}

gboolean isc_cli_print_plan(IscCli *cli, GVariant *result)
{
	g_autofree const gchar **warnings = NULL;
	if (g_variant_lookup(result, "warnings", "^a&s", &warnings))
		for (gsize i = 0; warnings[i]; i++) {
			g_autofree gchar *text = isc_output_text(warnings[i]);
			g_printerr("isc-vm: warning: %s\n", text);
		}

	if (!cli->dry_run)
		return FALSE;
	g_autofree const gchar **plan = NULL;
	g_variant_lookup(result, "plan", "^a&s", &plan);
	for (guint i = 0; plan && plan[i]; i++) {
		g_autofree gchar *text = isc_output_text(plan[i]);
		g_string_append_printf(cli->out, "%s\n", text);
	}
	gboolean changed = FALSE;
	g_variant_lookup(result, "changed", "b", &changed);
	if (!plan || !plan[0])
		g_string_append(cli->out, changed ? "nothing to do but to put it on record\n"
						  : "nothing to do\n");
	return TRUE;
}

/* --- running ---------------------------------------------------------------------------------- */

static void complain(const gchar *verb, const gchar *message)
{
	/* One line, whatever the message holds. */
	g_autofree gchar *text = isc_output_text(message);
	g_printerr("isc-vm%s%s: %s\n", *verb ? " " : "", verb, text);
}

static int usage_error(const gchar *verb, GError *error)
{
	complain(verb, error->message);
	return isc_error_exit_status(error);
}

static gboolean check_words(const IscCli *cli, GError **error)
{
	const IscCommand *v = cli->verb;
	if (cli->n_words >= v->min_args && cli->n_words <= v->max_args)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s: usage: isc-vm %s %s",
			cli->n_words < v->min_args ? "something is missing" : "too many words",
			v->name, v->args);
	return FALSE;
}

/* Programs that read standard output alone learn of a failure, too. */
static void print_json_error(IscCli *cli, const GError *error)
{
	IscJson *inner = json_object_new_object();
	int status = isc_error_exit_status(error);
	json_object_object_add(inner, "status", json_object_new_int(status));
	json_object_object_add(inner, "name",
			json_object_new_string(isc_error_dbus_name((IscError)(status - 1))));
	g_autofree gchar *text = g_utf8_make_valid(error->message, -1);
	json_object_object_add(inner, "message", json_object_new_string(text));
	g_autoptr(IscJson) outer = json_object_new_object();
	json_object_object_add(outer, "error", inner);
	isc_output_json(cli->out, outer, TRUE);
}

/* Ends as the signal would have: the shell then knows that its user interrupted us. */
static void die_of(int signo)
{
	signal(signo, SIG_DFL);
	raise(signo);
}

static int run(IscCli *cli)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = cli->verb->run(cli, &error);
	int signo = cli->client ? isc_client_signal(cli->client) : 0;

	/* What was printed so far counts, also before a failure: doctor prints its table and fails.
	 */
	if (!ok && !signo && cli->json && cli->out->len == 0)
		print_json_error(cli, error);
	g_autoptr(GError) write_error = NULL;
	if (!isc_output_flush(cli->out, &write_error) && ok)
		g_propagate_error(&error, g_steal_pointer(&write_error));

	if (signo) {
		if (!ok && cli->verb->flags & ISC_COMMAND_CHANGES)
			complain(cli->verb->name, "interrupted; what was asked for goes on in the "
						  "dock: see isc-vm list");
		g_clear_pointer(&cli->client, isc_client_free);
		die_of(signo);
	}
	if (!error)
		return 0;
	complain(cli->verb->name, error->message);
	return isc_error_exit_status(error);
}

static int run_verb(IscCli *cli, gchar *const *argv)
{
	const IscOption *sets[] = { cli->verb->options, isc_common_options,
		cli->verb->flags & ISC_COMMAND_CHANGES ? isc_changing_options : NULL, NULL };
	g_autoptr(GError) error = NULL;
	g_autoptr(IscArgs) args = isc_args_parse(argv, sets, &error);
	if (!args)
		return usage_error(cli->verb->name, error);

	cli->args = args;
	cli->words = isc_args_words(args, &cli->n_words);
	cli->json = isc_args_has(args, "json");
	cli->verbose = isc_args_has(args, "verbose");
	cli->dry_run = isc_args_has(args, "dry-run");
	if (isc_args_has(args, "help")) {
		gchar *topic[] = { (gchar *)cli->verb->name, NULL };
		if (!isc_cli_help(cli->out, topic, &error) || !isc_output_flush(cli->out, &error))
			return usage_error(cli->verb->name, error);
		return 0;
	}
	if (!isc_args_uint(args, "timeout", 1, TIMEOUT_MAX, &cli->timeout_s, &error) ||
			!check_words(cli, &error))
		return usage_error(cli->verb->name, error);
	return run(cli);
}

/* No verb: help where it was asked for, else what is wrong. */
static int run_without_verb(IscCli *cli, gchar *const *words, gboolean help)
{
	g_autoptr(GError) error = NULL;
	if (!words[0] && !help) {
		g_printerr("isc-vm: no verb: isc-vm help lists those there are\n");
		return 2;
	}
	if (!help && !unknown_verb(words, &error))
		return usage_error("", error);
	if (!isc_cli_help(cli->out, words, &error) || !isc_output_flush(cli->out, &error))
		return usage_error("", error);
	return 0;
}

/* Whether @name is a verb that others begin with: "audit", because of "audit verify". */
static gboolean is_group(const gchar *name)
{
	g_autoptr(GPtrArray) known = known_words(name);
	return known->len > 0;
}

/* Takes argv[*i], an option that every verb has, and its value.  FALSE: it is none, and @error is
 * set */
static gboolean take_common(gchar **argv, gsize *i, GPtrArray *rest, GError **error)
{
	static const IscOption *const sets[] = { isc_common_options, isc_changing_options, NULL };
	gboolean takes_next = g_str_equal(argv[*i], "--timeout");
	gchar *one[] = { argv[*i], takes_next ? argv[*i + 1] : NULL, NULL };
	g_autoptr(IscArgs) args = isc_args_parse(one, sets, error);
	if (!args)
		return FALSE;
	g_ptr_array_add(rest, argv[*i]);
	if (takes_next && argv[*i + 1])
		g_ptr_array_add(rest, argv[++*i]);
	return TRUE;
}

/**
 * split:
 * Takes the words that name the verb out of @argv; what follows is left to the verb's own parser.
 * Options that every verb has may stand before it, too.  "audit web" is the verb audit, "audit
 * verify" one of its own; "audit -- verify" is the verb audit again, for a node of that name.
 */
static const IscCommand *split(gchar **argv, GPtrArray *words, GPtrArray *rest, GError **error)
{
	const IscCommand *verb = NULL;
	gsize i = 0;

	g_ptr_array_add(words, NULL);
	for (; argv[i] && words->len <= 2 && (!verb || is_group(verb->name)); i++) {
		gboolean is_version = g_str_equal(argv[i], "--version");
		if (argv[i][0] != '-' || is_version) {
			const IscCommand *before = verb;
			g_ptr_array_insert(words, (gint)words->len - 1,
					is_version ? (gpointer) "version" : argv[i]);
			verb = isc_command_find((gchar *const *)words->pdata, NULL);
			if (before && verb == before)
				break; /* the word is the verb's first one */
			continue;
		}
		if (verb && g_str_equal(argv[i], "--"))
			break;
		g_autoptr(GError) why = NULL;
		if (take_common(argv, &i, rest, &why))
			continue;
		if (verb)
			break; /* an option of its own */
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "before the verb: ");
		return NULL;
	}
	for (; argv[i]; i++)
		g_ptr_array_add(rest, argv[i]);
	g_ptr_array_add(rest, NULL);
	return verb;
}

int isc_cli_main(int argc, char **argv)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new(), rest = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	IscCli cli = { .verb = split(argc > 0 ? argv + 1 : argv, words, rest, &error) };
	if (error)
		return usage_error("", error);

	gchar *const *others = (gchar *const *)rest->pdata;
	cli.out = g_string_new(NULL);
	int status = cli.verb ? run_verb(&cli, others)
			      : run_without_verb(&cli, (gchar *const *)words->pdata,
						g_strv_contains((const gchar *const *)others,
								"--help") ||
								g_strv_contains((const gchar *const *)
												others,
										"-h"));
	g_clear_pointer(&cli.client, isc_client_free);
	g_string_free(cli.out, TRUE);
	return status;
}
