#include "engine/firewall-nft.h"

#include <fcntl.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/firewall-book.h"
#include "engine/guard.h"
#include "engine/nft-read.h"
#include "engine/nft-write.h"
#include "engine/ports.h"

struct IscFirewall {
	GMutex lock; /* over all below and over every transaction */
	struct nft_ctx *nft;
	IscNftReader *reader;
	IscNftWriter *writer;
	GHashTable *own_ports; /* netlink ports of @nft, as keys */
	IscNftConfig config;   /* owns what it points to */
	IscBook *book;         /* what is wanted */
	gchar *print;          /* of the rules when we wrote them; NULL: not set up */
	gboolean is_exact;     /* the kernel holds no elements but ours */
	IscGuard *guard;       /* NULL: none yet */
};

/* --- the kernel ------------------------------------------------------------------------------ */

/* One buffer is one transaction: all of it or nothing. */
static gboolean run(IscFirewall *fw, const gchar *text, GError **error)
{
	if (*text == '\0')
		return TRUE;
	int rc = nft_run_cmd_from_buffer(fw->nft, text);
	const gchar *words = nft_ctx_get_error_buffer(fw->nft);
	(void)nft_ctx_get_output_buffer(fw->nft);
	if (rc == 0)
		return TRUE;
	/* nft may blame the wrong line of a batch, so the beginning of the batch goes along. */
	g_autofree gchar *shown = isc_text_escape(text, -1, 400);
	g_autofree gchar *first = g_strndup(words ? words : "", words ? strcspn(words, "\n") : 0);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "nft: %s; batch: %s", first, shown);
	return FALSE;
}

/* --- configuration --------------------------------------------------------------------------- */

static void config_clear(IscNftConfig *c)
{
	g_free((gchar *)c->bridge);
	g_free((gchar *)c->tap_prefix);
	g_strfreev((gchar **)c->outside);
	g_free((guint32 *)c->resolvers);
	g_free((IscNet *)c->host_nets);
}

static IscNftConfig config_copy(const IscNftConfig *from)
{
	IscNftConfig c = *from;
	c.bridge = g_strdup(from->bridge);
	c.tap_prefix = g_strdup(from->tap_prefix);
	c.outside = (const gchar *const *)g_strdupv((gchar **)from->outside);
	c.resolvers = g_memdup2(from->resolvers, from->n_resolvers * sizeof *from->resolvers);
	c.host_nets = g_memdup2(from->host_nets, from->n_host_nets * sizeof *from->host_nets);
	return c;
}

IscFirewall *isc_firewall_new(const IscFirewallConfig *config, GError **error)
{
	g_autoptr(IscFirewall) fw = g_new0(IscFirewall, 1);
	GHashTableIter iter;
	gpointer port;

	g_mutex_init(&fw->lock);
	fw->config = config_copy(config);
	fw->book = isc_book_new();
	fw->reader = isc_nft_reader_new(error);
	fw->writer = fw->reader ? isc_nft_writer_new(error) : NULL;
	if (!fw->writer)
		return NULL;

	g_autoptr(GHashTable) before = isc_netfilter_sockets();
	fw->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!fw->nft) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_HOST, "libnftables does not start");
		return NULL;
	}
	nft_ctx_buffer_output(fw->nft);
	nft_ctx_buffer_error(fw->nft);
	if (!run(fw, "list tables", error)) /* the socket gets its port with the first request */
		return NULL;
	fw->own_ports = isc_netfilter_sockets();
	g_hash_table_iter_init(&iter, before);
	while (g_hash_table_iter_next(&iter, &port, NULL))
		g_hash_table_remove(fw->own_ports, port);
	return g_steal_pointer(&fw);
}

