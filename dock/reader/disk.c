#include "reader/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#define QMP_FD 3
#define DISK_FD 4
#define ANSWER_MAX (64 * 1024)

struct IscDisk {
	pid_t pid;
	int qmp;
	GString *in; /* bytes that were read and not looked at */
};

static G_NORETURN void become_qemu(int qmp, int disk)
{
	const char *argv[] = { "qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display",
		"none", "-sandbox",
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-add-fd", "fd=4,set=1", "-chardev", "socket,id=qmp,fd=3", "-mon",
		"chardev=qmp,mode=control", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Above what is put into place, so that neither overwrites the other. */
	int q = fcntl(qmp, F_DUPFD_CLOEXEC, 10), d = fcntl(disk, F_DUPFD_CLOEXEC, 10);
	if (dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2 &&
			dup2(q, QMP_FD) == QMP_FD && dup2(d, DISK_FD) == DISK_FD)
		execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* The next line of QEMU's, NULL where it is gone. */
static gchar *read_line(IscDisk *disk)
{
	for (;;) {
		gchar *end = memchr(disk->in->str, '\n', disk->in->len);
		if (end) {
			gchar *line = g_strndup(disk->in->str, (gsize)(end - disk->in->str));
			g_string_erase(disk->in, 0, end + 1 - disk->in->str);
			return line;
		}
		gchar buffer[4096];
		gssize n = read(disk->qmp, buffer, sizeof buffer);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || disk->in->len + (gsize)n > ANSWER_MAX)
			return NULL;
		g_string_append_len(disk->in, buffer, n);
	}
}

/* Until an answer comes; events are passed over. */
static gboolean wait_for_answer(IscDisk *disk, GError **error)
{
	gchar *line;
	while ((line = read_line(disk))) {
		g_autofree gchar *text = line;
		g_autoptr(IscJson) answer = json_tokener_parse(text);
		json_object *part = NULL, *desc = NULL;
		if (json_object_object_get_ex(answer, "return", &part))
			return TRUE;
		if (!json_object_object_get_ex(answer, "error", &part))
			continue;
		json_object_object_get_ex(part, "desc", &desc);
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "the disk does not open: %s",
				desc ? json_object_get_string(desc) : "no reason given");
		return FALSE;
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"qemu-system-x86_64 does not start; is qemu-system-x86 installed?");
	return FALSE;
}

/* Each line is one command; the last is where the export stands. */
static gboolean serve(IscDisk *disk, const gchar *key, const gchar *socket, GError **error)
{
	g_autofree gchar *secret = g_strdup_printf(
			"{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":\"secret\","
			"\"id\":\"key\",\"data\":\"%s\"}}\n",
			key);
	g_autofree gchar *server = g_strdup_printf(
			"{\"execute\":\"nbd-server-start\",\"arguments\":{\"addr\":{\"type\":"
			"\"unix\",\"data\":{\"path\":\"%s\"}}}}\n",
			socket);
	const gchar *commands[] = { "{\"execute\":\"qmp_capabilities\"}\n", secret,
		"{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":\"qcow2\","
		"\"node-name\":\"disk\",\"read-only\":true,\"encrypt\":{\"format\":\"luks\","
		"\"key-secret\":\"key\"},\"file\":{\"driver\":\"file\","
		"\"filename\":\"/dev/fdset/1\",\"read-only\":true,\"locking\":\"off\"}}}\n",
		server,
		"{\"execute\":\"block-export-add\",\"arguments\":{\"type\":\"nbd\",\"id\":\"e\","
		"\"node-name\":\"disk\",\"name\":\"" ISC_DISK_EXPORT "\",\"writable\":false}}\n",
		NULL };
	g_autofree gchar *greeting = read_line(disk);
	gboolean ok = TRUE;
	for (gsize i = 0; ok && commands[i]; i++)
		ok = isc_file_write_all(disk->qmp, commands[i], strlen(commands[i]), error) &&
		     wait_for_answer(disk, error);
	sodium_memzero(secret, strlen(secret));
	return ok;
}

IscDisk *isc_disk_open(int fd, const gchar *key, const gchar *socket, GError **error)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		isc_error_set_errno(error, errno, "cannot make a socket");
		return NULL;
	}
	g_autoptr(IscDisk) disk = g_new0(IscDisk, 1);
	disk->in = g_string_new(NULL);
	disk->qmp = pair[0];
	disk->pid = fork();
	if (disk->pid == 0)
		become_qemu(pair[1], fd);
	close(pair[1]);
	if (disk->pid < 0) {
		isc_error_set_errno(error, errno, "cannot start QEMU");
		return NULL;
	}
	/* One that is gone is an error, no signal. */
	(void)signal(SIGPIPE, SIG_IGN);
	return serve(disk, key, socket, error) ? g_steal_pointer(&disk) : NULL;
}

void isc_disk_close(IscDisk *disk)
{
	if (!disk)
		return;
	isc_clear_fd(&disk->qmp);
	if (disk->pid > 0) {
		kill(disk->pid, SIGKILL);
		(void)waitpid(disk->pid, NULL, 0);
	}
	g_string_free(disk->in, TRUE);
	g_free(disk);
}
