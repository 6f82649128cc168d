#include "init/agent.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/util.h"

enum {
	PORT_MS = 3000, /* for a port to appear */
	BEAT_MS = 5000,
	READY_MS = 1000, /* without Health=: still running after that is ready */
	STOP_MS_MAX = 600000,
	DRAIN_MS = 3000,
	QUIET_MS = 30, /* no audit record for so long: the kernel has delivered all */
	LEAVE_MS = 1000,
	OUT = 1, /* types of log records */
	ERR = 2,
};

/* clang-format off */
static const struct {
	const char *name;
	uint64_t ring; /* bytes */
} ports[ISC_N_CHANNELS] = {
	[ISC_CHANNEL_AUDIT] = { ISC_WIRE_PORT_AUDIT, 4 << 20 },
	[ISC_CHANNEL_LOG] = { ISC_WIRE_PORT_LOG, 1 << 20 },
	[ISC_CHANNEL_CONTROL] = { ISC_WIRE_PORT_CONTROL, 1 << 16 },
};
/* clang-format on */

int isc_agent_open(IscAgent *agent)
{
	uint64_t session = 0;
	sigset_t child;
	int error;

	agent->out.fd = agent->err.fd = agent->health.fd = -1;
	agent->audit.fd = agent->audit.ctl = agent->service.link = -1;
	while (!session)
		if (getrandom(&session, sizeof session, 0) != sizeof session)
			return -EIO;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	agent->signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	agent->ports = epoll_create1(EPOLL_CLOEXEC);
	if (agent->signals < 0 || agent->ports < 0)
		return -errno;
	/* The control port first: through it the dock can be told what else is missing. */
	for (int i = ISC_N_CHANNELS - 1; i >= 0; i--) {
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = i };

		error = isc_port_open(
				&agent->port[i], ports[i].name, PORT_MS, ports[i].ring, session);
		if (error) {
			isc_say("port %s: %s", ports[i].name, strerror(-error));
			return error;
		}
		if (epoll_ctl(agent->ports, EPOLL_CTL_ADD, agent->port[i].fd, &e) != 0)
			return -errno;
	}
	return 0;
}

void isc_agent_tell(IscAgent *agent, uint32_t kind, int64_t a, int64_t b, int64_t c)
{
	isc_port_event(&agent->port[ISC_CHANNEL_CONTROL], kind, a, b, c, isc_now_ms());
}

static void drain(IscAgent *agent, int64_t now)
{
	isc_health_stop(&agent->health);
	agent->ready_ms = 0;
	agent->phase = ISC_PHASE_DRAINING;
	agent->end_ms = now + DRAIN_MS;
	agent->audit.last_ms = now;
}

void isc_agent_fail(IscAgent *agent, int failure, int error, int status)
{
	if (agent->told_stopped)
		return;
	agent->told_stopped = true;
	isc_agent_tell(agent, ISC_EVENT_FAILED, failure, error, status);
	drain(agent, isc_now_ms());
}

/* --- what comes in
 * -------------------------------------------------------------------------------- */

static void on_record(void *data, uint16_t type, const char *text, size_t len)
{
	IscAgent *agent = data;

	isc_port_record(&agent->port[ISC_CHANNEL_AUDIT], type, text, len, isc_now_ms());
}

static void on_out(void *data, const char *text, size_t len)
{
	IscAgent *agent = data;

	isc_port_record(&agent->port[ISC_CHANNEL_LOG], OUT, text, len, isc_now_ms());
}

static void on_err(void *data, const char *text, size_t len)
{
	IscAgent *agent = data;

	isc_port_record(&agent->port[ISC_CHANNEL_LOG], ERR, text, len, isc_now_ms());
}

static void tell_freeze(IscAgent *agent, IscFreezeNews news, int error)
{
	if (news == ISC_FREEZE_FROZEN)
		isc_agent_tell(agent, ISC_EVENT_FROZEN, agent->freeze.id, 0, 0);
	else if (news == ISC_FREEZE_THAWED)
		isc_agent_tell(agent, ISC_EVENT_THAWED, agent->freeze.id, error, 0);
}

static void thaw(IscAgent *agent)
{
	int error = 0;

	tell_freeze(agent, isc_freeze_thaw(&agent->freeze, &error), error);
}

static void stop(IscAgent *agent, int64_t ms, int64_t now)
{
	if (agent->phase != ISC_PHASE_RUNNING)
		return;
	if (agent->freeze.end_ms)
		thaw(agent);
	isc_health_stop(&agent->health);
	agent->phase = ISC_PHASE_STOPPING;
	agent->kill_ms = now + (ms < 0 || ms > STOP_MS_MAX ? STOP_MS_MAX : ms);
	/* While the commands before it run there is no service to ask. */
	isc_service_signal(&agent->service, agent->service.pid ? agent->conf.stop_signal : SIGKILL);
}

