/* help, completion, version: what isc-vm knows about itself. */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"

/* --- help ------------------------------------------------------------------------------------- */

static void append_option(GString *out, const IscOption *o)
{
	g_autofree gchar *letter =
			o->letter ? g_strdup_printf("-%c, ", o->letter) : g_strdup("    ");
	g_autofree gchar *name = g_strdup_printf("%s--%s%s%s", letter, o->name, o->value ? " " : "",
			o->value ? o->value : "");
	if (strlen(name) > 24)
		g_string_append_printf(out, "  %s\n  %-24s  %s\n", name, "", o->help);
	else
		g_string_append_printf(out, "  %-24s  %s\n", name, o->help);
}

static void append_verb(GString *out, const IscCommand *v)
{
	const gchar *space = *v->args ? " " : "";
	g_string_append_printf(out, "usage: isc-vm %s [OPTIONS]%s%s\n%s\n\n", v->name, space,
			v->args, v->help);
	for (const IscOption *o = v->options; o->name; o++)
		append_option(out, o);
	if (v->flags & ISC_COMMAND_CHANGES)
		for (const IscOption *o = isc_changing_options; o->name; o++)
			append_option(out, o);
	for (const IscOption *o = isc_common_options; o->name; o++)
		append_option(out, o);
}

static guint append_list(GString *out, const gchar *group)
{
	guint n = 0;
	for (const IscCommand *v = isc_commands; v->name; v++) {
		gsize len = group ? strlen(group) : 0;
		if (group && (strncmp(v->name, group, len) != 0 || v->name[len] != ' '))
			continue;
		g_autofree gchar *left = g_strdup_printf(
				"%s %s", v->name, strchr(v->args, '|') ? "NAME ..." : v->args);
		g_string_append_printf(out, "  %-30s %s\n", left, v->help);
		n++;
	}
	return n;
}

gboolean isc_cli_help(GString *out, gchar *const *topic, GError **error)
{
	if (!topic || !topic[0]) {
		g_string_append(out, "usage: isc-vm VERB [OPTIONS] [--] [WORDS]\n"
				     "Runs services in nodes of their own on this dock.\n\n");
		append_list(out, NULL);
		g_string_append(out,
				"\nisc-vm help VERB explains one; every verb takes --json, "
				"--timeout S, "
				"--verbose and --help.\nExit status: 0 done, 1 failed, 2 wrong "
				"command "
				"line, 3 not found, 4 wrong state or busy,\n5 refused by policy, 6 "
				"not "
				"allowed, 7 verification failed, 8 host not fit, 9 timed out.\n");
		return TRUE;
	}

	/* "image import" may come as one word or as two. */
	g_autofree gchar *joined = g_strjoinv(" ", (gchar **)topic);
	for (const IscCommand *v = isc_commands; v->name; v++)
		if (g_str_equal(v->name, joined)) {
			append_verb(out, v);
			g_autoptr(GString) more = g_string_new(NULL);
			if (append_list(more, joined) > 0)
				g_string_append_printf(out, "\nverbs of their own:\n%s", more->str);
			return TRUE;
		}
	g_autoptr(GString) group = g_string_new(NULL);
	if (!topic[1] && append_list(group, topic[0]) > 0) {
		g_string_append_printf(out, "usage: isc-vm %s VERB\n\n%s", topic[0], group->str);
		return TRUE;
	}
	g_autofree gchar *shown = isc_output_text(joined);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"no verb '%s': isc-vm help lists those there are", shown);
	return FALSE;
}

static IscJson *options_json(const IscOption *options)
{
	IscJson *array = json_object_new_array();
	for (const IscOption *o = options; o->name; o++) {
		IscJson *one = json_object_new_object();
		json_object_object_add(one, "name", json_object_new_string(o->name));
		gchar letter[2] = { o->letter, '\0' };
		if (o->letter)
			json_object_object_add(one, "letter", json_object_new_string(letter));
		if (o->value)
			json_object_object_add(one, "value", json_object_new_string(o->value));
		json_object_object_add(
				one, "repeats", json_object_new_boolean(o->kind == ISC_OPT_LIST));
		json_object_object_add(one, "help", json_object_new_string(o->help));
		json_object_array_add(array, one);
	}
	return array;
}

/* The table as data: tools/check-man and other front ends read it. */
static void print_table(GString *out)
{
	g_autoptr(IscJson) all = json_object_new_object();
	IscJson *verbs = json_object_new_array();
	for (const IscCommand *v = isc_commands; v->name; v++) {
		IscJson *one = json_object_new_object();
		json_object_object_add(one, "name", json_object_new_string(v->name));
		json_object_object_add(one, "args", json_object_new_string(v->args));
		json_object_object_add(one, "help", json_object_new_string(v->help));
		json_object_object_add(one, "changes",
				json_object_new_boolean((v->flags & ISC_COMMAND_CHANGES) != 0));
		json_object_object_add(one, "options", options_json(v->options));
		json_object_array_add(verbs, one);
	}
	json_object_object_add(all, "verbs", verbs);
	json_object_object_add(all, "common", options_json(isc_common_options));
	json_object_object_add(all, "changing", options_json(isc_changing_options));
	isc_output_json(out, all, TRUE);
}

