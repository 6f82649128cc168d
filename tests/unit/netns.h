#pragma once
/* A network namespace of the test's own, so that it can neither see nor change the machine's
 * network: needs neither root nor a network. */
#include "cm.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static inline gboolean netns_write(const gchar *path, const gchar *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	gboolean ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* FALSE where the kernel does not let us: the tests are then skipped. */
static inline gboolean netns_enter(void)
{
	g_autofree gchar *uid = g_strdup_printf("0 %u 1", getuid());
	g_autofree gchar *gid = g_strdup_printf("0 %u 1", getgid());

	if (unshare(CLONE_NEWNET) == 0)
		return TRUE;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
	       netns_write("/proc/self/setgroups", "deny") &&
	       netns_write("/proc/self/uid_map", uid) && netns_write("/proc/self/gid_map", gid);
}

/* Runs @argv (one string, split at blanks and quotes) and asserts that it succeeds. */
static inline void netns_run(const gchar *command)
{
	g_autoptr(GError) error = NULL;
	g_autofree gchar *err = NULL;
	int status;

	if (!g_spawn_command_line_sync(command, NULL, &err, &status, &error))
		fail_msg("%s", error->message);
	if (status != 0)
		fail_msg("'%s': %s", command, err);
}

static inline gchar *netns_output(const gchar *command)
{
	gchar *out = NULL;
	g_spawn_command_line_sync(command, &out, NULL, NULL, NULL);
	return out ? out : g_strdup("");
}