static void on_order(void *data, const IscWireOrder *order)
{
	IscAgent *agent = data;
	int64_t now = isc_now_ms();
	int error = 0;

	switch (order->kind) {
	case ISC_ORDER_FREEZE:
		if (agent->phase == ISC_PHASE_RUNNING)
			tell_freeze(agent,
					isc_freeze_start(&agent->freeze, order->id, order->a, now,
							&error),
					error);
		break;
	case ISC_ORDER_THAW:
		agent->freeze.id = order->id;
		thaw(agent);
		break;
	case ISC_ORDER_POWEROFF:
		stop(agent, order->a, now);
		break;
	case ISC_ORDER_CHECK:
		error = isc_check_start(&agent->check, &agent->conf, &agent->service, order->id,
				order->a, agent->port, sizeof agent->port);
		if (error)
			isc_agent_tell(agent, ISC_EVENT_CHECKED, order->id, -1, -error);
		break;
	default:
		isc_say("order %u is not known", (unsigned)order->kind);
		break;
	}
}

static void no_order(void *data, const IscWireOrder *order)
{
	/* Orders come on the control port; elsewhere they mean nothing. */
	(void)data;
	(void)order;
}

static void on_ports(IscAgent *agent)
{
	struct epoll_event e[ISC_N_CHANNELS];
	int n = epoll_wait(agent->ports, e, ISC_N_CHANNELS, 0);

	for (int i = 0; i < n; i++) {
		bool control = e[i].data.fd == ISC_CHANNEL_CONTROL;

		isc_port_ready(&agent->port[e[i].data.fd], e[i].events & EPOLLHUP,
				control ? on_order : no_order, agent);
	}
}

static void on_link(IscAgent *agent)
{
	IscService *s = &agent->service;

	isc_service_read(s);
	if (s->executed && !agent->started) {
		agent->started = true;
		isc_agent_tell(agent, ISC_EVENT_STARTED, s->pid, 0, 0);
		isc_health_start(&agent->health, &agent->conf, isc_now_ms());
		if (agent->conf.health == ISC_HEALTH_NONE)
			agent->ready_ms = isc_now_ms() + READY_MS;
	}
}

static void on_ns_init_gone(IscAgent *agent)
{
	IscService *s = &agent->service;
	int64_t now = isc_now_ms();

	on_link(agent);
	s->ns_init = 0;
	if (agent->told_stopped)
		return;
	if (s->failure) {
		isc_say("service: failure %d: %s, status %d", s->failure,
				strerror(s->failure_errno), s->failure_status);
		isc_agent_fail(agent, s->failure, s->failure_errno, s->failure_status);
		return;
	}
	agent->told_stopped = true;
	/* Not ended but gone: all was killed, by the order's time-out or for lack of memory. */
	if (!s->ended)
		s->status = SIGKILL;
	isc_agent_tell(agent, ISC_EVENT_STOPPED, WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -1,
			WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0, 0);
	drain(agent, now);
}

static void on_children(IscAgent *agent)
{
	struct signalfd_siginfo info[4];
	int status, error = 0;
	pid_t pid;

	while (read(agent->signals, info, sizeof info) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == agent->service.ns_init)
			on_ns_init_gone(agent);
		else if (pid == agent->freeze.child)
			tell_freeze(agent,
					isc_freeze_child(&agent->freeze, status, isc_now_ms(),
							&error),
					error);
		else if (pid == agent->check.child)
			isc_agent_tell(agent, ISC_EVENT_CHECKED, agent->check.id,
					isc_check_ended(&agent->check, status), 0);
	}
}

static void on_health(IscAgent *agent, bool ready)
{
	switch (isc_health_step(&agent->health, &agent->conf, ready, isc_now_ms())) {
	case ISC_HEALTH_READY:
		isc_agent_tell(agent, ISC_EVENT_READY, 0, 0, 0);
		break;
	case ISC_HEALTH_UNHEALTHY:
		isc_agent_tell(agent, ISC_EVENT_UNHEALTHY, 0, 0, 0);
		break;
	case ISC_HEALTH_SAME:
		break;
	}
}

/* --- what is due
 * ---------------------------------------------------------------------------------- */

static void heartbeat(IscAgent *agent)
{
	IscRing *ring = &agent->port[ISC_CHANNEL_CONTROL].ring;
	const struct audit_status *s = &agent->audit.status;
	uint64_t dropped = 0;

	/* One that the dock has not taken is enough: the ring's room is for what happens.  But the
	 * last one tells what was lost since the one before, and nothing else will. */
	agent->counted = agent->counts;
	if (!agent->counts && agent->beat_seq && agent->beat_seq >= ring->head_seq)
		return;
	for (int i = 0; i < ISC_N_CHANNELS; i++)
		dropped += agent->port[i].ring.lost_total;
	agent->beat_seq = ring->next_seq;
	isc_agent_tell(agent, ISC_EVENT_HEARTBEAT, s->lost, (int64_t)dropped, s->backlog);
}

static bool is_flushed(const IscAgent *agent)
{
	for (int i = 0; i < ISC_N_CHANNELS; i++)
		if (!isc_ring_is_empty(&agent->port[i].ring))
			return false;
	return true;
}

