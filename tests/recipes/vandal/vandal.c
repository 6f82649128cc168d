/* The vandal's program: one order a connection on port 8080, a line; the answer is a line or more.
 *
 *   commands FIRST N   run N commands "noop cmd-I", one after the other        ran N
 *   odd                run commands with the arguments that trail-tool.py knows  ran N
 *   attack             go for the agent, the audit, the ports: a line each     NAME RESULT
 *   bomb SECONDS FIRST fork without end, as a real-time process that memory runs out for last; amid
 *                      it run commands "noop cmd-I" from FIRST on              ran N, …
 *   flood SECONDS      processes without end that run commands "noop flood"    ran N, …
 *   fill               fill all that lies in memory, first with bytes, then    filled N KiB, N
 * files: ERROR with empty files empty              take that away again empty
 *
 * RESULT is "no: ERROR" where the attack was refused, "YES" where it was not. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SELF "/usr/lib/vandal/vandal"
#define LONG_ARG 131071 /* bytes: one less than the kernel takes, for the NUL */
#define MANY 2000

static FILE *out; /* the connection */
static const char *const no_env[] = { NULL };

/* --- commands --- */

static int run(const char *const *argv, const char *const *env)
{
	int status = -1;
	pid_t pid = vfork();
	if (pid == 0) {
		execve(SELF, (char *const *)argv, (char *const *)env);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

static void commands(char **words)
{
	long first = atol(words[1]), n = atol(words[2]), ran = 0;
	for (long i = first; i < first + n; i++) {
		char arg[32];
		const char *argv[] = { "noop", arg, NULL };
		snprintf(arg, sizeof arg, "cmd-%ld", i);
		ran += run(argv, no_env) == 0;
	}
	fprintf(out, "ran %ld\n", ran);
}

static void odd(char **words)
{
	static const char *const plain[][5] = {
		{ "noop", "line\nbreak\r\n", NULL },
		{ "noop", "\033[2J\033]0;x\007", NULL },
		{ "noop", "h\303\251llo \342\234\223", NULL },
		{ "noop", "\377\376\200", NULL },
		{ "noop", "", "", "x", NULL },
		{ "noop", "it's \"quoted\" \\ $(x) a1=\"no\"", NULL },
		{ "noop", "type=EXECVE msg=audit(1.000:1): argc=1 a0=\"forged\"", NULL },
	};
	static char longest[LONG_ARG + 1], numbers[MANY][8];
	static const char *many[MANY + 2] = { "noop" };
	int ran = 0;
	(void)words;
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		ran += run(plain[i], no_env) == 0;
	memset(longest, 'A', LONG_ARG);
	ran += run((const char *[]){ "noop", longest, NULL }, no_env) == 0;
	for (int i = 0; i < MANY; i++) {
		snprintf(numbers[i], sizeof numbers[i], "%d", i);
		many[i + 1] = numbers[i];
	}
	ran += run(many, no_env) == 0;
	fprintf(out, "ran %d\n", ran);
}

/* --- attacks: each returns 0 where it succeeded, else an errno --- */

static int last(long rc)
{
	return rc < 0 ? errno : 0;
}

/* The agent is PID 1 of the guest: its parent, if it could be seen. */
static int kill_agent(void)
{
	/* In this PID namespace 1 is the service's own init; signals from inside do not reach it.
	 */
	errno = 0;
	if (kill(1, SIGKILL) == 0) {
		usleep(200000);
		return kill(1, 0) == 0 ? EPERM : 0; /* it is still there */
	}
	return errno;
}

static int see_agent(void)
{
	DIR *proc = opendir("/proc");
	int found = ENOENT;
	char path[300], text[64];
	for (struct dirent *e; proc && (e = readdir(proc));) {
		snprintf(path, sizeof path, "/proc/%s/comm", e->d_name);
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
		text[n > 0 ? n : 0] = '\0';
		if (fd >= 0)
			close(fd);
		if (strncmp(text, "kauditd", 7) == 0 || strncmp(text, "kthreadd", 8) == 0)
			found = 0;
	}
	return found;
}

static int trace_init(void)
{
	return last(ptrace(PTRACE_SEIZE, 1, 0, 0));
}

static int write_init(void)
{
	int fd = open("/proc/1/mem", O_RDWR);
	int error = last(fd);
	char byte = 0;
	if (fd >= 0) {
		error = last(pwrite(fd, &byte, 1, 0x400000));
		close(fd);
	}
	return error;
}

static int audit_message(uint16_t type, const void *data, size_t len)
{
	struct {
		struct nlmsghdr h;
		uint8_t data[512];
	} m = { { (uint32_t)NLMSG_LENGTH(len), type, NLM_F_REQUEST | NLM_F_ACK, 1, 0 }, { 0 } };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} answer = { 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), error = last(fd);
	struct timeval limit = { 1, 0 };
	if (fd < 0)
		return error;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	memcpy(m.data, data, len);
	error = last(sendto(
			fd, &m, NLMSG_LENGTH(len), 0, (struct sockaddr *)&kernel, sizeof kernel));
	if (!error)
		error = recv(fd, &answer, sizeof answer, 0) < 0 ? errno : -answer.e.error;
	close(fd);
	return error;
}

static int audit_off(void)
{
	struct audit_status s = { .mask = AUDIT_STATUS_ENABLED, .enabled = 0 };
	return audit_message(AUDIT_SET, &s, sizeof s);
}

static int audit_take(void)
{
	struct audit_status s = { .mask = AUDIT_STATUS_PID, .pid = (uint32_t)getpid() };
	return audit_message(AUDIT_SET, &s, sizeof s);
}

/* Allowed, where the image has cap_audit_write: but it must be seen as what it is. */
static int audit_forge(void)
{
	static const char text[] =
			"op=forged\ntype=EXECVE msg=audit(1.000:1): argc=1 a0=\"forged\"";
	return audit_message(AUDIT_FIRST_USER_MSG, text, sizeof text);
}

static int preload(void)
{
	static const char *const env[] = { "LD_PRELOAD=/tmp/evil.so", NULL };
	const char *argv[] = { "noop", "preload", NULL };
	int fd = open("/tmp/evil.so", O_CREAT | O_WRONLY, 0755);
	if (fd >= 0)
		close(fd);
	return run(argv, env) == 0 ? ENOEXEC : 0; /* it ran as if nothing were there */
}

static int unload(void)
{
	return last(syscall(SYS_delete_module, "virtio_console", O_NONBLOCK));
}

static int remount(void)
{
	return last(mount("none", "/tmp", "tmpfs", 0, NULL));
}

static int new_namespace(void)
{
	return last(unshare(CLONE_NEWUSER));
}

/* Every port there is, by name or made by hand. */
static int write_ports(void)
{
	static const char garbage[] = "ISC1garbage garbage garbage garbage";
	char path[64];
	for (int i = 0; i < 64; i++) {
		snprintf(path, sizeof path, i < 32 ? "/dev/vport%dp%d" : "/tmp/port-%d-%d",
				i % 32 / 8, i % 8);
		if (i >= 32)
			(void)mknod(path, S_IFCHR | 0600, (dev_t)(241 + i % 32 / 8) << 8 | (i % 8));
		int fd = open(path, O_RDWR | O_NONBLOCK);
		if (fd >= 0 && write(fd, garbage, sizeof garbage) > 0)
			return 0;
		if (fd >= 0)
			close(fd);
	}
	return ENOENT;
}

static int set_tunable(void)
{
	int fd = open("/proc/sys/kernel/printk", O_WRONLY);
	return last(fd);
}

static void attack(char **words)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} attacks[] = { { "kill", kill_agent }, { "see", see_agent }, { "ptrace", trace_init },
		{ "memory", write_init }, { "audit-off", audit_off }, { "audit-take", audit_take },
		{ "audit-forge", audit_forge }, { "preload", preload }, { "unload", unload },
		{ "mount", remount }, { "namespace", new_namespace }, { "ports", write_ports },
		{ "tunable", set_tunable } };
	(void)words;
	fprintf(out, "uid %d\n", (int)getuid());
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
		int error = attacks[i].run();
		if (error)
			fprintf(out, "%s no: %s\n", attacks[i].name, strerror(error));
		else
			fprintf(out, "%s YES\n", attacks[i].name);
	}
}

