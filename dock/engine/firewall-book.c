#include "engine/firewall-book.h"

#include <string.h>

#include "base/error.h"

typedef struct {
	IscFence *fence;
	GArray *elements; /* of IscNftElement */
} Node;

/* What is known of one element: whose it is and, for elements of a class, how many nodes have it.
 */
typedef struct {
	IscNftElement element; /* also the key in the table */
	guint slot;
	guint refs;
} Owner;

/* The ports that members of a set share.  They are the set's own, which has a number where a node
 * has its slot. */
typedef struct {
	guint id;
	IscBalance *wanted;
	GArray *elements; /* of IscNftElement */
} Shared;

#define FIRST_ID 0x100000u /* above all slots */

/* A group that nodes are in. */
typedef struct {
	gchar name[ISC_NAME_MAX + 1];
	guint members;
} Group;

struct IscBook {
	GHashTable *nodes;     /* slot → Node */
	GHashTable *owners;    /* IscNftElement → Owner */
	GHashTable *names;     /* node name → slot */
	GHashTable *referrers; /* node name, or host name with its dots → GHashTable of slots whose
				  rules name it */
	GHashTable *classes;   /* name of an egress class → number of its elements */
	GHashTable *groups;    /* number of a group → Group */
	GHashTable *hosts;     /* name of a host that rules name → GArray of guint32 */
	GHashTable *sets;      /* name of a set → Shared */
	GHashTable *set_ids;   /* its number → the same Shared */
	guint last_id;
};

static void node_free(gpointer p)
{
	Node *node = p;
	isc_fence_free(node->fence);
	g_array_unref(node->elements);
	g_free(node);
}

static void shared_free(gpointer p)
{
	Shared *shared = p;
	isc_balance_free(shared->wanted);
	g_array_unref(shared->elements);
	g_free(shared);
}

IscBook *isc_book_new(void)
{
	IscBook *book = g_new0(IscBook, 1);

	book->nodes = g_hash_table_new_full(NULL, NULL, NULL, node_free);
	book->owners = g_hash_table_new_full(
			isc_nft_element_hash, isc_nft_element_equal, NULL, g_free);
	book->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	book->referrers = g_hash_table_new_full(
			g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
	book->classes = g_hash_table_new(NULL, NULL);
	book->groups = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	book->hosts = g_hash_table_new_full(
			g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
	book->sets = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, shared_free);
	book->set_ids = g_hash_table_new(NULL, NULL);
	book->last_id = FIRST_ID;
	return book;
}

void isc_book_free(IscBook *book)
{
	if (!book)
		return;
	g_hash_table_unref(book->nodes);
	g_hash_table_unref(book->owners);
	g_hash_table_unref(book->names);
	g_hash_table_unref(book->referrers);
	g_hash_table_unref(book->classes);
	g_hash_table_unref(book->groups);
	g_hash_table_unref(book->hosts);
	g_hash_table_unref(book->sets);
	g_hash_table_unref(book->set_ids);
	g_free(book);
}

/* --- planning -------------------------------------------------------------------------------- */

static void resolve_host(const IscBookChange *c, const gchar *name, GArray *out)
{
	const GArray *known = c->host && strcmp(c->host, name) == 0
					      ? c->addresses
					      : g_hash_table_lookup(c->book->hosts, name);
	if (known)
		g_array_append_vals(out, known->data, known->len);
}

static void resolve(const IscEgress *rule, GArray *out, gpointer data)
{
	const IscBookChange *c = data;
	const gchar *name = rule->name;
	guint slot = GPOINTER_TO_UINT(g_hash_table_lookup(c->book->names, name));
	const Node *node =
			slot ? g_hash_table_lookup(c->book->nodes, GUINT_TO_POINTER(slot)) : NULL;

	if (rule->kind == ISC_EGRESS_HOST)
		resolve_host(c, name, out);
	else if (c->fence && strcmp(c->fence->name, name) == 0)
		g_array_append_val(out, c->fence->address);
	else if (node && slot != c->slot)
		g_array_append_val(out, node->fence->address);
}

static gboolean is_name_free(IscBook *book, const IscFence *fence, GError **error)
{
	guint holder = GPOINTER_TO_UINT(g_hash_table_lookup(book->names, fence->name));
	if (holder == 0 || holder == fence->slot)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "node '%s' has slot %u already", fence->name,
			holder);
	return FALSE;
}

