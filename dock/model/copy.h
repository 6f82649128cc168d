#pragma once
#include <glib.h>

#include "model/volume-use.h"

/* What is written down of a copy that was made of a node, a snapshot or evidence: the manifest.json
 * beside it, signed by the dock (manifest.json.minisig).  From those of its snapshots a lost
 * register is rebuilt; those of evidence are all that a court gets to see of the dock. */

#define ISC_COPY_MANIFEST "manifest.json"
#define ISC_COPY_SIGNATURE "manifest.json.minisig"
#define ISC_COPY_PUBLIC_KEY "dock.pub" /* in an exported folder */
#define ISC_COPY_DISK "overlay.qcow2"
#define ISC_COPY_MEMORY "memory.elf.sealed" /* base/seal.h; of evidence only */
#define ISC_COPY_MANIFEST_MAX (256 * 1024)
#define ISC_COPY_FILES_MAX 32
#define ISC_COPY_FILE_NAME_MAX 80

typedef enum {
	ISC_COPY_SNAPSHOT,
	ISC_COPY_EVIDENCE,
} IscCopyKind;

typedef struct {
	gchar *name; /* owned; no path */
	guint64 size;
	gchar sha256[65];
} IscCopyFile;

/* A volume that was copied in the same moment as the overlay.  Plain values. */
typedef struct {
	gchar name[ISC_NAME_MAX + 1];
	gchar uuid[37];                         /* tells it from a later one of that name */
	gchar path[ISC_VOLUME_PATH_MAX + 1];    /* where the node had it */
	gchar file[ISC_COPY_FILE_NAME_MAX + 1]; /* of the copy, one of `files` */
	guint mib;                              /* virtual size */
} IscCopyVolume;

typedef struct {
	IscCopyKind kind;
	gchar *name;          /* owned: the snapshot's, or of the evidence: "q20240501-…" */
	gchar *node;          /* owned */
	gchar uuid[37];       /* of the node */
	gchar *image_name;    /* owned */
	gchar *image_version; /* owned */
	gchar digest[65];     /* of the image */
	gchar *spec;          /* owned; as isc_spec_print_public() gives it */
	gint64 taken;         /* s since the epoch */
	gboolean frozen;      /* the guest's file systems were quiet */
	gchar *reason;        /* owned; of a quarantine, else "" */
	GPtrArray *files;     /* (element-type IscCopyFile) */
	GArray *volumes;      /* of IscCopyVolume, at most ISC_VOLUMES_MAX */
	GPtrArray *missing;   /* (element-type utf8): what could not be had, and why */
} IscCopy;

IscCopy *isc_copy_new(IscCopyKind kind, const gchar *node, const gchar *name);
void isc_copy_add_file(IscCopy *copy, const gchar *name, guint64 size, const gchar *sha256);

/* Borrowed, or NULL. */
const IscCopyFile *isc_copy_find_file(const IscCopy *copy, const gchar *name);

/* Borrowed, or NULL. */
const IscCopyVolume *isc_copy_find_volume(const IscCopy *copy, const gchar *name);
const IscCopyVolume *isc_copy_find_volume_at(const IscCopy *copy, const gchar *path);

/* Returns: (transfer full) JSON, several lines */
gchar *isc_copy_print(const IscCopy *copy);

/* Strict: every key known, of its type, its names valid; format 1 had no volumes.  Errors:
 * ISC_ERROR_VERIFY. Returns: (transfer full) */
IscCopy *isc_copy_parse(const gchar *text, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A file of a copy: [a-z0-9.-], begins with a letter, at most ISC_COPY_FILE_NAME_MAX. */
gboolean isc_copy_file_is_valid(const gchar *name);

/* The name of evidence, "NODE.qTIME".  Splits it into newly allocated @node and @name (may be
 * NULL). */
gboolean isc_copy_split(const gchar *text, gchar **node, gchar **name);

void isc_copy_free(IscCopy *copy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscCopy, isc_copy_free)
