#include "init/network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/util.h"

static int set_in(int sock, unsigned long what, const char *name, struct in_addr address)
{
	struct ifreq req = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = address };

	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	memcpy(&req.ifr_addr, &in, sizeof in);
	return ioctl(sock, what, &req) == 0 ? 0 : -errno;
}

static int set_up(int sock, const char *name)
{
	struct ifreq req = { 0 };

	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(sock, SIOCGIFFLAGS, &req) != 0)
		return -errno;
	req.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(sock, SIOCSIFFLAGS, &req) == 0 ? 0 : -errno;
}

static bool has_mac(int sock, const char *name, const uint8_t mac[6])
{
	struct ifreq req = { 0 };

	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	return ioctl(sock, SIOCGIFHWADDR, &req) == 0 && memcmp(req.ifr_hwaddr.sa_data, mac, 6) == 0;
}

static int find(int sock, const IscNodeConf *conf, char name[IFNAMSIZ])
{
	struct dirent *e;
	int error = -ENODEV;
	DIR *d = opendir("/sys/class/net");

	if (!d)
		return -errno;
	while (error && (e = readdir(d))) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, "lo") == 0 ||
				strlen(e->d_name) >= IFNAMSIZ)
			continue;
		if (conf->has_mac && !has_mac(sock, e->d_name, conf->mac))
			continue;
		strcpy(name, e->d_name);
		error = 0;
	}
	closedir(d);
	return error;
}

static int add_gateway(int sock, struct in_addr gateway)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };

	memcpy(&route.rt_dst, &in, sizeof in);
	memcpy(&route.rt_genmask, &in, sizeof in);
	in.sin_addr = gateway;
	memcpy(&route.rt_gateway, &in, sizeof in);
	return ioctl(sock, SIOCADDRT, &route) == 0 ? 0 : -errno;
}

static int up(int sock, const IscNodeConf *conf)
{
	struct in_addr mask;
	char name[IFNAMSIZ];
	int error;

	error = set_up(sock, "lo");
	if (error || !conf->address.s_addr)
		return error;
	mask.s_addr = htonl((uint32_t)(UINT64_MAX << (32 - conf->prefix)));
	if ((error = find(sock, conf, name)) ||
			(error = set_in(sock, SIOCSIFADDR, name, conf->address)) ||
			(error = set_in(sock, SIOCSIFNETMASK, name, mask)) ||
			(error = set_up(sock, name)))
		return error;
	return conf->gateway.s_addr ? add_gateway(sock, conf->gateway) : 0;
}

int isc_network_up(const IscNodeConf *conf)
{
	/* Without IPv6 in the kernel these files are missing, which is as good. */
	static const char *const no_v6[] = { "all", "default", "lo" };
	char path[64];
	int sock, error;

	for (size_t i = 0; i < ISC_COUNT(no_v6); i++) {
		snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", no_v6[i]);
		isc_put(path, "1");
	}
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	error = up(sock, conf);
	close(sock);
	return error;
}
