#include "init/audit.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "init/audit-rules.h"
#include "init/util.h"

enum {
	RECEIVE_BYTES = 4 * 1024 * 1024,
};

/* clang-format off */
static const struct {
	const char *key;
	IscRule calls;
	int exit; /* only calls that ended so; 0: all */
} rules[] = {
	{ "exec", ISC_RULE_EXEC, 0 },
	{ "priv", ISC_RULE_PRIV, 0 },
	{ "mount", ISC_RULE_MOUNT, 0 },
	{ "kernel", ISC_RULE_KERNEL, 0 },
	{ "time", ISC_RULE_TIME, 0 },
	{ "host", ISC_RULE_HOST, 0 },
	{ "trace", ISC_RULE_TRACE, 0 },
	{ "denied", ISC_RULE_OPEN, -EACCES },
	{ "denied", ISC_RULE_OPEN, -EPERM },
};
/* clang-format on */

static int open_socket(void)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&self, sizeof self) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int send_to(
		int fd, uint32_t seq, uint16_t type, uint16_t flags, const void *data, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr h = {
		.nlmsg_len = (uint32_t)NLMSG_LENGTH(len),
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = seq,
	};
	struct iovec v[] = { { &h, sizeof h }, { (void *)(uintptr_t)data, len } };
	struct msghdr m = {
		.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = v, .msg_iovlen = 2
	};

	return sendmsg(fd, &m, 0) < 0 ? -errno : 0;
}

/* One message from the kernel itself; a process could send to our address too.  Returns its length,
 * 0 or -errno. */
static ssize_t receive(int fd, void *buf, size_t max)
{
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof from;
	ssize_t n;

	n = recvfrom(fd, buf, max, 0, (struct sockaddr *)&from, &len);
	if (n < 0)
		return -errno;
	return from.nl_pid == 0 && n >= (ssize_t)sizeof(struct nlmsghdr) ? n : 0;
}

/* Sends on ctl and waits (at most 2 s) for the message of @want that answers. */
static int ask(IscAudit *audit, uint16_t type, const void *data, size_t len, uint16_t want)
{
	int64_t end = isc_now_ms() + 2000;
	uint8_t *buf = audit->buf[0];
	struct nlmsghdr h;
	int error, code;
	ssize_t n;

	error = send_to(audit->ctl, ++audit->seq, type, want == NLMSG_ERROR ? NLM_F_ACK : 0, data,
			len);
	while (!error && isc_now_ms() < end) {
		n = receive(audit->ctl, buf, ISC_AUDIT_MESSAGE);
		if (n == -EAGAIN || n == 0) {
			usleep(500);
			continue;
		}
		if (n < 0)
			return (int)n;
		memcpy(&h, buf, sizeof h);
		if (h.nlmsg_seq != audit->seq)
			continue;
		if (h.nlmsg_type == NLMSG_ERROR && n >= (ssize_t)NLMSG_LENGTH(sizeof code)) {
			memcpy(&code, buf + NLMSG_HDRLEN, sizeof code);
			if (code || want == NLMSG_ERROR)
				return code;
		} else if (h.nlmsg_type == want) {
			size_t have = (size_t)n - NLMSG_HDRLEN;

			memcpy(&audit->status, buf + NLMSG_HDRLEN,
					have < sizeof audit->status ? have : sizeof audit->status);
			return 0;
		}
	}
	return error ? error : -ETIMEDOUT;
}

static void add_field(struct audit_rule_data *rule, uint32_t field, uint32_t value)
{
	rule->fields[rule->field_count] = field;
	rule->values[rule->field_count] = value;
	rule->fieldflags[rule->field_count++] = AUDIT_EQUAL;
}

static int add_rule(IscAudit *audit, size_t i, uint32_t arch, const short *calls)
{
	uint8_t space[sizeof(struct audit_rule_data) + 32] __attribute__((aligned(8))) = { 0 };
	struct audit_rule_data *rule = (struct audit_rule_data *)space;
	size_t len = strlen(rules[i].key);

	rule->flags = AUDIT_FILTER_EXIT;
	rule->action = AUDIT_ALWAYS;
	add_field(rule, AUDIT_ARCH, arch);
	if (rules[i].exit)
		add_field(rule, AUDIT_EXIT, (uint32_t)rules[i].exit);
	add_field(rule, AUDIT_FILTERKEY, (uint32_t)len);
	memcpy(rule->buf, rules[i].key, len);
	rule->buflen = (uint32_t)len;
	for (; *calls >= 0; calls++)
		rule->mask[AUDIT_WORD(*calls)] |= AUDIT_BIT(*calls);
	return ask(audit, AUDIT_ADD_RULE, rule, sizeof *rule + len, NLMSG_ERROR);
}

