#include "app/openmef/commands.h"
#include "app/role.h"

#include <signal.h>
#include <string.h>

static const struct cli_program program = {
	.name = "openmef",
	.summary = "gives identities and keys to fleets of devices (oneM2M enrolment, EST)",
	.intro = "First steps:\n"
		 "  openmef init --fqdn mef.example.com --dir /var/lib/openmef\n"
		 "  openmef serve --dir /var/lib/openmef\n",
	.dir_help = "OpenMEF directory; else OPENMEF_DIR, else the current one when it holds openmef.conf, else /var/lib/openmef.",
	.see_also = ".BR openmef.conf (5),\n.BR enrolee (1)",
	.commands = commands,
};

const struct cli_program *const openmef_program = &program;

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strncmp(argv[1], "role-", 5) == 0)
		return cmd_role(argc - 1, argv + 1);
	return cli_main(&program, argc - 1, argv + 1, cmd_serve);
}