/* Two groups of one number would be one group to the kernel. */
static gboolean is_group_sound(IscBook *book, const IscFence *fence, GError **error)
{
	const Group *group = *fence->group ? g_hash_table_lookup(book->groups,
							     GUINT_TO_POINTER(isc_nft_group_id(
									     fence->group)))
					   : NULL;
	if (!group || strcmp(group->name, fence->group) == 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"group '%s': its short name collides with that of group '%s'; name it "
			"differently",
			fence->group, group->name);
	return FALSE;
}

static gpointer class_key(const IscNftElement *e)
{
	guint32 name;
	memcpy(&name, e->key, sizeof name);
	return GUINT_TO_POINTER(name);
}

/* A class is named by a hash of 31 bits of its rules.  Two policies of one name would each get the
 * other's rules, so the second is refused: all elements of a class come and go together, and a
 * newcomer must have just those. */
static gboolean is_class_sound(IscBook *book, const GArray *elements, GError **error)
{
	guint n = 0, known = 0, total = 0;

	for (guint i = 0; i < elements->len; i++) {
		const IscNftElement *e = &g_array_index(elements, IscNftElement, i);
		if (!isc_nft_element_is_shared(e))
			continue;
		n++;
		known += g_hash_table_contains(book->owners, e) ? 1 : 0;
		total = GPOINTER_TO_UINT(g_hash_table_lookup(book->classes, class_key(e)));
	}
	if (total == 0 || (known == total && n == total))
		return TRUE;
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_STATE,
			"egress rules: their short name collides with another node's; word them "
			"differently");
	return FALSE;
}

static void add_step(IscBookChange *c, const IscNftElement *e, guint slot, gint delta)
{
	const IscBookStep step = { e, slot, delta };
	g_array_append_val(c->steps, step);
}

/* What a node has against what it shall have. */
static void compare(IscBookChange *c, guint slot, GArray *old, GArray *new)
{
	g_autoptr(GHashTable) wanted =
			g_hash_table_new(isc_nft_element_hash, isc_nft_element_equal);

	for (guint i = 0; i < new->len; i++)
		g_hash_table_add(wanted, &g_array_index(new, IscNftElement, i));
	for (guint i = 0; old && i < old->len; i++) {
		const IscNftElement *was = &g_array_index(old, IscNftElement, i);
		const IscNftElement *is = g_hash_table_lookup(wanted, was);
		if (!is) {
			add_step(c, was, slot, -1);
			continue;
		}
		if (is->rate != was->rate || memcmp(is->data, was->data, sizeof is->data) != 0) {
			g_ptr_array_add(c->gone, (gpointer)was);
			g_ptr_array_add(c->come, (gpointer)is);
			add_step(c, is, slot, 0);
		}
		g_hash_table_remove(wanted, was);
	}
	for (guint i = 0; i < new->len; i++) {
		const IscNftElement *e = &g_array_index(new, IscNftElement, i);
		if (g_hash_table_contains(wanted, e))
			add_step(c, e, slot, +1);
	}
}

/* Works out the new elements of @slot. */
static gboolean plan_node(IscBookChange *c, guint slot, const IscFence *fence, GError **error)
{
	const Node *node = g_hash_table_lookup(c->book->nodes, GUINT_TO_POINTER(slot));
	GArray *new = fence ? isc_nft_fence_elements(c->config, fence, resolve, c, error)
			    : g_array_new(FALSE, TRUE, sizeof(IscNftElement));

	if (!new)
		return FALSE;
	g_hash_table_insert(c->fresh, GUINT_TO_POINTER(slot), new);
	compare(c, slot, node ? node->elements : NULL, new);
	return is_class_sound(c->book, new, error);
}

/* Rules "node:NAME:…" of other nodes begin to hold when NAME comes and end when it goes: its
 * address may be another node's tomorrow. */
