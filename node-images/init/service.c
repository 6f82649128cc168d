#include "init/service.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/wire.h"
#include "init/confine.h"
#include "init/mounts.h"
#include "init/tree.h"
#include "init/util.h"

#define CGROUP ISC_MNT_CGROUP "/service"

/* What ns-init says.  EXECUTED comes from the service's own process just before its execve, so that
 * the kernel tells PID 1 its pid (SCM_CREDENTIALS); RUNS confirms that the execve went through. */
typedef enum {
	SAYS_BUILT,
	SAYS_EXECUTED,
	SAYS_RUNS,
	SAYS_FAILED,
	SAYS_ENDED,
} Says;

typedef struct {
	int32_t says;
	int32_t a; /* FAILED: IscInitFailure; ENDED: wait status */
	int32_t b; /* FAILED: errno */
	int32_t c; /* FAILED: status of a pre command */
} Message;

enum {
	FD_LINK = 3, /* in ns-init and, until its execve, in the service */
	BUILD_MS = 20000,
};

static void say(int fd, Says says, int a, int b, int c)
{
	Message m = { (int32_t)says, a, b, c };

	if (send(fd, &m, sizeof m, MSG_NOSIGNAL) < 0) {
		/* PID 1 is not there: then neither are we in a moment */
	}
}

/* --- in the namespace
 * ----------------------------------------------------------------------------- */

char **isc_service_environment(const IscNodeConf *conf)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char home[] = "HOME=/", lang[] = "LANG=C.UTF-8", user[128];
	char *defaults[] = { path, home, lang, user };
	static char *env[ISC_CONF_ENV + ISC_COUNT(defaults) + 1];
	size_t n = 0;

	snprintf(user, sizeof user, "USER=%s", conf->user ? conf->user : "nobody");
	for (size_t i = 0; i < ISC_COUNT(defaults); i++) {
		size_t len = strcspn(defaults[i], "=") + 1;
		bool given = false;

		for (size_t j = 0; j < conf->n_env; j++)
			given |= strncmp(conf->env[j], defaults[i], len) == 0;
		if (!given)
			env[n++] = defaults[i];
	}
	for (size_t j = 0; j < conf->n_env; j++)
		env[n++] = conf->env[j];
	env[n] = NULL;
	return env;
}

/* Starts @argv confined and waits until its program runs.  Returns the pid, or -errno. */
static pid_t start(const IscNodeConf *conf, char **argv, bool announce)
{
	int witness[2], error = 0;
	pid_t pid;

	if (pipe2(witness, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		char **env = isc_service_environment(conf);

		/* The witness has its errno if anything fails, and closes empty when the program
		 * runs. */
		error = isc_confine(conf);
		if (!error && announce)
			say(FD_LINK, SAYS_EXECUTED, 0, 0, 0);
		if (!error) {
			execve(argv[0], argv, env);
			error = -errno;
		}
		if (write(witness[1], &error, sizeof error) < 0) {
			/* nobody reads it: ns-init is gone */
		}
		_exit(127);
	}
	close(witness[1]);
	while (read(witness[0], &error, sizeof error) < 0 && errno == EINTR)
		;
	close(witness[0]);
	if (!error)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return (pid_t)error;
}

/* Reaps whatever the namespace leaves until @pid has ended; returns its status. */
static int wait_for(pid_t pid)
{
	int status;
	pid_t got;

	for (;;) {
		got = waitpid(-1, &status, 0);
		if (got == pid)
			return status;
		if (got < 0 && errno != EINTR)
			return -1;
	}
}

static void run_pre(const IscNodeConf *conf, size_t i)
{
	pid_t pid = start(conf, conf->pre[i], false);
	int status;

	if (pid < 0) {
		say(FD_LINK, SAYS_FAILED, ISC_INIT_SERVICE, -(int)pid, 0);
		_exit(1);
	}
	status = wait_for(pid);
	if (status == 0)
		return;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	say(FD_LINK, SAYS_FAILED, ISC_INIT_SERVICE, 0, status);
	_exit(1);
}

static void take_fds(int link, int out, int err)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* Out of the way first: any of them may be one of 0 to 3. */
	link = fcntl(link, F_DUPFD_CLOEXEC, 64);
	out = fcntl(out, F_DUPFD_CLOEXEC, 64);
	err = fcntl(err, F_DUPFD_CLOEXEC, 64);
	null = fcntl(null, F_DUPFD_CLOEXEC, 64);
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	dup3(link, FD_LINK, O_CLOEXEC);
	syscall(SYS_close_range, FD_LINK + 1, ~0u, 0);
}

static _Noreturn void ns_init(
		const IscNodeConf *conf, bool overlay, uint64_t memory, int link, int out, int err)
{
	int failure = ISC_INIT_SERVICE, error, status;
	pid_t pid;
	char go;

	take_fds(link, out, err);
	prctl(PR_SET_NAME, "isc-ns-init");
	error = unshare(CLONE_NEWCGROUP) == 0 ? 0 : -errno;
	if (!error)
		error = isc_tree_build(conf, overlay, memory, &failure);
	if (error) {
		say(FD_LINK, SAYS_FAILED, failure, -error, 0);
		_exit(1);
	}
	/* Not dumpable: nobody without CAP_SYS_PTRACE sees it in /proc (hidepid), reads or stops
	 * it. */
	prctl(PR_SET_DUMPABLE, 0);
	say(FD_LINK, SAYS_BUILT, 0, 0, 0);
	if (recv(FD_LINK, &go, 1, 0) != 1)
		_exit(1);
	for (size_t i = 0; i < conf->n_pre; i++)
		run_pre(conf, i);
	pid = start(conf, conf->exec, true);
	if (pid < 0) {
		say(FD_LINK, SAYS_FAILED, ISC_INIT_SERVICE, -(int)pid, 0);
		_exit(1);
	}
	say(FD_LINK, SAYS_RUNS, 0, 0, 0);
	/* The ends of the pipes belong to the service: PID 1 sees when the last of its processes
	 * closes them. */
	close(1);
	close(2);
	isc_confine_drop_all();
	status = wait_for(pid);
	say(FD_LINK, SAYS_ENDED, status, 0, 0);
	_exit(0);
}