gboolean isc_cmd_help(IscCli *cli, GError **error)
{
	if (!cli->json)
		return isc_cli_help(cli->out, cli->words, error);
	print_table(cli->out);
	return TRUE;
}

/* --- completion ------------------------------------------------------------------------------- */

static void append_names(GString *out, const IscOption *options)
{
	for (const IscOption *o = options; o->name; o++) {
		g_string_append_printf(out, " --%s", o->name);
		if (o->letter)
			g_string_append_printf(out, " -%c", o->letter);
	}
}

/* What an option's value can be, as a word of the case list below; NULL: anything. */
static const gchar *value_words(const IscOption *o)
{
	if (g_str_equal(o->value, "FILE"))
		return "@file";
	if (g_str_equal(o->value, "IMG"))
		return "@image";
	if (g_str_equal(o->value, "DIR"))
		return "@dir";
	/* "microvm|q35": the words themselves */
	return strchr(o->value, '|') && !strchr(o->value, '[') ? o->value : NULL;
}

static void append_value_cases(GString *out, const IscCommand *v)
{
	for (const IscOption *o = v->options; o->name; o++) {
		if (o->kind == ISC_OPT_FLAG)
			continue;
		g_autofree gchar *letter =
				o->letter ? g_strdup_printf("|'%s -%c'", v->name, o->letter)
					  : g_strdup("");
		const gchar *words = value_words(o);
		g_autofree gchar *list = g_strdup(words ? words : "");
		g_strdelimit(list, "|", ' ');
		g_string_append_printf(out, "\t'%s --%s'%s) values='%s' ;;\n", v->name, o->name,
				letter, list);
	}
}

static const gchar bash_head[] =
		"# bash completion for isc-vm; made by 'isc-vm completion bash'\n"
		"_isc_vm_words() {\n"
		"\tcase $1 in\n"
		"\t@node*) isc-vm list --names --timeout 2 2>/dev/null; printf '%s\\n' ${1#@node} "
		";;\n"
		"\t@set*) isc-vm list --sets --names --timeout 2 2>/dev/null ;;\n"
		"\t@any*) isc-vm list --sets --names --timeout 2 2>/dev/null; _isc_vm_words "
		"\"@node${1#@any}\" ;;\n"
		"\t@image) isc-vm image list --names --timeout 2 2>/dev/null ;;\n"
		"\t@evidence) isc-vm evidence list --names --timeout 2 2>/dev/null ;;\n"
		"\t@volume) isc-vm volume list --names --timeout 2 2>/dev/null ;;\n"
		"\t@dir) compgen -d -- \"$2\" ;;\n"
		"\t@file) compgen -f -- \"$2\" ;;\n"
		"\t*) printf '%s\\n' $1 ;;\n"
		"\tesac\n"
		"}\n"
		"_isc_vm() {\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal i verb='' first='' args='' options='' values='none'\n"
		"\tCOMPREPLY=()\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tcase ${COMP_WORDS[i]} in\n"
		"\t\t-*) continue ;;\n"
		"\t\tesac\n"
		"\t\tif [ -z \"$first\" ]; then\n"
		"\t\t\tfirst=${COMP_WORDS[i]}\n"
		"\t\telse\n"
		"\t\t\tverb=\"$first ${COMP_WORDS[i]}\"\n"
		"\t\t\tbreak\n"
		"\t\tfi\n"
		"\tdone\n";

static const gchar bash_tail[] = "\tif [ \"$values\" != none ]; then\n"
				 "\t\targs=$values\n"
				 "\t\toptions=''\n"
				 "\telif [ \"${cur:0:1}\" = - ]; then\n"
				 "\t\targs=$options\n"
				 "\tfi\n"
				 "\t[ -n \"$args\" ] || return 0\n"
				 "\tmapfile -t COMPREPLY < <(compgen -W \"$(_isc_vm_words "
				 "\"$args\" \"$cur\")\" -- \"$cur\")\n"
				 "\tcase $args in\n"
				 "\t@dir | @file) compopt -o filenames 2>/dev/null ;;\n"
				 "\tesac\n"
				 "}\n"
				 "complete -F _isc_vm isc-vm\n";

/* " verify export report" for "audit": what can follow @first.  Returns: (transfer full), "" for
 * nothing */
static gchar *words_behind(const gchar *first)
{
	GString *words = g_string_new(NULL);
	gsize len = strlen(first);
	for (const IscCommand *v = isc_commands; v->name; v++)
		if (strncmp(v->name, first, len) == 0 && v->name[len] == ' ')
			g_string_append(words, v->name + len);
	return g_string_free(words, FALSE);
}

