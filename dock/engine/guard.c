#include "engine/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"

struct IscGuard {
	struct nft_ctx *nft; /* of its own: nobody who has its socket sees our other answers */
	int fd;
	guint32 port;
	guint generation;
};

GHashTable *isc_netfilter_sockets(void)
{
	GHashTable *sockets = g_hash_table_new(NULL, NULL);
	g_autoptr(DIR) dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name), domain = 0, protocol = 0;
		socklen_t len = sizeof domain;
		struct sockaddr_nl name;
		socklen_t name_len = sizeof name;
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
				domain == AF_NETLINK &&
				getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
				protocol == NETLINK_NETFILTER &&
				getsockname(fd, (struct sockaddr *)&name, &name_len) == 0 &&
				fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
			g_hash_table_insert(sockets, GUINT_TO_POINTER(name.nl_pid),
					GINT_TO_POINTER(fd));
	}
	return sockets;
}

static gboolean run(IscGuard *g, const gchar *text, GError **error)
{
	int rc = nft_run_cmd_from_buffer(g->nft, text);
	const gchar *words = nft_ctx_get_error_buffer(g->nft);
	(void)nft_ctx_get_output_buffer(g->nft);
	if (rc == 0)
		return TRUE;
	g_autofree gchar *first = g_strndup(words ? words : "", words ? strcspn(words, "\n") : 0);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "nft, the guard's table: %s", first);
	return FALSE;
}

/* Finds the context's socket: the one that was not there before.  It has its port from its first
 * request on. */
static gboolean open_context(IscGuard *g, GError **error)
{
	g_autoptr(GHashTable) before = isc_netfilter_sockets();
	GHashTableIter i;
	gpointer port, fd;

	g->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!g->nft) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_HOST, "libnftables does not start");
		return FALSE;
	}
	nft_ctx_buffer_output(g->nft);
	nft_ctx_buffer_error(g->nft);
	if (!run(g, "list tables", error))
		return FALSE;
	g_autoptr(GHashTable) after = isc_netfilter_sockets();
	g_hash_table_iter_init(&i, after);
	while (g->fd < 0 && g_hash_table_iter_next(&i, &port, &fd)) {
		if (g_hash_table_contains(before, port))
			continue;
		g->port = GPOINTER_TO_UINT(port);
		g->fd = fcntl(GPOINTER_TO_INT(fd), F_DUPFD_CLOEXEC, 3);
	}
	return g->fd >= 0 || isc_error_set_errno(error, errno, "the guard's socket");
}

IscGuard *isc_guard_new(const IscNftConfig *config, GError **error)
{
	g_autoptr(IscGuard) g = g_new0(IscGuard, 1);
	g->fd = -1;
	if (!open_context(g, error))
		return NULL;
	for (guint n = 0; n < ISC_NFT_GUARDS; n++) {
		g_autofree gchar *text = isc_nft_render_guard(config, n, error);
		gboolean is_last = n + 1 == ISC_NFT_GUARDS;
		if (!text)
			return NULL;
		g->generation = n;
		if (run(g, text, is_last ? error : NULL))
			return g_steal_pointer(&g);
	}
	return NULL;
}

void isc_guard_free(IscGuard *g)
{
	if (!g)
		return;
	g_clear_pointer(&g->nft, nft_ctx_free);
	isc_clear_fd(&g->fd);
	g_free(g);
}

gboolean isc_guard_remove(IscGuard *g, GError **error)
{
	g_autofree gchar *name = isc_nft_guard_name(g->generation);
	g_autofree gchar *text = g_strdup_printf("delete table inet %s\n", name);
	return run(g, text, error);
}

int isc_guard_fd(const IscGuard *g)
{
	return g->fd;
}

guint32 isc_guard_port(const IscGuard *g)
{
	return g->port;
}
