#include "engine/names.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

#include "base/error.h"

#define WORKERS 4
#define NO_SUCH_NAME_TTL 60 /* s */
#define ANSWER_MAX 8192

/* --- one name ------------------------------------------------------------------------------ */

static gint compare(gconstpointer a, gconstpointer b)
{
	guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;
	return x < y ? -1 : x > y;
}

static void hold(IscNamesEntry *entry, guint32 address, gint64 until)
{
	for (guint i = 0; i < entry->n_held; i++)
		if (entry->held[i].address == address) {
			entry->held[i].until = until;
			return;
		}
	if (entry->n_held < G_N_ELEMENTS(entry->held))
		entry->held[entry->n_held++] = (IscNamesHeld){ address, until };
}

/* Returns: whether any went */
static gboolean drop_old(IscNamesEntry *entry, gint64 now)
{
	guint kept = 0, before = entry->n_held;
	for (guint i = 0; i < before; i++)
		if (entry->held[i].until > now)
			entry->held[kept++] = entry->held[i];
	entry->n_held = kept;
	return kept != before;
}

gboolean isc_names_entry_take(IscNamesEntry *entry, const IscNamesAnswer *answer, gint64 now)
{
	if (!answer) {
		entry->due = now + MIN(5 << MIN(entry->failures, 4), 60);
		entry->failures++;
		if (now < entry->keep || entry->n_held == 0)
			return FALSE;
		entry->n_held = 0;
		return TRUE;
	}
	const gint64 ttl = CLAMP(answer->ttl, ISC_NAMES_TTL_MIN, ISC_NAMES_TTL_MAX);
	gboolean changed = drop_old(entry, now);
	guint before = entry->n_held;
	for (guint i = 0; i < answer->n; i++)
		hold(entry, answer->addresses[i], now + 2 * ttl);
	entry->due = now + ttl;
	entry->keep = now + ttl + ISC_NAMES_KEEP;
	entry->failures = 0;
	return changed || entry->n_held != before;
}

/* --- DNS ----------------------------------------------------------------------------------- */

/* All A records of the answer, behind aliases, too: the server is the dock's own and trusted to
 * have followed them. */
static gboolean parse(const guint8 *bytes, int len, IscNamesAnswer *out)
{
	ns_msg message;
	ns_rr record;

	*out = (IscNamesAnswer){ .ttl = G_MAXUINT32 };
	if (ns_initparse(bytes, len, &message) < 0)
		return FALSE;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		guint32 address;
		if (ns_parserr(&message, ns_s_an, i, &record) < 0)
			return FALSE;
		out->ttl = MIN(out->ttl, ns_rr_ttl(record));
		if (ns_rr_type(record) != ns_t_a || ns_rr_rdlen(record) != sizeof address ||
				out->n == ISC_NAMES_MAX_ADDRESSES)
			continue;
		memcpy(&address, ns_rr_rdata(record), sizeof address);
		out->addresses[out->n++] = ntohl(address);
	}
	if (out->n == 0)
		out->ttl = NO_SUCH_NAME_TTL;
	return TRUE;
}

gboolean isc_names_lookup_dns(const gchar *name, IscNamesAnswer *out, gpointer data, GError **error)
{
	struct __res_state state;
	guint8 bytes[ANSWER_MAX];
	(void)data;

	/* Read anew each time: /etc/resolv.conf changes under us. */
	memset(&state, 0, sizeof state);
	if (res_ninit(&state) < 0) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_FAILED, "no /etc/resolv.conf");
		return FALSE;
	}
	state.retrans = 2;
	state.retry = 2;
	state.nscount = MIN(state.nscount, 2);
	int len = res_nquery(&state, name, ns_c_in, ns_t_a, bytes, sizeof bytes);
	int why = state.res_h_errno;
	res_nclose(&state);

	if (len < 0 && (why == HOST_NOT_FOUND || why == NO_DATA)) {
		*out = (IscNamesAnswer){ .ttl = NO_SUCH_NAME_TTL };
		return TRUE;
	}
	if (len >= 0 && parse(bytes, MIN(len, (int)sizeof bytes), out))
		return TRUE;
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_FAILED,
			len >= 0           ? "the name server's answer is broken"
			: why == TRY_AGAIN ? "no name server answers"
					   : "the name servers refuse to answer");
	return FALSE;
}

/* --- all names ----------------------------------------------------------------------------- */

typedef struct {
	IscNamesEntry entry;
	gboolean asking; /* a lookup is under way */
	gchar *trouble;
} Name;

struct IscNames {
	IscNamesLookup lookup;
	IscNamesChanged changed;
	gpointer data;
	GThreadPool *pool; /* of lookups */
	GThread *clock;
	GMutex lock;
	GCond wake;
	GHashTable *all; /* name → Name */
	gboolean ending;
};

static void name_free(gpointer data)
{
	Name *name = data;
	g_free(name->trouble);
	g_free(name);
}

static gint64 seconds(void)
{
	return g_get_monotonic_time() / G_USEC_PER_SEC;
}

