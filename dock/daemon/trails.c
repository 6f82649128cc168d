#include "daemon/trails.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "model/replica.h"

#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
#define NUMBER_MAX 1000000000u
/* A system bus lets 16 fds through in one message (max_message_unix_fds of dbus-daemon): the key
 * and seven pairs. */
#define PAIRS_MAX 7
#define ATTEMPTS 5
#define NETWORK "network" /* folder of a packet log */

/* A node is ready once its agent said so, and what that says first goes into its trail. */
static gboolean must_have_trail(const IscNode *node)
{
	return node->state == ISC_NODE_READY;
}

static gboolean sent_nothing(IscCall *call, const gchar *name, GError **error)
{
	g_autoptr(IscNode) node =
			*name == ISC_TRAIL_PACKETS
					? NULL
					: isc_register_get_node(call->dock->reg, name, NULL);
	if (*name == ISC_TRAIL_PACKETS)
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no packet of '%s' was logged so far", name + 1);
	else if (node && must_have_trail(node))
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"node '%s' is ready, so it had a trail: its files are gone", name);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "node '%s' has sent nothing yet",
				name);
	return FALSE;
}

/* The folder of @name's trail, also of a node that is no more; ISC_TRAIL_DOCK: the dock's own;
 * with ISC_TRAIL_PACKETS before it, that of its packet log.  Returns: fd, or -1 */
static int open_folder(IscCall *call, const gchar *trail, GError **error)
{
	gboolean is_packets = *trail == ISC_TRAIL_PACKETS;
	const gchar *name = is_packets ? trail + 1 : trail;
	gboolean is_dock = g_str_equal(name, ISC_TRAIL_DOCK);
	if (!is_dock && !isc_name_check("node", name, error))
		return -1;
	const gchar *log_dir = call->dock->config->log_dir;
	g_autofree gchar *folder = is_dock ? g_build_filename(log_dir, "dock", NULL)
					   : g_build_filename(log_dir, "nodes", name, NULL);
	g_autofree gchar *path = g_build_filename(folder, is_packets ? NETWORK : NULL, NULL);
	int fd = open(path, READ_FLAGS | O_DIRECTORY);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT) {
		isc_error_set_errno(error, errno, "cannot open '%s'", path);
		return -1;
	}
	g_autoptr(IscNode) node =
			is_dock ? NULL : isc_register_get_node(call->dock->reg, name, NULL);
	g_autoptr(IscReplicaSet) set =
			is_dock || node ? NULL : isc_register_get_set(call->dock->reg, name, NULL);
	if (is_packets && (is_dock || node || access(folder, F_OK) == 0))
		sent_nothing(call, trail, error);
	else if (is_dock)
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"the dock's own trail is not begun yet: isc-collectord has not "
				"answered so far");
	else if (node)
		sent_nothing(call, name, error);
	else if (set)
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, ISC_NO_NODE_BUT_A_SET, name,
				name);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no node '%s', and no trail of one; isc-vm list shows those there "
				"are",
				name);
	return -1;
}

GVariant *isc_trails_open(IscCall *call, GError **error)
{
	const gchar *name, *kind;
	g_variant_get(call->params, "(&s&s)", &name, &kind);
	const gchar *file = g_str_equal(kind, "audit")     ? "audit.log"
			    : g_str_equal(kind, "service") ? "service.log"
							   : NULL;
	if (!file) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "a trail is 'audit' or 'service'");
		return NULL;
	}
	isc_autofd int dir = open_folder(call, name, error);
	if (dir < 0)
		return NULL;
	isc_autofd int fd = openat(dir, file, READ_FLAGS);
	if (fd < 0 && errno == ENOENT && g_str_equal(kind, "audit")) {
		sent_nothing(call, name, error);
		return NULL;
	}
	if (fd < 0 && errno == ENOENT) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"the service of '%s' has written nothing yet", name);
		return NULL;
	}
	if (fd < 0) {
		isc_error_set_errno(error, errno, "cannot open %s of '%s'", file, name);
		return NULL;
	}
	call->out_fds = g_unix_fd_list_new();
	if (g_unix_fd_list_append(call->out_fds, fd, error) < 0)
		return NULL;
	return g_variant_new("(h)", 0);
}

/* --- the chain -------------------------------------------------------------------------------- */