static gboolean plan_referrers(IscBookChange *c, const gchar *old_name, GError **error)
{
	const gchar *affected[] = { old_name, c->fence ? c->fence->name : NULL, c->host };

	for (gsize i = 0; i < G_N_ELEMENTS(affected); i++) {
		GHashTable *slots =
				affected[i] ? g_hash_table_lookup(c->book->referrers, affected[i])
					    : NULL;
		GHashTableIter iter;
		gpointer slot;
		if (!slots)
			continue;
		g_hash_table_iter_init(&iter, slots);
		while (g_hash_table_iter_next(&iter, &slot, NULL)) {
			const Node *node = g_hash_table_lookup(c->book->nodes, slot);
			if (g_hash_table_contains(c->fresh, slot))
				continue;
			if (!plan_node(c, GPOINTER_TO_UINT(slot), node->fence, error))
				return FALSE;
		}
	}
	return TRUE;
}

/* The addresses of those members of @balance that are in force once @c is. */
static GArray *members_in_force(const IscBookChange *c, const IscBalance *balance)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(guint32));

	for (guint i = 0; i < balance->slots->len; i++) {
		guint slot = g_array_index(balance->slots, guint, i);
		const Node *node = g_hash_table_lookup(c->book->nodes, GUINT_TO_POINTER(slot));
		const IscFence *fence = slot == c->slot ? c->fence : node ? node->fence : NULL;
		/* A slot may be another node's by now. */
		if (fence && !fence->quarantined && strcmp(fence->set, balance->name) == 0)
			g_array_append_val(out, fence->address);
	}
	return out;
}

static void plan_shared(IscBookChange *c, guint id, const Shared *known, const IscBalance *wanted)
{
	g_autoptr(GArray) members = wanted ? members_in_force(c, wanted)
					   : g_array_new(FALSE, FALSE, sizeof(guint32));
	GArray *new = wanted ? isc_nft_balance_elements(wanted->expose,
					       (const guint32 *)(gpointer)members->data,
					       members->len)
			     : g_array_new(FALSE, TRUE, sizeof(IscNftElement));

	g_hash_table_insert(c->fresh, GUINT_TO_POINTER(id), new);
	compare(c, id, known ? known->elements : NULL, new);
}

/* What the sets share that the node was, or is, a member of. */
static void plan_sets(IscBookChange *c, const IscFence *old)
{
	const IscFence *each[] = { old, c->fence };

	for (gsize i = 0; i < G_N_ELEMENTS(each); i++) {
		const Shared *shared =
				each[i] ? g_hash_table_lookup(c->book->sets, each[i]->set) : NULL;
		if (shared && !g_hash_table_contains(c->fresh, GUINT_TO_POINTER(shared->id)))
			plan_shared(c, shared->id, shared, shared->wanted);
	}
}

static gboolean taken(IscBook *book, const Owner *owner, GError **error)
{
	const Node *node = g_hash_table_lookup(book->nodes, GUINT_TO_POINTER(owner->slot));
	const Shared *shared = g_hash_table_lookup(book->set_ids, GUINT_TO_POINTER(owner->slot));
	g_autofree gchar *text = isc_nft_element_print(&owner->element);
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "%s is taken by %s '%s' (%s)",
			isc_nft_set_info(owner->element.set)->data_len ? "the port"
								       : "the address or tap",
			shared ? "set" : "node",
			shared ? shared->wanted->name
			: node ? node->fence->name
			       : "?",
			text);
	return FALSE;
}

