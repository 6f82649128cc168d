/* Runs as the service of a node and tries to get out of its box: one line for each attempt, "NAME
 * ERRNO" ("NAME ok" if it worked).  Built static by test-init.sh. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int try_open(const char *path, int flags)
{
	return result(open(path, flags, 0600));
}

static int write_vda(void)
{
	return try_open("/dev/vda", O_RDWR);
}

static int make_vda(void)
{
	int e = result(mknod("/tmp/vda", S_IFBLK | 0600, makedev(254, 0)));

	return e ? e : try_open("/tmp/vda", O_RDWR);
}

static int make_port(void)
{
	int e = result(mknod("/tmp/port", S_IFCHR | 0600, makedev(249, 1)));

	return e ? e : try_open("/tmp/port", O_RDWR);
}

static int write_root(void)
{
	return try_open("/new-file", O_CREAT | O_WRONLY);
}

static int write_image_file(void)
{
	return try_open("/bin/busybox", O_WRONLY);
}

static int write_etc(void)
{
	return try_open("/etc/hosts", O_WRONLY);
}

static int write_core_pattern(void)
{
	return try_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static int write_sysrq(void)
{
	return try_open("/proc/sysrq-trigger", O_WRONLY);
}

static int read_kcore(void)
{
	char c;
	int fd = open("/proc/kcore", O_RDONLY);

	if (fd < 0)
		return errno;
	return read(fd, &c, 1) == 1 ? 0 : ENODATA;
}

static int read_cmdline(void)
{
	char c;
	int fd = open("/proc/cmdline", O_RDONLY);

	if (fd < 0)
		return errno;
	return read(fd, &c, 1) == 1 ? 0 : ENODATA;
}

static int remount_root(void)
{
	return result(mount(NULL, "/", NULL, MS_REMOUNT, NULL));
}

static int rebind_root(void)
{
	return result(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static int mount_proc(void)
{
	return result(mount("proc", "/tmp", "proc", 0, NULL));
}

static int unmount_etc(void)
{
	return result(umount2("/etc", MNT_DETACH));
}

/* 0 means: more than this process can be seen. */
static int see_others(void)
{
	struct dirent *e;
	int others = 0;
	DIR *d = opendir("/proc");

	while (d && (e = readdir(d)))
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && atoi(e->d_name) != getpid() &&
				atoi(e->d_name) != getppid())
			others++;
	return others ? 0 : ESRCH;
}

static int see_ns_init(void)
{
	return try_open("/proc/1/status", O_RDONLY);
}

static int enter_init(void)
{
	int fd = open("/proc/1/ns/mnt", O_RDONLY);

	return fd < 0 ? errno : result(setns(fd, 0));
}

static int trace_ns_init(void)
{
	return result(ptrace(PTRACE_ATTACH, 1, NULL, NULL));
}

/* It cannot be killed from within; that the call does nothing shows in that we live. */
static int kill_ns_init(void)
{
	int e = result(kill(1, SIGKILL));

	usleep(50000);
	return e ? e : EALREADY;
}

static int audit_request(unsigned short type, const void *data, size_t len)
{
	struct {
		struct nlmsghdr h;
		char data[sizeof(struct audit_status)];
	} out = { .h = { .nlmsg_len = (unsigned)NLMSG_LENGTH(len),
				  .nlmsg_type = type,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr h;
		int error;
		char rest[512];
	} in;
	struct timeval wait = { .tv_sec = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);

	if (fd < 0)
		return errno;
	memcpy(out.data, data, len);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (sendto(fd, &out, out.h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0 ||
			recv(fd, &in, sizeof in, 0) < 0)
		return errno;
	return in.h.nlmsg_type == NLMSG_ERROR ? -in.error : EPROTO;
}

static int audit_off(void)
{
	struct audit_status s = { .mask = AUDIT_STATUS_ENABLED, .enabled = 0 };

	return audit_request(AUDIT_SET, &s, sizeof s);
}

static int audit_take_over(void)
{
	struct audit_status s = { .mask = AUDIT_STATUS_PID, .pid = (unsigned)getpid() };

	return audit_request(AUDIT_SET, &s, sizeof s);
}

static int audit_backlog(void)
{
	struct audit_status s = { .mask = AUDIT_STATUS_BACKLOG_LIMIT, .backlog_limit = 0 };

	return audit_request(AUDIT_SET, &s, sizeof s);
}

/* A record sent to PID 1 as if the kernel had; what must not work is that it appears in the trail.
 */
static int audit_forge(void)
{
	static const char text[] = "audit(1.000:1): forged=yes";
	struct {
		struct nlmsghdr h;
		char text[sizeof text];
	} out = { .h = { .nlmsg_len = sizeof out, .nlmsg_type = AUDIT_SYSCALL } };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), sent = 0;

	memcpy(out.text, text, sizeof text);
	for (unsigned port = 1; fd >= 0 && port < 4; port++) {
		struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_pid = port };

		sent |= sendto(fd, &out, sizeof out, 0, (struct sockaddr *)&to, sizeof to) > 0;
	}
	return sent ? 0 : errno;
}