static GArray *addresses_of(const Name *name)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(guint32));
	for (guint i = 0; name && i < name->entry.n_held; i++)
		g_array_append_val(out, name->entry.held[i].address);
	g_array_sort(out, compare);
	return out;
}

/* In a thread of the pool. */
static void ask(gpointer job, gpointer self)
{
	IscNames *names = self;
	g_autofree gchar *text = job;
	g_autoptr(GError) why = NULL;
	IscNamesAnswer answer;
	gboolean ok = names->lookup(text, &answer, names->data, &why);

	g_mutex_lock(&names->lock);
	Name *name = g_hash_table_lookup(names->all, text);
	if (!name) { /* not wanted any more */
		g_mutex_unlock(&names->lock);
		return;
	}
	gboolean changed = isc_names_entry_take(&name->entry, ok ? &answer : NULL, seconds());
	changed = changed || !name->trouble == !ok;
	g_free(name->trouble);
	name->trouble = ok ? NULL : g_strdup(why->message);
	g_autofree gchar *trouble = g_strdup(name->trouble);
	g_autoptr(GArray) now = addresses_of(name);
	g_mutex_unlock(&names->lock);

	/* It is `asking` until this has returned: no other thread tells of the same name. */
	if (changed)
		names->changed(text, (const guint32 *)(gconstpointer)now->data, now->len, trouble,
				names->data);
	g_mutex_lock(&names->lock);
	name = g_hash_table_lookup(names->all, text);
	if (name)
		name->asking = FALSE;
	g_cond_signal(&names->wake);
	g_mutex_unlock(&names->lock);
}

/* Hands what is due to the pool; returns when the next one is, in µs of the monotonic clock. */
static gint64 ask_due(IscNames *names)
{
	GHashTableIter iter;
	gpointer text, value;
	gint64 now = seconds(), next = now + ISC_NAMES_TTL_MAX;

	g_hash_table_iter_init(&iter, names->all);
	while (g_hash_table_iter_next(&iter, &text, &value)) {
		Name *name = value;
		if (name->asking)
			continue;
		if (name->entry.due > now) {
			next = MIN(next, name->entry.due);
			continue;
		}
		name->asking = TRUE;
		g_thread_pool_push(names->pool, g_strdup(text), NULL);
	}
	return next * G_USEC_PER_SEC;
}

static gpointer run_clock(gpointer self)
{
	IscNames *names = self;
	g_mutex_lock(&names->lock);
	while (!names->ending) {
		gint64 next = ask_due(names);
		g_cond_wait_until(&names->wake, &names->lock, next);
	}
	g_mutex_unlock(&names->lock);
	return NULL;
}

IscNames *isc_names_new(IscNamesLookup lookup, IscNamesChanged changed, gpointer data)
{
	IscNames *names = g_new0(IscNames, 1);
	names->lookup = lookup;
	names->changed = changed;
	names->data = data;
	names->all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, name_free);
	g_mutex_init(&names->lock);
	g_cond_init(&names->wake);
	names->pool = g_thread_pool_new(ask, names, WORKERS, FALSE, NULL);
	names->clock = g_thread_new("names", run_clock, names);
	return names;
}

void isc_names_free(IscNames *names)
{
	if (!names)
		return;
	g_mutex_lock(&names->lock);
	names->ending = TRUE;
	g_cond_signal(&names->wake);
	g_mutex_unlock(&names->lock);
	g_thread_join(names->clock);
	g_thread_pool_free(names->pool, /* immediate= */ FALSE, /* wait= */ TRUE);
	g_hash_table_unref(names->all);
	g_mutex_clear(&names->lock);
	g_cond_clear(&names->wake);
	g_free(names);
}

static gboolean is_unwanted(gpointer text, gpointer value, gpointer wanted)
{
	(void)value;
	return !g_strv_contains((const gchar *const *)wanted, text);
}

void isc_names_want(IscNames *names, const gchar *const *wanted)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&names->lock);
	g_hash_table_foreach_remove(names->all, is_unwanted, (gpointer)wanted);
	for (gsize i = 0; wanted[i]; i++)
		if (!g_hash_table_contains(names->all, wanted[i]))
			g_hash_table_insert(names->all, g_strdup(wanted[i]), g_new0(Name, 1));
	g_cond_signal(&names->wake);
}

void isc_names_recall(IscNames *names, const gchar *text, const GArray *addresses, guint for_s)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&names->lock);
	Name *name = g_new0(Name, 1);
	name->entry.keep = seconds() + for_s;
	for (guint i = 0; i < addresses->len; i++)
		hold(&name->entry, g_array_index(addresses, guint32, i), name->entry.keep);
	g_hash_table_insert(names->all, g_strdup(text), name);
	g_cond_signal(&names->wake);
}

GArray *isc_names_get(IscNames *names, const gchar *text, gchar **trouble)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&names->lock);
	const Name *name = g_hash_table_lookup(names->all, text);
	if (trouble)
		*trouble = g_strdup(!name ? "not asked for" : name->trouble);
	return addresses_of(name);
}
