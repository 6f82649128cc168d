#include "init/tree.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <dirent.h>
#include <unistd.h>

#include "collector/wire.h"
#include "init/mounts.h"
#include "init/util.h"

#define HARD (MS_NOSUID | MS_NODEV | MS_NOEXEC)

enum {
	FD_PATH = 32,
	LEAST_PAGES = 256, /* of 4 KiB, of /tmp, /dev/shm and /run each */
};

/* A path below ISC_MNT_NEW, resolved as the service would: a symlink of the image (or one that the
 * service left on a kept overlay) never leads out of the tree.  The caller closes it. */
static int in_new(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int root, fd;

	root = open(ISC_MNT_NEW, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

static const char *fd_path(int fd, char buf[FD_PATH])
{
	snprintf(buf, FD_PATH, "/proc/self/fd/%d", fd);
	return buf;
}

static int mount_at(const char *path, const char *what, const char *type, unsigned long flags,
		const char *options)
{
	char buf[FD_PATH];
	int fd, error = 0;

	fd = in_new(path);
	if (fd < 0) {
		error = fd;
	} else {
		if (mount(what, fd_path(fd, buf), type, flags, options) != 0)
			error = -errno;
		close(fd);
	}
	if (error)
		isc_say("mount %s: %s", path, strerror(-error));
	return error;
}

/* A bind mount takes its flags only in a second step. */
static int bind_at(const char *path, const char *what, unsigned long flags)
{
	int error = mount_at(path, what, NULL, MS_BIND, NULL);

	return error ? error : mount_at(path, NULL, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

static int make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (mkdir(path, mode) != 0)
		return errno == EEXIST ? 0 : -errno;
	return chown(path, uid, gid) == 0 && chmod(path, mode) == 0 ? 0 : -errno;
}

/* --- the root and its writable parts
 * -------------------------------------------------------------- */

static int mount_overlay(int target, const char *lower, const char *store)
{
	char options[1024], upper[310], work[310], buf[FD_PATH];
	int error;

	snprintf(upper, sizeof upper, "%s/data", store);
	snprintf(work, sizeof work, "%s/work", store);
	error = make_dir(work, 0700, 0, 0);
	if (error)
		return error;
	snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
	return mount("overlay", fd_path(target, buf), "overlay", MS_NOSUID | MS_NODEV, options) == 0
			       ? 0
			       : -errno;
}

static int mount_root(const IscNodeConf *conf, bool overlay)
{
	static const char store[] = ISC_MNT_OVERLAY "/root";
	int fd, error;

	error = make_dir(ISC_MNT_NEW, 0755, 0, 0);
	if (error)
		return error;
	if (conf->profile == ISC_PROFILE_STRICT)
		return mount(ISC_MNT_ROOT, ISC_MNT_NEW, NULL, MS_BIND, NULL) == 0 ? 0 : -errno;
	if (!overlay)
		return -ENODEV;
	if ((error = make_dir(store, 0700, 0, 0)) ||
			(error = make_dir(ISC_MNT_OVERLAY "/root/data", 0755, 0, 0)))
		return error;
	fd = open(ISC_MNT_NEW, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = mount_overlay(fd, ISC_MNT_ROOT, store);
	close(fd);
	return error;
}

static bool is_empty(int target)
{
	char buf[FD_PATH];
	struct dirent *e;
	bool empty = true;
	DIR *d = opendir(fd_path(target, buf));

	if (!d)
		return false;
	while (empty && (e = readdir(d)))
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	return empty;
}

/* "/var/lib/x" → ISC_MNT_OVERLAY "/var%lib%x": '%' cannot stand in such a path. */
static void store_name(const char *path, char store[300])
{
	int n = snprintf(store, 300, ISC_MNT_OVERLAY "/%s", path + 1);

	for (int i = (int)strlen(ISC_MNT_OVERLAY) + 1; i < n; i++)
		if (store[i] == '/')
			store[i] = '%';
}

static int mount_writable_fd(int target, const char *path)
{
	char store[300], data[310], lower[FD_PATH];
	struct stat st;
	int error;

	if (fstat(target, &st) != 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	store_name(path, store);
	snprintf(data, sizeof data, "%s/data", store);
	if ((error = make_dir(store, 0700, 0, 0)) ||
			(error = make_dir(data, st.st_mode & 07777, st.st_uid, st.st_gid)))
		return error;
	if (!is_empty(target))
		return mount_overlay(target, fd_path(target, lower), store);
	/* bound to its place, it keeps the nosuid,nodev of the disk's mount */
	return mount(data, fd_path(target, lower), NULL, MS_BIND, NULL) == 0 ? 0 : -errno;
}

static int mount_writable(const char *path)
{
	int fd = in_new(path), error;

	if (fd < 0) {
		error = fd;
	} else {
		error = mount_writable_fd(fd, path);
		close(fd);
	}
	if (error)
		isc_say("writable=%s: %s", path, strerror(-error));
	return error;
}

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

static bool is_volatile(const char *path)
{
	return is_below(path, "/run") || is_below(path, "/tmp") || is_below(path, "/dev/shm");
}

bool isc_tree_needs_overlay(const IscNodeConf *conf)
{
	for (size_t i = 0; i < conf->n_writable; i++)
		if (!is_volatile(conf->writable[i]))
			return true;
	return conf->profile == ISC_PROFILE_FLEXIBLE;
}

/* Below another writable path, or named twice: it is writable already, and a mount of its own would
 * be hidden (or would have to be found through folders that the service wrote). */
static bool is_covered(const IscNodeConf *conf, size_t i)
{
	for (size_t j = 0; j < conf->n_writable; j++)
		if (j != i && is_below(conf->writable[i], conf->writable[j]) &&
				(j < i || strcmp(conf->writable[i], conf->writable[j]) != 0))
			return true;
	return false;
}

static bool is_on_volume(const IscNodeConf *conf, const char *path)
{
	for (size_t i = 0; i < conf->n_volumes; i++)
		if (is_below(path, conf->volumes[i].path))
			return true;
	return false;
}

static int mount_all_writable(const IscNodeConf *conf, bool overlay)
{
	int error = 0;

	if (conf->profile == ISC_PROFILE_FLEXIBLE)
		return 0;
	for (size_t i = 0; i < conf->n_writable && !error; i++)
		if (!is_volatile(conf->writable[i]) && !is_covered(conf, i) &&
				!is_on_volume(conf, conf->writable[i]) &&
				strcmp(conf->writable[i], "/etc") != 0)
			error = overlay ? mount_writable(conf->writable[i]) : -ENODEV;
	return error;
}

/* --- volumes
 * -------------------------------------------------------------------------------------- */

/* The folder @path; where it is missing it is made with all that leads there, for the service's
 * user.  The caller closes it. */
static int make_path(const IscNodeConf *conf, const char *path)
{
	int fd = in_new(path), above, error = 0;
	char upto[256], *slash;

	if (fd != -ENOENT)
		return fd;
	snprintf(upto, sizeof upto, "%s", path);
	slash = strrchr(upto, '/');
	*slash = '\0';
	above = *upto ? make_path(conf, upto) : in_new("/");
	if (above < 0)
		return above;
	if (mkdirat(above, slash + 1, 0750) != 0 ||
			fchownat(above, slash + 1, conf->uid, conf->gid, AT_SYMLINK_NOFOLLOW) != 0)
		error = -errno;
	close(above);
	return error ? error : in_new(path);
}

/* Nothing on it and nobody's: it was made just now, or a moment before the power went. */
static int give_volume(const char *where, const struct stat *covered)
{
	struct stat st;
	int fd, error = 0;

	fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		error = -errno;
	} else if (st.st_uid == 0 && st.st_gid == 0 && is_empty(fd) &&
			(fchown(fd, covered->st_uid, covered->st_gid) != 0 ||
					fchmod(fd, covered->st_mode & 07777) != 0)) {
		error = -errno;
	}
	if (fd >= 0)
		close(fd);
	return error;
}

static int mount_volume(const IscNodeConf *conf, size_t i)
{
	char where[32], buf[FD_PATH];
	struct stat covered;
	int error = 0, fd = make_path(conf, conf->volumes[i].path);

	snprintf(where, sizeof where, ISC_MNT_VOLUME "%u", (unsigned)i);
	if (fd < 0)
		error = fd;
	else if (fstat(fd, &covered) != 0)
		error = -errno;
	else if (!S_ISDIR(covered.st_mode))
		error = -ENOTDIR;
	else if (!(error = give_volume(where, &covered)) &&
			/* bound to its place, it keeps the nosuid,nodev of the disk's mount */
			mount(where, fd_path(fd, buf), NULL, MS_BIND, NULL) != 0)
		error = -errno;
	if (fd >= 0)
		close(fd);
	if (error)
		isc_say("volume at %s: %s", conf->volumes[i].path, strerror(-error));
	return error;
}

static int mount_all_volumes(const IscNodeConf *conf)
{
	int error = 0;

	for (size_t i = 0; i < conf->n_volumes && !error; i++)
		error = mount_volume(conf, i);
	return error;
}

/* Folders below /run and /tmp that the image wants: made with all that leads there, for the
 * service's user. */
static int make_volatile(const IscNodeConf *conf)
{
	for (size_t i = 0; i < conf->n_writable; i++) {
		char path[300];
		int error;

		if (!is_volatile(conf->writable[i]))
			continue;
		snprintf(path, sizeof path, ISC_MNT_NEW "%s", conf->writable[i]);
		for (char *p = path + strlen(ISC_MNT_NEW) + 1; (p = strchr(p, '/')); p++) {
			*p = '\0';
			error = make_dir(path, 0755, conf->uid, conf->gid);
			*p = '/';
			if (error)
				return error;
		}
		error = make_dir(path, 0750, conf->uid, conf->gid);
		if (error)
			return error;
	}
	return 0;
}

/* --- /etc
 * ----------------------------------------------------------------------------------------- */

static int write_file(const char *path, const char *text)
{
	int fd, error = 0;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) != 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		error = -errno;
	close(fd);
	return error;
}

static const char *dotted(struct in_addr address, char buf[INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, &address, buf, INET_ADDRSTRLEN);
}

int isc_tree_write_etc(const IscNodeConf *conf)
{
	const char *name = conf->hostname ? conf->hostname : conf->node;
	char text[16384], ip[INET_ADDRSTRLEN];
	int error, n;

	if ((error = make_dir(ISC_MNT_GEN, 0755, 0, 0)) ||
			(error = make_dir(ISC_MNT_GEN "/etc", 0755, 0, 0)) ||
			(error = make_dir(ISC_MNT_GEN "/empty", 0555, 0, 0)) ||
			(error = write_file(ISC_MNT_GEN "/nothing", "")))
		return error;
	chmod(ISC_MNT_GEN "/nothing", 0);
	snprintf(text, sizeof text, "%s\n", name);
	if ((error = write_file(ISC_MNT_GEN "/etc/hostname", text)))
		return error;
	n = snprintf(text, sizeof text, "127.0.0.1 localhost\n");
	if (conf->address.s_addr)
		n += snprintf(text + n, sizeof text - (size_t)n, "%s %s\n",
				dotted(conf->address, ip), name);
	for (size_t i = 0; i < conf->n_hosts && n < (int)sizeof text - 300; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%s %.255s\n",
				dotted(conf->hosts[i].address, ip), conf->hosts[i].name);
	if ((error = write_file(ISC_MNT_GEN "/etc/hosts", text)))
		return error;
	n = 0;
	text[0] = '\0';
	for (size_t i = 0; i < conf->n_dns; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "nameserver %s\n",
				dotted(conf->dns[i], ip));
	if ((error = write_file(ISC_MNT_GEN "/etc/resolv.conf", text)))
		return error;
	snprintf(text, sizeof text, "%s\n", conf->machine_id ? conf->machine_id : "uninitialized");
	if ((error = write_file(ISC_MNT_GEN "/etc/machine-id", text)))
		return error;
	if (sethostname(name, strlen(name)) != 0)
		return -errno;
	return 0;
}

static bool is_etc_writable(const IscNodeConf *conf)
{
	for (size_t i = 0; i < conf->n_writable; i++)
		if (strcmp(conf->writable[i], "/etc") == 0)
			return true;
	return conf->profile == ISC_PROFILE_FLEXIBLE;
}

/* Laid over the image's /etc as the upper of two read-only layers: the image need not have these
 * files, and a link of the image in their place does not matter. */
static int mount_etc(const IscNodeConf *conf)
{
	static const char store[] = ISC_MNT_OVERLAY "/etc";
	char options[128], lower[96], buf[FD_PATH];
	int fd, error = 0;

	fd = in_new("/etc");
	if (fd < 0) {
		isc_say("/etc: %s", strerror(-fd));
		return fd;
	}
	snprintf(lower, sizeof lower, ISC_MNT_GEN "/etc:%s", fd_path(fd, buf));
	if (is_etc_writable(conf)) {
		error = make_dir(store, 0700, 0, 0);
		if (!error)
			error = make_dir(ISC_MNT_OVERLAY "/etc/data", 0755, 0, 0);
		if (!error)
			error = mount_overlay(fd, lower, store);
	} else {
		snprintf(options, sizeof options, "lowerdir=%s", lower);
		if (mount("overlay", buf, "overlay", MS_NOSUID | MS_NODEV | MS_RDONLY, options) !=
				0)
			error = -errno;
	}
	if (error)
		isc_say("mount /etc: %s", strerror(-error));
	close(fd);
	return error;
}

/* --- /dev, /proc, /sys, /run, /tmp
 * ---------------------------------------------------------------- */

static int make_devices(void)
{
	/* clang-format off */
	static const struct {
		const char *name;
		unsigned major, minor;
	} devices[] = {
		{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 },
		{ "urandom", 1, 9 }, { "tty", 5, 0 },
	};
	static const struct {
		const char *name, *target;
	} links[] = {
		{ "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
		{ "ptmx", "pts/ptmx" },
	};
	/* clang-format on */
	char path[64];

	for (size_t i = 0; i < ISC_COUNT(devices); i++) {
		snprintf(path, sizeof path, ISC_MNT_NEW "/dev/%s", devices[i].name);
		if (mknod(path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) != 0 ||
				chmod(path, 0666) != 0)
			return -errno;
	}
	for (size_t i = 0; i < ISC_COUNT(links); i++) {
		snprintf(path, sizeof path, ISC_MNT_NEW "/dev/%s", links[i].name);
		if (symlink(links[i].target, path) != 0)
			return -errno;
	}
	return mkdir(ISC_MNT_NEW "/dev/pts", 0755) == 0 && mkdir(ISC_MNT_NEW "/dev/shm", 0755) == 0
			       ? 0
			       : -errno;
}

/* A tmpfs of @share of @memory.  What lies there is the service's memory and cannot be put aside:
 * without a bound, filling it would kill the service for want of memory, instead of failing.  A
 * file costs the kernel 1 KiB, though it may be empty. */
static int mount_memory(const char *path, const char *name, unsigned long flags, uint64_t memory,
		unsigned share, const char *owner)
{
	uint64_t pages = memory / share / 4096;
	char options[128];

	if (pages < LEAST_PAGES)
		pages = LEAST_PAGES;
	snprintf(options, sizeof options, "size=%" PRIu64 "k,nr_inodes=%" PRIu64 ",%s", pages * 4,
			pages, owner);
	return mount_at(path, name, "tmpfs", flags, options);
}

static int mount_dev(uint64_t memory)
{
	int error;

	if ((error = mount_at("/dev", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC,
			     "mode=0755,size=64k,nr_inodes=64")) ||
			(error = make_devices()) ||
			(error = mount_at("/dev/pts", "devpts", "devpts", MS_NOSUID | MS_NOEXEC,
					 "newinstance,ptmxmode=0666,mode=0620")) ||
			(error = mount_memory("/dev/shm", "shm", HARD, memory, 8, "mode=1777")))
		return error;
	return mount_at("/dev", NULL, NULL,
			MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL);
}

/* uid 0 owns these files even without a capability: what sets the kernel (core_pattern runs
 * programs as root, outside of every namespace) must not be writable by file mode alone. */
static int mount_proc(void)
{
	static const char *const read_only[] = { "sys", "irq", "bus", "fs", "acpi", "driver",
		"scsi", "tty", "sysrq-trigger", "mtrr" };
	static const char *const hidden[] = { "kcore", "keys", "key-users", "kmsg", "kallsyms",
		"kpagecount", "kpageflags", "kpagecgroup", "timer_list", "sched_debug",
		"latency_stats", "vmallocinfo", "slabinfo", "iomem", "ioports", "modules",
		"cmdline", "dma", "interrupts", "softirqs" };
	char path[64];
	int error;

	/* 4: even group 0 sees only what it could trace */
	error = mount_at("/proc", "proc", "proc", HARD, "hidepid=4");
	for (size_t i = 0; i < ISC_COUNT(read_only) && !error; i++) {
		snprintf(path, sizeof path, ISC_MNT_NEW "/proc/%s", read_only[i]);
		if (access(path, F_OK) == 0)
			error = bind_at(path + strlen(ISC_MNT_NEW), path, HARD | MS_RDONLY);
	}
	for (size_t i = 0; i < ISC_COUNT(hidden) && !error; i++) {
		snprintf(path, sizeof path, ISC_MNT_NEW "/proc/%s", hidden[i]);
		if (access(path, F_OK) == 0)
			error = bind_at(path + strlen(ISC_MNT_NEW), ISC_MNT_GEN "/nothing",
					HARD | MS_RDONLY);
	}
	return error;
}

static int mount_sys(void)
{
	int error;

	if ((error = mount_at("/sys", "sys", "tmpfs", HARD, "mode=0755,size=16k,nr_inodes=16")))
		return error;
	if (mkdir(ISC_MNT_NEW "/sys/devices", 0755) != 0 ||
			mkdir(ISC_MNT_NEW "/sys/devices/system", 0755) != 0 ||
			mkdir(ISC_MNT_NEW "/sys/devices/system/cpu", 0755) != 0)
		return -errno;
	if ((error = bind_at("/sys/devices/system/cpu", "/sys/devices/system/cpu",
			     HARD | MS_RDONLY)))
		return error;
	return mount_at("/sys", NULL, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | HARD, NULL);
}

static int mount_tmp(const IscNodeConf *conf, uint64_t memory)
{
	char owner[64];
	int error;

	snprintf(owner, sizeof owner, "mode=0755,uid=%u,gid=%u", (unsigned)conf->uid,
			(unsigned)conf->gid);
	error = mount_memory("/run", "run", HARD, memory, 16, owner);
	if (error)
		return error;
	if (mkdir(ISC_MNT_NEW "/run/lock", 01777) != 0 ||
			chmod(ISC_MNT_NEW "/run/lock", 01777) != 0)
		return -errno;
	return mount_memory("/tmp", "tmp", MS_NOSUID | MS_NODEV, memory, 4, "mode=1777");
}

/* --- all together
 * --------------------------------------------------------------------------------- */

/* Everything of PID 1's own tree goes; then the new tree is moved over the initramfs, which
 * pivot_root cannot do. */
static int enter(void)
{
	static const char *const leave[] = { "/proc", "/sys", "/dev", ISC_MNT_CGROUP,
		ISC_MNT_OVERLAY, ISC_MNT_ROOT, ISC_MNT_VOLUME "0", ISC_MNT_VOLUME "1",
		ISC_MNT_VOLUME "2", ISC_MNT_VOLUME "3" };

	if (chdir(ISC_MNT_NEW) != 0)
		return -errno;
	for (size_t i = 0; i < ISC_COUNT(leave); i++)
		umount2(leave[i], MNT_DETACH);
	return mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 && chdir("/") == 0
			       ? 0
			       : -errno;
}

int isc_tree_build(const IscNodeConf *conf, bool overlay, uint64_t memory, int *failure)
{
	int error;

	*failure = ISC_INIT_ROOT;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return -errno;
	error = mount_root(conf, overlay);
	if (error)
		return error;
	if ((error = mount_etc(conf)) || (error = mount_tmp(conf, memory)) ||
			(error = mount_dev(memory)) || (error = make_volatile(conf)) ||
			(error = mount_sys()) || (error = mount_proc()))
		return error;
	*failure = ISC_INIT_OVERLAY;
	if ((error = mount_all_writable(conf, overlay)))
		return error;
	*failure = ISC_INIT_VOLUME;
	if ((error = mount_all_volumes(conf)))
		return error;
	*failure = ISC_INIT_ROOT;
	return enter();
}
