/* R1.7: what the rules ought to be. */
#include "cm.h"

#include "engine/firewall-book.h"
#include "fence.h"

/* Plans and enters @fence (or the removal of @slot); the numbers of elements that go and come. */
static void enter(IscBook *book, guint slot, const IscFence *fence, guint *gone, guint *come)
{
	g_auto(IscBookChange) c = { 0 };
	GError *error = NULL;
	gboolean ok = isc_book_plan(book, &test_config, slot, fence, &c, &error);

	assert_no_error(error);
	assert_true(ok);
	*gone = c.gone->len;
	*come = c.come->len;
	isc_book_commit(&c);
}

static guint count(IscBook *book, IscNftSet set)
{
	g_autoptr(GPtrArray) all = isc_book_elements(book);
	guint n = 0;
	for (guint i = 0; i < all->len; i++)
		n += ((const IscNftElement *)g_ptr_array_index(all, i))->set == set;
	return n;
}

static void only_what_differs_goes_and_comes(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) a = fence_new(2, "web", "80:80 81:81", NULL);
	g_autoptr(IscFence) b = fence_new(2, "web", "80:80 82:82", NULL);
	guint gone, come;

	enter(book, 2, a, &gone, &come);
	assert_int_equal(gone, 0);
	assert_int_equal(come, 5 + 2);
	enter(book, 2, a, &gone, &come);
	assert_int_equal(gone + come, 0);
	enter(book, 2, b, &gone, &come);
	assert_int_equal(gone, 1);
	assert_int_equal(come, 1);
	b->quarantined = TRUE;
	enter(book, 2, b, &gone, &come);
	assert_int_equal(gone, 2); /* it is no longer let in at its port, nor ordinary */
	assert_int_equal(come, 2);
	enter(book, 2, NULL, &gone, &come);
	assert_int_equal(gone, 5 + 2);
	assert_int_equal(isc_book_n_nodes(book), 0);
	g_autoptr(GPtrArray) rest = isc_book_elements(book);
	assert_int_equal(rest->len, 0);
}

static void a_new_value_under_the_same_key_goes_and_comes(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) a = fence_new(2, "web", "80:80", NULL);
	g_autoptr(IscFence) b = fence_new(2, "web", "80:8080", NULL);
	guint gone, come;

	a->rate_up = 1000;
	b->rate_up = 2000;
	enter(book, 2, a, &gone, &come);
	enter(book, 2, b, &gone, &come);
	assert_int_equal(gone, 2);
	assert_int_equal(come, 2);
	g_autoptr(GPtrArray) all = isc_book_elements(book);
	for (guint i = 0; i < all->len; i++) {
		const IscNftElement *e = g_ptr_array_index(all, i);
		if (e->set == ISC_NFT_RATE_UP)
			assert_int_equal(e->rate, 2000);
	}
}

static void what_leads_to_a_stand_in_is_still_the_nodes_own(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) web = fence_new(2, "web", "80:8080 81:8081", NULL);
	g_autoptr(IscFence) next = fence_new(3, "web-next", NULL, NULL);
	guint gone, come;

	enter(book, 2, web, &gone, &come);
	enter(book, 3, next, &gone, &come);
	web->stand_in = next->address;
	enter(book, 2, web, &gone, &come);
	assert_int_equal(gone, 2); /* the two ports, and nothing else */
	assert_int_equal(come, 2);
	enter(book, 3, NULL, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_EXPOSE), 2);
	web->stand_in = 0;
	enter(book, 2, web, &gone, &come);
	assert_int_equal(gone + come, 4);
	enter(book, 2, NULL, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_EXPOSE), 0);
}

