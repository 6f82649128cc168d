#include "daemon/acts-link.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/name.h"
#include "store/acts.h"

#define RETRY_MS 1000
#define PAGE 128u
#define OUT_MAX (128u * 1024) /* bytes that wait for the socket */

struct IscActsLink {
	IscDock *dock;
	int fd; /* -1: not attached */
	guint reader, writer, retry;
	GByteArray *out;
	guint8 in[ISC_WIRE_HEADER];
	gsize in_len;
	gboolean resumed;               /* the collector said where to go on */
	guint64 sent_session, sent_seq; /* last act that was put into the socket */
	gint kicked;                    /* atomic: an idle call is under way */
};

static void pump(IscActsLink *l);

static void detach(IscActsLink *l)
{
	g_clear_handle_id(&l->reader, g_source_remove);
	g_clear_handle_id(&l->writer, g_source_remove);
	isc_clear_fd(&l->fd);
	g_byte_array_set_size(l->out, 0);
	l->in_len = 0;
	l->resumed = FALSE;
}

static gboolean on_retry(gpointer data)
{
	IscActsLink *l = data;
	l->retry = 0;
	if (isc_link_is_up(l->dock->link))
		isc_acts_link_attach(l);
	return G_SOURCE_REMOVE;
}

/* Called from a source's own callback, which must be removed by its return value. */
static gboolean lose(IscActsLink *l, guint *source)
{
	*source = 0;
	detach(l);
	if (!l->retry)
		l->retry = g_timeout_add(RETRY_MS, on_retry, l);
	return G_SOURCE_REMOVE;
}

/* --- what comes back ----------------------------------------------------------------------- */

static gboolean take_header(IscActsLink *l)
{
	IscWireHeader h;
	g_autoptr(GError) why = NULL;
	memcpy(&h, l->in, sizeof h);
	l->in_len = 0;
	if (h.magic != ISC_WIRE_MAGIC || h.len != 0 ||
			(h.type != ISC_WIRE_RESUME && h.type != ISC_WIRE_ACK))
		return FALSE;
	if (!isc_acts_done(l->dock->acts, h.session, h.seq, &why))
		g_warning("acts: %s", why->message);
	if (h.type == ISC_WIRE_RESUME) {
		l->resumed = TRUE;
		l->sent_session = h.session;
		l->sent_seq = h.seq;
		pump(l);
	}
	return TRUE;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
	IscActsLink *l = data;
	(void)condition;
	for (;;) {
		gssize n = recv(fd, l->in + l->in_len, sizeof l->in - l->in_len, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return G_SOURCE_CONTINUE;
		if (n <= 0)
			return lose(l, &l->reader);
		l->in_len += (gsize)n;
		if (l->in_len == sizeof l->in && !take_header(l))
			return lose(l, &l->reader);
	}
}

/* --- what goes out ------------------------------------------------------------------------- */

/* A frame an act, so that its number is the frame's. */
static void put_frame(GByteArray *out, const IscAct *act)
{
	guint16 len = (guint16)strlen(act->text);
	IscWireRecord r = { act->type, len };
	IscWireHeader h = { ISC_WIRE_MAGIC, (guint32)sizeof r + len, act->session, act->number,
		ISC_WIRE_RECORDS, 1, 0 };
	g_byte_array_append(out, (const guint8 *)&h, sizeof h);
	g_byte_array_append(out, (const guint8 *)&r, sizeof r);
	g_byte_array_append(out, (const guint8 *)act->text, len);
}

/* TRUE: there was something. */
static gboolean fetch(IscActsLink *l)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) all =
			isc_acts_list(l->dock->acts, l->sent_session, l->sent_seq, PAGE, &why);
	if (!all) {
		g_warning("acts: %s", why->message);
		return FALSE;
	}
	for (guint i = 0; i < all->len; i++) {
		const IscAct *act = all->pdata[i];
		put_frame(l->out, act);
		l->sent_session = act->session;
		l->sent_seq = act->number;
	}
	return all->len > 0;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
	IscActsLink *l = data;
	(void)fd, (void)condition;
	l->writer = 0;
	pump(l);
	return G_SOURCE_REMOVE;
}

static void pump(IscActsLink *l)
{
	if (l->fd < 0 || !l->resumed || l->writer)
		return;
	for (;;) {
		while (l->out->len < OUT_MAX && fetch(l))
			;
		if (l->out->len == 0)
			return;
		gssize n = send(l->fd, l->out->data, l->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		g_byte_array_remove_range(l->out, 0, (guint)n);
	}
	/* A broken connection shows when it is read. */
	l->writer = g_unix_fd_add(l->fd, G_IO_OUT | G_IO_HUP | G_IO_ERR, on_writable, l);
}

static gboolean on_kick(gpointer data)
{
	IscActsLink *l = data;
	g_atomic_int_set(&l->kicked, 0);
	pump(l);
	return G_SOURCE_REMOVE;
}

void isc_acts_link_kick(IscActsLink *l)
{
	if (g_atomic_int_compare_and_exchange(&l->kicked, 0, 1))
		g_idle_add(on_kick, l);
}

/* --- life ---------------------------------------------------------------------------------- */

void isc_acts_link_attach(IscActsLink *l)
{
	int pair[2];
	detach(l);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		g_warning("acts: socketpair: %s", g_strerror(errno));
		return;
	}
	isc_autofd int ours = pair[0], theirs = pair[1];
	g_autoptr(GError) why = NULL;
	IscLinkMsg msg = isc_link_msg(ISC_LINK_ATTACH, ISC_TRAIL_DOCK, 0);
	msg.channel = ISC_CHANNEL_AUDIT;
	if (!isc_link_send(l->dock->link, &msg, theirs, &why)) {
		g_debug("acts: %s", why->message);
		return; /* it will be told when the collector is there */
	}
	l->fd = isc_steal_fd(&ours);
	l->reader = g_unix_fd_add(l->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, l);
}

IscActsLink *isc_acts_link_new(IscDock *dock)
{
	IscActsLink *l = g_new0(IscActsLink, 1);
	l->dock = dock;
	l->fd = -1;
	l->out = g_byte_array_new();
	if (isc_link_is_up(dock->link))
		isc_acts_link_attach(l);
	return l;
}

void isc_acts_link_free(IscActsLink *l)
{
	if (!l)
		return;
	detach(l);
	g_clear_handle_id(&l->retry, g_source_remove);
	g_byte_array_unref(l->out);
	while (g_idle_remove_by_data(l))
		;
	g_free(l);
}