/* One case for each verb: what its words and its options are. */
static void append_verb_cases(GString *out)
{
	g_string_append(out, "\tcase $verb in\n");
	for (const IscCommand *v = isc_commands; v->name; v++) {
		const gchar *words = v->words;
		const gchar *args = g_str_equal(words, "node")       ? "@node"
				    : g_str_equal(words, "set")      ? "@set"
				    : g_str_equal(words, "node set") ? "@any"
				    : g_str_equal(words, "image")    ? "@image"
				    : g_str_equal(words, "evidence") ? "@evidence"
				    : g_str_equal(words, "volume")   ? "@volume"
				    : g_str_equal(words, "dir")      ? "@dir"
				    : g_str_equal(words, "verb")     ? "$verbs"
				    : g_str_equal(words, "shell")    ? "bash"
								     : "";
		g_autofree gchar *more = words_behind(v->name);
		g_string_append_printf(out, "\t'%s') args=\"%s%s\" options='", v->name, args, more);
		g_autoptr(GString) names = g_string_new(NULL);
		append_names(names, v->options);
		if (v->flags & ISC_COMMAND_CHANGES)
			append_names(names, isc_changing_options);
		append_names(names, isc_common_options);
		g_string_append_printf(out, "%s' ;;\n", names->str + 1);
	}
	g_string_append(out, "\tesac\n");
}

static void append_bash(GString *out)
{
	g_autoptr(GString) top = g_string_new(NULL), groups = g_string_new(NULL);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (const IscCommand *v = isc_commands; v->name; v++) {
		g_auto(GStrv) parts = g_strsplit(v->name, " ", 2);
		if (!g_hash_table_add(seen, g_strdup(parts[0])))
			continue;
		g_string_append_printf(top, "%s%s", top->len > 0 ? " " : "", parts[0]);
		g_autofree gchar *behind = words_behind(parts[0]);
		if (*behind == '\0')
			continue;
		if (parts[1]) {
			g_string_append_printf(
					groups, "\t%s) args='%s' ;;\n", parts[0], behind + 1);
			continue;
		}
		/* A verb, and the beginning of others: which of them it is, its second word tells.
		 */
		g_string_append_printf(groups, "\t%s) case ${verb#%s} in", parts[0], parts[0]);
		g_auto(GStrv) others = g_strsplit(behind + 1, " ", -1);
		for (gsize i = 0; others[i]; i++)
			g_string_append_printf(groups, "%s' %s'", i ? " | " : " ", others[i]);
		g_string_append_printf(groups, ") ;; *) verb=%s ;; esac ;;\n", parts[0]);
	}

	g_string_append(out, bash_head);
	g_string_append_printf(out, "\tlocal verbs='%s'\n", top->str);
	/* The group's second word is missing yet, or the verb is one word only. */
	g_string_append(out, "\tcase $first in\n\t'') args=$verbs ;;\n");
	g_string_append(out, groups->str);
	g_string_append(out, "\t*) verb=$first ;;\n\tesac\n");
	append_verb_cases(out);
	g_string_append(out, "\tcase \"$verb $prev\" in\n");
	for (const IscCommand *v = isc_commands; v->name; v++)
		append_value_cases(out, v);
	g_string_append(out, "\t*' --timeout') values='' ;;\n\tesac\n");
	g_string_append(out, bash_tail);
}

gboolean isc_cmd_completion(IscCli *cli, GError **error)
{
	if (g_str_equal(cli->words[0], "bash")) {
		append_bash(cli->out);
		return TRUE;
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"no completion for '%s': there is one for bash", cli->words[0]);
	return FALSE;
}

/* --- version ---------------------------------------------------------------------------------- */

gboolean isc_cmd_version(IscCli *cli, GError **error)
{
	/* A dock that does not run is an answer here, no failure. */
	(void)error;
	g_autoptr(GError) why = NULL;
	IscClient *client = isc_cli_client(cli, &why);
	g_autoptr(GVariant) dock = client ? isc_client_properties(client, &why) : NULL;

	if (cli->json) {
		GVariantDict dict;
		g_variant_dict_init(&dict, NULL);
		g_variant_dict_insert(&dict, "isc-vm", "s", ISC_VERSION);
		if (dock)
			g_variant_dict_insert_value(&dict, "dock", dock);
		else
			g_variant_dict_insert(&dict, "error", "s", why->message);
		g_autoptr(GVariant) both = g_variant_ref_sink(g_variant_dict_end(&dict));
		isc_cli_print_json(cli, both);
		return TRUE;
	}

	g_string_append_printf(cli->out, "isc-vm %s\n", ISC_VERSION);
	if (!dock) {
		g_autofree gchar *text = isc_output_text(why->message);
		g_string_append_printf(cli->out, "dock: %s\n", text);
		return TRUE;
	}
	const gchar *version = "?", *accelerator = "?", *state = "?";
	gboolean emulated = FALSE;
	g_variant_lookup(dock, "Version", "&s", &version);
	g_variant_lookup(dock, "Accelerator", "&s", &accelerator);
	g_variant_lookup(dock, "State", "&s", &state);
	g_variant_lookup(dock, "Emulated", "b", &emulated);
	g_string_append_printf(cli->out, "isc-dockd %s, %s%s, %s\n", version, accelerator,
			emulated ? " (emulated: for development only)" : "", state);
	return TRUE;
}
