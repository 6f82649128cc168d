#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

/* Each with the reason why less would not do. */
static const struct {
	guint cap;
	const gchar *name, *why;
} capabilities[] = {
	{ CAP_NET_ADMIN, "net_admin", "bridge, taps, nftables, conntrack" },
	{ CAP_CHOWN, "chown", "a node's overlay, configuration and sockets belong to its own uid" },
	{ CAP_FOWNER, "fowner", "modes and flags of what belongs to a node or to root (images)" },
	{ CAP_LINUX_IMMUTABLE, "linux_immutable", "chattr +i on images" },
};

static gboolean find_user(const gchar *name, guint *uid, guint *gid, GError **error)
{
	errno = 0;
	const struct passwd *pw = getpwnam(name);
	if (!pw) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"there is no user '%s': 'make install' and systemd-sysusers make "
				"it",
				name);
		return FALSE;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return TRUE;
}

static gboolean own_folder(const IscDock *dock, const gchar *path, mode_t mode, GError **error)
{
	if (!isc_file_mkdir(path, mode, error))
		return FALSE;
	if (geteuid() == 0 && chown(path, dock->uid, dock->gid) < 0)
		return isc_error_set_errno(
				error, errno, "cannot give '%s' to '%s'", path, dock->config->user);
	return TRUE;
}

gboolean isc_privileges_prepare(IscDock *dock, GError **error)
{
	static const struct {
		const gchar *name;
		mode_t mode;
	} folders[] = { { "images", 0711 }, { "nodes", 0711 }, { "keys", 0700 },
		{ "templates", 0700 }, { "volumes", 0711 }, { "evidence", 0700 }, { "env", 0700 } };

	if (!find_user(dock->config->user, &dock->uid, &dock->gid, error) ||
			!find_user(dock->config->collector_user, &dock->collector_uid,
					&dock->collector_gid, error))
		return FALSE;
	/* 0711: a node's uid must pass through to its own files, and see nothing on the way. */
	g_autofree gchar *run_nodes = g_build_filename(dock->config->run_dir, "nodes", NULL);
	if (!own_folder(dock, dock->config->state_dir, 0711, error) ||
			!isc_file_mkdir(dock->config->run_dir, 01771, error) ||
			!own_folder(dock, run_nodes, 0711, error))
		return FALSE;
	/* The collector makes its socket there; the sticky bit keeps it from what is ours. */
	if (geteuid() == 0 && chown(dock->config->run_dir, dock->uid, dock->collector_gid) < 0)
		return isc_error_set_errno(error, errno, "cannot share '%s' with the collector",
				dock->config->run_dir);
	for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree gchar *path =
				g_build_filename(dock->config->state_dir, folders[i].name, NULL);
		if (!own_folder(dock, path, folders[i].mode, error))
			return FALSE;
	}
	return TRUE;
}

gboolean isc_privileges_drop(IscDock *dock, GError **error)
{
	const struct rlimit no_core = { 0, 0 };
	struct rlimit files = { 65536, 65536 };

	/* Keys are in this process: neither a core file nor a debugger may get at them. */
	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		return isc_error_set_errno(error, errno, "cannot forbid core dumps");
	(void)setrlimit(RLIMIT_NOFILE, &files);

	if (geteuid() == 0) {
		capng_clear(CAPNG_SELECT_BOTH);
		for (gsize i = 0; i < G_N_ELEMENTS(capabilities); i++)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
					capabilities[i].cap);
		int rc = capng_change_id((int)dock->uid, (int)dock->gid,
				CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
		if (rc < 0) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
					"cannot become '%s' (libcap-ng: %d)", dock->config->user,
					rc);
			return FALSE;
		}
	}
	for (gsize i = 0; i < G_N_ELEMENTS(capabilities); i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE, capabilities[i].cap)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
					"capability %s is missing, wanted for: %s",
					capabilities[i].name, capabilities[i].why);
			return FALSE;
		}
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return isc_error_set_errno(error, errno, "cannot close the process to others");
	if (sodium_init() < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "libsodium does not start");
		return FALSE;
	}
	return TRUE;
}

gboolean isc_privileges_lock(IscDock *dock, GError **error)
{
	g_autofree gchar *path = g_build_filename(dock->config->run_dir, "dockd.lock", NULL);
	isc_autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "another isc-dockd runs on '%s'",
				dock->config->run_dir);
		return FALSE;
	}
	(void)isc_steal_fd(&fd); /* held until the process ends */
	return TRUE;
}
