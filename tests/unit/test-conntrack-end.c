/* R1.8: open connections end. */
#include "netns.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>

#include "engine/conntrack-end.h"

static int setup(void **state)
{
	(void)state;
	netns_run("conntrack -F");
	netns_run("conntrack -I -p tcp -s 198.51.100.2 -d 198.51.100.1 --sport 40000 --dport 8080 "
		  "--state TIME_WAIT -t 100");
	netns_run("conntrack -I -p udp -s 198.51.100.2 -d 198.51.100.1 --sport 40000 --dport 8080 "
		  "-t 100");
	return 0;
}

typedef struct {
	guint8 proto;
	struct nf_conntrack *ct; /* of the last one of that protocol; owned */
	guint n;
} Found;

static int on_flow(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *data)
{
	Found *found = data;
	(void)type;
	found->n++;
	if (nfct_get_attr_u8(ct, ATTR_L4PROTO) != found->proto || found->ct)
		return NFCT_CB_CONTINUE;
	found->ct = ct;
	return NFCT_CB_STOLEN;
}

static Found look(guint8 proto)
{
	const guint8 family = AF_INET;
	Found found = { .proto = proto };
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	assert_non_null(h);
	nfct_callback_register(h, NFCT_T_ALL, on_flow, &found);
	assert_true(nfct_query(h, NFCT_Q_DUMP, &family) >= 0);
	nfct_close(h);
	return found;
}

static void end(const struct nf_conntrack *ct, gboolean expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(IscFlowEnder) ender = isc_flow_ender_new(&error);
	gboolean was = !expected;
	assert_true(isc_flow_end(ender, ct, &was, &error));
	assert_no_error(error);
	assert_int_equal(was, expected);
}

/* @old is ended after it has gone, and another one answers on the same ports. */
static void follow(gboolean with_its_id)
{
	Found old = look(IPPROTO_TCP);
	assert_non_null(old.ct);
	assert_int_equal(old.n, 2);
	netns_run("conntrack -D -p tcp --sport 40000");
	netns_run("conntrack -I -p tcp -s 198.51.100.2 -d 198.51.100.1 --sport 40000 --dport 8080 "
		  "-r 10.77.0.3 -q 198.51.100.2 --reply-port-src 80 --reply-port-dst 40000 "
		  "--state ESTABLISHED -t 100");
	Found new = look(IPPROTO_TCP);
	assert_non_null(new.ct);
	guint32 id = nfct_get_attr_u32(new.ct, ATTR_ID);
	nfct_set_attr_u32(old.ct, ATTR_ID, with_its_id ? id : ~id);
	end(old.ct, FALSE);
	Found left = look(IPPROTO_TCP);
	assert_int_equal(left.n, 2);
	end(new.ct, TRUE);
	nfct_destroy(left.ct);
	nfct_destroy(new.ct);
	nfct_destroy(old.ct);
}

static void a_flow_that_followed_on_the_same_ports_is_not_hit(void **state)
{
	(void)state;
	follow(FALSE);
}

/* The kernel may give it the memory of the old one, and its id with that. */
static void not_even_where_it_has_the_same_id(void **state)
{
	(void)state;
	follow(TRUE);
}

static void a_flow_of_the_same_node_is_told_by_its_id(void **state)
{
	(void)state;
	Found old = look(IPPROTO_TCP);
	assert_non_null(old.ct);
	nfct_set_attr_u32(old.ct, ATTR_ID, ~nfct_get_attr_u32(old.ct, ATTR_ID));
	end(old.ct, FALSE);
	nfct_destroy(old.ct);
}

static void a_flow_is_ended_and_no_other(void **state)
{
	(void)state;
	static const guint8 protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	for (guint i = 0; i < G_N_ELEMENTS(protos); i++) {
		Found is = look(protos[i]);
		assert_non_null(is.ct);
		assert_int_equal(is.n, 2 - i);
		end(is.ct, TRUE);
		end(is.ct, FALSE); /* it has gone: no error */
		Found left = look(protos[i]);
		assert_null(left.ct);
		assert_int_equal(left.n, 1 - i);
		nfct_destroy(is.ct);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_flow_that_followed_on_the_same_ports_is_not_hit, setup),
		cmocka_unit_test_setup(not_even_where_it_has_the_same_id, setup),
		cmocka_unit_test_setup(a_flow_of_the_same_node_is_told_by_its_id, setup),
		cmocka_unit_test_setup(a_flow_is_ended_and_no_other, setup),
	};
	if (!netns_enter()) {
		puts("ok 1 - the connection table # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