/* From steps to elements that come and go: those whose count of users leaves or reaches zero. */
static gboolean settle(IscBookChange *c, GError **error)
{
	g_autoptr(GHashTable) deltas =
			g_hash_table_new(isc_nft_element_hash, isc_nft_element_equal);

	for (guint i = 0; i < c->steps->len; i++) {
		const IscBookStep *step = &g_array_index(c->steps, IscBookStep, i);
		gint sum = GPOINTER_TO_INT(g_hash_table_lookup(deltas, step->element)) +
			   step->delta;
		if (step->delta)
			g_hash_table_replace(deltas, (gpointer)step->element, GINT_TO_POINTER(sum));
	}
	for (guint i = 0; i < c->steps->len; i++) {
		const IscNftElement *e = g_array_index(c->steps, IscBookStep, i).element;
		gpointer delta;
		if (!g_hash_table_steal_extended(deltas, e, NULL, &delta))
			continue; /* seen, or only its value changes */
		const Owner *owner = g_hash_table_lookup(c->book->owners, e);
		gint refs = owner ? (gint)owner->refs : 0, next = refs + GPOINTER_TO_INT(delta);
		if (owner && next > 1 && !isc_nft_element_is_shared(e))
			return taken(c->book, owner, error);
		if (refs == 0 && next > 0)
			g_ptr_array_add(c->come, (gpointer)e);
		if (refs > 0 && next == 0)
			g_ptr_array_add(c->gone, (gpointer)e);
	}
	return TRUE;
}

static IscBookChange change_new(IscBook *book, const IscNftConfig *config)
{
	return (IscBookChange){ .book = book,
		.config = config,
		.fresh = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref),
		.steps = g_array_new(FALSE, FALSE, sizeof(IscBookStep)),
		.gone = g_ptr_array_new(),
		.come = g_ptr_array_new() };
}

gboolean isc_book_plan(IscBook *book, const IscNftConfig *config, guint slot, const IscFence *fence,
		IscBookChange *out, GError **error)
{
	const Node *node = g_hash_table_lookup(book->nodes, GUINT_TO_POINTER(slot));

	*out = change_new(book, config);
	out->slot = slot;
	out->fence = fence;
	if ((fence && (!is_name_free(book, fence, error) || !is_group_sound(book, fence, error))) ||
			!plan_node(out, slot, fence, error) ||
			!plan_referrers(out, node ? node->fence->name : NULL, error))
		return FALSE;
	plan_sets(out, node ? node->fence : NULL);
	return settle(out, error);
}

gboolean isc_book_plan_balance(IscBook *book, const IscNftConfig *config, const gchar *set,
		const IscBalance *balance, IscBookChange *out, GError **error)
{
	const Shared *known = g_hash_table_lookup(book->sets, set);

	*out = change_new(book, config);
	out->set = set;
	out->balance = balance;
	plan_shared(out, known ? known->id : book->last_id + 1, known, balance);
	return settle(out, error);
}

gboolean isc_book_plan_host(IscBook *book, const IscNftConfig *config, const gchar *host,
		const GArray *addresses, IscBookChange *out, GError **error)
{
	*out = change_new(book, config);
	out->host = host;
	out->addresses = addresses;
	return plan_referrers(out, NULL, error) && settle(out, error);
}

void isc_book_change_clear(IscBookChange *c)
{
	g_clear_pointer(&c->fresh, g_hash_table_unref);
	g_clear_pointer(&c->steps, g_array_unref);
	g_clear_pointer(&c->gone, g_ptr_array_unref);
	g_clear_pointer(&c->come, g_ptr_array_unref);
}

/* --- entering -------------------------------------------------------------------------------- */

static void enter_step(IscBook *book, const IscBookStep *step)
{
	const IscNftElement *e = step->element;
	Owner *owner = g_hash_table_lookup(book->owners, e);
	guint before;

	if (!owner) {
		owner = g_new0(Owner, 1);
		owner->element = *e;
		owner->slot = step->slot;
		g_hash_table_insert(book->owners, &owner->element, owner);
	}
	before = owner->refs;
	owner->element = *e; /* perhaps a new value or rate under the same key */
	owner->refs = (guint)((gint)before + step->delta);
	if (isc_nft_element_is_shared(e) && (before == 0) != (owner->refs == 0)) {
		guint n = GPOINTER_TO_UINT(g_hash_table_lookup(book->classes, class_key(e)));
		n = before == 0 ? n + 1 : n - 1;
		if (n)
			g_hash_table_insert(book->classes, class_key(e), GUINT_TO_POINTER(n));
		else
			g_hash_table_remove(book->classes, class_key(e));
	}
	if (owner->refs == 0)
		g_hash_table_remove(book->owners, &owner->element);
}