void isc_firewall_free(IscFirewall *fw)
{
	if (!fw)
		return;
	g_clear_pointer(&fw->guard, isc_guard_free);
	g_clear_pointer(&fw->nft, nft_ctx_free);
	g_clear_pointer(&fw->reader, isc_nft_reader_free);
	g_clear_pointer(&fw->writer, isc_nft_writer_free);
	g_clear_pointer(&fw->own_ports, g_hash_table_unref);
	config_clear(&fw->config);
	isc_book_free(fw->book);
	g_free(fw->print);
	g_mutex_clear(&fw->lock);
	g_free(fw);
}

/* --- all at once ----------------------------------------------------------------------------- */

static gchar *render_all(IscFirewall *fw, gboolean replace, gboolean with_nodes, GError **error)
{
	g_autofree gchar *base = isc_nft_render_base(&fw->config, error);
	if (!base)
		return NULL;
	if (!with_nodes)
		return g_strconcat(replace ? isc_nft_render_delete() : "", base, NULL);

	g_autoptr(GPtrArray) all = isc_book_elements(fw->book);
	g_autofree gchar *flush = isc_nft_render_flush();
	g_autofree gchar *elements = isc_nft_render_change(NULL, all);
	return g_strconcat(replace ? isc_nft_render_delete() : "", base, flush, elements, NULL);
}

/* Writes the rules, and the nodes if so told, and checks that the kernel holds as many rules as
 * were written. */
static gboolean write_all(IscFirewall *fw, gboolean with_nodes, GError **error)
{
	g_autoptr(GError) first = NULL;
	g_autofree gchar *text = render_all(fw, /* replace= */ FALSE, with_nodes, error);
	guint n_rules;

	if (!text)
		return FALSE;
	if (!run(fw, text, &first)) {
		/* Something stands there that cannot become what we want: sets of another type. */
		g_autofree gchar *anew =
				render_all(fw, /* replace= */ TRUE, /* with_nodes= */ TRUE, error);
		if (!anew)
			return FALSE;
		if (!run(fw, anew, NULL)) {
			g_propagate_error(error, g_steal_pointer(&first));
			return FALSE;
		}
		with_nodes = TRUE;
	}
	g_autofree gchar *print = isc_nft_read_print(fw->reader, &n_rules, error);
	if (!print)
		return FALSE;
	if (n_rules != isc_nft_count_rules(text)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"the kernel holds %u rules of the boundary, %u were written: "
				"somebody "
				"else changes them",
				n_rules, isc_nft_count_rules(text));
		return FALSE;
	}
	g_free(fw->print);
	fw->print = g_steal_pointer(&print);
	fw->is_exact = fw->is_exact || with_nodes;
	return TRUE;
}

gboolean isc_firewall_setup(IscFirewall *fw, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	if (!write_all(fw, /* with_nodes= */ FALSE, error))
		return FALSE;
	if (!fw->guard)
		fw->guard = isc_guard_new(&fw->config, error);
	return fw->guard != NULL;
}

gboolean isc_firewall_sync(IscFirewall *fw, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	return write_all(fw, /* with_nodes= */ TRUE, error);
}

gboolean isc_firewall_teardown(IscFirewall *fw, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	g_clear_pointer(&fw->print, g_free);
	isc_book_free(fw->book);
	fw->book = isc_book_new();
	fw->is_exact = FALSE;
	if (fw->guard && !isc_guard_remove(fw->guard, error))
		return FALSE;
	g_clear_pointer(&fw->guard, isc_guard_free);
	return run(fw, isc_nft_render_delete(), error);
}

/* --- changing nodes -------------------------------------------------------------------------- */

/* @must: it is not to fail for what somebody else has done to our sets. */
static gboolean change(
		IscFirewall *fw, guint slot, const IscFence *fence, gboolean must, GError **error)
{
	const IscFence *old = isc_book_fence(fw->book, slot);
	g_auto(IscBookChange) c = { 0 };
	g_autoptr(GError) first = NULL;

	if (!isc_book_plan(fw->book, &fw->config, slot, fence, &c, error))
		return FALSE;
	if (isc_nft_write(fw->writer, c.gone, c.come, fence ? NULL : old, &first)) {
		isc_book_commit(&c);
		return TRUE;
	}
	if (!must) {
		g_propagate_error(error, g_steal_pointer(&first));
		return FALSE;
	}
	/* The kernel lacks what we would take out: somebody has flushed our sets.  A removal, or a
	 * cut, must not fail for ever for that; write all anew. */
	isc_book_commit(&c);
	return write_all(fw, /* with_nodes= */ TRUE, error);
}

