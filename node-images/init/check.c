#include "init/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/confine.h"
#include "init/util.h"

enum {
	NOT_RUN = 126,
	NOT_FOUND = 127,
};

/* Nothing of PID 1's is open in what follows but the one descriptor, which is moved to @fd. */
static int keep_only(int fd, int give)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	give = fcntl(give, F_DUPFD_CLOEXEC, 64);
	null = fcntl(null, F_DUPFD_CLOEXEC, 64);
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return -errno;
	if (give < 0 || dup3(give, fd, O_CLOEXEC) < 0)
		return -errno;
	return syscall(SYS_close_range, fd + 1, ~0u, 0) == 0 ? 0 : -errno;
}

static _Noreturn void run(const IscNodeConf *conf)
{
	if (isc_confine(conf) != 0)
		_exit(NOT_RUN);
	execve(conf->check[0], conf->check, isc_service_environment(conf));
	_exit(errno == ENOENT ? NOT_FOUND : NOT_RUN);
}

/* Its whole session goes: what it started is of no use to anybody. */
static int wait_for(pid_t pid, int64_t ms)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int64_t end = isc_now_ms() + ms, left;
	int status, n = 0;

	while (p.fd >= 0 && (left = end - isc_now_ms()) > 0 && (n = poll(&p, 1, (int)left)) < 0 &&
			errno == EINTR)
		;
	if (n != 1) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return NOT_RUN;
	if (n != 1)
		return ISC_CHECK_LATE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Joins the namespaces and starts the command in them: only a child is in the new pid namespace. */
static _Noreturn void join(const IscNodeConf *conf, int ns_init, int64_t ms)
{
	enum {
		FD_NS = 3
	};
	pid_t pid;

	prctl(PR_SET_NAME, "isc-check");
	if (keep_only(FD_NS, ns_init) != 0 ||
			setns(FD_NS, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |
							CLONE_NEWCGROUP) != 0)
		_exit(NOT_RUN);
	/* Not dumpable: the service neither sees nor stops it. */
	prctl(PR_SET_DUMPABLE, 0);
	pid = fork();
	if (pid == 0)
		run(conf);
	_exit(pid < 0 ? NOT_RUN : wait_for(pid, ms));
}

int isc_check_start(IscCheck *check, const IscNodeConf *conf, const IscService *service,
		uint32_t id, int64_t ms, void *secret, size_t secret_len)
{
	int ns_init, error;
	pid_t pid;

	if (!conf->n_check)
		return -ENOENT;
	if (check->child)
		return -EBUSY;
	if (!service->ns_init || !service->executed)
		return -ESRCH;
	ns_init = (int)syscall(SYS_pidfd_open, service->ns_init, 0);
	if (ns_init < 0)
		return -errno;
	pid = isc_service_fork(0);
	error = errno;
	if (pid == 0) {
		explicit_bzero(secret, secret_len);
		join(conf, ns_init, ms > 0 && ms < ISC_CHECK_MS_MAX ? ms : ISC_CHECK_MS_MAX);
	}
	close(ns_init);
	if (pid < 0)
		return -error;
	check->child = pid;
	check->id = id;
	return 0;
}

int isc_check_ended(IscCheck *check, int status)
{
	check->child = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : NOT_RUN;
}
