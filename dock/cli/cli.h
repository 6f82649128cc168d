#pragma once
#include <glib.h>

#include "cli/args.h"
#include "cli/client.h"
#include "cli/output.h"

/* The frame that every verb runs in: one table of verbs (table.c), one context, one way to print.
 */

typedef struct IscCommand IscCommand;

/* One run of isc-vm.  Everything is owned by isc_cli_main(). */
typedef struct {
	const IscCommand *verb;
	IscArgs *args;
	gchar *const *words; /* of @args, NULL at the end */
	guint n_words;
	gboolean json;     /* --json */
	gboolean verbose;  /* --verbose */
	gboolean dry_run;  /* --dry-run */
	guint timeout_s;   /* --timeout; 0: none given */
	GString *out;      /* what goes to standard output when the verb returns */
	IscClient *client; /* NULL until isc_cli_client() */
} IscCli;

typedef gboolean (*IscCommandRun)(IscCli *cli, GError **error);

enum {
	ISC_COMMAND_CHANGES = 1 << 0, /* takes --dry-run */
	ISC_COMMAND_TIMED = 1 << 1,   /* the dock itself keeps to --timeout, and undoes */
};

struct IscCommand {
	const gchar *name;        /* "list" or, of a group, "image list"; NULL ends the table */
	const gchar *args;        /* for usage, "NAME..." */
	const gchar *help;        /* one line */
	guint min_args;           /* words */
	guint max_args;           /* words; G_MAXUINT: any number */
	const gchar *words;       /* completion of the words: "node", "set", "node set", "image",
				     "volume", "dir", "verb",       "shell" or
				     "" */
	guint flags;              /* ISC_COMMAND_… */
	const IscOption *options; /* its own, besides isc_common_options */
	IscCommandRun run;
};

/* The only list of verbs: dispatch, usage, --help, completion and `isc-vm help --json` read it. */
extern const IscCommand isc_commands[];
extern const IscOption isc_common_options[];   /* every verb's */
extern const IscOption isc_changing_options[]; /* of those with ISC_COMMAND_CHANGES */

/* The verb that @words begin with, the longest one ("audit verify", not "audit"); *@used (may be
 * NULL): how many words name it.  NULL: none; borrowed */
const IscCommand *isc_command_find(gchar *const *words, guint *used);

/**
 * isc_cli_main:
 * main() of isc-vm: finds the verb, parses, runs, prints.
 * Returns: the exit status, 0..9, see base/error.h; does not return where a signal ended the run
 */
int isc_cli_main(int argc, char **argv);

