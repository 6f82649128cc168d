/* The attacker's program: one order a connection on port 8080, a line; the answer is a line or
 * more.
 *
 *   tool NAME [WORD…]        run nmap, arping, … with the connection as   what it says
 *                            its input and output
 *   tcp ADDRESS PORT         connect                                      open | closed | silent
 *   udp ADDRESS PORT WORD    send, wait for an answer                     answer | closed | silent
 *   ping ADDRESS             echo request                                 answer | silent
 *   syn MAC ADDRESS A B      a raw SYN to each port from A to B           sent N open [PORT…]
 *   sniff MS MARK [END]      wait for frames that hold MARK (hex), until  seen N [HEX]
 *                            the time is over or one holds END
 *   arp                      the kernel's table                           its lines
 *   pour                     write on this connection until it ends
 *   push ADDRESS PORT        connect, write until it ends                 connected, ended
 *
 * Port 8090 takes connections and never looks at them: many can be open at no cost. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INTERFACE "eth0"
#define WAIT_MS 1000
#define ORDER_MAX 16384
#define MAX_WORDS 24

static FILE *out; /* the connection */

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static size_t from_hex(const char *text, uint8_t *to, size_t max)
{
	size_t n = 0;
	for (unsigned byte; n < max && sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
		to[n] = (uint8_t)byte;
	return n;
}

static struct sockaddr_in address_of(const char *text, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	inet_pton(AF_INET, text, &a.sin_addr);
	return a;
}

static int packet_socket(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(INTERFACE) };
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		fprintf(out, "error %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

/* Sends; a full queue is waited for, every other error is told once and is an answer, too. */
static int send_frame(int fd, const uint8_t *frame, size_t len)
{
	for (;;) {
		if (send(fd, frame, len, 0) >= 0)
			return 1;
		if (errno != ENOBUFS && errno != EAGAIN)
			return 0;
		usleep(1000);
	}
}

/* Whatever the line held beyond the order is lost to the tool: it says first that it is there. */
static void tool(char **w)
{
	fflush(out);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(fileno(out), fd);
	execvp(w[1], w + 1);
	fprintf(out, "error %s: %s\n", w[1], strerror(errno));
}

static const char *wait_answer(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte[64];
	if (poll(&p, 1, WAIT_MS) != 1)
		return "silent";
	return recv(fd, byte, sizeof byte, 0) > 0 ? "answer" : "closed";
}

static int connect_to(const char *address, const char *port, const char **how)
{
	struct sockaddr_in to = address_of(address, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), err = 0;
	socklen_t len = sizeof err;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
		*how = "closed";
		return fd;
	}
	if (poll(&p, 1, WAIT_MS) != 1)
		*how = "silent";
	else
		*how = getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0 ? "open"
											 : "closed";
	return fd;
}

static void tcp(char **w)
{
	const char *how;
	close(connect_to(w[1], w[2], &how));
	fprintf(out, "%s\n", how);
}

static void udp(char **w)
{
	struct sockaddr_in to = address_of(w[1], w[2]);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	const char *word = w[3] ? w[3] : "x";
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
			send(fd, word, strlen(word), 0) < 0)
		fprintf(out, "closed\n");
	else
		fprintf(out, "%s\n", wait_answer(fd));
}

static uint16_t sum_of(const void *bytes, size_t len, uint32_t sum)
{
	const uint8_t *b = bytes;
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void ping(char **w)
{
	struct sockaddr_in to = address_of(w[1], "0");
	struct icmphdr echo = { .type = ICMP_ECHO };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	int64_t end = now_ms() + WAIT_MS;
	echo.un.echo.id = htons(4711);
	echo.checksum = htons(sum_of(&echo, sizeof echo, 0));
	sendto(fd, &echo, sizeof echo, 0, (struct sockaddr *)&to, sizeof to);
	while (now_ms() < end) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint8_t got[256];
		if (poll(&p, 1, (int)(end - now_ms())) == 1 && recv(fd, got, sizeof got, 0) >= 28 &&
				got[20] == ICMP_ECHOREPLY &&
				memcmp(got + 12, &to.sin_addr, 4) == 0) {
			fprintf(out, "answer\n");
			return;
		}
	}
	fprintf(out, "silent\n");
}