gboolean isc_firewall_node_add(IscFirewall *fw, const IscFence *fence, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	return change(fw, fence->slot, fence, /* must= */ FALSE, error);
}

/* What the kernel holds after @c: all that came, nothing of what went. */
static gboolean read_back(IscFirewall *fw, const IscBookChange *c, GError **error)
{
	g_autoptr(GHashTable) came = g_hash_table_new(isc_nft_element_hash, isc_nft_element_equal);
	g_autoptr(GPtrArray) one = g_ptr_array_new();
	const IscNftElement *wrong = NULL;
	gboolean holds;

	if (!isc_nft_read_has(fw->reader, c->come, &holds, &wrong, error))
		return FALSE;
	for (guint i = 0; i < c->come->len; i++)
		g_hash_table_add(came, g_ptr_array_index(c->come, i));
	g_ptr_array_set_size(one, 1);
	for (guint i = 0; i < c->gone->len && !wrong; i++) {
		one->pdata[0] = g_ptr_array_index(c->gone, i);
		if (g_hash_table_contains(came, one->pdata[0]))
			continue; /* only its value is another */
		if (!isc_nft_read_has(fw->reader, one, &holds, NULL, error))
			return FALSE;
		if (holds)
			wrong = one->pdata[0];
	}
	if (!wrong)
		return TRUE;
	g_autofree gchar *text = isc_nft_element_print(wrong);
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"the kernel did not take the change of '%s' in set '%s'", text,
			isc_nft_set_info(wrong->set)->name);
	return FALSE;
}

/* Writes @c, enters it and reads it back.  The kernel refuses where somebody has flushed our sets
 * this moment: then once more upon all of it. */
static gboolean carry_out(IscFirewall *fw, IscBookChange *c, GError **error)
{
	if (!isc_nft_write(fw->writer, c->gone, c->come, NULL, NULL) &&
			(!write_all(fw, /* with_nodes= */ TRUE, error) ||
					!isc_nft_write(fw->writer, c->gone, c->come, NULL, error)))
		return FALSE;
	gboolean ok = read_back(fw, c, error);
	isc_book_commit(c);
	return ok;
}

gboolean isc_firewall_node_rules(IscFirewall *fw, const IscFence *fence, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	const IscFence *known = isc_book_fence(fw->book, fence->slot);
	g_autoptr(IscFence) wanted = isc_fence_copy(fence);
	g_auto(IscBookChange) c = { 0 };

	wanted->quarantined = wanted->quarantined || (known && known->quarantined);
	return isc_book_plan(fw->book, &fw->config, wanted->slot, wanted, &c, error) &&
	       carry_out(fw, &c, error);
}

gboolean isc_firewall_balance(
		IscFirewall *fw, const gchar *set, const IscBalance *balance, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	g_auto(IscBookChange) c = { 0 };

	if (!isc_book_plan_balance(fw->book, &fw->config, set, balance, &c, error))
		return FALSE;
	gboolean ok = isc_nft_write(fw->writer, c.gone, c.come, NULL, NULL);
	isc_book_commit(&c);
	return ok || write_all(fw, /* with_nodes= */ TRUE, error);
}

gboolean isc_firewall_host(
		IscFirewall *fw, const gchar *host, const GArray *addresses, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	g_auto(IscBookChange) c = { 0 };

	return isc_book_plan_host(fw->book, &fw->config, host, addresses, &c, error) &&
	       carry_out(fw, &c, error);
}

gchar **isc_firewall_hosts(IscFirewall *fw)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	return isc_book_hosts(fw->book);
}

