#include "collector/trail-trim.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define ORIGIN_BYTES (sizeof(IscChainHeader) + sizeof(IscChainOrigin) + ISC_CHAIN_SIG)

/* A pair of files that has its number. */
typedef struct {
	guint32 number;
	guint64 bytes;
	gboolean has_chain;
} Closed;

static guint32 number_of(const gchar *file, gboolean *is_chain)
{
	static const gchar log[] = "audit.log.", chain[] = "audit.chain.";
	*is_chain = g_str_has_prefix(file, chain);
	const gchar *digits = *is_chain                     ? file + strlen(chain)
			      : g_str_has_prefix(file, log) ? file + strlen(log)
							    : NULL;
	guint64 n = 0;
	return digits && g_ascii_string_to_unsigned(digits, 10, 1, G_MAXUINT32 - 2, &n, NULL)
			       ? (guint32)n
			       : 0;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
	const Closed *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

/* Of one file each; those of a pair follow one another once they are sorted. */
static GArray *list_files(const IscTrailFiles *f)
{
	GArray *files = g_array_new(FALSE, FALSE, sizeof(Closed));
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(DIR) dir = fd < 0 ? NULL : fdopendir(fd);
	struct stat st;
	if (!dir)
		isc_clear_fd(&fd);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		Closed c = { 0 };
		c.number = number_of(e->d_name, &c.has_chain);
		if (c.number == 0 || c.number >= f->segment ||
				fstatat(f->dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		c.bytes = (guint64)st.st_size;
		g_array_append_val(files, c);
	}
	g_array_sort(files, by_number);
	return files;
}

/* Oldest first. */
static GArray *list_closed(const IscTrailFiles *f)
{
	g_autoptr(GArray) files = list_files(f);
	GArray *pairs = g_array_new(FALSE, FALSE, sizeof(Closed));
	for (guint i = 0; i < files->len; i++) {
		const Closed *file = &g_array_index(files, Closed, i);
		Closed *pair = pairs->len ? &g_array_index(pairs, Closed, pairs->len - 1) : NULL;
		if (pair && pair->number == file->number) {
			pair->bytes += file->bytes;
			pair->has_chain |= file->has_chain;
		} else {
			g_array_append_val(pairs, *file);
		}
	}
	return pairs;
}

/* The first block of file @number, if it is one of this trail. */
static gboolean read_origin(const IscTrailFiles *f, guint32 number, IscChainTrim *out)
{
	g_autofree gchar *name = number == f->segment ? g_strdup("audit.chain")
						      : g_strdup_printf("audit.chain.%u", number);
	isc_autofd int fd = openat(f->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	guint8 bytes[ORIGIN_BYTES];
	IscBlock b;
	if (fd < 0 || pread(fd, bytes, sizeof bytes, 0) != sizeof bytes ||
			isc_block_parse(bytes, sizeof bytes, &b) != ISC_BLOCK_OK ||
			(b.header->kind != ISC_CHAIN_GENESIS &&
					b.header->kind != ISC_CHAIN_SEGMENT) ||
			b.header->segment != number || !isc_block_is_signed(&b) ||
			memcmp(((const IscChainOrigin *)b.payload)->trail, f->trail,
					sizeof f->trail) != 0)
		return FALSE;
	*out = (IscChainTrim){
		.segment = number, .index = b.header->index, .first = b.header->first
	};
	isc_block_hash(&b, out->head);
	return TRUE;
}

static gboolean remove_file(const IscTrailFiles *f, const gchar *base, guint32 number)
{
	g_autofree gchar *name = g_strdup_printf("%s.%u", base, number);
	isc_autofd int fd = openat(f->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return TRUE;
	isc_trail_files_unprotect(fd);
	return unlinkat(f->dir_fd, name, 0) == 0;
}

/* A pair without its chain is one of which the trail has said that it goes. */
static void remove_pairs(
		const IscTrailFiles *f, const GArray *closed, guint n, IscTrailTrimmed *out)
{
	for (guint i = 0; i < n; i++) {
		const Closed *c = &g_array_index(closed, Closed, i);
		if (!remove_file(f, "audit.chain", c->number) ||
				!remove_file(f, "audit.log", c->number))
			break;
		out->from = out->from ? out->from : c->number;
		out->to = c->number;
		out->bytes += c->bytes;
	}
	(void)fsync(f->dir_fd);
}

gboolean isc_trail_trim(IscTrailFiles *f, guint64 keep, IscTrailTrimmed *out, GError **error)
{
	g_autoptr(GArray) closed = list_closed(f);
	IscChainTrim trim, oldest;
	guint64 sum = 0;
	guint gone = 0, first = 0;

	for (guint i = 0; i < closed->len; i++)
		sum += g_array_index(closed, Closed, i).bytes;
	while (sum > keep && gone < closed->len)
		sum -= g_array_index(closed, Closed, gone++).bytes;
	if (gone == 0)
		return TRUE;
	while (first < gone && !g_array_index(closed, Closed, first).has_chain)
		first++;
	if (first < gone && !read_origin(f, g_array_index(closed, Closed, first).number, &oldest))
		return TRUE;
	if (!read_origin(f,
			    gone < closed->len ? g_array_index(closed, Closed, gone).number
					       : f->segment,
			    &trim))
		return TRUE;
	isc_chain_trim_sign(&trim, f->name, f->trail, f->root);
	if (!isc_trail_files_mark(f, ISC_CHAIN_TRIM, &trim, sizeof trim, error))
		return FALSE;
	remove_pairs(f, closed, gone, out);
	out->first = trim.first;
	return TRUE;
}
