#include "collector/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define MEMORY_MAX                                                                                 \
	((rlim_t)2 << 30) /* bytes of address space; about 2 MiB a node at its worst, and threads' \
			     stacks */
#define FILES_WANTED 65536u

static gboolean failed(GError **error, const gchar *what)
{
	int err = errno;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "sandbox: %s: %s", what, g_strerror(err));
	return FALSE;
}

/* --- as root only
 * --------------------------------------------------------------------------------- */

static gboolean make_path(const gchar *root, const gchar *path, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	g_autoptr(GString) at = g_string_new(root);
	for (gchar **p = parts; *p; p++) {
		if (!**p)
			continue;
		g_string_append_printf(at, "/%s", *p);
		if (mkdir(at->str, 0755) != 0 && errno != EEXIST)
			return failed(error, at->str);
	}
	return TRUE;
}

/* A new root that holds nothing but the log folder.  What the process needs of the old one is open
 * already. */
static gboolean shut_tree(const gchar *log_dir, GError **error)
{
	static const gchar root[] =
			"/tmp"; /* any folder: what is mounted there is seen by this process only */
	isc_autofd int log_fd = open(log_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (log_fd < 0)
		return failed(error, log_dir);
	g_autofree gchar *from = g_strdup_printf("/proc/self/fd/%d", log_fd);
	g_autofree gchar *to = g_strconcat(root, log_dir, NULL);

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return failed(error, "private mounts");
	if (mount("isc-collectord", root, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			    "mode=0755,size=64k") != 0)
		return failed(error, "tmpfs");
	if (!make_path(root, log_dir, error))
		return FALSE;
	if (mount(from, to, NULL, MS_BIND, NULL) != 0)
		return failed(error, "bind of the log folder");
	if (mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) !=
			0)
		return failed(error, "flags of the log folder");
	if (chdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
			umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
		return failed(error, "pivot_root");
	if (mount(NULL, "/", NULL,
			    MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
			    NULL) != 0)
		return failed(error, "read-only root");
	return TRUE;
}

static gboolean become(guint32 uid, guint32 gid, GError **error)
{
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
			setresuid(uid, uid, uid) != 0)
		return failed(error, "cannot become the collector's user");
	return TRUE;
}

static gboolean leave_host(const IscSandbox *s, GError **error)
{
	g_autoptr(GError) why = NULL;

	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0)
		g_warning("sandbox: no network namespace of its own: %s", g_strerror(errno));
	if (unshare(CLONE_NEWNS) != 0)
		g_warning("sandbox: no file tree of its own: %s", g_strerror(errno));
	else if (!shut_tree(s->log_dir, &why))
		g_warning("%s: it sees the host's file tree", why->message);
	/* Shrinking the bounding set takes a capability itself: so while there are some. */
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return failed(error, "cannot drop the bounding set");
	return become(s->uid, s->gid, error);
}

/* --- always
 * --------------------------------------------------------------------------------------- */

static gboolean limit(GError **error)
{
	struct rlimit core = { 0, 0 }, memory = { MEMORY_MAX, MEMORY_MAX }, files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = MIN(files.rlim_max, FILES_WANTED);
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (setrlimit(RLIMIT_CORE, &core) != 0)
		return failed(error, "RLIMIT_CORE");
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* they map terabytes */
	if (setrlimit(RLIMIT_AS, &memory) != 0)
		return failed(error, "RLIMIT_AS");
#else
	(void)memory;
#endif
	/* Also keeps other processes of the same user from reading its keys through /proc or
	 * ptrace. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return failed(error, "PR_SET_DUMPABLE");
	return TRUE;
}

static gboolean drop_capabilities(GError **error)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return failed(error, "cannot drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed(error, "no_new_privs");
	return TRUE;
}

/* What the collector, GLib and libc call once it runs.  Anything else fails with EPERM. */
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(openat),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(getdents64),
	SCMP_SYS(mkdirat),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlinkat),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fsync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(fchmod),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fcntl),
	SCMP_SYS(dup),
	SCMP_SYS(dup3),
	SCMP_SYS(umask),
	/* sockets that it was given; it can make none */
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(accept4),
	SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(shutdown),
	/* waiting */
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(eventfd2),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(pipe2),
	/* memory, threads, signals */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_getattr),
	SCMP_SYS(sched_setattr),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* Nobody but an intruder calls these; then it is better dead. */
static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(socket),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(kill),
	SCMP_SYS(mount),
	SCMP_SYS(bpf),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(setuid),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
};

static int add_rules(scmp_filter_ctx ctx)
{
	int rc = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(allowed) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (gsize i = 0; i < G_N_ELEMENTS(deadly) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0);

	/* No memory that can be executed. */
	const int maps[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	for (gsize i = 0; i < G_N_ELEMENTS(maps) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, maps[i], 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Threads, no processes.  clone3 hides its flags in memory: libc goes back to clone. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* chattr, and the name of a thread. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_EQ, FS_IOC_GETFLAGS));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_EQ, FS_IOC_SETFLAGS));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	return rc;
}

static gboolean filter(GError **error)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = ctx ? add_rules(ctx) : -ENOMEM;
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	errno = -rc;
	return rc == 0 || failed(error, "seccomp");
}

gboolean isc_sandbox_enter(const IscSandbox *s, GError **error)
{
	if (geteuid() == 0 && !leave_host(s, error))
		return FALSE;
	return limit(error) && drop_capabilities(error) && filter(error);
}