/* N of "audit.log.N" and "audit.chain.N"; 0 where it is none. */
static guint number_of(const gchar *file)
{
	guint64 n = 0;
	const gchar *digits = g_str_has_prefix(file, "audit.log.") ? file + strlen("audit.log.")
			      : g_str_has_prefix(file, "audit.chain.")
					      ? file + strlen("audit.chain.")
					      : NULL;
	return digits && g_ascii_string_to_unsigned(digits, 10, 1, NUMBER_MAX, &n, NULL) ? (guint)n
											 : 0;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
	guint x = *(const guint *)a, y = *(const guint *)b;
	return (x > y) - (x < y);
}

/* The numbers of the closed files, in their order.  Returns: (transfer full), NULL on errors */
static GArray *list_numbers(int dir_fd, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	int fd = openat(dir_fd, ".", READ_FLAGS | O_DIRECTORY);
	g_autoptr(DIR) dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		isc_error_set_errno(error, errno, "cannot list the trail");
		isc_clear_fd(&fd);
		return NULL;
	}
	GArray *numbers = g_array_new(FALSE, FALSE, sizeof(guint));
	for (struct dirent *e; (e = readdir(dir));) {
		guint n = number_of(e->d_name);
		if (n > 0 && g_hash_table_add(seen, GUINT_TO_POINTER(n)))
			g_array_append_val(numbers, n);
	}
	g_array_sort(numbers, by_number);
	return numbers;
}

/* Adds file @number of a pair (0: the open one); one that is missing reads as empty, and the
 * verifier says so.
 * *@found: whether it is there.  Returns: its place in @fds, -1 on errors */
static gint add_file(GUnixFDList *fds, int dir_fd, const gchar *base, guint number, gboolean *found,
		GError **error)
{
	g_autofree gchar *name = number ? g_strdup_printf("%s.%u", base, number) : g_strdup(base);
	isc_autofd int fd = openat(dir_fd, name, READ_FLAGS);
	if (fd >= 0)
		*found = TRUE;
	else if (errno == ENOENT)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		isc_error_set_errno(error, errno, "cannot open '%s'", name);
		return -1;
	}
	return g_unix_fd_list_append(fds, fd, error);
}

/* seal.pub; where it is gone, trails can still be read, if not verified: then it is empty. */
static gint add_key(GUnixFDList *fds, const gchar *log_dir, GError **error)
{
	g_autofree gchar *path = g_build_filename(log_dir, ISC_SEAL_PUB, NULL);
	isc_autofd int fd = open(path, READ_FLAGS);
	if (fd < 0 && errno == ENOENT)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		isc_error_set_errno(error, errno, "cannot open '%s'", path);
		return -1;
	}
	return g_unix_fd_list_append(fds, fd, error);
}

typedef struct {
	GUnixFDList *fds;
	GVariantBuilder numbers, logs, chains;
} Page;

/* Chain first: what is in it is in the log by then.  FALSE: there is none, or @error is set */
static gboolean add_pair(Page *p, int dir_fd, guint number, GError **error)
{
	gboolean found = FALSE;
	gint chain = add_file(p->fds, dir_fd, "audit.chain", number, &found, error);
	gint log = chain < 0 ? -1 : add_file(p->fds, dir_fd, "audit.log", number, &found, error);
	if (log < 0 || !found)
		return FALSE;
	g_variant_builder_add(&p->numbers, "u", number);
	g_variant_builder_add(&p->logs, "h", log);
	g_variant_builder_add(&p->chains, "h", chain);
	return TRUE;
}

/* Pairs from number @from on, as many as go into a message.  Returns: floating; NULL where the
 * collector began another file meanwhile (@error is not set: try again), or with @error set */
