#include "init/mkfs.h"

#include <errno.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "init/util.h"

enum {
	BLOCK = 4096,
	INODE = 256,
	BYTES_PER_INODE = 16384,
	JOURNAL_BLOCKS = 1024, /* the least that ext4 takes */
};

static int device_blocks(const char *device, uint64_t *blocks)
{
	uint64_t bytes = 0;
	int fd, error = 0;

	fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, BLKGETSIZE64, &bytes) != 0)
		error = -errno;
	close(fd);
	*blocks = bytes / BLOCK;
	return error;
}

static errcode_t random_uuid(__u8 uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		return EIO;
	uuid[6] = (__u8)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (__u8)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

/* The used head of each inode table must be zeros; the tail stays as it is and is marked as never
 * used. */
static errcode_t clear_inode_tables(ext2_filsys fs)
{
	for (dgrp_t g = 0; g < fs->group_desc_count; g++) {
		unsigned used = fs->super->s_inodes_per_group - ext2fs_bg_itable_unused(fs, g);
		blk64_t start = ext2fs_inode_table_loc(fs, g);
		int n = (int)((used * INODE + BLOCK - 1) / BLOCK);
		errcode_t e;

		if (!n)
			continue;
		e = ext2fs_zero_blocks2(fs, start, n, NULL, NULL);
		if (e)
			return e;
	}
	return 0;
}

static errcode_t fill(ext2_filsys fs)
{
	errcode_t e;

	fs->super->s_errors = EXT2_ERRORS_RO;
	fs->super->s_state |= EXT2_VALID_FS;
	fs->super->s_max_mnt_count = -1;
	fs->super->s_checkinterval = 0;
	fs->super->s_mkfs_time = fs->super->s_lastcheck = (__u32)time(NULL);
	fs->super->s_def_hash_version = EXT2_HASH_HALF_MD4;
	fs->super->s_flags |= EXT2_FLAGS_SIGNED_HASH;
	fs->super->s_default_mount_opts |= EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	fs->super->s_min_extra_isize = fs->super->s_want_extra_isize =
			sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
	if ((e = random_uuid(fs->super->s_uuid)) ||
			(e = random_uuid((__u8 *)fs->super->s_hash_seed)) ||
			(e = ext2fs_allocate_tables(fs)) || (e = clear_inode_tables(fs)))
		return e;
	ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
	for (ext2_ino_t i = EXT2_ROOT_INO + 1; i < EXT2_FIRST_INODE(fs->super); i++)
		ext2fs_inode_alloc_stats2(fs, i, +1, 0);
	ext2fs_mark_ib_dirty(fs);
	if ((e = ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, 0)))
		return e;
	return ext2fs_add_journal_inode(fs, JOURNAL_BLOCKS, EXT2_MKJOURNAL_LAZYINIT);
}

int isc_mkfs_ext4(const char *device)
{
	struct ext2_super_block param = { 0 };
	ext2_filsys fs = NULL;
	uint64_t blocks = 0;
	errcode_t e;
	int error;

	error = device_blocks(device, &blocks);
	if (error)
		return error;
	if (blocks < 4 * JOURNAL_BLOCKS)
		return -ENOSPC;
	param.s_rev_level = EXT2_DYNAMIC_REV;
	param.s_log_block_size = 2; /* 1024 << 2 */
	param.s_log_cluster_size = 2;
	param.s_inode_size = INODE;
	param.s_log_groups_per_flex = 4;
	param.s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX;
	param.s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
				   EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_64BIT;
	param.s_feature_ro_compat =
			EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
			EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_GDT_CSUM |
			EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE;
	ext2fs_blocks_count_set(&param, blocks);
	param.s_inodes_count = (__u32)(blocks * BLOCK / BYTES_PER_INODE);
	e = ext2fs_initialize(device, EXT2_FLAG_RW | EXT2_FLAG_EXCLUSIVE | EXT2_FLAG_64BITS, &param,
			unix_io_manager, &fs);
	if (!e)
		e = fill(fs);
	if (!e) {
		e = ext2fs_close_free(&fs);
	} else if (fs) {
		ext2fs_free(fs);
	}
	if (e)
		isc_say("making a file system on %s: code %ld", device, (long)e);
	/* Below 256 the library speaks errno. */
	return !e ? 0 : e < 256 ? -(int)e : -EIO;
}
