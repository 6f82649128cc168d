/* isc-image: builds, shows, signs and verifies the images that nodes boot.  Needs no dock. */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "builder/run.h"
#include "builder/verbs.h"

static const IscVerb *find_verb(const gchar *name)
{
	for (const IscVerb *v = isc_verbs; v->name; v++)
		if (g_str_equal(v->name, name))
			return v;
	return NULL;
}

static const gchar *nearest_verb(const gchar *name)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (const IscVerb *v = isc_verbs; v->name; v++)
		g_ptr_array_add(names, (gpointer)v->name);
	g_ptr_array_add(names, NULL);
	return isc_args_nearest(name, (const gchar *const *)names->pdata);
}

static gboolean run(const IscVerb *verb, gchar **argv, GError **error)
{
	const IscOption *const sets[] = { isc_verb_common, verb->options, NULL };
	g_autoptr(IscArgs) args = isc_args_parse(argv, sets, error);
	guint n;
	if (!args)
		return FALSE;
	gchar *const *words = isc_args_words(args, &n);
	if (isc_args_has(args, "help")) {
		isc_verb_print_help(verb);
		return TRUE;
	}
	if (n < verb->min_words || n > verb->max_words) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "usage: isc-image %s %s",
				verb->name, verb->words);
		return FALSE;
	}
	return verb->run(words, args, error);
}

/* Ctrl-C ends the running step, and the build clears up after itself. */
static void catch_signals(void)
{
	struct sigaction interrupt = { .sa_handler = isc_run_interrupt };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &interrupt, NULL);
	sigaction(SIGHUP, &interrupt, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* Whoever sent the signal sees that it was obeyed. */
static void die_of_signal(int signal_number)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigaction(signal_number, &usual, NULL);
	raise(signal_number);
}

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	catch_signals();
	if (argc < 2) {
		isc_verb_print_usage(stderr);
		return 2;
	}
	const gchar *name = g_str_equal(argv[1], "--version") ? "version"
			    : g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h")
					    ? "help"
					    : argv[1];
	const IscVerb *verb = find_verb(name);
	if (!verb) {
		const gchar *near = nearest_verb(argv[1]);
		g_autofree gchar *hint =
				near ? g_strdup_printf("did you mean '%s'? ", near) : g_strdup("");
		g_printerr("isc-image: no verb '%s'; %s'isc-image help' lists them\n", argv[1],
				hint);
		return 2;
	}
	g_autoptr(GError) error = NULL;
	if (run(verb, argv + 2, &error))
		return EXIT_SUCCESS;
	g_printerr("isc-image %s: %s\n", verb->name, error->message);
	if (isc_run_interrupted())
		die_of_signal(isc_run_interrupted());
	return isc_error_exit_status(error);
}