/* Counts a node in, or out of, its group. */
static void join(IscBook *book, const IscFence *fence, gboolean on)
{
	gpointer id = GUINT_TO_POINTER(isc_nft_group_id(fence->group));
	Group *group = *fence->group ? g_hash_table_lookup(book->groups, id) : NULL;

	if (!*fence->group)
		return;
	if (!group) {
		group = g_new0(Group, 1);
		g_strlcpy(group->name, fence->group, sizeof group->name);
		g_hash_table_insert(book->groups, id, group);
	}
	group->members = on ? group->members + 1 : group->members - 1;
	if (group->members == 0)
		g_hash_table_remove(book->groups, id);
}

/* Notes, or forgets, whom the rules of @fence name. */
static void refer(IscBook *book, const IscFence *fence, gboolean on)
{
	gpointer slot = GUINT_TO_POINTER(fence->slot);

	for (guint i = 0; fence->egress && i < fence->egress->len; i++) {
		const IscEgress *rule = &g_array_index(fence->egress, IscEgress, i);
		if (rule->kind != ISC_EGRESS_NODE && rule->kind != ISC_EGRESS_HOST)
			continue;
		GHashTable *slots = g_hash_table_lookup(book->referrers, rule->name);
		if (!slots && on) {
			slots = g_hash_table_new(NULL, NULL);
			g_hash_table_insert(book->referrers, g_strdup(rule->name), slots);
		}
		if (on)
			g_hash_table_add(slots, slot);
		else if (slots && g_hash_table_remove(slots, slot) && g_hash_table_size(slots) == 0)
			g_hash_table_remove(book->referrers, rule->name);
	}
}

static void enter_node(IscBookChange *c, GArray *elements)
{
	IscBook *book = c->book;
	gpointer slot = GUINT_TO_POINTER(c->slot);
	IscFence *fence = c->fence ? isc_fence_copy(c->fence) : NULL;
	const Node *old = g_hash_table_lookup(book->nodes, slot);

	if (old) {
		refer(book, old->fence, FALSE);
		join(book, old->fence, FALSE);
		g_hash_table_remove(book->names, old->fence->name);
		g_hash_table_remove(book->nodes, slot);
	}
	if (!fence)
		return;
	Node *node = g_new0(Node, 1);
	node->fence = fence;
	node->elements = g_array_ref(elements);
	g_hash_table_insert(book->nodes, slot, node);
	g_hash_table_insert(book->names, g_strdup(fence->name), slot);
	refer(book, fence, TRUE);
	join(book, fence, TRUE);
}

static gboolean is_unreferred(gpointer host, gpointer addresses, gpointer book)
{
	(void)addresses;
	return !g_hash_table_contains(((IscBook *)book)->referrers, host);
}

/* What is known of hosts that rules name; of others nothing is kept, as nobody asks for them again.
 */
static void enter_host(IscBookChange *c)
{
	if (c->host)
		g_hash_table_insert(c->book->hosts, g_strdup(c->host),
				g_array_copy((GArray *)c->addresses));
	g_hash_table_foreach_remove(c->book->hosts, is_unreferred, c->book);
}

/* Another list of those who share, or none. */
static void enter_balance(IscBookChange *c)
{
	IscBook *book = c->book;
	Shared *known = g_hash_table_lookup(book->sets, c->set);

	if (!c->balance) {
		if (known)
			g_hash_table_remove(book->set_ids, GUINT_TO_POINTER(known->id));
		g_hash_table_remove(book->sets, c->set);
		return;
	}
	Shared *shared = g_new0(Shared, 1);
	shared->id = known ? known->id : ++book->last_id;
	shared->wanted = isc_balance_new(c->balance->name, c->balance->expose);
	g_array_append_vals(shared->wanted->slots, c->balance->slots->data, c->balance->slots->len);
	shared->elements = g_array_ref(g_hash_table_lookup(c->fresh, GUINT_TO_POINTER(shared->id)));
	g_hash_table_replace(book->sets, shared->wanted->name, shared);
	g_hash_table_insert(book->set_ids, GUINT_TO_POINTER(shared->id), shared);
}

