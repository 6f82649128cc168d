#include "daemon/channels.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/error.h"

static const gchar *const socket_names[ISC_N_CHANNELS] = {
	[ISC_CHANNEL_AUDIT] = "audit.sock",
	[ISC_CHANNEL_LOG] = "log.sock",
	[ISC_CHANNEL_CONTROL] = "control.sock",
};

typedef struct {
	IscChannels *all;
	gchar *node;
	guint slot;
	IscChannel channel;
	gchar *path;
	int fd;
	GSource *source;
} Listener;

struct IscChannels {
	gchar *run_dir;
	IscLink *link;
	IscChannelsRefused refused;
	gpointer data;
	GHashTable *listeners; /* node → GPtrArray of Listener */
};

static void listener_free(gpointer data)
{
	Listener *l = data;
	if (l->source) {
		g_source_destroy(l->source);
		g_source_unref(l->source);
	}
	if (l->fd >= 0) {
		isc_clear_fd(&l->fd);
		(void)unlink(l->path);
	}
	g_free(l->node);
	g_free(l->path);
	g_free(l);
}

static void listeners_free(gpointer data)
{
	g_ptr_array_unref(data);
}

gchar *isc_channels_path(const gchar *run_dir, const gchar *node, IscChannel channel)
{
	return g_build_filename(run_dir, "nodes", node, socket_names[channel], NULL);
}

IscChannels *isc_channels_new(
		const gchar *run_dir, IscLink *link, IscChannelsRefused refused, gpointer data)
{
	IscChannels *channels = g_new0(IscChannels, 1);
	channels->run_dir = g_strdup(run_dir);
	channels->link = link;
	channels->refused = refused;
	channels->data = data;
	channels->listeners =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, listeners_free);
	return channels;
}

void isc_channels_free(IscChannels *channels)
{
	if (!channels)
		return;
	g_hash_table_unref(channels->listeners);
	g_free(channels->run_dir);
	g_free(channels);
}

/* A connection that cannot be handed on is closed: QEMU connects again a second later. */
static gboolean on_connect(gint fd, GIOCondition condition, gpointer data)
{
	Listener *l = data;
	(void)condition;
	isc_autofd int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	if (conn < 0 || getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return G_SOURCE_CONTINUE;

	if (peer.uid != isc_node_uid(l->slot)) {
		if (l->all->refused)
			l->all->refused(l->all->data, l->node, l->channel, peer.uid);
		return G_SOURCE_CONTINUE;
	}

	g_autoptr(GError) why = NULL;
	IscLinkMsg msg = isc_link_msg(ISC_LINK_ATTACH, l->node, l->slot);
	msg.channel = (uint16_t)l->channel;
	if (!isc_link_send(l->all->link, &msg, conn, &why))
		g_debug("node '%s': %s", l->node, why->message);
	return G_SOURCE_CONTINUE;
}

static Listener *listen_at(
		IscChannels *all, const IscNode *node, IscChannel channel, GError **error)
{
	Listener *l = g_new0(Listener, 1);
	l->all = all;
	l->node = g_strdup(node->spec->name);
	l->slot = node->slot;
	l->channel = channel;
	l->path = isc_channels_path(all->run_dir, node->spec->name, channel);
	l->fd = -1;

	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	isc_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	gid_t gid = (gid_t)isc_node_uid(node->slot);

	/* Its folder lets in only us and the node's gid, so that there is no moment when others
	 * could connect. */
	if (g_strlcpy(addr.sun_path, l->path, sizeof(addr.sun_path)) >= sizeof(addr.sun_path))
		errno = ENAMETOOLONG;
	else if (fd >= 0 && (unlink(l->path) == 0 || errno == ENOENT) &&
			bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
			chmod(l->path, 0660) == 0 && chown(l->path, (uid_t)-1, gid) == 0 &&
			listen(fd, 4) == 0)
		l->fd = isc_steal_fd(&fd);
	if (l->fd < 0) {
		isc_error_set_errno(error, errno, "cannot listen at '%s'", l->path);
		listener_free(l);
		return NULL;
	}

	l->source = g_unix_fd_source_new(l->fd, G_IO_IN);
	g_source_set_callback(l->source, G_SOURCE_FUNC(on_connect), l, NULL);
	g_source_attach(l->source, NULL);
	return l;
}

typedef struct {
	IscChannels *channels;
	const IscNode *node; /* NULL: only close */
	const gchar *name;
	GError *error;
	gboolean done;
	GMutex lock;
	GCond cond;
} Job;

/* Listeners are made and ended in the main context alone: a callback never meets one that is being
 * freed. */
static gboolean do_job(gpointer data)
{
	Job *job = data;
	g_hash_table_remove(job->channels->listeners, job->name);
	if (job->node) {
		GPtrArray *three = g_ptr_array_new_with_free_func(listener_free);
		for (guint c = 0; c < ISC_N_CHANNELS && !job->error; c++) {
			Listener *l = listen_at(
					job->channels, job->node, (IscChannel)c, &job->error);
			if (l)
				g_ptr_array_add(three, l);
		}
		if (job->error)
			g_ptr_array_unref(three);
		else
			g_hash_table_insert(job->channels->listeners, g_strdup(job->name), three);
	}
	g_mutex_lock(&job->lock);
	job->done = TRUE;
	g_cond_signal(&job->cond);
	g_mutex_unlock(&job->lock);
	return G_SOURCE_REMOVE;
}

static void run_in_main(Job *job)
{
	g_mutex_init(&job->lock);
	g_cond_init(&job->cond);
	g_main_context_invoke(NULL, do_job, job);
	g_mutex_lock(&job->lock);
	while (!job->done)
		g_cond_wait(&job->cond, &job->lock);
	g_mutex_unlock(&job->lock);
	g_mutex_clear(&job->lock);
	g_cond_clear(&job->cond);
}

gboolean isc_channels_open(IscChannels *channels, const IscNode *node, GError **error)
{
	Job job = { .channels = channels, .node = node, .name = node->spec->name };
	run_in_main(&job);
	if (!job.error)
		return TRUE;
	g_propagate_error(error, job.error);
	return FALSE;
}

void isc_channels_close(IscChannels *channels, const gchar *node)
{
	Job job = { .channels = channels, .name = node };
	run_in_main(&job);
}
