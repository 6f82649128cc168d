#include "netns.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

#include "engine/link-watch.h"
#include "engine/links.h"
#include "model/node.h"

static const IscBridge bridge = {
	.name = "isc0", .gateway = 0x0a4d0001, .prefix = 16, .mac = { 0x52, 0x54, 0x4e, 0, 0, 1 }
};

static const IscTap taps[] = {
	{ .name = "isct2",
			.bridge = "isc0",
			.address = 0x0a4d0002,
			.mac = { 0x52, 0x54, 0x4e, 0, 0, 2 } },
	{ .name = "isct3",
			.bridge = "isc0",
			.address = 0x0a4d0003,
			.mac = { 0x52, 0x54, 0x4e, 0, 0, 3 } },
};

typedef struct {
	guint n;
	IscLinkTrouble last;
} Seen;

static gboolean is_bad(const guint8 mac[6])
{
	return isc_node_is_mac(mac, NULL);
}

static void on_trouble(const IscLinkTrouble *trouble, gpointer data)
{
	Seen *seen = data;
	seen->n++;
	seen->last = *trouble;
}

static void spin(const Seen *seen, guint until, guint ms)
{
	gint64 end = g_get_monotonic_time() + ms * 1000;
	while (seen->n < until && g_get_monotonic_time() < end) {
		g_main_context_iteration(NULL, FALSE);
		g_usleep(1000);
	}
}

/* As a hypervisor has it. */
static int open_tap(const gchar *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

static void change(int fd, const guint8 mac[6])
{
	struct ifreq request = { 0 };
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	assert_int_equal(ioctl(fd, SIOCSIFHWADDR, &request), 0);
}

static gboolean has_entry(const gchar *tap, const gchar *mac)
{
	g_autofree gchar *command = g_strdup_printf("bridge fdb show dev %s", tap);
	g_autofree gchar *out = netns_output(command);
	g_autofree gchar *entry = g_strdup_printf("%s master isc0 static", mac);
	return strstr(out, entry) != NULL;
}

static int set_up(void **state)
{
	GError *error = NULL;
	(void)state;
	if (access("/dev/net/tun", W_OK) != 0)
		return 0;
	gboolean ok = isc_links_bridge_setup(&bridge, &error) &&
		      isc_links_tap_add(&taps[0], &error) && isc_links_tap_add(&taps[1], &error);
	return ok ? 0 : -1;
}

static void a_tap_that_takes_anothers_mac_is_told_once_and_made_good(void **state)
{
	(void)state;
	GError *error = NULL;
	Seen seen = { 0 };
	const guint8 own[6] = { 0x02, 0, 0, 0, 0, 7 };

	if (access("/dev/net/tun", W_OK) != 0)
		skip();
	g_autoptr(IscLinkWatch) watch =
			isc_link_watch_new(NULL, "isct", is_bad, on_trouble, &seen, &error);
	assert_no_error(error);
	int fd = open_tap("isct3");
	change(fd, own); /* as harmless as the one that the kernel gave it */
	spin(&seen, 1, 100);
	assert_int_equal(seen.n, 0);
	assert_true(has_entry("isct2", "52:54:4e:00:00:02"));

	for (guint i = 0; i < 20; i++) { /* as fast as it can, and hides it again */
		change(fd, taps[0].mac);
		change(fd, own);
	}
	spin(&seen, 1, 10000);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.last.name, "isct3");
	assert_int_equal(seen.last.index, if_nametoindex("isct3"));
	assert_memory_equal(seen.last.mac, taps[0].mac, 6);
	assert_false(has_entry("isct2", "52:54:4e:00:00:02")); /* else all of this is for nothing */

	assert_true(isc_links_cut_off(&taps[1], seen.last.index, &error));
	assert_int_equal(if_nametoindex("isct3"), 0);
	struct ifreq request = { 0 };
	assert_int_not_equal(ioctl(fd, SIOCGIFHWADDR, &request), 0);
	g_autofree gchar *neighbours = netns_output("ip neigh show dev isc0");
	assert_null(strstr(neighbours, "10.77.0.3"));
	assert_true(isc_links_pin(&taps[0], &error));
	assert_true(has_entry("isct2", "52:54:4e:00:00:02"));
	assert_false(isc_links_pin(&taps[1], &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "isct3");
	close(fd);
}

static void what_was_done_before_is_found(void **state)
{
	(void)state;
	GError *error = NULL;

	if (access("/dev/net/tun", W_OK) != 0)
		skip();
	assert_true(isc_links_tap_add(&taps[1], &error));
	g_autoptr(GArray) none = isc_link_watch_find("isct", is_bad, &error);
	assert_no_error(error);
	assert_int_equal(none->len, 0);
	int fd = open_tap("isct3");
	change(fd, taps[0].mac);
	g_autoptr(GArray) found = isc_link_watch_find("isct", is_bad, &error);
	assert_int_equal(found->len, 1);
	assert_string_equal(g_array_index(found, IscLinkTrouble, 0).name, "isct3");
	close(fd);
	/* It lasts as long as the tap does; a new start of its node does not take it up. */
	assert_true(isc_links_tap_add(&taps[1], &error));
	g_autoptr(GArray) after = isc_link_watch_find("isct", is_bad, &error);
	assert_int_equal(after->len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tap_that_takes_anothers_mac_is_told_once_and_made_good),
		cmocka_unit_test(what_was_done_before_is_found),
	};
	if (!netns_enter()) {
		puts("ok 1 - the watch over links # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, NULL);
}
