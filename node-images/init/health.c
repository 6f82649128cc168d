#include "init/health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FIRST_PAUSE_MS = 20, /* doubles up to the next: a service that is quick is seen quickly */
	PAUSE_MS = 1000,     /* until it holds */
	CALM_MS = 5000,      /* while it holds */
	CHECK_MS = 2000,     /* for one check */
	FAILURES = 3,
};

void isc_health_start(IscHealth *health, const IscNodeConf *conf, int64_t now)
{
	*health = (IscHealth){ .fd = -1, .pause = FIRST_PAUSE_MS };
	if (conf->health != ISC_HEALTH_NONE)
		health->next_ms = now + 1;
}

static void hang_up(IscHealth *health)
{
	if (health->fd >= 0)
		close(health->fd);
	health->fd = -1;
	health->end_ms = 0;
}

void isc_health_stop(IscHealth *health)
{
	hang_up(health);
	health->next_ms = 0;
}

int64_t isc_health_deadline(const IscHealth *health)
{
	return health->fd >= 0 ? health->end_ms : health->next_ms;
}

static IscHealthChange verdict(IscHealth *health, bool good, int64_t now)
{
	IscHealthChange change = ISC_HEALTH_SAME;

	hang_up(health);
	if (good) {
		health->failures = 0;
		if (!health->ready)
			change = ISC_HEALTH_READY;
		health->ready = true;
	} else if (health->ready && ++health->failures >= FAILURES) {
		health->ready = false;
		change = ISC_HEALTH_UNHEALTHY;
	}
	if (health->ready) {
		health->next_ms = now + CALM_MS;
	} else {
		health->next_ms = now + health->pause;
		health->pause = health->pause * 2 < PAUSE_MS ? health->pause * 2 : PAUSE_MS;
	}
	return change;
}

/* A service listens on any address, on the loopback or on the node's own: both are tried, in turn
 * within a check. Returns true when a connection is on its way. */
static bool dial(IscHealth *health, const IscNodeConf *conf, int64_t now)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(conf->health_port) };

	for (; health->turn < (conf->address.s_addr ? 2u : 1u); health->turn++) {
		to.sin_addr.s_addr = health->turn ? conf->address.s_addr : htonl(INADDR_LOOPBACK);
		health->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (health->fd < 0)
			return false;
		if (connect(health->fd, (struct sockaddr *)&to, sizeof to) == 0 ||
				errno == EINPROGRESS) {
			health->turn++;
			health->end_ms = now + CHECK_MS;
			health->wants_write = true;
			health->asked = false;
			health->len = 0;
			return true;
		}
		close(health->fd);
		health->fd = -1;
	}
	return false;
}

static bool ask(IscHealth *health, const IscNodeConf *conf)
{
	char request[512];
	int n = snprintf(request, sizeof request,
			"GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: isc-health\r\n\r\n",
			conf->health_path, conf->hostname ? conf->hostname : conf->node);

	health->asked = true;
	health->wants_write = false;
	return n < (int)sizeof request && send(health->fd, request, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Any answer of the kind "HTTP/x.y 2xx" or 3xx. */
static bool is_good_reply(const char *reply)
{
	return strncmp(reply, "HTTP/1.", 7) == 0 && reply[8] == ' ' &&
	       (reply[9] == '2' || reply[9] == '3');
}

IscHealthChange isc_health_step(IscHealth *health, const IscNodeConf *conf, bool ready, int64_t now)
{
	socklen_t size = sizeof(int);
	int error = 0;
	ssize_t n;

	if (health->fd < 0) {
		if (!health->next_ms || now < health->next_ms)
			return ISC_HEALTH_SAME;
		health->turn = 0;
		return dial(health, conf, now) ? ISC_HEALTH_SAME : verdict(health, false, now);
	}
	if (!ready)
		return now < health->end_ms ? ISC_HEALTH_SAME : verdict(health, false, now);
	if (health->wants_write) {
		if (getsockopt(health->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error) {
			hang_up(health);
			return dial(health, conf, now) ? ISC_HEALTH_SAME
						       : verdict(health, false, now);
		}
		if (conf->health == ISC_HEALTH_TCP)
			return verdict(health, true, now);
		return ask(health, conf) ? ISC_HEALTH_SAME : verdict(health, false, now);
	}
	n = recv(health->fd, health->reply + health->len, sizeof health->reply - 1 - health->len,
			0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ISC_HEALTH_SAME;
	if (n > 0)
		health->len += (size_t)n;
	health->reply[health->len] = '\0';
	if (n > 0 && health->len < 12)
		return ISC_HEALTH_SAME;
	return verdict(health, health->len >= 12 && is_good_reply(health->reply), now);
}
