#include "builder/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define OUT_MAX (64 * 1024 * 1024)
#define TAIL_MAX (16 * 1024)
#define SHOWN_LINES 8
#define TICK_MS 200

/* How a child that failed before or instead of its program says so: code, then text, on a pipe of
 * its own. */
typedef struct {
	gint32 code;
	gchar text[4000];
} Failure;

/* A signal handler can reach nothing but a global. */
static volatile sig_atomic_t interrupted;

void isc_run_interrupt(int signal_number)
{
	interrupted = signal_number;
}

int isc_run_interrupted(void)
{
	return interrupted;
}

gboolean isc_run_has(const gchar *program, GError **error)
{
	g_autofree gchar *path = g_find_program_in_path(program);
	if (path)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"'%s' is not installed: 'tools/deps' installs all that isc-image needs",
			program);
	return FALSE;
}

/* --- the child -------------------------------------------------------------------- */

static void pass_on_failure(int fd, const GError *error)
{
	Failure failure = { .code = error->domain == ISC_ERROR ? error->code : ISC_ERROR_FAILED };
	g_strlcpy(failure.text, error->message, sizeof failure.text);
	if (write(fd, &failure, sizeof failure) < 0) {
		/* the parent is gone, and so are we in a moment */
	}
}

static gboolean make_box(const IscRun *run, GError **error)
{
	if (!(run->flags & ISC_RUN_BOX))
		return TRUE;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return isc_error_set_errno(error, errno, "cannot make a mount namespace");
	return TRUE;
}

static gchar **environment(const IscRun *run)
{
	static const gchar *const passed[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
		"all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY" };
	g_auto(GStrv) env = NULL;
	env = g_environ_setenv(env, "PATH",
			"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", TRUE);
	env = g_environ_setenv(env, "HOME", run->root ? "/root" : g_get_home_dir(), TRUE);
	env = g_environ_setenv(env, "LC_ALL", "C.UTF-8", TRUE);
	for (gsize i = 0; !run->root && i < G_N_ELEMENTS(passed); i++)
		if (g_getenv(passed[i]))
			env = g_environ_setenv(env, passed[i], g_getenv(passed[i]), TRUE);
	for (gsize i = 0; run->env && run->env[i]; i++) {
		g_auto(GStrv) pair = g_strsplit(run->env[i], "=", 2);
		env = g_environ_setenv(env, pair[0], pair[1], TRUE);
	}
	return g_steal_pointer(&env);
}

static gboolean enter(const IscRun *run, GError **error)
{
	if (run->prepare && !run->prepare(run->data, error))
		return FALSE;
	if (run->root && (chroot(run->root) < 0 || chdir("/") < 0))
		return isc_error_set_errno(error, errno, "cannot enter '%s'", run->root);
	return TRUE;
}

/* Never returns.  @fail_fd closes at exec. */
static G_NORETURN void work(const IscRun *run, int fail_fd)
{
	g_autoptr(GError) error = NULL;
	if (enter(run, &error)) {
		if (!run->argv) {
			if (run->function(run->data, STDOUT_FILENO, &error))
				_exit(0);
		} else {
			g_auto(GStrv) env = environment(run);
			g_autofree gchar *path = NULL;
			if (!strchr(run->argv[0], '/'))
				path = g_find_program_in_path(run->argv[0]);
			execve(path ? path : run->argv[0], (char *const *)run->argv, env);
			isc_error_set_errno(&error, errno, "cannot run '%s'", run->argv[0]);
			error->code = ISC_ERROR_HOST;
		}
	}
	pass_on_failure(fail_fd, error);
	_exit(1);
}

/* The first process of the pid namespace: reaps what the work leaves behind, and takes all of it
 * along. */
static G_NORETURN void box_init(const IscRun *run, int fail_fd)
{
	g_autoptr(GError) error = NULL;
	int status = 0;
	if (!make_box(run, &error)) {
		pass_on_failure(fail_fd, error);
		_exit(1);
	}
	pid_t worker = fork();
	if (worker == 0)
		work(run, fail_fd);
	close(fail_fd);
	/* Else a pipe that the worker closed would stay open here. */
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	for (;;) {
		pid_t got = waitpid(-1, &status, 0);
		if (got == worker || (got < 0 && errno != EINTR))
			break;
	}
	if (WIFSIGNALED(status))
		_exit(128 + WTERMSIG(status));
	_exit(WEXITSTATUS(status));
}

static void take_fds(int out, int err)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
}

static G_NORETURN void child(const IscRun *run, pid_t parent, int out, int err, int fail_fd)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	for (int s = 1; s < 32; s++)
		sigaction(s, &usual, NULL);
	/* Away from the terminal: Ctrl-C is for isc-image alone, which then kills us in order. */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!(run->flags & ISC_RUN_BOX) && getppid() != parent)
		_exit(1);
	umask(022);
	take_fds(out, err);
	if (run->flags & ISC_RUN_BOX)
		box_init(run, fail_fd);
	work(run, fail_fd);
}

/* --- the parent ------------------------------------------------------------------- */

typedef struct {
	pid_t pid;
	int out, err, fail; /* our ends */
	GByteArray *text;
	GString *tail;
	gboolean too_long;
} Child;