static int add_rules(IscAudit *audit)
{
	int error = 0;

	for (size_t i = 0; i < ISC_COUNT(rules) && !error; i++) {
		error = add_rule(audit, i, AUDIT_ARCH_X86_64, isc_rule_calls_64[rules[i].calls]);
		if (!error)
			error = add_rule(audit, i, AUDIT_ARCH_I386,
					isc_rule_calls_32[rules[i].calls]);
	}
	return error;
}

static int take_place(IscAudit *audit)
{
	struct audit_status s = { .mask = AUDIT_STATUS_PID, .pid = (uint32_t)getpid() };

	return send_to(audit->fd, 0, AUDIT_SET, 0, &s, sizeof s);
}

static int set(IscAudit *audit, struct audit_status s)
{
	return ask(audit, AUDIT_SET, &s, sizeof s, NLMSG_ERROR);
}

/* Full: dropped and counted, with a line in the kernel's log (failure 1), and no process ever waits
 * for us (backlog_wait_time 0): a flood of audit must not stop the service. */
static int configure(IscAudit *audit)
{
	struct audit_status s = {
		.mask = AUDIT_STATUS_FAILURE | AUDIT_STATUS_BACKLOG_LIMIT |
			AUDIT_STATUS_BACKLOG_WAIT_TIME,
		.failure = AUDIT_FAIL_PRINTK,
		.backlog_limit = ISC_AUDIT_BACKLOG,
		.backlog_wait_time = 0,
	};

	return set(audit, s);
}

int isc_audit_start(IscAudit *audit)
{
	static const int bytes = RECEIVE_BYTES;
	int error;

	audit->fd = open_socket();
	audit->ctl = open_socket();
	if (audit->fd < 0 || audit->ctl < 0)
		return audit->fd < 0 ? audit->fd : audit->ctl;
	setsockopt(audit->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
	if ((error = configure(audit)) || (error = add_rules(audit)) ||
			(error = take_place(audit)) ||
			(error = set(audit, (struct audit_status){ .mask = AUDIT_STATUS_ENABLED,
							    .enabled = 2 })) ||
			(error = ask(audit, AUDIT_GET, NULL, 0, AUDIT_GET)))
		return error;
	if (audit->status.enabled != 2 || audit->status.pid != (uint32_t)getpid())
		return -EPROTO;
	return 0;
}

static void hand_over(const uint8_t *message, size_t n,
		void (*record)(void *, uint16_t, const char *, size_t), void *data)
{
	char *text = (char *)(uintptr_t)(message + NLMSG_HDRLEN);
	struct nlmsghdr h;
	size_t len;

	memcpy(&h, message, sizeof h);
	/* The kernel counts the length of records without the header here and there: what was
	 * received counts. */
	len = n - NLMSG_HDRLEN;
	if (h.nlmsg_type < AUDIT_FIRST_USER_MSG)
		return;
	while (len && (text[len - 1] == '\0' || text[len - 1] == '\n'))
		len--;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0' || text[i] == '\n')
			text[i] = ' ';
	record(data, h.nlmsg_type, text, len);
}

int isc_audit_read(IscAudit *audit,
		void (*record)(void *data, uint16_t type, const char *text, size_t len), void *data)
{
	struct sockaddr_nl from[ISC_AUDIT_BATCH] = { 0 };
	struct mmsghdr m[ISC_AUDIT_BATCH];
	struct iovec v[ISC_AUDIT_BATCH];
	int n;

	memset(m, 0, sizeof m);
	for (int i = 0; i < ISC_AUDIT_BATCH; i++) {
		v[i] = (struct iovec){ audit->buf[i], ISC_AUDIT_MESSAGE };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
			.msg_namelen = sizeof from[i],
			.msg_iov = &v[i],
			.msg_iovlen = 1 };
	}
	n = recvmmsg(audit->fd, m, ISC_AUDIT_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		if (from[i].nl_pid == 0 && m[i].msg_len >= NLMSG_HDRLEN)
			hand_over(audit->buf[i], m[i].msg_len, record, data);
	if (n > 0)
		audit->last_ms = isc_now_ms();
	return n > 0 ? n : 0;
}

void isc_audit_ask(IscAudit *audit)
{
	send_to(audit->ctl, ++audit->seq, AUDIT_GET, 0, NULL, 0);
}

bool isc_audit_answer(IscAudit *audit)
{
	uint8_t *buf = audit->buf[0];
	struct nlmsghdr h;
	bool fresh = false;
	ssize_t n;

	while ((n = receive(audit->ctl, buf, ISC_AUDIT_MESSAGE)) >= 0) {
		if (n < (ssize_t)NLMSG_HDRLEN)
			continue;
		memcpy(&h, buf, sizeof h);
		if (h.nlmsg_type != AUDIT_GET || h.nlmsg_seq != audit->seq)
			continue;
		n -= NLMSG_HDRLEN;
		memcpy(&audit->status, buf + NLMSG_HDRLEN,
				(size_t)n < sizeof audit->status ? (size_t)n
								 : sizeof audit->status);
		if (audit->status.pid == 0)
			take_place(audit);
		fresh = true;
	}
	return fresh;
}
