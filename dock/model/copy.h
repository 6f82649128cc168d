#pragma once
#include <glib.h>

/* What is written down of a copy that was made of a node, a snapshot or evidence: the manifest.json
 * beside it, signed by the dock (manifest.json.minisig).  From those of its snapshots a lost
 * register is rebuilt; those of evidence are all that a court gets to see of the dock. */

#define ISC_COPY_MANIFEST "manifest.json"
#define ISC_COPY_SIGNATURE "manifest.json.minisig"
#define ISC_COPY_PUBLIC_KEY "dock.pub" /* in an exported folder */
#define ISC_COPY_DISK "overlay.qcow2"
#define ISC_COPY_MANIFEST_MAX (256 * 1024)
#define ISC_COPY_FILES_MAX 32

typedef enum {
	ISC_COPY_SNAPSHOT,
	ISC_COPY_EVIDENCE,
} IscCopyKind;

typedef struct {
	gchar *name; /* owned; no path */
	guint64 size;
	gchar sha256[65];
} IscCopyFile;

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
	GPtrArray *missing;   /* (element-type utf8): what could not be had, and why */
} IscCopy;

IscCopy *isc_copy_new(IscCopyKind kind, const gchar *node, const gchar *name);
void isc_copy_add_file(IscCopy *copy, const gchar *name, guint64 size, const gchar *sha256);

/* Borrowed, or NULL. */
const IscCopyFile *isc_copy_find_file(const IscCopy *copy, const gchar *name);

/* Returns: (transfer full) JSON, several lines */
gchar *isc_copy_print(const IscCopy *copy);

/* Strict: every key known, of its type, its names valid.  Errors: ISC_ERROR_VERIFY.
 * Returns: (transfer full) */
IscCopy *isc_copy_parse(const gchar *text, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A file of a copy: [a-z0-9.-], begins with a letter, at most 63. */
gboolean isc_copy_file_is_valid(const gchar *name);

/* The name of evidence, "NODE.qTIME".  Splits it into newly allocated @node and @name (may be
 * NULL). */
gboolean isc_copy_split(const gchar *text, gchar **node, gchar **name);

void isc_copy_free(IscCopy *copy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscCopy, isc_copy_free)
