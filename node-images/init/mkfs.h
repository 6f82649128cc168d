#pragma once
/* Makes an ext4 file system on a whole device: inode tables are left for later and the journal is
 * not written out, so that a fresh overlay costs a few dozen blocks.  The master superblock is
 * written last: a file system that was cut off in the making does not look like one.  Returns 0 or
 * -errno. */
int isc_mkfs_ext4(const char *device);