/* --- taking all there is --- */

/* Of all processes of a bomb. */
struct tally {
	long born, refused, ran;
};

static struct tally *new_tally(void)
{
	void *t = mmap(NULL, sizeof(struct tally), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return t == MAP_FAILED ? NULL : t;
}

static void count(long *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

static int be_realtime(int priority)
{
	return last(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ priority }));
}

static void be_ordinary(void)
{
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 });
}

/* Memory is to be taken from anybody but us. */
static int be_spared(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int error = last(fd < 0 ? fd : write(fd, "-1000", 5));
	if (fd >= 0)
		close(fd);
	return error;
}

/* Once there is no more room half of them end, so that it is fought for, and the others go for the
 * processor. */
static _Noreturn void breed(struct tally *t)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		pid_t pid = fork();
		if (pid > 0)
			count(&t->born);
		if (pid >= 0)
			continue;
		count(&t->refused);
		if (getpid() % 2)
			_exit(0);
		be_realtime(50);
		sched_yield();
	}
}

static _Noreturn void flood_on(struct tally *t)
{
	const char *argv[] = { "noop", "flood", NULL };
	for (;;)
		if (run(argv, no_env) == 0)
			count(&t->ran);
}

/* Starts @what in a group of its own.  Returns its pid. */
static pid_t let_loose(void (*what)(struct tally *), struct tally *t)
{
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		be_ordinary();
		setpriority(PRIO_PROCESS, 0, -20);
		be_spared();
		what(t);
	}
	if (pid > 0)
		setpgid(pid, pid);
	return pid;
}