static void what_another_node_has_is_refused_and_its_name_told(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) a = fence_new(2, "web", "80:80", NULL);
	g_autoptr(IscFence) port = fence_new(3, "other", "80:8080", NULL);
	g_autoptr(IscFence) address = fence_new(3, "other", NULL, NULL);
	g_autoptr(IscFence) name = fence_new(3, "web", NULL, NULL);
	IscFence *bad[] = { port, address, name };
	guint gone, come;

	address->address = a->address;
	enter(book, 2, a, &gone, &come);
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_auto(IscBookChange) c = { 0 };
		GError *error = NULL;
		assert_false(isc_book_plan(book, &test_config, 3, bad[i], &c, &error));
		assert_error(error, ISC_ERROR_STATE, "'web'");
	}
	assert_int_equal(isc_book_n_nodes(book), 1);
}

static void rules_that_name_a_node_hold_while_it_is_there(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) app = fence_new(2, "app", NULL, "node:db:tcp/5432");
	g_autoptr(IscFence) db = fence_new(3, "db", NULL, "node:app:tcp/1 node:db:tcp/2");
	g_autoptr(IscFence) thief = fence_new(3, "thief", NULL, NULL);
	guint gone, come;

	enter(book, 2, app, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_PEER), 0);
	enter(book, 3, db, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_PEER), 3);
	enter(book, 3, NULL, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_PEER), 0);
	/* The address goes to another: the old rule must not follow it. */
	enter(book, 3, thief, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_PEER), 0);
	/* Also if it changes hands in one step. */
	enter(book, 3, db, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_PEER), 3);
	enter(book, 3, thief, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_PEER), 0);
	enter(book, 2, NULL, &gone, &come);
	enter(book, 3, NULL, &gone, &come);
	g_autoptr(GPtrArray) rest = isc_book_elements(book);
	assert_int_equal(rest->len, 0);
}

static void joining_a_group_costs_the_same_however_many_are_in_it(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	guint gone, come;

	for (guint slot = 2; slot < 200; slot++) {
		g_autofree gchar *name = g_strdup_printf("n%u", slot);
		g_autoptr(IscFence) f = fence_new(slot, name, NULL, "group:shop:tcp/80-81");
		g_strlcpy(f->group, "shop", sizeof f->group);
		enter(book, slot, f, &gone, &come);
		assert_int_equal(gone, 0);
		assert_int_equal(come, 5 + 1 + 2);
	}
	assert_int_equal(count(book, ISC_NFT_GROUP), 198);
	for (guint slot = 2; slot < 200; slot++) {
		enter(book, slot, NULL, &gone, &come);
		assert_int_equal(gone, 5 + 1 + 2);
		assert_int_equal(come, 0);
	}
	assert_int_equal(count(book, ISC_NFT_GROUP_PEER), 0);
}

/* Names whose hashes agree in the 31 bits that the kernel is told of; found by trying. */
static void two_groups_of_one_number_are_not_one(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) a = fence_new(2, "a", NULL, NULL);
	g_autoptr(IscFence) b = fence_new(3, "b", NULL, NULL);
	g_auto(IscBookChange) c = { 0 };
	GError *error = NULL;
	guint gone, come;

	g_strlcpy(a->group, "g19493", sizeof a->group);
	g_strlcpy(b->group, "g48715", sizeof b->group);
	assert_int_equal(isc_nft_group_id(a->group), isc_nft_group_id(b->group));
	enter(book, 2, a, &gone, &come);
	assert_false(isc_book_plan(book, &test_config, 3, b, &c, &error));
	assert_error(error, ISC_ERROR_STATE, "collides with that of group 'g19493'");
	enter(book, 2, NULL, &gone, &come);
	enter(book, 3, b, &gone, &come);
	enter(book, 3, b, &gone, &come);
	enter(book, 3, NULL, &gone, &come);
	enter(book, 2, a, &gone, &come);
}