GArray *isc_firewall_host_addresses(IscFirewall *fw, const gchar *host)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	const GArray *known = isc_book_host(fw->book, host);
	return known ? g_array_copy((GArray *)known) : g_array_new(FALSE, FALSE, sizeof(guint32));
}

IscEgressAnswer isc_firewall_judge(
		IscFirewall *fw, const GArray *egress, const IscEgress *rule, guint32 address)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	return isc_egress_judge(&fw->config, egress, rule, address);
}

/* Takes out what the kernel holds of @fence and we do not know: an earlier daemon has added it.
 * @leaving: (nullable): the node that goes with it */
static gboolean remove_strange(
		IscFirewall *fw, const IscFence *fence, const IscFence *leaving, GError **error)
{
	g_autoptr(GArray) elements = isc_book_elements_of(fw->book, &fw->config, fence, error);
	g_autoptr(GPtrArray) gone = g_ptr_array_new(), one = g_ptr_array_new();

	if (!elements)
		return FALSE;
	g_ptr_array_set_size(one, 1);
	for (guint i = 0; i < elements->len; i++) {
		IscNftElement *e = &g_array_index(elements, IscNftElement, i);
		gboolean stands;
		if (isc_nft_element_is_shared(e) || isc_book_find(fw->book, e))
			continue;
		one->pdata[0] = e;
		if (!isc_nft_read_has(fw->reader, one, &stands, NULL, error))
			return FALSE;
		if (stands)
			g_ptr_array_add(gone, e);
	}
	return (gone->len == 0 && !leaving) ||
	       isc_nft_write(fw->writer, gone, NULL, leaving, error);
}

gboolean isc_firewall_node_remove(IscFirewall *fw, const IscFence *fence, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	if (isc_book_fence(fw->book, fence->slot))
		return change(fw, fence->slot, NULL, /* must= */ TRUE, error);
	return remove_strange(fw, fence, fence, error);
}

gboolean isc_firewall_quarantine(IscFirewall *fw, const IscFence *fence, gboolean on,
		gboolean only_standing, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	const IscFence *known = isc_book_fence(fw->book, fence->slot);
	if (only_standing && (!known || !g_str_equal(known->name, fence->name)))
		return TRUE;
	g_autoptr(IscFence) wanted = isc_fence_copy(known ? known : fence);

	wanted->quarantined = on;
	if (known || !on)
		return change(fw, wanted->slot, wanted, /* must= */ on, error);
	if (!change(fw, wanted->slot, wanted, /* must= */ TRUE, error))
		return FALSE;
	/* A quarantine takes elements away, too. */
	wanted->quarantined = FALSE;
	return remove_strange(fw, wanted, NULL, error);
}

static gboolean reconfigure(IscFirewall *fw, const IscFirewallConfig *config, GError **error)
{
	g_autoptr(GPtrArray) fences = isc_book_fences(fw->book);
	g_autoptr(IscBook) book = isc_book_new();
	IscNftConfig old = fw->config;
	IscBook *old_book = fw->book;

	/* Which rules name a reserved network depends on the networks of the host: work all of them
	 * out anew. */
	for (guint i = 0; i < fences->len; i++) {
		const IscFence *fence = g_ptr_array_index(fences, i);
		g_auto(IscBookChange) c = { 0 };
		if (!isc_book_plan(book, config, fence->slot, fence, &c, error))
			return FALSE;
		isc_book_commit(&c);
	}
	g_autoptr(GPtrArray) balances = isc_book_balances(fw->book);
	for (guint i = 0; i < balances->len; i++) {
		const IscBalance *balance = g_ptr_array_index(balances, i);
		g_auto(IscBookChange) c = { 0 };
		if (!isc_book_plan_balance(book, config, balance->name, balance, &c, error))
			return FALSE;
		isc_book_commit(&c);
	}
	g_auto(GStrv) hosts = isc_book_hosts(fw->book);
	for (guint i = 0; hosts[i]; i++) {
		const GArray *known = isc_book_host(fw->book, hosts[i]);
		g_auto(IscBookChange) c = { 0 };
		if (!known)
			continue;
		if (!isc_book_plan_host(book, config, hosts[i], known, &c, error))
			return FALSE;
		isc_book_commit(&c);
	}
	fw->config = config_copy(config);
	fw->book = book;
	if (!write_all(fw, /* with_nodes= */ fw->is_exact || fences->len > 0, error)) {
		config_clear(&fw->config);
		fw->config = old;
		fw->book = old_book;
		return FALSE;
	}
	book = old_book; /* freed on the way out */
	config_clear(&old);
	return TRUE;
}

