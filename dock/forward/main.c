/* isc-forwardd: brings audit trails, packet logs and service logs to a receiver of syslog. */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "daemon/config.h"
#include "forward/forward.h"

#define MIB (1024u * 1024)

static gchar *config_path, *state_dir, *user;
static gboolean check_only, show_version;
static const GOptionEntry options[] = {
	{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &config_path,
			"configuration (/etc/isc-dock/dock.conf)", "FILE" },
	{ "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &state_dir,
			"where it notes how far it is (/var/lib/isc-forward)", "DIR" },
	{ "user", 0, 0, G_OPTION_ARG_STRING, &user, "to become, as root (isc-forward)", "NAME" },
	{ "check", 'n', 0, G_OPTION_ARG_NONE, &check_only,
			"read the configuration, say OK, do nothing", NULL },
	{ "foreground", 'f', 0, G_OPTION_ARG_NONE, &(gboolean){ FALSE },
			"stay in the foreground (it always does)", NULL },
	{ "version", 'V', 0, G_OPTION_ARG_NONE, &show_version, "say which version this is", NULL },
	G_OPTION_ENTRY_NULL,
};

static int fail(const GError *error)
{
	g_printerr("isc-forwardd: %s\n", error->message);
	return error->domain == G_OPTION_ERROR ? 2 : isc_error_exit_status(error);
}

static gboolean take_keys(const IscConfig *config, IscForward *f, GError **error)
{
	gchar *bad[4] = { NULL };
	const struct {
		const gchar *key;
		gboolean ok;
	} keys[] = {
		{ "Deliver", isc_forward_kinds_parse(config->syslog_deliver, f->kinds, &bad[0]) },
		{ "Facility", isc_forward_values_parse(config->syslog_facility,
					      isc_forward_facility_parse, f->style.facility,
					      &bad[1]) },
		{ "Level", isc_forward_values_parse(config->syslog_level, isc_forward_level_parse,
					   f->style.level, &bad[2]) },
		{ "Format", isc_forward_format_parse(config->syslog_format, &f->style.format) },
	};
	bad[3] = g_strdup(config->syslog_format);
	gboolean ok = TRUE;
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree gchar *word = bad[i];
		if (keys[i].ok || !ok)
			continue;
		g_autofree gchar *shown = isc_text_escape(word, -1, 64);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"[Syslog] %s: there is no '%s'; see isc-dock.conf(5)", keys[i].key,
				shown);
		ok = FALSE;
	}
	return ok;
}

/* Its folder, made while we are root. */
static int open_state(const gchar *path, uid_t uid, gid_t gid, GError **error)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		isc_error_set_errno(error, errno, "cannot make '%s'", path);
		return -1;
	}
	isc_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (geteuid() == 0 && fchown(fd, uid, gid) < 0)) {
		isc_error_set_errno(error, errno, "cannot use '%s'", path);
		return -1;
	}
	return isc_steal_fd(&fd);
}

/* Reads what guests wrote and talks to the outside: so it has nothing else. */
static gboolean drop_rights(uid_t uid, gid_t gid, GError **error)
{
	const struct rlimit no_core = { 0, 0 };
	capng_clear(CAPNG_SELECT_BOTH);
	int rc = geteuid() == 0 ? capng_change_id((int)uid, (int)gid,
						  CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING)
				: capng_apply(CAPNG_SELECT_CAPS);
	if (rc < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0 ||
			prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "cannot drop rights (libcap-ng: %d)",
				rc);
		return FALSE;
	}
	return TRUE;
}

static int stop_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static gboolean prepare(const IscConfig *config, IscForward *f, GError **error)
{
	const gchar *name = user ? user : "isc-forward";
	uid_t uid = geteuid();
	gid_t gid = getegid();
	const struct passwd *p = uid == 0 ? getpwnam(name) : NULL;
	if (uid == 0 && !p) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"there is no user '%s': install isc-dock, or give --user", name);
		return FALSE;
	}
	if (p) {
		uid = p->pw_uid;
		gid = p->pw_gid;
	}
	f->stop_fd = stop_signals();
	f->state_fd = open_state(state_dir ? state_dir : "/var/lib/isc-forward", uid, gid, error);
	if (f->state_fd < 0 || !drop_rights(uid, gid, error))
		return FALSE;
	/* As the user that it is now: what it may not read then, it never reads. */
	f->log_fd = open(config->log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->log_fd < 0)
		f->log_fd = open(config->log_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return f->log_fd >= 0 ||
	       isc_error_set_errno(error, errno, "cannot open '%s'", config->log_dir);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GOptionContext) context =
			g_option_context_new("- deliver trails and logs to syslog");
	setlocale(LC_ALL, "");
	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		return fail(error);
	if (show_version) {
		g_print("isc-forwardd %s\n", ISC_VERSION);
		return 0;
	}

	const gchar *path = config_path ? config_path : "/etc/isc-dock/dock.conf";
	IscConfig *config = isc_config_load(path, &error);
	if (!config)
		return fail(error);
	gchar host[65] = "-";
	(void)gethostname(host, sizeof host - 1);
	IscForward f = { .log_fd = -1,
		.state_fd = -1,
		.stop_fd = -1,
		.max = (guint64)config->syslog_spool_mib * MIB,
		.style = { .host = host } };
	const gchar *receiver = config->syslog_receiver;
	g_autoptr(IscReceiver) probe = NULL;
	if (!take_keys(config, &f, &error) ||
			(receiver && !(probe = isc_receiver_new(receiver, -1, &error))))
		return fail(error);
	if (check_only || !receiver) {
		g_print("%s: OK%s\n", path,
				receiver ? ""
					 : "; no Receiver= in [Syslog]: nothing to deliver to");
		return 0;
	}
	if (!prepare(config, &f, &error))
		return fail(error);
	g_autoptr(IscReceiver) used = isc_receiver_new(receiver, f.stop_fd, &error);
	f.receiver = used;
	if (!used || !isc_forward_run(&f, &error))
		return fail(error);
	isc_config_free(config);
	return 0;
}