static void a_class_stays_until_its_last_node_goes(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) a = fence_new(2, "a", NULL, "tcp:203.0.113.0/24:443");
	g_autoptr(IscFence) b = fence_new(3, "b", NULL, "tcp:203.0.113.0/24:443");
	guint gone, come;

	enter(book, 2, a, &gone, &come);
	assert_int_equal(come, 7);
	enter(book, 3, b, &gone, &come);
	assert_int_equal(come, 6);
	enter(book, 2, NULL, &gone, &come);
	assert_int_equal(gone, 6);
	assert_int_equal(count(book, ISC_NFT_WIDE), 1);
	enter(book, 3, NULL, &gone, &come);
	assert_int_equal(gone, 7);
	assert_int_equal(count(book, ISC_NFT_WIDE), 0);
	enter(book, 2, a, &gone, &come);
	assert_int_equal(come, 7);
}

static void random_lives_leave_what_stands(void **state)
{
	(void)state;
	static const gchar *const exposes[] = { NULL, "80:80", "81:81 82:82", "udp:80:80" };
	static const gchar *const egresses[] = { NULL, "open", "node:n2:tcp/1 node:n3:udp/2",
		"tcp:203.0.113.0/24:443 icmp", "node:n4:tcp/9 tcp:203.0.113.0/24:443" };
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);

	for (guint round = 0; round < 2000; round++) {
		guint slot = (guint)g_rand_int_range(rand, 2, 7);
		g_autofree gchar *name = g_strdup_printf("n%d", g_rand_int_range(rand, 2, 7));
		g_autoptr(IscFence) fence =
				fence_new(slot, name, exposes[g_rand_int_range(rand, 0, 4)],
						egresses[g_rand_int_range(rand, 0, 5)]);
		g_auto(IscBookChange) c = { 0 };
		g_autoptr(GError) error = NULL;
		if (isc_book_plan(book, &test_config, slot, g_rand_boolean(rand) ? fence : NULL, &c,
				    &error))
			isc_book_commit(&c);
	}
	/* What is kept equals what the nodes that are left add up to. */
	g_autoptr(GPtrArray) fences = isc_book_fences(book);
	g_autoptr(GPtrArray) all = isc_book_elements(book);
	g_autoptr(GHashTable) sum = g_hash_table_new_full(
			isc_nft_element_hash, isc_nft_element_equal, g_free, NULL);
	for (guint i = 0; i < fences->len; i++) {
		g_autoptr(GArray) elements = isc_book_elements_of(
				book, &test_config, g_ptr_array_index(fences, i), NULL);
		for (guint k = 0; k < elements->len; k++)
			g_hash_table_add(sum, g_memdup2(&g_array_index(elements, IscNftElement, k),
							      sizeof(IscNftElement)));
	}
	assert_int_equal(g_hash_table_size(sum), all->len);
	for (guint i = 0; i < all->len; i++)
		assert_true(g_hash_table_contains(sum, g_ptr_array_index(all, i)));
}

static IscFence *member_new(guint slot, const gchar *name, const gchar *set)
{
	IscFence *fence = fence_new(slot, name, "80:8080", NULL);
	g_strlcpy(fence->set, set, sizeof fence->set);
	return fence;
}

/* How many buckets lead to the node in @slot. */
static guint share_of(IscBook *book, guint slot)
{
	const guint32 address = GUINT32_TO_BE(0x0a4d0000 + slot);
	g_autoptr(GPtrArray) all = isc_book_elements(book);
	guint n = 0;
	for (guint i = 0; i < all->len; i++) {
		const IscNftElement *e = g_ptr_array_index(all, i);
		n += e->set == ISC_NFT_BALANCE && memcmp(e->data, &address, 4) == 0;
	}
	return n;
}

static void balance(IscBook *book, const IscFence *member, const gchar *slots)
{
	g_auto(GStrv) words = g_strsplit(slots, " ", -1);
	g_autoptr(IscBalance) b = isc_balance_new(member->set, member->expose);
	g_auto(IscBookChange) c = { 0 };
	GError *error = NULL;
	for (gsize i = 0; words[i]; i++) {
		guint slot = (guint)atoi(words[i]);
		g_array_append_val(b->slots, slot);
	}
	assert_true(isc_book_plan_balance(
			book, &test_config, member->set, *slots ? b : NULL, &c, &error));
	isc_book_commit(&c);
}