static void leave(IscAgent *agent, int64_t now)
{
	agent->phase = ISC_PHASE_LEAVING;
	agent->end_ms = now + LEAVE_MS;
	isc_agent_tell(agent, ISC_EVENT_BYE, 0, 0, 0);
}

/* All is delivered: now the kernel's count of what it lost is final. */
static void finish(IscAgent *agent, int64_t now)
{
	if (!agent->counts && agent->audit.ctl >= 0) {
		agent->counts = true;
		isc_audit_ask(&agent->audit);
	}
	if (agent->counted || agent->audit.ctl < 0 || now >= agent->end_ms)
		leave(agent, now);
}

static void on_time(IscAgent *agent, int64_t now)
{
	for (int i = 0; i < ISC_N_CHANNELS; i++)
		if (agent->port[i].seal_ms && now >= agent->port[i].seal_ms)
			isc_port_flush(&agent->port[i]);
	if (agent->ready_ms && now >= agent->ready_ms) {
		agent->ready_ms = 0;
		isc_agent_tell(agent, ISC_EVENT_READY, 0, 0, 0);
	}
	if (agent->freeze.end_ms && now >= agent->freeze.end_ms)
		thaw(agent);
	if (agent->phase <= ISC_PHASE_STOPPING && now >= agent->beat_ms) {
		agent->beat_ms = now + BEAT_MS;
		for (int i = 0; i < ISC_N_CHANNELS; i++)
			isc_port_pump(&agent->port[i]);
		isc_audit_ask(&agent->audit);
	}
	if (agent->phase == ISC_PHASE_STOPPING && agent->kill_ms && now >= agent->kill_ms) {
		agent->kill_ms = 0;
		isc_service_signal(&agent->service, SIGKILL);
	}
	if (agent->phase == ISC_PHASE_DRAINING &&
			(agent->counted || now >= agent->end_ms ||
					(is_flushed(agent) &&
							now >= agent->audit.last_ms + QUIET_MS)))
		finish(agent, now);
	else if (agent->phase == ISC_PHASE_LEAVING && (is_flushed(agent) || now >= agent->end_ms))
		agent->phase = ISC_PHASE_OFF;
}

static void sooner(int64_t *first, int64_t ms)
{
	if (ms && (!*first || ms < *first))
		*first = ms;
}

static int next_timeout(const IscAgent *agent)
{
	int64_t first = 0, now = isc_now_ms();

	for (int i = 0; i < ISC_N_CHANNELS; i++)
		sooner(&first, agent->port[i].seal_ms);
	sooner(&first, agent->ready_ms);
	sooner(&first, agent->freeze.end_ms);
	sooner(&first, isc_health_deadline(&agent->health));
	if (agent->phase <= ISC_PHASE_STOPPING)
		sooner(&first, agent->beat_ms);
	if (agent->phase == ISC_PHASE_STOPPING)
		sooner(&first, agent->kill_ms);
	if (agent->phase >= ISC_PHASE_DRAINING)
		sooner(&first, agent->end_ms);
	if (agent->phase == ISC_PHASE_DRAINING && is_flushed(agent) && !agent->counts)
		sooner(&first, agent->audit.last_ms + QUIET_MS);
	if (!first)
		return -1;
	return first > now ? (int)(first - now) : 0;
}

void isc_agent_run(IscAgent *agent)
{
	enum {
		AUDIT,
		CTL,
		SIGNALS,
		PORTS,
		LINK,
		STDOUT,
		STDERR,
		HEALTH,
		N
	};

	agent->beat_ms = isc_now_ms() + BEAT_MS;
	while (agent->phase != ISC_PHASE_OFF) {
		struct pollfd p[N] = {
			[AUDIT] = { agent->audit.fd, POLLIN, 0 },
			[CTL] = { agent->audit.ctl, POLLIN, 0 },
			[SIGNALS] = { agent->signals, POLLIN, 0 },
			[PORTS] = { agent->ports, POLLIN, 0 },
			[LINK] = { agent->service.ns_init ? agent->service.link : -1, POLLIN, 0 },
			[STDOUT] = { agent->out.fd, POLLIN, 0 },
			[STDERR] = { agent->err.fd, POLLIN, 0 },
			[HEALTH] = { agent->health.fd, agent->health.wants_write ? POLLOUT : POLLIN,
					0 },
		};

		if (poll(p, N, next_timeout(agent)) < 0)
			continue;
		if (p[AUDIT].revents)
			for (int i = 0; i < 8 &&
					isc_audit_read(&agent->audit, on_record, agent) > 0;
					i++)
				;
		if (p[CTL].revents && isc_audit_answer(&agent->audit))
			heartbeat(agent);
		if (p[PORTS].revents)
			on_ports(agent);
		if (p[LINK].revents)
			on_link(agent);
		if (p[STDOUT].revents)
			isc_lines_read(&agent->out, on_out, agent);
		if (p[STDERR].revents)
			isc_lines_read(&agent->err, on_err, agent);
		if (p[SIGNALS].revents)
			on_children(agent);
		on_health(agent, p[HEALTH].revents != 0);
		on_time(agent, isc_now_ms());
	}
}
