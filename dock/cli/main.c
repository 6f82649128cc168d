#include <locale.h>
#include <sys/resource.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	/* --env holds secrets: a crash must not leave them on the disk. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	return isc_cli_main(argc, argv);
}
