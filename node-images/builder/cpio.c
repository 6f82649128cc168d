#include "builder/cpio.h"

#include <string.h>
#include <sys/stat.h>

#define TRAILER "TRAILER!!!"
#define BLOCK 512

struct IscCpio {
	GByteArray *bytes;
	guint32 mtime;
	guint32 n; /* entries so far; also the last inode number */
};

IscCpio *isc_cpio_new(guint32 mtime)
{
	IscCpio *cpio = g_new0(IscCpio, 1);
	cpio->bytes = g_byte_array_new();
	cpio->mtime = mtime;
	return cpio;
}

static void pad(GByteArray *bytes, guint to)
{
	static const guint8 zeros[BLOCK];
	guint over = bytes->len % to;
	if (over)
		g_byte_array_append(bytes, zeros, to - over);
}

static void add(IscCpio *cpio, const gchar *path, guint32 mode, guint32 links, guint major,
		guint minor, const void *data, guint32 len)
{
	gboolean last = g_str_equal(path, TRAILER);
	gchar header[111];
	/* magic ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor
	 * namesize check */
	g_snprintf(header, sizeof header,
			"070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
			last ? 0 : ++cpio->n, mode, 0, 0, links, last ? 0 : cpio->mtime, len, 0, 0,
			major, minor, (guint)strlen(path) + 1, 0);
	g_byte_array_append(cpio->bytes, (const guint8 *)header, 110);
	g_byte_array_append(cpio->bytes, (const guint8 *)path, (guint)strlen(path) + 1);
	pad(cpio->bytes, 4);
	if (len)
		g_byte_array_append(cpio->bytes, data, len);
	pad(cpio->bytes, 4);
}

void isc_cpio_add_dir(IscCpio *cpio, const gchar *path, mode_t mode)
{
	add(cpio, path, S_IFDIR | (mode & 07777), 2, 0, 0, NULL, 0);
}

void isc_cpio_add_file(
		IscCpio *cpio, const gchar *path, mode_t mode, const void *bytes, guint32 len)
{
	add(cpio, path, S_IFREG | (mode & 07777), 1, 0, 0, bytes, len);
}

void isc_cpio_add_char_device(
		IscCpio *cpio, const gchar *path, mode_t mode, guint major, guint minor)
{
	add(cpio, path, S_IFCHR | (mode & 07777), 1, major, minor, NULL, 0);
}

GByteArray *isc_cpio_end(IscCpio *cpio)
{
	add(cpio, TRAILER, 0, 1, 0, 0, NULL, 0);
	pad(cpio->bytes, BLOCK);
	GByteArray *bytes = cpio->bytes;
	g_free(cpio);
	return bytes;
}