static void shared_ports_lead_to_members_in_force_each_as_often(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) one = member_new(2, "web-1", "web");
	g_autoptr(IscFence) two = member_new(3, "web-2", "web");
	g_autoptr(IscFence) three = member_new(4, "web-3", "web");
	g_autoptr(IscFence) other = fence_new(5, "other", NULL, NULL);
	guint gone, come;

	enter(book, 2, one, &gone, &come);
	assert_int_equal(come, 5); /* its port is the set's */
	enter(book, 3, two, &gone, &come);
	enter(book, 5, other, &gone, &come);
	/* 4 is to come yet, 5 is no member */
	balance(book, one, "2 3 4 5");
	assert_int_equal(share_of(book, 2), 60);
	assert_int_equal(share_of(book, 3), 60);
	assert_int_equal(count(book, ISC_NFT_BALANCE), ISC_NFT_BUCKETS);

	/* With its fence, not before: in one change. */
	enter(book, 4, three, &gone, &come);
	assert_int_equal(share_of(book, 2), 40);
	assert_int_equal(share_of(book, 4), 40);
	/* Cut off, and gone. */
	two->quarantined = TRUE;
	enter(book, 3, two, &gone, &come);
	assert_int_equal(share_of(book, 3), 0);
	assert_int_equal(share_of(book, 2), 60);
	enter(book, 4, NULL, &gone, &come);
	assert_int_equal(share_of(book, 2), 120);
	/* Not ready, as the dock says. */
	two->quarantined = FALSE;
	enter(book, 3, two, &gone, &come);
	balance(book, one, "3");
	assert_int_equal(share_of(book, 2), 0);
	assert_int_equal(share_of(book, 3), 120);
	/* The slot is another node's by now. */
	enter(book, 3, NULL, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_BALANCE), 0);
	g_autoptr(IscFence) heir = member_new(3, "shop-1", "shop");
	enter(book, 3, heir, &gone, &come);
	assert_int_equal(count(book, ISC_NFT_BALANCE), 0);
	balance(book, one, "");
	g_autoptr(GPtrArray) sets = isc_book_balances(book);
	assert_int_equal(sets->len, 0);
}

static void a_shared_port_is_one_sets(void **state)
{
	(void)state;
	g_autoptr(IscBook) book = isc_book_new();
	g_autoptr(IscFence) web = member_new(2, "web-1", "web"),
			    shop = member_new(3, "shop-1", "shop");
	g_auto(IscBookChange) c = { 0 };
	GError *error = NULL;
	guint gone, come, slot = 3;

	enter(book, 2, web, &gone, &come);
	enter(book, 3, shop, &gone, &come);
	balance(book, web, "2");
	g_autoptr(IscBalance) b = isc_balance_new("shop", shop->expose);
	g_array_append_val(b->slots, slot);
	assert_false(isc_book_plan_balance(book, &test_config, "shop", b, &c, &error));
	assert_error(error, ISC_ERROR_STATE, "set 'web'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_differs_goes_and_comes),
		cmocka_unit_test(a_new_value_under_the_same_key_goes_and_comes),
		cmocka_unit_test(what_leads_to_a_stand_in_is_still_the_nodes_own),
		cmocka_unit_test(what_another_node_has_is_refused_and_its_name_told),
		cmocka_unit_test(rules_that_name_a_node_hold_while_it_is_there),
		cmocka_unit_test(joining_a_group_costs_the_same_however_many_are_in_it),
		cmocka_unit_test(two_groups_of_one_number_are_not_one),
		cmocka_unit_test(a_class_stays_until_its_last_node_goes),
		cmocka_unit_test(shared_ports_lead_to_members_in_force_each_as_often),
		cmocka_unit_test(a_shared_port_is_one_sets),
		cmocka_unit_test(random_lives_leave_what_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