gboolean isc_firewall_reconfigure(IscFirewall *fw, const IscFirewallConfig *config, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	return reconfigure(fw, config, error);
}

gboolean isc_firewall_set_host_nets(IscFirewall *fw, const IscNet *nets, gsize n,
		gboolean is_router, gboolean *changed, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	IscNftConfig config = fw->config;

	*changed = n != config.n_host_nets || is_router != config.is_router;
	for (gsize i = 0; i < n && !*changed; i++)
		*changed = nets[i].address != config.host_nets[i].address ||
			   nets[i].prefix != config.host_nets[i].prefix;
	config.host_nets = nets;
	config.n_host_nets = n;
	config.is_router = is_router;
	return !*changed || reconfigure(fw, &config, error);
}

/* --- questions ------------------------------------------------------------------------------- */

gboolean isc_firewall_node_verify(IscFirewall *fw, const IscFence *fence, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	g_autoptr(GPtrArray) wanted = g_ptr_array_new();
	const IscNftElement *missing;
	gboolean all;

	g_autoptr(GArray) elements = isc_book_elements_of(fw->book, &fw->config, fence, error);
	if (!elements)
		return FALSE;
	g_autofree gchar *print = isc_nft_read_print(fw->reader, NULL, error);
	if (!print)
		return FALSE;
	if (g_strcmp0(print, fw->print) != 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"the rules in the kernel are not those that were written");
		return FALSE;
	}
	for (guint i = 0; i < elements->len; i++)
		g_ptr_array_add(wanted, &g_array_index(elements, IscNftElement, i));
	if (!isc_nft_read_has(fw->reader, wanted, &all, &missing, error))
		return FALSE;
	if (all)
		return TRUE;
	g_autofree gchar *text = isc_nft_element_print(missing);
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"node '%s': the kernel does not hold '%s' in set '%s'", fence->name, text,
			isc_nft_set_info(missing->set)->name);
	return FALSE;
}

/* What is amiss with one set, or NULL. */
static gchar *set_amiss(IscFirewall *fw, IscNftSet set, guint wanted, GError **error)
{
	const gchar *name = isc_nft_set_info(set)->name;
	g_autoptr(GArray) held = isc_nft_read_set(fw->reader, set, error);
	guint known = 0;

	if (!held)
		return NULL;
	for (guint i = 0; i < held->len; i++) {
		const IscNftElement *e = &g_array_index(held, IscNftElement, i);
		const IscNftElement *own = isc_book_find(fw->book, e);
		gboolean is_ours = own && own->rate == e->rate &&
				   memcmp(own->data, e->data, sizeof e->data) == 0;
		known += is_ours ? 1 : 0;
		if (is_ours || !fw->is_exact)
			continue;
		g_autofree gchar *text = isc_nft_element_print(e);
		return g_strdup_printf("set '%s' holds '%s', which is not ours", name, text);
	}
	if (known == wanted)
		return NULL;
	return g_strdup_printf("set '%s' holds %u of our %u elements", name, known, wanted);
}

