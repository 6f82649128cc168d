#pragma once
#include <glib.h>

#define ISC_IMAGE_MANIFEST "manifest.json"
#define ISC_IMAGE_SIGNATURE "manifest.json.minisig"
#define ISC_IMAGE_MANIFEST_MAX (256 * 1024) /* bytes */
#define ISC_IMAGE_FORMAT 1

/* The files of an image besides its manifest. */
typedef enum {
	ISC_PART_KERNEL, /* bzImage */
	ISC_PART_INITRD, /* cpio, compressed; holds isc-node-init and modules */
	ISC_PART_ROOT,   /* squashfs or erofs */
	ISC_PART_SBOM,   /* packages and versions, JSON */
	ISC_N_PARTS,
} IscPartKind;

typedef struct {
	gchar *file; /* owned; plain file name inside the image folder, [a-z0-9][a-z0-9._-]{0,63} */
	gchar sha256[65]; /* lower-case hex */
	guint64 size;     /* bytes */
} IscImagePart;

/* What manifest.json says.  Plain data, never changed after parsing. */
typedef struct {
	gchar *name;           /* isc_name_is_valid() */
	gchar *version;        /* isc_version_is_valid() */
	gchar *description;    /* one line, may be "" */
	gchar *suite;          /* Debian suite of the packages, e.g. "bookworm" */
	gchar *architecture;   /* "amd64" */
	gchar *kernel_version; /* e.g. "6.1.0-37-cloud-amd64" */
	gchar *root_type;      /* "squashfs" | "erofs" */
	gint64 created;        /* seconds since the epoch: SOURCE_DATE_EPOCH of the build */
	IscImagePart parts[ISC_N_PARTS];
	gchar **exec;         /* argv of the service */
	gchar *user;          /* the service's user in the image */
	gchar **ports;        /* "80/tcp", "5000-5010/udp" */
	gchar **writable;     /* absolute paths */
	gchar **capabilities; /* "cap_net_bind_service" */
	gchar **environment;  /* "KEY=VALUE" */
	gchar *health;        /* see model/health.h, an http probe with its port, or NULL */
	gchar *profile;       /* "strict" | "flexible" */
	gchar digest[65]; /* SHA-256 of the manifest's bytes: the image's identity; set by parse */
} IscImage;

/**
 * isc_image_parse:
 * @bytes: manifest.json; @len: at most ISC_IMAGE_MANIFEST_MAX
 *
 * Strict: every key known, of its type and range; depth limited; file names without a slash.
 * Errors: ISC_ERROR_INVALID naming the key at fault.
 * Returns: (transfer full)
 */
IscImage *isc_image_parse(const gchar *bytes, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The inverse: stable key order and layout, so that equal images give equal bytes (R2.5).  @image's
 * digest is not looked at.  Returns: (transfer full) text ending in a newline */
gchar *isc_image_print(const IscImage *image);

/* "kernel", "initrd", "root", "sbom": the key in manifest.json; static. */
const gchar *isc_part_name(IscPartKind kind);

IscImage *isc_image_new(void); /* all empty; fill and print */
void isc_image_free(IscImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscImage, isc_image_free)