static GVariant *read_page(IscCall *call, int dir_fd, guint from, gboolean *empty, GError **error)
{
	g_autoptr(GArray) numbers = list_numbers(dir_fd, error);
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
	gint key = numbers ? add_key(fds, call->dock->config->log_dir, error) : -1;
	if (key < 0)
		return NULL;

	Page p = { .fds = fds };
	g_variant_builder_init(&p.numbers, G_VARIANT_TYPE("au"));
	g_variant_builder_init(&p.logs, G_VARIANT_TYPE("ah"));
	g_variant_builder_init(&p.chains, G_VARIANT_TYPE("ah"));
	g_autoptr(GError) why = NULL;
	guint n = 0, next = 0;
	for (guint i = 0; i < numbers->len && next == 0 && !why; i++) {
		guint number = g_array_index(numbers, guint, i);
		if (number < from)
			continue;
		if (n == PAIRS_MAX)
			next = number;
		else if (add_pair(&p, dir_fd, number, &why))
			n++;
	}
	gboolean stale = FALSE;
	if (!why && next == 0) {
		guint last = numbers->len ? g_array_index(numbers, guint, numbers->len - 1) : 0;
		if (n == PAIRS_MAX)
			next = MAX(last, from) + 1; /* the open one alone */
		else if (add_pair(&p, dir_fd, 0, &why))
			n++;
		/* Was it renamed between the two looks?  Then a file would be missing here. */
		g_autoptr(GArray) again = why ? NULL : list_numbers(dir_fd, &why);
		stale = again && again->len != numbers->len;
	}
	*empty = n == 0;
	GVariant *result = g_variant_new("(auahahhu)", &p.numbers, &p.logs, &p.chains, key, next);
	if (why || stale || *empty) {
		g_variant_unref(g_variant_ref_sink(result));
		if (why)
			g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	call->out_fds = g_steal_pointer(&fds);
	return result;
}

GVariant *isc_trails_open_chain(IscCall *call, GError **error)
{
	const gchar *name;
	guint32 from;
	g_variant_get(call->params, "(&su)", &name, &from);
	isc_autofd int dir = open_folder(call, name, error);
	if (dir < 0)
		return NULL;
	gboolean empty = FALSE;
	for (guint i = 0; i < ATTEMPTS; i++) {
		g_autoptr(GError) why = NULL;
		GVariant *page = read_page(call, dir, from, &empty, &why);
		if (page)
			return page;
		if (why) {
			g_propagate_error(error, g_steal_pointer(&why));
			return NULL;
		}
		g_usleep(20000); /* between two files there is none for a moment */
	}
	if (empty)
		sent_nothing(call, name, error);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"the trail of '%s' grows too fast to be opened: try again", name);
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const gchar *const *)a, *(const gchar *const *)b);
}

/* Whether one file of a trail is there.  Any will do: a trail that somebody took a file from must
 * not pass for one that never was. */
static gboolean is_trail(int at, const gchar *folder)
{
	isc_autofd int fd = openat(at, folder, READ_FLAGS | O_DIRECTORY);
	if (fd < 0)
		return FALSE;
	if (faccessat(fd, "audit.log", F_OK, 0) == 0 || faccessat(fd, "audit.chain", F_OK, 0) == 0)
		return TRUE;
	g_autoptr(GArray) numbers = list_numbers(fd, NULL);
	return numbers && numbers->len > 0;
}

/* The trail in @folder, and its packet log, as far as they are there. */
static void list_trails(GHashTable *names, int at, const gchar *folder, const gchar *name)
{
	g_autofree gchar *packets = g_build_filename(folder, NETWORK, NULL);
	if (is_trail(at, folder))
		g_hash_table_add(names, g_strdup(name));
	if (is_trail(at, packets))
		g_hash_table_add(names, g_strdup_printf("%c%s", ISC_TRAIL_PACKETS, name));
}

static gboolean list_missing(IscCall *call, GHashTable *names, GError **error)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(call->dock->reg, error);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		if (must_have_trail(node))
			g_hash_table_add(names, g_strdup(node->spec->name));
	}
	return nodes != NULL;
}

GVariant *isc_trails_list(IscCall *call, GError **error)
{
	g_autofree gchar *path = g_build_filename(call->dock->config->log_dir, "nodes", NULL);
	g_autoptr(DIR) dir = opendir(path);
	if (!dir) {
		isc_error_set_errno(error, errno, "cannot list '%s'", path);
		return NULL;
	}
	g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (struct dirent *e; (e = readdir(dir));)
		if (isc_name_is_valid(e->d_name))
			list_trails(found, dirfd(dir), e->d_name, e->d_name);
	list_trails(found, dirfd(dir), "../dock", ISC_TRAIL_DOCK);
	if (!list_missing(call, found, error))
		return NULL;
	guint n;
	g_autofree const gchar **names = (const gchar **)g_hash_table_get_keys_as_array(found, &n);
	qsort(names, n, sizeof *names, by_text);
	return g_variant_new("(@as)", g_variant_new_strv(names, n));
}