static GArray **elements_at(IscBook *book, gpointer slot)
{
	Node *node = g_hash_table_lookup(book->nodes, slot);
	Shared *shared = g_hash_table_lookup(book->set_ids, slot);

	return node ? &node->elements : shared ? &shared->elements : NULL;
}

void isc_book_commit(IscBookChange *c)
{
	GHashTableIter iter;
	gpointer slot, elements;

	for (guint i = 0; i < c->steps->len; i++)
		enter_step(c->book, &g_array_index(c->steps, IscBookStep, i));
	/* Steps point into the nodes' old arrays, so these are let go only now. */
	g_hash_table_iter_init(&iter, c->fresh);
	while (g_hash_table_iter_next(&iter, &slot, &elements)) {
		GArray **old = elements_at(c->book, slot);
		if (GPOINTER_TO_UINT(slot) == c->slot || !old)
			continue;
		g_array_unref(*old);
		*old = g_array_ref(elements);
	}
	if (c->set)
		enter_balance(c);
	else
		enter_node(c, g_hash_table_lookup(c->fresh, GUINT_TO_POINTER(c->slot)));
	enter_host(c);
}

/* --- questions ------------------------------------------------------------------------------- */

GArray *isc_book_elements_of(
		IscBook *book, const IscNftConfig *config, const IscFence *fence, GError **error)
{
	IscBookChange c = { .book = book, .config = config, .slot = fence->slot, .fence = fence };
	return isc_nft_fence_elements(config, fence, resolve, &c, error);
}

const IscFence *isc_book_fence(IscBook *book, guint slot)
{
	const Node *node = g_hash_table_lookup(book->nodes, GUINT_TO_POINTER(slot));
	return node ? node->fence : NULL;
}

guint isc_book_n_nodes(IscBook *book)
{
	return g_hash_table_size(book->nodes);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const gchar *const *)a, *(const gchar *const *)b);
}

gchar **isc_book_hosts(IscBook *book)
{
	GPtrArray *out = g_ptr_array_new();
	GHashTableIter iter;
	gpointer name;

	g_hash_table_iter_init(&iter, book->referrers);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		if (strchr(name, '.')) /* nodes' names have none */
			g_ptr_array_add(out, g_strdup(name));
	g_ptr_array_sort(out, compare_names);
	g_ptr_array_add(out, NULL);
	return (gchar **)g_ptr_array_free(out, FALSE);
}

const GArray *isc_book_host(IscBook *book, const gchar *host)
{
	return g_hash_table_lookup(book->hosts, host);
}

GPtrArray *isc_book_fences(IscBook *book)
{
	GPtrArray *out = g_ptr_array_new();
	GHashTableIter iter;
	gpointer node;

	g_hash_table_iter_init(&iter, book->nodes);
	while (g_hash_table_iter_next(&iter, NULL, &node))
		g_ptr_array_add(out, ((Node *)node)->fence);
	return out;
}

GPtrArray *isc_book_balances(IscBook *book)
{
	GPtrArray *out = g_ptr_array_new();
	GHashTableIter iter;
	gpointer shared;

	g_hash_table_iter_init(&iter, book->sets);
	while (g_hash_table_iter_next(&iter, NULL, &shared))
		g_ptr_array_add(out, ((Shared *)shared)->wanted);
	return out;
}

GPtrArray *isc_book_elements(IscBook *book)
{
	GPtrArray *out = g_ptr_array_sized_new(g_hash_table_size(book->owners));
	GHashTableIter iter;
	gpointer element;

	g_hash_table_iter_init(&iter, book->owners);
	while (g_hash_table_iter_next(&iter, &element, NULL))
		g_ptr_array_add(out, element);
	return out;
}

const IscNftElement *isc_book_find(IscBook *book, const IscNftElement *key)
{
	const Owner *owner = g_hash_table_lookup(book->owners, key);
	return owner ? &owner->element : NULL;
}
