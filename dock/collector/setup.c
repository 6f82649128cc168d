#include "collector/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define DOCK "isc-dock" /* user and group of isc-dockd */
#define BACKLOG 4

static gboolean find_user(const gchar *name, guint32 *uid, guint32 *gid, GError **error)
{
	errno = 0;
	const struct passwd *p = getpwnam(name);
	if (!p) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"there is no user '%s': install isc-dock, or give --user", name);
		return FALSE;
	}
	*uid = p->pw_uid;
	if (gid)
		*gid = p->pw_gid;
	return TRUE;
}

/* Group of the files: so that isc-dockd can read what it hands on.  (gid_t)-1 where there is none.
 */
static gid_t dock_group(void)
{
	const struct group *g = getgrnam(DOCK);
	return g ? g->gr_gid : (gid_t)-1;
}

static int make_dir(int at, const gchar *path, mode_t mode, const IscSetup *s, GError **error)
{
	if (mkdirat(at, path, mode) != 0 && errno != EEXIST) {
		isc_error_set_errno(error, errno, "cannot make '%s'", path);
		return -1;
	}
	isc_autofd int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		isc_error_set_errno(error, errno, "cannot open '%s'", path);
		return -1;
	}
	if (geteuid() == 0 && (fchown(fd, s->uid, dock_group()) != 0 || fchmod(fd, mode) != 0)) {
		isc_error_set_errno(error, errno, "cannot give '%s' away", path);
		return -1;
	}
	return isc_steal_fd(&fd);
}

/* The protocol of sd_listen_fds(3), without its library. */
static int inherited_socket(void)
{
	const gchar *pid = g_getenv("LISTEN_PID"), *fds = g_getenv("LISTEN_FDS");
	if (!pid || !fds || strtol(pid, NULL, 10) != getpid() || strtol(fds, NULL, 10) != 1)
		return -1;
	return fcntl(3, F_SETFD, FD_CLOEXEC) == 0 ? 3 : -1;
}

static int listen_at(const gchar *run_dir, const IscSetup *s, GError **error)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	isc_autofd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (g_snprintf(a.sun_path, sizeof a.sun_path, "%s/" ISC_LINK_SOCKET, run_dir) >=
			(gint)sizeof a.sun_path) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"--run-dir is too long for a socket");
		return -1;
	}
	if (fd < 0) {
		isc_error_set_errno(error, errno, "socket");
		return -1;
	}
	/* One of an earlier life; two collectors at once are kept apart by the lock on the log
	 * folder. */
	(void)unlink(a.sun_path);
	mode_t before = umask(0117);
	int rc = bind(fd, (const struct sockaddr *)&a, sizeof a);
	umask(before);
	if (rc != 0 || listen(fd, BACKLOG) != 0) {
		isc_error_set_errno(error, errno, "cannot listen on '%s'", a.sun_path);
		return -1;
	}
	if (geteuid() == 0 && lchown(a.sun_path, s->uid, dock_group()) != 0) {
		isc_error_set_errno(error, errno, "cannot give '%s' away", a.sun_path);
		return -1;
	}
	return isc_steal_fd(&fd);
}

/* Held until the process ends; on a file of its own, so that no reader of the logs is in the way.
 */
static gboolean lock(int log_fd, GError **error)
{
	int fd = openat(log_fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot open '.lock'");
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return TRUE;
	close(fd);
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"another isc-collectord writes there already: stop it first");
	return FALSE;
}

static gboolean prepare_logs(const IscSetupOptions *o, IscSetup *s, GError **error)
{
	isc_autofd int log_fd = make_dir(AT_FDCWD, o->log_dir, 02751, s, error);
	if (log_fd < 0 || !lock(log_fd, error))
		return FALSE;
	s->collector.nodes_fd = make_dir(log_fd, "nodes", 02750, s, error);
	if (s->collector.nodes_fd < 0)
		return FALSE;
	if (!isc_seal_key_load(log_fd, &s->collector.root, error))
		return FALSE;
	s->collector.log_fd = fcntl(log_fd, F_DUPFD_CLOEXEC, 3);
	if (s->collector.log_fd < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", o->log_dir);
	static const gchar *const files[] = { "seal.key", "seal.pub", ".lock" };
	for (gsize i = 0; i < G_N_ELEMENTS(files) && geteuid() == 0; i++)
		if (fchownat(log_fd, files[i], s->uid, s->gid, AT_SYMLINK_NOFOLLOW) != 0)
			return isc_error_set_errno(error, errno, "cannot give '%s' away", files[i]);
	return TRUE;
}

gboolean isc_setup_prepare(const IscSetupOptions *o, IscSetup *s, GError **error)
{
	IscCollectorSetup *c = &s->collector;

	*s = (IscSetup){ .uid = geteuid(), .gid = getegid() };
	if (geteuid() == 0 && !find_user(o->user, &s->uid, &s->gid, error))
		return FALSE;
	umask(0); /* modes are given where files are made; the setgid bit of folders is inherited */
	if (!prepare_logs(o, s, error)) {
		g_prefix_error(error, "%s: ", o->log_dir);
		return FALSE;
	}
	c->listen_fd = inherited_socket();
	if (c->listen_fd < 0)
		c->listen_fd = listen_at(o->run_dir, s, error);
	if (c->listen_fd < 0)
		return FALSE;
	/* Its own user can do nothing by the link that it could not do to the files. */
	c->uids[c->n_uids++] = 0;
	c->uids[c->n_uids++] = s->uid;
	if (find_user(DOCK, &c->uids[c->n_uids], NULL, NULL))
		c->n_uids++;
	return TRUE;
}
