#include "reader/box.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#define NOBODY 65534u
#define POLL_US 20000

static gboolean failed(GError **error, const gchar *what)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "sandbox: %s: %s", what, g_strerror(errno));
	return FALSE;
}

static gboolean write_file(const gchar *path, const gchar *text, GError **error)
{
	isc_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
	return (fd >= 0 && write(fd, text, strlen(text)) == (gssize)strlen(text)) ||
	       failed(error, path);
}

/* Who is not root may make namespaces in a user namespace only, and stays who they are. */
static gboolean leave_the_host(gboolean root, GError **error)
{
	int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	g_autofree gchar *uid = g_strdup_printf("%u %u 1", getuid(), getuid());
	g_autofree gchar *gid = g_strdup_printf("%u %u 1", getgid(), getgid());
	if (unshare(root ? flags : flags | CLONE_NEWUSER) != 0)
		return failed(error, "namespaces");
	return root || (write_file("/proc/self/setgroups", "deny", error) &&
				       write_file("/proc/self/uid_map", uid, error) &&
				       write_file("/proc/self/gid_map", gid, error));
}

static gboolean shut_tree(GError **error)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return failed(error, "private mounts");
	/* In a container an ordinary user may not; the old one shows more, and no more can be done
	 * with it. */
	(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (mount("isc-evidence-read", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0 ||
			mount("isc-evidence-read", "/run", "tmpfs",
					MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
					"mode=0755,size=4k") != 0)
		return failed(error, "tmpfs");
	return chdir("/tmp") == 0 || failed(error, "/tmp");
}

static gboolean limit(__rlimit_resource_t what, rlim_t n, GError **error)
{
	const struct rlimit r = { n, n };
	return setrlimit(what, &r) == 0 || failed(error, "limits");
}

static gboolean become_nobody(gboolean root, guint timeout_s, GError **error)
{
	if (!limit(RLIMIT_CORE, 0, error) || !limit(RLIMIT_NOFILE, 512, error) ||
			!limit(RLIMIT_CPU, 4 * (rlim_t)timeout_s, error) ||
			!limit(RLIMIT_FSIZE, (rlim_t)8 << 30, error))
		return FALSE;
	if (root && (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0))
		return failed(error, "groups");
	if (root && setresuid(NOBODY, NOBODY, NOBODY) != 0)
		return failed(error, "user");
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return failed(error, "capabilities");
	/* Changing the user has cleared it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed(error, "no_new_privs");
	return TRUE;
}

static int wait_for(pid_t pid, guint timeout_s, GError **error)
{
	gint64 end = g_get_monotonic_time() + (gint64)timeout_s * G_USEC_PER_SEC;
	int status = 0;
	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);
		if (got == pid)
			break;
		if (got < 0 && errno != EINTR) {
			isc_error_set_errno(error, errno, "sandbox: wait");
			return -1;
		}
		if (g_get_monotonic_time() >= end) {
			/* The first of its pid namespace: all others go with it. */
			kill(pid, SIGKILL);
			(void)waitpid(pid, &status, 0);
			g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT,
					"the disk was not read within %u s", timeout_s);
			return -1;
		}
		g_usleep(POLL_US);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "reading the disk was ended by signal %d",
			WTERMSIG(status));
	return -1;
}

int isc_box_run(int (*work)(gpointer data), gpointer data, guint timeout_s, GError **error)
{
	gboolean root = geteuid() == 0;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!leave_the_host(root, error))
		return -1;
	pid_t pid = fork();
	if (pid < 0) {
		isc_error_set_errno(error, errno, "sandbox: fork");
		return -1;
	}
	if (pid > 0)
		return wait_for(pid, timeout_s, error);

	g_autoptr(GError) why = NULL;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (shut_tree(&why) && become_nobody(root, timeout_s, &why))
		_exit(work(data));
	g_printerr("%s\n", why->message);
	_exit(isc_error_exit_status(why));
}