static gboolean start(const IscRun *run, Child *c, GError **error)
{
	int out[2], err[2], fail[2];
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || pipe2(fail, O_CLOEXEC) < 0)
		return isc_error_set_errno(error, errno, "cannot make a pipe");

	unsigned long flags = SIGCHLD;
	if (run->flags & ISC_RUN_BOX)
		flags |= CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	if (run->flags & ISC_RUN_NO_NET)
		flags |= CLONE_NEWNET;
	pid_t parent = getpid();
	c->pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0);
	if (c->pid == 0)
		child(run, parent, run->out_fd > 0 ? run->out_fd : out[1], err[1], fail[1]);
	int saved = errno;
	close(out[1]);
	close(err[1]);
	close(fail[1]);
	c->out = out[0];
	c->err = err[0];
	c->fail = fail[0];
	if (c->pid > 0)
		return TRUE;
	isc_error_set_errno(error, saved, "cannot start %s in namespaces of its own", run->what);
	if (error && *error)
		(*error)->code = ISC_ERROR_HOST;
	return FALSE;
}

/* Reads what is there.  Returns FALSE at the end. */
static gboolean take(Child *c, int fd, gboolean is_out)
{
	gchar buffer[16384];
	gssize n = read(fd, buffer, sizeof buffer);
	if (n < 0 && errno == EINTR)
		return TRUE;
	if (n <= 0)
		return FALSE;
	if (is_out) {
		c->too_long |= c->text->len + (gsize)n > OUT_MAX;
		if (!c->too_long)
			g_byte_array_append(c->text, (guint8 *)buffer, (guint)n);
		return TRUE;
	}
	g_string_append_len(c->tail, buffer, n);
	if (c->tail->len > 2 * TAIL_MAX)
		g_string_erase(c->tail, 0, (gssize)(c->tail->len - TAIL_MAX));
	return TRUE;
}

/* Until both pipes are at their end, or it is enough.  Returns FALSE with @error then. */
static gboolean follow(const IscRun *run, Child *c, GError **error)
{
	gint64 end = g_get_monotonic_time() + (gint64)run->timeout_s * G_USEC_PER_SEC;
	struct pollfd p[2] = { { .fd = c->out, .events = POLLIN },
		{ .fd = c->err, .events = POLLIN } };
	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, TICK_MS) < 0 && errno != EINTR)
			return isc_error_set_errno(error, errno, "poll");
		for (int i = 0; i < 2; i++)
			if (p[i].fd >= 0 && p[i].revents && !take(c, p[i].fd, i == 0))
				p[i].fd = -1;
		if (run->tick)
			run->tick(run->tick_data);
		if (interrupted) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "interrupted");
			return FALSE;
		}
		if (c->too_long) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "%s says too much",
					run->what);
			return FALSE;
		}
		if (g_get_monotonic_time() < end)
			continue;
		g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT, "%s is not done after %u s",
				run->what, run->timeout_s);
		return FALSE;
	}
	return TRUE;
}

static gchar *last_lines(const gchar *text)
{
	g_autofree gchar *copy = g_strchomp(g_utf8_make_valid(text, -1));
	const gchar *p = copy + strlen(copy);
	for (guint lines = 0; p > copy; p--)
		if (p[-1] == '\n' && ++lines == SHOWN_LINES)
			break;
	return g_strdup(p);
}

static gboolean judge(const IscRun *run, Child *c, int status, GError **error)
{
	Failure failure;
	if (read(c->fail, &failure, sizeof failure) == (gssize)sizeof failure) {
		failure.text[sizeof failure.text - 1] = '\0';
		g_set_error_literal(error, ISC_ERROR, failure.code, failure.text);
		return FALSE;
	}
	if (status == 0)
		return TRUE;
	g_autofree gchar *tail = last_lines(c->tail->str);
	g_autofree gchar *how = WIFSIGNALED(status) ? g_strdup_printf("was killed by signal %d",
								      WTERMSIG(status))
						    : g_strdup_printf("failed with status %d",
								      WEXITSTATUS(status));
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "%s %s%s%s", run->what, how,
			*tail ? ":\n" : "", tail);
	return FALSE;
}

/* A box dies with its first process; else the session that the child leads. */
static void kill_all(const IscRun *run, pid_t pid)
{
	if (!(run->flags & ISC_RUN_BOX))
		kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

static int reap(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

gboolean isc_run(const IscRun *run, gchar **out, gchar **messages, GError **error)
{
	if (out)
		*out = NULL;
	if (messages)
		*messages = NULL;
	if (interrupted) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "interrupted");
		return FALSE;
	}
	g_autoptr(GByteArray) text = g_byte_array_new();
	g_autoptr(GString) tail = g_string_new(NULL);
	Child c = { .text = text, .tail = tail };
	if (!start(run, &c, error))
		return FALSE;

	gboolean ok = follow(run, &c, error);
	if (!ok)
		kill_all(run, c.pid);
	int status = reap(c.pid);
	if (ok)
		ok = judge(run, &c, status, error);
	close(c.out);
	close(c.err);
	close(c.fail);
	if (messages)
		*messages = g_strdup(tail->str);
	if (ok && out) {
		g_byte_array_append(text, (const guint8 *)"", 1);
		*out = (gchar *)g_byte_array_free(g_steal_pointer(&text), FALSE);
	}
	return ok;
}