/* --- a sweep -----------------------------------------------------------------------------------
 */

static struct sockaddr_in own_address(int fd, uint8_t mac[6])
{
	struct ifreq r = { 0 };
	struct sockaddr_in a;
	strcpy(r.ifr_name, INTERFACE);
	ioctl(fd, SIOCGIFHWADDR, &r);
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	int in = socket(AF_INET, SOCK_DGRAM, 0);
	ioctl(in, SIOCGIFADDR, &r);
	close(in);
	memcpy(&a, &r.ifr_addr, sizeof a);
	return a;
}

/* Ports of @from that answered a SYN meanwhile. */
static void take_answers(int fd, struct in_addr from, uint8_t *is_open)
{
	uint8_t got[128];
	struct iphdr ip;
	struct tcphdr t;
	while (recv(fd, got, sizeof got, MSG_DONTWAIT) >= (ssize_t)(14 + sizeof ip + sizeof t)) {
		memcpy(&ip, got + 14, sizeof ip);
		memcpy(&t, got + 14 + sizeof ip, sizeof t);
		if (got[12] == 8 && got[13] == 0 && ip.protocol == IPPROTO_TCP &&
				ip.saddr == from.s_addr && t.syn && t.ack)
			is_open[ntohs(t.source)] = 1;
	}
}

static void syn(char **w)
{
	static uint8_t is_open[65536];
	struct __attribute__((packed)) {
		struct ethhdr eth;
		struct iphdr ip;
		struct tcphdr tcp;
	} f = { .eth = { .h_proto = htons(ETH_P_IP) },
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP },
		.tcp = { .doff = 5, .syn = 1, .window = htons(1024) } };
	struct sockaddr_in to = address_of(w[2], "0");
	int fd = packet_socket(), first = atoi(w[3]), last = atoi(w[4]), sent = 0;
	struct sockaddr_in own = own_address(fd, f.eth.h_source);

	from_hex(w[1], f.eth.h_dest, 6);
	f.ip.tot_len = htons(sizeof f.ip + sizeof f.tcp);
	f.ip.saddr = own.sin_addr.s_addr;
	f.ip.daddr = to.sin_addr.s_addr;
	struct iphdr ip = f.ip;
	f.ip.check = htons(sum_of(&ip, sizeof ip, 0));
	for (int port = first; port <= last; port++) {
		f.tcp.source = htons((uint16_t)(20000 + port % 20000));
		f.tcp.dest = htons((uint16_t)port);
		f.tcp.check = 0;
		struct tcphdr t = f.tcp;
		uint32_t pseudo = IPPROTO_TCP + sizeof t + (ntohl(f.ip.saddr) >> 16) +
				  (ntohl(f.ip.saddr) & 0xffff) + (ntohl(f.ip.daddr) >> 16) +
				  (ntohl(f.ip.daddr) & 0xffff);
		f.tcp.check = htons(sum_of(&t, sizeof t, pseudo));
		sent += send_frame(fd, (uint8_t *)&f, sizeof f);
		if (port % 64 == 0)
			take_answers(fd, to.sin_addr, is_open);
	}
	for (int64_t end = now_ms() + WAIT_MS / 2; now_ms() < end; usleep(10000))
		take_answers(fd, to.sin_addr, is_open);
	fprintf(out, "sent %d open", sent);
	for (int port = 0; port < 65536; port++)
		if (is_open[port])
			fprintf(out, " %d", port);
	fprintf(out, "\n");
}

/* --- listening and pouring ----------------------------------------------------------------------
 */