/* The connection, made at first use.  Errors: as isc_client_new().  Returns: borrowed */
IscClient *isc_cli_client(IscCli *cli, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* isc_client_ask() of the dock (@node: NULL) or a node's object, where there is a connection; takes
 * @params. */
GVariant *isc_cli_ask(IscCli *cli, const gchar *node, const gchar *method, GVariant *params,
		const gchar *type, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The n-th word as a name, NULL where absent or no valid name.  @what: "node", "snapshot".
 * Errors: ISC_ERROR_INVALID.  Returns: borrowed */
const gchar *isc_cli_name(const IscCli *cli, guint n, const gchar *what, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The n-th word as the name of a trail: a node's, or with ISC_TRAIL_PACKETS before it ("+web") its
 * packet log.  NULL where absent or none.  Errors: ISC_ERROR_INVALID.  Returns: borrowed */
const gchar *isc_cli_trail_word(const IscCli *cli, guint n, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The trail that the words name: the n-th word, or with --dock the dock's own (ISC_TRAIL_DOCK).
 * @n_more: words that follow the name.  Errors: ISC_ERROR_INVALID.  Returns: borrowed */
const gchar *isc_cli_trail(const IscCli *cli, guint n_more, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The dictionary of options that a changing call sends: "dry-run" and "timeout" as given, and @name
 * = @value where
 * @name is not NULL (@value floating).  Returns: floating a{sv} */
GVariant *isc_cli_options(const IscCli *cli, const gchar *name, GVariant *value);

/**
 * isc_cli_list:
 * @method: of the dock, without arguments; answers aa{sv}
 * @columns: of the table
 *
 * What lists share: asks, and prints names (--names), JSON or a table.
 */
gboolean isc_cli_list(IscCli *cli, const gchar *method, const IscColumn *columns, GError **error);

/* Prints @value as JSON. */
void isc_cli_print_json(IscCli *cli, GVariant *value);

/* An answer as JSON or for people, as isc_output_table() and isc_output_pairs() do it.  Nothing of
 * NULL.  Returns: whether it is not NULL */
gboolean isc_cli_print_rows(IscCli *cli, GVariant *rows, const IscColumn *columns);
gboolean isc_cli_print_pairs(IscCli *cli, GVariant *dict, const gchar *const *first);

/* Prints the "plan" of a dry run, one step a line, and "warnings" of any result to standard error.
 * Returns: TRUE where it was a dry run: then there is nothing more to print */
gboolean isc_cli_print_plan(IscCli *cli, GVariant *result);

/* The answer of a verb that changes something: prints it where it is to be JSON, else the plan of a
 * dry run.  Returns: TRUE where that was all, FALSE where people are still to be told what was done
 */
gboolean isc_cli_print_result(IscCli *cli, GVariant *result);

/* Usage of the whole program, a group ("image") or a verb, as --help prints it.  @topic: NULL, or
 * one or two words Errors: ISC_ERROR_INVALID: no such topic. */
gboolean isc_cli_help(GString *out, gchar *const *topic, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_cli_ask_set:
 * @method: of the dock, about a set
 * @params: floating; consumed
 * @why: (inout): why the like did not work with a node of that name
 *
 * What a verb does to a node, done to a set where no node has the name.  @why is freed and NULL
 * where it worked; else it is what the caller is to be told.  Returns: (transfer full) the answer,
 * or NULL
 */
GVariant *isc_cli_ask_set(IscCli *cli, const gchar *method, GVariant *params, GError **why);

/* The names of the members of set @name.  Errors: as isc_client_ask(); ISC_ERROR_NOT_FOUND: there
 * is no such set.  Returns: (transfer full) */
GStrv isc_cli_members(IscCli *cli, const gchar *name, GError **error);

/* The words of the command line as names that isc_cli_put_members() may add to. */
GPtrArray *isc_cli_names(const IscCli *cli);

/**
 * isc_cli_put_members:
 * @names: from isc_cli_names()
 * @at: at which of them the verb is
 * @why: (inout): why it did not work with a node of that name
 *
 * Puts the members of the set of that name behind it, where there is one: the verb then goes on
 * with them.  FALSE: there is none, @why tells.
 */
gboolean isc_cli_put_members(IscCli *cli, GPtrArray *names, guint at, GError **why);
gboolean isc_cli_list_sets(IscCli *cli, GError **error); /* list --sets */
void isc_cli_print_set(IscCli *cli, GVariant *result);   /* of an order, or of a dry run */
gboolean isc_cli_show_set(IscCli *cli, const gchar *name, GError **why); /* as isc_cli_ask_set() */

/* --- the verbs --- */
gboolean isc_cmd_image_import(IscCli *cli, GError **error);
gboolean isc_cmd_image_list(IscCli *cli, GError **error);
gboolean isc_cmd_image_show(IscCli *cli, GError **error);
gboolean isc_cmd_image_rm(IscCli *cli, GError **error);
gboolean isc_cmd_provision(IscCli *cli, GError **error);
gboolean isc_cmd_enable(IscCli *cli, GError **error);
gboolean isc_cmd_disable(IscCli *cli, GError **error);
gboolean isc_cmd_suspend(IscCli *cli, GError **error);
gboolean isc_cmd_resume(IscCli *cli, GError **error);
gboolean isc_cmd_destroy(IscCli *cli, GError **error);
gboolean isc_cmd_quarantine(IscCli *cli, GError **error);
gboolean isc_cmd_release(IscCli *cli, GError **error);
gboolean isc_cmd_snapshot_create(IscCli *cli, GError **error);
gboolean isc_cmd_snapshot_clone(IscCli *cli, GError **error);
gboolean isc_cmd_snapshot_verify(IscCli *cli, GError **error);
gboolean isc_cmd_snapshot_list(IscCli *cli, GError **error);
gboolean isc_cmd_snapshot_restore(IscCli *cli, GError **error);
gboolean isc_cmd_snapshot_delete(IscCli *cli, GError **error);
gboolean isc_cmd_scale(IscCli *cli, GError **error);
gboolean isc_cmd_upgrade(IscCli *cli, GError **error);
gboolean isc_cmd_rollback(IscCli *cli, GError **error);
gboolean isc_cmd_list(IscCli *cli, GError **error);
gboolean isc_cmd_show(IscCli *cli, GError **error);
gboolean isc_cmd_logs(IscCli *cli, GError **error);
gboolean isc_cmd_audit(IscCli *cli, GError **error);
gboolean isc_cmd_audit_verify(IscCli *cli, GError **error);
gboolean isc_cmd_audit_anchor(IscCli *cli, GError **error);
gboolean isc_cmd_audit_export(IscCli *cli, GError **error);
gboolean isc_cmd_audit_report(IscCli *cli, GError **error);
gboolean isc_cmd_events(IscCli *cli, GError **error);
gboolean isc_cmd_evidence_list(IscCli *cli, GError **error);
gboolean isc_cmd_evidence_show(IscCli *cli, GError **error);
gboolean isc_cmd_evidence_verify(IscCli *cli, GError **error);
gboolean isc_cmd_evidence_export(IscCli *cli, GError **error);
gboolean isc_cmd_evidence_browse(IscCli *cli, GError **error);
gboolean isc_cmd_evidence_memory(IscCli *cli, GError **error);
gboolean isc_cmd_evidence_rm(IscCli *cli, GError **error);
gboolean isc_cmd_expose(IscCli *cli, GError **error);
gboolean isc_cmd_unexpose(IscCli *cli, GError **error);
gboolean isc_cmd_allow(IscCli *cli, GError **error);
gboolean isc_cmd_deny(IscCli *cli, GError **error);
gboolean isc_cmd_network_show(IscCli *cli, GError **error);
gboolean isc_cmd_network_explain(IscCli *cli, GError **error);
gboolean isc_cmd_volume_create(IscCli *cli, GError **error);
gboolean isc_cmd_volume_list(IscCli *cli, GError **error);
gboolean isc_cmd_volume_show(IscCli *cli, GError **error);
gboolean isc_cmd_volume_resize(IscCli *cli, GError **error);
gboolean isc_cmd_volume_attach(IscCli *cli, GError **error);
gboolean isc_cmd_volume_detach(IscCli *cli, GError **error);
gboolean isc_cmd_volume_rm(IscCli *cli, GError **error);
gboolean isc_cmd_volume_rekey(IscCli *cli, GError **error);
gboolean isc_cmd_volume_export(IscCli *cli, GError **error);
gboolean isc_cmd_volume_import(IscCli *cli, GError **error);
gboolean isc_cmd_filter_apply(IscCli *cli, GError **error);
gboolean isc_cmd_filter_confirm(IscCli *cli, GError **error);
gboolean isc_cmd_filter_off(IscCli *cli, GError **error);
gboolean isc_cmd_filter_show(IscCli *cli, GError **error);
gboolean isc_cmd_network_log(IscCli *cli, GError **error);
gboolean isc_cmd_dock_status(IscCli *cli, GError **error);
gboolean isc_cmd_dock_drain(IscCli *cli, GError **error);
gboolean isc_cmd_dock_undrain(IscCli *cli, GError **error);
gboolean isc_cmd_dock_teardown(IscCli *cli, GError **error);
gboolean isc_cmd_job_list(IscCli *cli, GError **error);
gboolean isc_cmd_job_wait(IscCli *cli, GError **error);
gboolean isc_cmd_job_next(IscCli *cli, GError **error);
gboolean isc_cmd_job_pause(IscCli *cli, GError **error);
gboolean isc_cmd_job_resume(IscCli *cli, GError **error);
gboolean isc_cmd_limit(IscCli *cli, GError **error);
gboolean isc_cmd_protect(IscCli *cli, GError **error);
gboolean isc_cmd_unprotect(IscCli *cli, GError **error);
/* @method of each node that is named, which takes no arguments and answers "changed". */
gboolean isc_cli_set_each(IscCli *cli, const gchar *method, const gchar *done, GError **error);

/* Until the newest run of job @name has ended, or --timeout is over; prints how.  Errors:
 * ISC_ERROR_FAILED: it did not end well; ISC_ERROR_TIMEOUT. */
gboolean isc_cli_wait_for_job(IscCli *cli, const gchar *name, GError **error);
gboolean isc_cli_list_destroyed(IscCli *cli, GError **error); /* list --destroyed */
gboolean isc_cmd_doctor(IscCli *cli, GError **error);
gboolean isc_cmd_fsck(IscCli *cli, GError **error);
gboolean isc_cmd_version(IscCli *cli, GError **error);
gboolean isc_cmd_help(IscCli *cli, GError **error);
gboolean isc_cmd_completion(IscCli *cli, GError **error);
