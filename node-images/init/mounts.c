#include "init/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* Mounts the ext4 of @disk; where there is none, one is made if it @may be. */
static int mount_ext4(const char *disk, const char *where, bool may, bool *made)
{
	/* noinit_itable: what mkfs left for later stays so, no thread writes into the node's disk
	 * for nothing; discard: what is deleted here is given back on the dock */
	static const char options[] = "noinit_itable,errors=remount-ro,discard";
	uint8_t magic[2];
	int error, fd;

	*made = false;
	error = isc_wait_for(disk, 5000);
	if (!error)
		error = peek(disk, 1024 + 56, magic, sizeof magic);
	if (!error && (magic[0] != 0x53 || magic[1] != 0xef)) {
		error = may ? isc_mkfs_ext4(disk) : -EMEDIUMTYPE;
		*made = true;
	}
	if (!error)
		error = mount_on(disk, where, "ext4", MS_NOSUID | MS_NODEV, options);
	if (error)
		return error;
	fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int isc_mounts_overlay(bool *made)
{
	return mount_ext4(ISC_DISK_OVERLAY, ISC_MNT_OVERLAY, true, made);
}

/* Is @disk ("vdc") the one that calls itself @serial? */
static int check_serial(const char *disk, const char *serial)
{
	char path[64], text[64];
	ssize_t n;

	snprintf(path, sizeof path, "/sys/block/%s/serial", disk);
	n = isc_slurp(path, text, sizeof text);
	if (n < 0)
		return (int)n;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	return (size_t)n == strlen(serial) && memcmp(text, serial, (size_t)n) == 0 ? 0 : -ENXIO;
}

/* linux/fs/ext4/ext4.h: EXT4_IOC_RESIZE_FS; takes the number of blocks. */
#define RESIZE_FS _IOW('f', 16, uint64_t)
#define BLOCK 4096u

/* A disk that the dock made larger; one that has its size already is left as it is. */
static int grow(const char *disk, int folder)
{
	struct {
		uint32_t inodes, blocks;
	} head;
	uint64_t bytes = 0, blocks;
	int fd, error;

	fd = open(disk, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = ioctl(fd, BLKGETSIZE64, &bytes) == 0 ? 0 : -errno;
	close(fd);
	if (!error)
		error = peek(disk, 1024, &head, sizeof head);
	blocks = bytes / BLOCK;
	/* A few blocks at the end make no group of their own. */
	if (error || blocks <= (uint64_t)head.blocks + 1024 || blocks > UINT32_MAX)
		return error;
	return ioctl(folder, RESIZE_FS, &blocks) == 0 ? 0 : -errno;
}

int isc_mounts_volume(char letter, unsigned index, const char *serial, bool fresh)
{
	const char name[] = { 'v', 'd', letter, '\0' };
	char disk[16], where[32];
	bool made;
	int fd, error;

	snprintf(disk, sizeof disk, "/dev/%s", name);
	snprintf(where, sizeof where, ISC_MNT_VOLUME "%u", index);
	if ((error = isc_wait_for(disk, 5000)) || (error = check_serial(name, serial)))
		return error;
	fd = mount_ext4(disk, where, fresh, &made);
	if (fd < 0)
		return fd;
	/* One that cannot grow is whole all the same. */
	error = grow(disk, fd);
	if (error)
		isc_say("%s: cannot grow: %s", disk, strerror(-error));
	return fd;
}

/* The service's namespace, which shares these file systems, goes away a moment after its processes.
 */
static void make_clean(const char *where)
{
	for (int i = 0; i < 10; i++) {
		if (mount(NULL, where, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0 || errno != EBUSY)
			break;
		usleep(10000);
	}
}

void isc_mounts_sync(void)
{
	char where[32];

	sync();
	make_clean(ISC_MNT_OVERLAY);
	for (unsigned i = 0; i < ISC_VOLUMES_MAX; i++) {
		snprintf(where, sizeof where, ISC_MNT_VOLUME "%u", i);
		make_clean(where);
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