/* --- PID 1's side
 * --------------------------------------------------------------------------------- */

static int make_pipe(const IscNodeConf *conf, int *keep, int *give)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) != 0)
		return -errno;
	/* /dev/stdout opens the pipe anew, with the rights of the service's user. */
	if (fchown(p[1], conf->uid, conf->gid) != 0 ||
			fcntl(p[0], F_SETFL, O_RDONLY | O_NONBLOCK) != 0)
		return -errno;
	*keep = p[0];
	*give = p[1];
	return 0;
}

/* Born into its control group: moving there later would cost an RCU grace period. */
pid_t isc_service_fork(uint64_t flags)
{
	int cgroup = open(CGROUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct clone_args args = {
		.flags = flags | (cgroup < 0 ? 0 : CLONE_INTO_CGROUP),
		.exit_signal = SIGCHLD,
		.cgroup = cgroup < 0 ? 0 : (uint64_t)cgroup,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	int error = errno;

	if (cgroup >= 0)
		close(cgroup);
	errno = error;
	return pid;
}

int isc_service_prepare(IscService *service, const IscNodeConf *conf, bool overlay, void *scrub,
		size_t scrub_len)
{
	int link[2], out = -1, err = -1, error;
	static const int on = 1;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) != 0 ||
			setsockopt(link[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
		return -errno;
	if ((error = make_pipe(conf, &service->out, &out)) ||
			(error = make_pipe(conf, &service->err, &err)))
		return error;
	pid = isc_service_fork(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS);
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		explicit_bzero(scrub, scrub_len);
		ns_init(conf, overlay, service->memory, link[1], out, err);
	}
	service->ns_init = pid;
	service->link = link[0];
	close(link[1]);
	close(out);
	close(err);
	return 0;
}

int isc_service_wait_built(IscService *service)
{
	struct pollfd p = { .fd = service->link, .events = POLLIN };
	int64_t end = isc_now_ms() + BUILD_MS, left;

	while (!service->built && !service->failure && (left = end - isc_now_ms()) > 0) {
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		isc_service_read(service);
		if (p.revents & POLLHUP && !service->built && !service->failure)
			return -EPIPE;
	}
	if (service->failure)
		return service->failure_errno ? -service->failure_errno : -ECANCELED;
	return service->built ? 0 : -ETIMEDOUT;
}

void isc_service_go(IscService *service)
{
	if (send(service->link, "g", 1, MSG_NOSIGNAL) < 0) {
		/* it has failed already and said why */
	}
}

static void take(IscService *service, const Message *m, pid_t sender)
{
	switch ((Says)m->says) {
	case SAYS_BUILT:
		service->built = true;
		break;
	case SAYS_EXECUTED:
		service->pid = sender;
		break;
	case SAYS_RUNS:
		service->executed = true;
		break;
	case SAYS_FAILED:
		service->failure = m->a;
		service->failure_errno = m->b;
		service->failure_status = m->c;
		break;
	case SAYS_ENDED:
		service->ended = true;
		service->status = m->a;
		break;
	}
}

void isc_service_read(IscService *service)
{
	union {
		char space[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	Message message;
	struct iovec v = { &message, sizeof message };
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	struct ucred who;

	while (recvmsg(service->link, &m, MSG_DONTWAIT) == (ssize_t)sizeof message) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		if (c && c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&who, CMSG_DATA(c), sizeof who);
			take(service, &message, who.pid);
		}
		m.msg_controllen = sizeof control;
	}
}

void isc_service_signal(IscService *service, int sig)
{
	if (sig == SIGKILL && service->ns_init)
		kill(service->ns_init, SIGKILL);
	else if (service->pid)
		kill(service->pid, sig);
}

static uint64_t memory_available(void)
{
	char text[4096], *line;

	if (isc_slurp("/proc/meminfo", text, sizeof text) < 0)
		return 0;
	line = strstr(text, "MemAvailable:");
	return line ? strtoull(line + 13, NULL, 10) * 1024 : 0;
}

uint64_t isc_service_limit(uint64_t reserve)
{
	uint64_t available = memory_available(), pids;
	uint64_t memory = available - (available / 3 > reserve ? reserve : available / 3);
	char text[32];

	if (isc_put(ISC_MNT_CGROUP "/cgroup.subtree_control", "+memory +pids") != 0 ||
			mkdir(CGROUP, 0755) != 0)
		return memory;
	/* All of the service together then weighs as much as one thread out here does: kauditd has
	 * its half of a busy machine however many it starts and whatever nice value they have. */
	isc_put(ISC_MNT_CGROUP "/cgroup.subtree_control", "+cpu");
	if (!available)
		return 0;
	/* A process that does nothing holds 100 KiB of the kernel's, and not all of that is counted
	 * as the group's. */
	pids = available / (256 * 1024);
	snprintf(text, sizeof text, "%llu", (unsigned long long)memory);
	isc_put(CGROUP "/memory.max", text);
	snprintf(text, sizeof text, "%llu",
			(unsigned long long)(pids < 64      ? 64
					     : pids > 32768 ? 32768
							    : pids));
	isc_put(CGROUP "/pids.max", text);
	return memory;
}
