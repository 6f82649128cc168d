#include "init/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/mkfs.h"
#include "init/util.h"

#define HARD (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static int mount_on(const char *what, const char *where, const char *type, unsigned long flags,
		const char *options)
{
	if (mkdir(where, 0700) != 0 && errno != EEXIST)
		return -errno;
	/* The kernel itself may have mounted devtmpfs. */
	if (mount(what, where, type, flags, options) != 0 && errno != EBUSY)
		return -errno;
	return 0;
}

int isc_mounts_early(void)
{
	int error;

	if ((error = mount_on("dev", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, "mode=0700")) ||
			(error = mount_on("proc", "/proc", "proc", HARD, NULL)) ||
			(error = mount_on("sys", "/sys", "sysfs", HARD, NULL)))
		return error;
	if (mkdir(ISC_MNT, 0700) != 0 && errno != EEXIST)
		return -errno;
	error = mount_on("cgroup", ISC_MNT_CGROUP, "cgroup2", HARD, NULL);
	if (error)
		isc_say("cgroup: %s", strerror(-error));
	return 0;
}

/* Reads @n bytes at @at of a block device; zeros where it ends. */
static int peek(const char *disk, off_t at, void *buf, size_t n)
{
	int fd, error = 0;

	memset(buf, 0, n);
	fd = open(disk, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, buf, n, at) < 0)
		error = -errno;
	close(fd);
	return error;
}

int isc_mounts_root(void)
{
	uint8_t head[2048];
	const char *type;
	int error;

	error = isc_wait_for(ISC_DISK_ROOT, 5000);
	if (error)
		return error;
	error = peek(ISC_DISK_ROOT, 0, head, sizeof head);
	if (error)
		return error;
	if (memcmp(head, "hsqs", 4) == 0)
		type = "squashfs";
	else if (memcmp(head + 1024, "\xe2\xe1\xf5\xe0", 4) == 0)
		type = "erofs";
	else
		return -EMEDIUMTYPE;
	return mount_on(ISC_DISK_ROOT, ISC_MNT_ROOT, type, MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
}

int isc_mounts_overlay(bool *made)
{
	/* noinit_itable: what mkfs left for later stays so, no thread writes into the node's disk
	 * for nothing */
	static const char options[] = "noinit_itable,errors=remount-ro";
	uint8_t magic[2];
	int error, fd;

	*made = false;
	error = isc_wait_for(ISC_DISK_OVERLAY, 5000);
	if (!error)
		error = peek(ISC_DISK_OVERLAY, 1024 + 56, magic, sizeof magic);
	if (!error && (magic[0] != 0x53 || magic[1] != 0xef)) {
		error = isc_mkfs_ext4(ISC_DISK_OVERLAY);
		*made = true;
	}
	if (!error)
		error = mount_on(ISC_DISK_OVERLAY, ISC_MNT_OVERLAY, "ext4", MS_NOSUID | MS_NODEV,
				options);
	if (error)
		return error;
	fd = open(ISC_MNT_OVERLAY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void isc_mounts_sync(void)
{
	sync();
	/* The service's namespace, which shares this file system, goes away a moment after its
	 * processes. */
	for (int i = 0; i < 10; i++) {
		if (mount(NULL, ISC_MNT_OVERLAY, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0 ||
				errno != EBUSY)
			break;
		usleep(10000);
	}
}

static void empty(int dir, dev_t dev, const char *keep)
{
	struct dirent *e;
	struct stat st;
	DIR *d = fdopendir(dir);

	if (!d) {
		close(dir);
		return;
	}
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
				(keep && strcmp(e->d_name, keep) == 0) ||
				fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
				st.st_dev != dev)
			continue;
		if (S_ISDIR(st.st_mode)) {
			int sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			if (sub >= 0)
				empty(sub, dev, NULL);
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
		} else {
			unlinkat(dirfd(d), e->d_name, 0);
		}
	}
	closedir(d);
}

void isc_mounts_free_initramfs(void)
{
	struct stat st;
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return;
	if (fstat(root, &st) != 0) {
		close(root);
		return;
	}
	empty(root, st.st_dev, &ISC_MNT[1]);
}