static int new_user_namespace(void)
{
	return result(unshare(CLONE_NEWUSER));
}

static int new_namespace_by_clone(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int become_root(void)
{
	/* uid 0 already: then what must not come back are its capabilities */
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	if (setuid(0) != 0)
		return errno;
	syscall(SYS_capget, &h, d);
	return d[0].effective | d[0].permitted | d[1].effective | d[1].permitted ? 0 : EPERM;
}

static int regain_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	d[0].permitted = d[0].effective = 1u << CAP_SYS_ADMIN;
	return result(syscall(SYS_capset, &h, d));
}

static int load_module(void)
{
	return result(syscall(SYS_finit_module, 0, "", 0));
}

static int load_kernel(void)
{
	return result(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}

static int load_bpf(void)
{
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static int power_off(void)
{
	return result(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			LINUX_REBOOT_CMD_POWER_OFF, NULL));
}

static int set_time(void)
{
	struct timeval t = { 0 };

	return result(settimeofday(&t, NULL));
}

static int set_hostname(void)
{
	return result(sethostname("x", 1));
}

static int read_kernel_log(void)
{
	char buf[64];

	return result(syscall(SYS_syslog, 3, buf, sizeof buf));
}

static int lower_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	return fd < 0 ? errno : result(write(fd, "-1000", 5));
}

static int io_ring(void)
{
	char params[256] = { 0 };

	return result(syscall(SYS_io_uring_setup, 1, params));
}

static int vsock(void)
{
	return result(socket(AF_VSOCK, SOCK_STREAM, 0));
}

/* mount(2) by the 32-bit entry, past a filter that looks at 64-bit numbers only */
static int mount_32(void)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(21), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? (int)-r : 0;
}

/* clang-format off */
static const struct {
	const char *name;
	int (*attempt)(void);
} attempts[] = {
	{ "write-vda", write_vda }, { "make-vda", make_vda }, { "make-port", make_port },
	{ "write-root", write_root }, { "write-image-file", write_image_file },
	{ "write-etc", write_etc }, { "write-core-pattern", write_core_pattern },
	{ "write-sysrq", write_sysrq }, { "read-kcore", read_kcore },
	{ "read-cmdline", read_cmdline }, { "remount-root", remount_root },
	{ "rebind-root", rebind_root }, { "mount-proc", mount_proc },
	{ "unmount-etc", unmount_etc }, { "see-others", see_others },
	{ "see-ns-init", see_ns_init }, { "enter-init", enter_init },
	{ "trace-ns-init", trace_ns_init }, { "kill-ns-init", kill_ns_init },
	{ "audit-off", audit_off }, { "audit-take-over", audit_take_over },
	{ "audit-backlog", audit_backlog }, { "audit-forge", audit_forge },
	{ "new-user-namespace", new_user_namespace },
	{ "new-namespace-by-clone", new_namespace_by_clone }, { "become-root", become_root },
	{ "regain-capabilities", regain_capabilities }, { "load-module", load_module },
	{ "load-kernel", load_kernel }, { "load-bpf", load_bpf }, { "power-off", power_off },
	{ "set-time", set_time }, { "set-hostname", set_hostname },
	{ "read-kernel-log", read_kernel_log }, { "lower-oom-score", lower_oom_score },
	{ "io-ring", io_ring }, { "vsock", vsock }, { "mount-32", mount_32 },
};
/* clang-format on */

int main(int argc, char **argv)
{
	/* probe flood N: N refused opens, as fast as they go, of a long name */
	if (argc == 3 && strcmp(argv[1], "flood") == 0) {
		char path[3600] = "/var/lib/";

		for (size_t n = strlen(path); n < sizeof path - 8; n += 2)
			strcpy(path + n, "./");
		strcat(path, "secret");
		for (int i = atoi(argv[2]); i > 0; i--)
			if (try_open(path, O_RDONLY) != EACCES)
				return 1;
		return 0;
	}
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
		int e = attempts[i].attempt();

		printf("probe %s %s\n", attempts[i].name, e ? strerrorname_np(e) : "ok");
		fflush(stdout);
	}
	puts("probe end");
	return 0;
}
