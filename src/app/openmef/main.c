#include "app/openmef/commands.h"
#include "app/role.h"
#include "pki/heap.h"
#include "wire/heap.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

static const char manual[] =
	".SH ENVIRONMENT\n"
	".TP\n.B OPENMEF_DIR\nThe directory, where \\fB\\-\\-dir\\fR is not given.\n"
	".TP\n.B CREDENTIALS_DIRECTORY\nSet by systemd: where the master key lies that openmef.conf names as credential:NAME.\n"
	".SH FILES\nBelow the directory:\n"
	".TP\n.I openmef.conf\nThe configuration.\n"
	".TP\n.I openmef.db\nEnrolees, credentials, sealed symmetric keys, preferences, certificates, CRL and audit log (SQLite).\n"
	".TP\n.I secret/master.key\nProtects the private keys and the secrets of the database. Back it up apart from them.\n"
	".TP\n.I secret/psk/\nPre-provisioned keys that were made here, one file each: for their devices, then to be erased. No server needs them.\n"
	".TP\n.I ca/\nCertificates of the CAs and of the server, and the encrypted keys of issuing CA and server.\n"
	".TP\n.I offline/\nThe root CA's encrypted key and its passphrase. Only openmef ca rollover prepare needs them; keep them without network.\n"
	".TP\n.I anchors/devices.pem\nTrust anchors for the certificates of device makers.\n"
	".TP\n.I run/\nWhile a server runs: its lock serve.pid, and ports.json with the ports it listens on.\n";

static const struct cli_program program = {
	.name = "openmef",
	.summary = "gives identities and keys to fleets of devices (oneM2M enrolment, EST)",
	.intro = "First steps:\n"
		 "  openmef init --fqdn mef.example.com --dir /var/lib/openmef\n"
		 "  openmef serve --dir /var/lib/openmef\n",
	.dir_help = "OpenMEF directory; else OPENMEF_DIR, else the current one when it holds openmef.conf, else /var/lib/openmef.",
	.see_also = ".BR openmef.conf (5),\n.BR enrolee (1)",
	.manual = manual,
	.commands = commands,
};

const struct cli_program *const openmef_program = &program;

/* RFC 7030 4.4: the signer makes keys of others, the registrar encrypts them; neither may keep a trace of one. */
static void keep_no_keys(const char *word)
{
	if (strcmp(word, "role-signer") != 0 && strcmp(word, "role-registrar") != 0)
		return;
	bool first = pki_heap_wipe_freed();
	assert(first);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	heap_wipe_freed();
	if (argc > 1)
		keep_no_keys(argv[1]);
	if (argc > 1 && strncmp(argv[1], "role-", 5) == 0)
		return cmd_role(argc - 1, argv + 1);
	return cli_main(&program, argc - 1, argv + 1, cmd_serve);
}