gboolean isc_firewall_is_intact(IscFirewall *fw, gboolean *intact, gchar **why, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	g_autoptr(GError) local = NULL;
	guint wanted[ISC_N_NFT_SETS] = { 0 };
	g_autofree gchar *print = isc_nft_read_print(fw->reader, NULL, error);
	g_autoptr(GPtrArray) elements = isc_book_elements(fw->book);
	g_autofree gchar *amiss = NULL;

	if (!print)
		return FALSE;
	if (g_strcmp0(print, fw->print) != 0)
		amiss = g_strdup("the rules are not those that were written");
	for (guint i = 0; i < elements->len; i++)
		wanted[((const IscNftElement *)g_ptr_array_index(elements, i))->set]++;
	for (guint set = 0; set < ISC_N_NFT_SETS && !amiss && !local; set++)
		amiss = set_amiss(fw, (IscNftSet)set, wanted[set], &local);
	if (local) {
		g_propagate_error(error, g_steal_pointer(&local));
		return FALSE;
	}
	*intact = amiss == NULL;
	if (why)
		*why = g_steal_pointer(&amiss);
	return TRUE;
}

/* What comes to a port that nodes' connections leave from may be an answer to one of them. */
static gboolean is_apart(const IscNftConfig *config, const IscExpose *expose, GError **error)
{
	guint first = config->leave_first ? config->leave_first : ISC_NFT_LEAVE_FIRST;
	guint last = config->leave_first ? config->leave_last : ISC_NFT_LEAVE_LAST;

	if (expose->host_last < first || expose->host_first > last)
		return TRUE;
	g_autofree gchar *text = isc_expose_print(expose);
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"'%s': from ports %u to %u nodes' own connections leave the dock; expose "
			"another one, or see MasqueradePorts= in isc-dock.conf(5)",
			text, first, last);
	return FALSE;
}

gboolean isc_firewall_check_free(
		IscFirewall *fw, const IscExpose *expose, guint except, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	g_autoptr(GPtrArray) fences = isc_book_fences(fw->book);

	if (!is_apart(&fw->config, expose, error))
		return FALSE;
	for (guint n = 0; n < fences->len; n++) {
		const IscFence *fence = g_ptr_array_index(fences, n);
		/* Of shared ports the register tells, which knows also of members that are down. */
		gboolean is_asked = fence->slot != except && !*fence->set && fence->expose;
		for (guint i = 0; is_asked && i < fence->expose->len; i++) {
			const IscExpose *has = &g_array_index(fence->expose, IscExpose, i);
			if (!isc_expose_overlaps(has, expose))
				continue;
			g_autofree gchar *text = isc_expose_print(has);
			g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
					"the port is taken: node '%s' exposes '%s'", fence->name,
					text);
			return FALSE;
		}
	}
	return isc_ports_check_free(expose, error);
}

gboolean isc_firewall_counters(
		IscFirewall *fw, const IscFence *fence, IscFirewallCounters *out, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);

	memset(out, 0, sizeof *out);
	if (!fence)
		return isc_nft_read_sums(fw->reader, out->packets, out->bytes, out->passed, error);
	g_autoptr(GArray) counts =
			isc_nft_read_counts_of(fw->reader, fence->tap, fence->address, error);
	if (!counts || !isc_nft_read_passes_of(fw->reader, fence->address, out->passed, error))
		return FALSE;
	for (guint i = 0; i < counts->len; i++) {
		const IscNftCount *count = &g_array_index(counts, IscNftCount, i);
		out->packets[count->kind] += count->packets;
		out->bytes[count->kind] += count->bytes;
	}
	return TRUE;
}

guint isc_firewall_n_nodes(IscFirewall *fw)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	return isc_book_n_nodes(fw->book);
}

int isc_firewall_guard_fd(IscFirewall *fw)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw->lock);
	return fw->guard ? fcntl(isc_guard_fd(fw->guard), F_DUPFD_CLOEXEC, 3) : -1;
}

gboolean isc_firewall_is_own_port(IscFirewall *fw, guint32 port)
{
	return port == isc_nft_writer_port(fw->writer) ||
	       (fw->guard && port == isc_guard_port(fw->guard)) ||
	       g_hash_table_contains(fw->own_ports, GUINT_TO_POINTER(port));
}
