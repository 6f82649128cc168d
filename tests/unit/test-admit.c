/* R6.6, R7.2, R9.3: what may be started on this host. */
#include "cm.h"

#include "policy/admit.h"

static const IscAdmitHost roomy = { .emulated = TRUE,
	.max_memory_mib = 1024,
	.max_nodes = 3,
	.max_vcpus = 2,
	.max_cpu_percent = 350,
	.max_disk_mib = 20000,
	.volumes_mib = 9500,
	.disk_free_mib = 10000 };

static IscNode *make(const gchar *name, const gchar *more, IscNodeState state)
{
	g_autofree gchar *text = g_strdup_printf("[Node]\nName=%s\nImage=nginx\n%s", name, more);
	IscNode *node = g_new0(IscNode, 1);
	node->spec = isc_spec_parse("test", text, strlen(text), NULL);
	assert_non_null(node->spec);
	g_snprintf(node->uuid, sizeof(node->uuid), "%s", name);
	node->state = state;
	return node;
}

static void each_rule_refuses_and_names_itself(void **state)
{
	(void)state;
	static const struct {
		const gchar *more, *names;
		IscError code;
	} cases[] = {
		{ "Environment=production\n", "no-emulation-in-production", ISC_ERROR_POLICY },
		{ "[Resources]\nMemory=600\n", "max-memory", ISC_ERROR_POLICY },
		{ "[Resources]\nVCPUs=3\n", "max-vcpus", ISC_ERROR_POLICY },
		{ "[Resources]\nOverlay=10001\n", "disk-space", ISC_ERROR_POLICY },
		{ "[Resources]\nOverlay=10245\n", "max-disk", ISC_ERROR_POLICY },
		{ "[Resources]\nVCPUs=2\nCPUQuota=151%\n", "max-cpus", ISC_ERROR_POLICY },
		{ "[Network]\nExpose=8000-8100:80-180\n", "'old'", ISC_ERROR_STATE },
		{ "[Network]\nExpose=8080:80\n", "'off'", ISC_ERROR_STATE },
	};
	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)isc_node_free);
	g_ptr_array_add(others,
			make("old", "[Resources]\nMemory=512\nVCPUs=2\n[Network]\nExpose=8050:1\n",
					ISC_NODE_READY));
	g_ptr_array_add(others, make("off", "[Resources]\nMemory=512\n[Network]\nExpose=8080:1\n",
						ISC_NODE_DISABLED));
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscNode) node = make("new", cases[i].more, ISC_NODE_ENABLING);
		assert_false(isc_policy_admit(&roomy, node, others, &error));
		assert_error(error, cases[i].code, cases[i].names);
	}

	g_autoptr(GError) error = NULL;
	g_autoptr(IscNode) fits = make("new",
			"[Resources]\nMemory=512\nVCPUs=2\nCPUQuota=150%\n[Network]\nExpose=udp:"
			"8050:1\n",
			ISC_NODE_ENABLING);
	assert_true(isc_policy_admit(
			&roomy, fits, others, &error)); /* a disabled node uses no memory */
	assert_no_error(error);

	g_ptr_array_add(others, make("third", "", ISC_NODE_DISABLED));
	assert_false(isc_policy_admit(&roomy, fits, others, &error));
	assert_error(error, ISC_ERROR_POLICY, "max-nodes");
}

static void a_node_is_not_in_its_own_way(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)isc_node_free);
	g_ptr_array_add(others, make("web", "[Resources]\nMemory=900\n[Network]\nExpose=80:80\n",
						ISC_NODE_READY));
	g_autoptr(IscNode) web = make("web", "[Resources]\nMemory=900\n[Network]\nExpose=80:80\n",
			ISC_NODE_DISABLED);
	assert_true(isc_policy_admit(&roomy, web, others, &error));
	assert_no_error(error);
}

static void production_is_fine_with_kvm(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	IscAdmitHost kvm = roomy;
	kvm.emulated = FALSE;
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	g_autoptr(IscNode) node = make("web", "Environment=production\n", ISC_NODE_ENABLING);
	assert_true(isc_policy_admit(&kvm, node, none, &error));
}

static void volumes_count_with_overlays(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)isc_node_free);
	g_ptr_array_add(others, make("old", "[Resources]\nOverlay=1000\n", ISC_NODE_READY));
	g_ptr_array_add(others, make("off", "[Resources]\nOverlay=1000\n", ISC_NODE_DISABLED));
	assert_true(isc_policy_admit_volume(&roomy, "data", 9500, others, &error));
	assert_no_error(error);
	assert_false(isc_policy_admit_volume(&roomy, "data", 9501, others, &error));
	assert_error(error, ISC_ERROR_POLICY, "max-disk");
}

static void members_share_their_ports_with_no_other(void **state)
{
	(void)state;
	static const struct {
		const gchar *name, *more;
		gboolean fits;
	} cases[] = {
		{ "web-2", "Set=web\n[Network]\nExpose=8080:80\n", TRUE },
		{ "shop-1", "Set=shop\n[Network]\nExpose=8080:80\n", FALSE },
		{ "web-2", "Set=web\n[Network]\nReplicaPorts=own\nExpose=8080:80\n", FALSE },
		{ "other", "[Network]\nExpose=8080:80\n", FALSE },
	};
	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)isc_node_free);
	g_ptr_array_add(others,
			make("web-1", "Set=web\n[Network]\nExpose=8080:80\n", ISC_NODE_READY));
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscNode) node = make(cases[i].name, cases[i].more, ISC_NODE_ENABLING);
		assert_int_equal(isc_policy_admit(&roomy, node, others, &error), cases[i].fits);
		if (!cases[i].fits)
			assert_error(error, ISC_ERROR_STATE, "'web-1'");
	}
}

static void overlays_that_are_kept_and_snapshots_count(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	IscAdmitHost host = roomy;
	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)isc_node_free);
	g_ptr_array_add(others,
			make("kept", "[Resources]\nOverlay=1000:keep\n", ISC_NODE_DISABLED));
	g_autoptr(IscNode) node = make("new", "[Resources]\nOverlay=9000\n", ISC_NODE_ENABLING);
	host.snapshots_mib = 500;
	assert_true(isc_policy_admit(&host, node, others, &error));
	assert_true(isc_policy_admit_snapshot(&host, others->pdata[0], 9000, others, &error));
	assert_no_error(error);
	assert_false(isc_policy_admit_snapshot(&host, others->pdata[0], 9001, others, &error));
	assert_error(error, ISC_ERROR_POLICY,
			"a snapshot of node 'kept' may take 9001 MiB, and 9000");
	host.snapshots_mib = 501;
	assert_false(isc_policy_admit(&host, node, others, &error));
	assert_error(error, ISC_ERROR_POLICY, "max-disk");
	/* Its own, when it is started anew, counts once. */
	g_autoptr(IscNode) again =
			make("kept", "[Resources]\nOverlay=9999:keep\n", ISC_NODE_ENABLING);
	assert_true(isc_policy_admit(&host, again, others, &error));
	assert_no_error(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_refuses_and_names_itself),
		cmocka_unit_test(a_node_is_not_in_its_own_way),
		cmocka_unit_test(production_is_fine_with_kvm),
		cmocka_unit_test(volumes_count_with_overlays),
		cmocka_unit_test(members_share_their_ports_with_no_other),
		cmocka_unit_test(overlays_that_are_kept_and_snapshots_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
