#pragma once
#include <gio/gio.h>
#include <sys/types.h>

/* Encrypted volumes: LUKS1 inside qcow2, aes-256-xts.  Overlays, persistent volumes, snapshot
 * targets and what a snapshot is restored into are all made by isc_volume_create(); they differ in
 * who keeps the key.
 *
 * A key is 64 lower-case hex characters (256 random bits); those characters are the LUKS
 * passphrase, as libvirt's secrets want text.  It is never part of an argv, a log, or a file.
 *
 * All functions may be called from several threads at once, for different paths. */

#define ISC_VOLUME_MIB_MIN 1
#define ISC_VOLUME_MIB_MAX (16 * 1024 * 1024)

/**
 * isc_volume_template_ensure:
 * @templates_dir: folder of our own, 0700, on the file system that volumes will be made on
 * @size_mib: virtual size, MiB, ISC_VOLUME_MIB_MIN..MAX
 *
 * Makes sure that @templates_dir has the empty qcow2 that volumes of that size are copied from. The
 * first call for a size runs qemu-img and takes seconds; it may be made ahead.  Parallel callers
 * wait for one maker. Errors: ISC_ERROR_INVALID (size), ISC_ERROR_HOST (qemu-img is missing or
 * fails), ISC_ERROR_FAILED.
 */
gboolean isc_volume_template_ensure(const gchar *templates_dir, guint size_mib, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_create:
 * @path: of the new volume; "PATH.tmp" is used on the way
 * @key_hex64: the key; not kept
 * @uid, @gid: who shall own it, e.g. the node's; (uid_t)-1: leave it ours.  The mode is 0600.
 *
 * Durable and atomic: after a crash there is the whole volume or none (perhaps a PATH.tmp, which
 * the next call replaces).  Costs milliseconds once the template stands. Errors: ISC_ERROR_STATE
 * (@path exists: shred it first), ISC_ERROR_INVALID (key or size), ISC_ERROR_HOST (no space, no
 * tool), ISC_ERROR_FAILED.
 */
gboolean isc_volume_create(const gchar *path, const gchar *templates_dir, guint size_mib,
		const gchar *key_hex64, uid_t uid, gid_t gid, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_convert:
 * @from: a volume that nobody writes to; @from_key opens it
 * @to: a new volume of that size, ours (isc_volume_create()); @to_key opens it
 *
 * Copies what is on the disk, sealed anew: neither key opens the other volume.  Runs qemu-img, and
 * takes as long as the data is large.
 * Errors: ISC_ERROR_HOST, ISC_ERROR_TIMEOUT, G_IO_ERROR_CANCELLED; @to is of no use then: shred it.
 */
gboolean isc_volume_convert(const gchar *from, const gchar *from_key, const gchar *to,
		const gchar *to_key, guint timeout_s, GCancellable *cancel, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_verify:
 * Does @key_hex64 open @path?  Reads the header only; a volume in use may be asked about.
 * Errors: ISC_ERROR_VERIFY (it does not), ISC_ERROR_NOT_FOUND, ISC_ERROR_FAILED.
 */
gboolean isc_volume_verify(const gchar *path, const gchar *key_hex64, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_give:
 * Makes @path, a regular file with one name, the property of @uid and @gid with mode 0600.
 * Errors: ISC_ERROR_NOT_FOUND, ISC_ERROR_FAILED.
 */
gboolean isc_volume_give(const gchar *path, uid_t uid, gid_t gid, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* ISC_ERROR_STATE where a QEMU has @path open (it holds a lock on it then). */
gboolean isc_volume_check_idle(const gchar *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The virtual size.  Errors: ISC_ERROR_NOT_FOUND, ISC_ERROR_INVALID (none of ours). */
gboolean isc_volume_size(const gchar *path, guint *size_mib, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_grow:
 * @size_mib: at least what it has; the same is no error
 *
 * Nobody has it open.  Durable; interrupted it has the one size or the other.
 * Errors: ISC_ERROR_VERIFY (the key), ISC_ERROR_HOST (qemu-img).
 */
gboolean isc_volume_grow(const gchar *path, const gchar *key_hex64, guint size_mib, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_add_key:
 * Lets @more open @path as well as @key does; done already is no error, even if @key opens it no
 * more.  Data are not touched.  Nobody has it open.  Errors: ISC_ERROR_VERIFY, ISC_ERROR_FAILED.
 */
gboolean isc_volume_add_key(const gchar *path, const gchar *key, const gchar *more, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Erases every key of @path but @key, which must open it. */
gboolean isc_volume_keep_key(const gchar *path, const gchar *key, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_export:
 * @to: an empty regular file, open for reading and writing
 * @text: a passphrase, 8 to 512 bytes
 *
 * Writes a copy that @text opens and @key does not.  Anybody can read it with qemu-img and that
 * text.  Nobody has @path open.
 */
gboolean isc_volume_export(const gchar *path, const gchar *key_hex64, int to, const gchar *text,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_import_size:
 * @from: such a copy; not trusted
 *
 * How large the volume would be.
 * Errors: ISC_ERROR_INVALID: no LUKS qcow2, one that leads to other files, or one that was cut.
 */
gboolean isc_volume_import_size(int from, guint *size_mib, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_import:
 * @from: such a copy; not trusted
 *
 * The opposite, as isc_volume_create(): durable and atomic, @path must not exist.
 * Errors: as isc_volume_import_size(); ISC_ERROR_VERIFY: @text does not open it.
 */
gboolean isc_volume_import(const gchar *path, int from, const gchar *text, const gchar *key_hex64,
		guint *size_mib, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_volume_shred:
 * Overwrites header and key slots, so that no key opens @path any more, syncs, and removes it (and
 * a "PATH.tmp").  A missing one is no error.  Call it when nobody has the volume open. Errors:
 * ISC_ERROR_FAILED; the file stands then, perhaps overwritten in part: call again.
 */
gboolean isc_volume_shred(const gchar *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
