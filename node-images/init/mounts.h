#pragma once
/* The file systems as PID 1 itself sees them.  It stays in the (emptied) initramfs for good:
 * nothing that it runs on comes from the image or the overlay, and the service never sees this tree
 * (see tree.h). */
#include <stdbool.h>

#define ISC_MNT "/isc"
#define ISC_MNT_ROOT ISC_MNT "/root"       /* the image, read-only */
#define ISC_MNT_OVERLAY ISC_MNT "/overlay" /* the overlay disk */
#define ISC_MNT_NEW                                                                                \
	ISC_MNT "/new" /* where the service's tree is put together, in its own namespace */
#define ISC_MNT_GEN ISC_MNT "/gen" /* files that init writes: etc/hosts … */
#define ISC_MNT_CGROUP ISC_MNT "/cgroup"
#define ISC_MNT_VOLUME ISC_MNT "/volume" /* and a digit: the volumes, in their order */
#define ISC_VOLUMES_MAX 4

#define ISC_DISK_ROOT "/dev/vda"
#define ISC_DISK_OVERLAY "/dev/vdb"

/* /proc, /sys, /dev, cgroups.  Returns 0 or -errno. */
int isc_mounts_early(void);

/* Mounts ISC_DISK_ROOT, a squashfs or erofs, read-only.  Waits for it at most 5 s.  Returns 0 or
 * -errno. */
int isc_mounts_root(void);

/* Mounts ISC_DISK_OVERLAY nosuid,nodev; makes a file system if there is none (*@made).  One that is
 * there but does not mount is left alone.  Returns a folder fd on it (for freezing), or -errno. */
int isc_mounts_overlay(bool *made);

/**
 * Mounts the volume /dev/vdLETTER on ISC_MNT_VOLUME + @index, nosuid,nodev, and lets its file
 * system grow to the size of the disk.  @serial: what the disk must call itself.  A file system is
 * made only on one that is @fresh and has none: what does not look like one may be somebody's data.
 * Returns a folder fd on it (for freezing), or -errno: EMEDIUMTYPE: no file system; ENXIO: another
 * disk than that.
 */
int isc_mounts_volume(char letter, unsigned index, const char *serial, bool fresh);

/* Makes the overlay's and the volumes' file systems clean on disk, as far as it goes. */
void isc_mounts_sync(void);

/* Gives back the memory of the initramfs: removes all that came with it. */
void isc_mounts_free_initramfs(void);