static void sniff(char **w)
{
	uint8_t mark[64], stop[64], got[2048], first[64] = { 0 };
	size_t len = from_hex(w[2], mark, sizeof mark);
	size_t stop_len = from_hex(w[3] ? w[3] : "", stop, sizeof stop);
	int fd = packet_socket(), seen = 0;
	int64_t end = now_ms() + atoi(w[1]);
	for (int64_t left; (left = end - now_ms()) > 0;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct sockaddr_ll from;
		socklen_t from_len = sizeof from;
		if (poll(&p, 1, (int)left) != 1)
			continue;
		ssize_t n = recvfrom(fd, got, sizeof got, 0, (struct sockaddr *)&from, &from_len);
		if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (stop_len && memmem(got, (size_t)n, stop, stop_len))
			break;
		if (!memmem(got, (size_t)n, mark, len))
			continue;
		if (seen++ == 0)
			memcpy(first, got, n < 64 ? (size_t)n : 64);
	}
	fprintf(out, "seen %d ", seen);
	for (size_t i = 0; seen && i < sizeof first; i++)
		fprintf(out, "%02x", first[i]);
	fprintf(out, "\n");
}

static void pour_into(int fd)
{
	static const char zeroes[16384];
	struct timespec pause = { .tv_nsec = 5000000 };
	while (write(fd, zeroes, sizeof zeroes) > 0)
		nanosleep(&pause, NULL);
}

static void pour(char **w)
{
	(void)w;
	pour_into(fileno(out));
}

static void push(char **w)
{
	const char *how;
	int fd = connect_to(w[1], w[2], &how);
	fprintf(out, "%s\n", strcmp(how, "open") == 0 ? "connected" : how);
	fflush(out);
	if (strcmp(how, "open") != 0)
		return;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	static const char zeroes[16384];
	for (int64_t last = now_ms(); now_ms() - last < 10000;) {
		if (poll(&p, 1, 100) != 1)
			continue;
		if (write(fd, zeroes, sizeof zeroes) < 0 && errno != EAGAIN)
			break;
		last = now_ms();
		usleep(5000);
	}
	fprintf(out, "ended\n");
}

static void arp(char **w)
{
	FILE *table = fopen("/proc/net/arp", "r");
	char line[256];
	(void)w;
	while (table && fgets(line, sizeof line, table))
		fputs(line, out);
}

/* --- orders -------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	int words;
	void (*run)(char **words);
} orders[] = {
	{ "tool", 2, tool },
	{ "tcp", 3, tcp },
	{ "udp", 3, udp },
	{ "ping", 2, ping },
	{ "syn", 5, syn },
	{ "sniff", 3, sniff },
	{ "arp", 1, arp },
	{ "pour", 1, pour },
	{ "push", 3, push },
};

static void obey(char *line)
{
	char *words[MAX_WORDS + 1] = { NULL }, *save = NULL;
	int n = 0;
	for (char *w = strtok_r(line, " \r\n", &save); w && n < MAX_WORDS;
			w = strtok_r(NULL, " \r\n", &save))
		words[n++] = w;
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
		if (n >= orders[i].words && strcmp(words[0], orders[i].name) == 0) {
			orders[i].run(words);
			return;
		}
	fprintf(out, "no such order\n");
}

static int listen_on(uint16_t port, int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, backlog) < 0) {
		perror("attacker: listen");
		exit(1);
	}
	return fd;
}

int main(void)
{
	static char line[ORDER_MAX];
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	(void)listen_on(8090, 4096);
	int server = listen_on(8080, 64);
	for (;;) {
		int fd = accept(server, NULL, NULL);
		if (fd < 0 || fork() != 0) {
			close(fd);
			continue;
		}
		FILE *in = fdopen(fd, "r");
		out = fdopen(dup(fd), "w");
		if (in && out && fgets(line, sizeof line, in)) {
			obey(line);
			fflush(out);
		}
		_exit(0);
	}
}