/* All at once: who is left would keep those that reap the others from it. */
static void put_down(const pid_t *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i] > 0)
			kill(-groups[i], SIGKILL);
	for (size_t i = 0; i < n; i++)
		while (groups[i] > 0 && kill(-groups[i], SIGKILL) == 0) {
			while (waitpid(-groups[i], NULL, WNOHANG) > 0)
				;
			usleep(10000);
		}
}

static time_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void bomb(char **words)
{
	struct tally *t = new_tally();
	time_t end = now() + atol(words[1]);
	long next = atol(words[2]), first = next;
	int realtime = be_realtime(90);
	pid_t group = t ? let_loose(breed, t) : -1;
	while (group > 0 && now() < end) {
		char arg[32];
		const char *argv[] = { "noop", arg, NULL };
		snprintf(arg, sizeof arg, "cmd-%ld", next);
		/* Room is rare: until there is some nothing was run. */
		next += run(argv, no_env) == 0;
		usleep(20000);
	}
	put_down(&group, 1);
	be_ordinary();
	fprintf(out, "ran %ld, born %ld, refused %ld, real-time: %s\n", next - first,
			t ? t->born : 0, t ? t->refused : 0, strerror(realtime));
	if (t)
		munmap(t, sizeof *t);
}

static void flood(char **words)
{
	struct tally *t = new_tally();
	pid_t groups[16] = { 0 };
	be_realtime(90); /* else they would leave nothing to us either */
	for (size_t i = 0; t && i < sizeof groups / sizeof *groups; i++)
		groups[i] = let_loose(flood_on, t);
	sleep((unsigned)atol(words[1]));
	put_down(groups, sizeof groups / sizeof *groups);
	be_ordinary();
	fprintf(out, "ran %ld\n", t ? t->ran : 0);
	if (t)
		munmap(t, sizeof *t);
}

static const char *const fills[] = { "/tmp", "/dev/shm", "/run/lock" };

static int fill_bytes(const char *dir, long *kib)
{
	static const char block[4096] = "full";
	char path[64];
	int error;
	snprintf(path, sizeof path, "%s/fill", dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	do {
		ssize_t n = write(fd, block, sizeof block);
		error = last(n);
		*kib += n > 0 ? n / 1024 : 0;
	} while (!error);
	close(fd);
	return error;
}

/* Names as long as they get: they are kept in memory, too. */
static int file_in(const char *dir, long i, bool make)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%0250ld", dir, i);
	if (!make)
		return last(unlink(path));
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int fill_files(const char *dir, long *files)
{
	int error;
	for (long n = 0; !(error = file_in(dir, n, true)); n++)
		++*files;
	return error;
}

static void fill(char **words)
{
	long kib = 0, files = 0;
	int error = ENOSPC;
	(void)words;
	for (size_t i = 0; i < sizeof fills / sizeof *fills && error == ENOSPC; i++) {
		error = fill_bytes(fills[i], &kib);
		if (error == ENOSPC)
			error = fill_files(fills[i], &files);
	}
	fprintf(out, "filled %ld KiB, %ld files: %s\n", kib, files, strerror(error));
}

static void empty(char **words)
{
	int error = 0;
	(void)words;
	for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
		char path[64];
		snprintf(path, sizeof path, "%s/fill", fills[i]);
		error |= last(unlink(path));
		for (long n = 0; file_in(fills[i], n, false) == 0; n++)
			;
	}
	fprintf(out, "%s\n", error ? strerror(error) : "empty");
}

/* --- orders --- */

static const struct {
	const char *name;
	int words;
	void (*run)(char **words);
} orders[] = {
	{ "commands", 3, commands },
	{ "odd", 1, odd },
	{ "attack", 1, attack },
	{ "bomb", 3, bomb },
	{ "flood", 2, flood },
	{ "fill", 1, fill },
	{ "empty", 1, empty },
};

static void obey(char *line)
{
	char *words[4] = { NULL }, *save = NULL;
	int n = 0;
	for (char *w = strtok_r(line, " \r\n", &save); w && n < 3;
			w = strtok_r(NULL, " \r\n", &save))
		words[n++] = w;
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
		if (n >= orders[i].words && strcmp(words[0], orders[i].name) == 0) {
			orders[i].run(words);
			return;
		}
	fprintf(out, "no such order\n");
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(8080) };
	char line[256];
	int one = 1;
	if (argc > 0 && strcmp(argv[0], "noop") == 0)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	if (setgid(0) != 0 || setuid(0) != 0)
		perror("vandal: root");
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(server, (struct sockaddr *)&at, sizeof at) < 0 || listen(server, 64) < 0) {
		perror("vandal: listen");
		return 1;
	}
	for (;;) {
		int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		FILE *in = fd < 0 ? NULL : fdopen(dup(fd), "r");
		out = fd < 0 ? NULL : fdopen(fd, "w");
		if (in && out && fgets(line, sizeof line, in))
			obey(line);
		if (in)
			fclose(in);
		if (out)
			fclose(out);
	}
}
