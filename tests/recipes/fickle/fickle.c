/* The service of fickle: answers quickly, and does what its clients tell it to.  One thread, no
 * process per request: under emulation those would be all that a test measures.
 *
 *   /                      the text of /srv/www/index.html, "fickle VERSION"
 *   /cgi-bin/health        200, or 503 once it is sick; version 3 always is
 *   /cgi-bin/who           the name of the node
 *   /cgi-bin/sick          falls sick
 *   /cgi-bin/exit?STATUS   ends with it
 *   /cgi-bin/keep?WORD     adds a line to a file, on a volume if there is one, and answers when it
 * is on disk: "kept WORD"; without a word: the file
 *
 * As a job (JOB=STATUS) it works for a moment (JOB_SECONDS) and ends. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define PORT 8080
#define CONNECTIONS 128
#define REQUEST_MAX 1024
#define INDEX "/srv/www/index.html"
#define KEPT "/var/lib/fickle/kept"

typedef struct {
	size_t len;
	char text[REQUEST_MAX];
} Request;

static struct pollfd fds[1 + CONNECTIONS]; /* the first one listens */
static Request requests[1 + CONNECTIONS];
static nfds_t n_fds = 1;
static char front[64];
static int is_sick, is_job, ends_with = -1;

static void on_term(int sig)
{
	_exit(is_job ? 128 + sig : 0);
}

static void write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* it has gone: its loss */
		text += n;
		len -= (size_t)n;
	}
}

static void say(int fd, const char *status, const char *text)
{
	char all[REQUEST_MAX + 256];
	int n = snprintf(all, sizeof all,
			"HTTP/1.0 %s\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n%s",
			status, text);
	write_all(fd, all, (size_t)n < sizeof all ? (size_t)n : sizeof all - 1);
}

/* --- keep --------------------------------------------------------------------------- */

static void show_kept(int fd)
{
	char text[4096];
	ssize_t n;
	int kept = open(KEPT, O_RDONLY | O_CLOEXEC);
	say(fd, "200 OK", "");
	if (kept < 0)
		return;
	while ((n = read(kept, text, sizeof text)) > 0)
		write_all(fd, text, (size_t)n);
	close(kept);
}

static void keep(int fd, const char *word)
{
	char text[REQUEST_MAX];
	size_t len = (size_t)snprintf(text, sizeof text, "%s\n", word);
	int kept = open(KEPT, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int good = kept >= 0 && write(kept, text, len) == (ssize_t)len && fsync(kept) == 0;
	if (kept >= 0)
		close(kept);
	snprintf(text, sizeof text, "kept %s\n", word);
	if (good)
		say(fd, "200 OK", text);
	else
		say(fd, "500 not kept", "not kept\n");
}

/* --- requests ----------------------------------------------------------------------- */

/* @path: with what follows the '?' cut off into @query, "" where there is none */
static void answer(int fd, const char *path, const char *query)
{
	char text[80] = "";
	if (strcmp(path, "/") == 0 || strcmp(path, "/index.html") == 0) {
		say(fd, "200 OK", front);
	} else if (strcmp(path, "/cgi-bin/health") == 0) {
		say(fd, is_sick ? "503 sick" : "200 OK", "well?\n");
	} else if (strcmp(path, "/cgi-bin/who") == 0) {
		gethostname(text, sizeof text - 2);
		say(fd, "200 OK", strcat(text, "\n"));
	} else if (strcmp(path, "/cgi-bin/sick") == 0) {
		is_sick = 1;
		say(fd, "200 OK", "sick\n");
	} else if (strcmp(path, "/cgi-bin/exit") == 0) {
		ends_with = atoi(query) & 0xff;
		snprintf(text, sizeof text, "ending with %d\n", ends_with);
		say(fd, "200 OK", text);
	} else if (strcmp(path, "/cgi-bin/keep") == 0) {
		if (*query)
			keep(fd, query);
		else
			show_kept(fd);
	} else {
		say(fd, "404 not found", "there is no such thing\n");
	}
}

/* 0: more is to come. */
static int take(int fd, Request *r)
{
	char *path, *end, *query;
	ssize_t n = read(fd, r->text + r->len, sizeof r->text - 1 - r->len);
	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	r->len += (size_t)n;
	r->text[r->len] = '\0';
	if (n == 0)
		return 1;
	if (!strstr(r->text, "\r\n\r\n") && r->len < sizeof r->text - 1)
		return 0;
	/* Answers are short, but for what was kept: whoever does not read that is not waited for
	 * long.
	 */
	struct timeval limit = { .tv_sec = 5 };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	path = strchr(r->text, ' ');
	end = path ? strpbrk(path + 1, " \r\n") : NULL;
	if (!end) {
		say(fd, "400 bad request", "GET, a path, HTTP/1.0\n");
		return 1;
	}
	*end = '\0';
	query = strchr(++path, '?');
	if (query)
		*query++ = '\0';
	answer(fd, path, query ? query : "");
	return 1;
}

static void leave(nfds_t i)
{
	close(fds[i].fd);
	n_fds--;
	fds[i] = fds[n_fds];
	requests[i] = requests[n_fds];
}

/* More than it has room for wait in the kernel's queue. */
static void let_in(void)
{
	int fd;
	while (n_fds <= CONNECTIONS &&
			(fd = accept4(fds[0].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		fds[n_fds] = (struct pollfd){ .fd = fd, .events = POLLIN };
		requests[n_fds++].len = 0;
	}
}

static int serve(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int one = 1;
	fds[0].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fds[0].fd, (struct sockaddr *)&any, sizeof any) < 0 ||
			listen(fds[0].fd, 512) < 0) {
		perror("port");
		return 1;
	}
	while (ends_with < 0) {
		fds[0].events = n_fds <= CONNECTIONS ? POLLIN : 0;
		if (poll(fds, n_fds, -1) < 0)
			continue;
		/* From the last one down: leave() puts the last one in the place of another. */
		for (nfds_t i = n_fds; i-- > 1;)
			if (fds[i].revents && take(fds[i].fd, &requests[i]))
				leave(i);
		if (fds[0].revents)
			let_in();
	}
	return ends_with;
}

int main(void)
{
	const char *job = getenv("JOB"), *seconds = getenv("JOB_SECONDS");
	is_job = job && *job;
	/* As the first process of its pid namespace it gets no signal that it does not ask for. */
	signal(SIGTERM, on_term);
	if (is_job) {
		sleep(seconds ? (unsigned)atoi(seconds) : 0);
		puts("the job is done");
		return atoi(job);
	}
	signal(SIGPIPE, SIG_IGN);
	int fd = open(INDEX, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, front, sizeof front - 1);
	if (n < 0) {
		perror(INDEX);
		return 1;
	}
	close(fd);
	is_sick = strcmp(front, "fickle 3\n") == 0;
	return serve();
}
