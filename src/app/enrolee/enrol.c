#include "app/enrolee/enrolee.h"

#include "adapt/sys/file.h"
#include "adapt/sys/generation.h"
#include "app/enrolee/bootstrap.h"
#include "app/enrolee/exchange.h"
#include "app/enrolee/srp.h"
#include "base/text.h"

/* RFC 7030 4.4: to have it encrypted is to have it made */
static bool wants_server_key(const struct cli *cli)
{
	return cli_flag(cli, "server-key") || cli_flag(cli, "server-key-cipher");
}

/* The certificate alone, without the exchange. */
static enum err enrol_by_est(struct cli *cli, struct why *why)
{
	OWNED_GIVEN struct enrolee_given given = {0};
	OWNED_BUF struct buf origin = BUF(ORIGIN_MAX);
	OWNED_LOCK int lock = -1;
	struct drive_ask ask = {.goal = AGENT_ENROL, .dir = enrolee_dir(cli), .connect = cli_value(cli, "connect"),
		.no_wait = cli_flag(cli, "no-wait"), .tls12_only = cli_flag(cli, "tls12"), .link_session = cli_flag(cli, "link-session"), .subject = cli_value(cli, "subject"),
		.cmc = cli_flag(cli, "cmc"), .server_key = wants_server_key(cli), .server_key_cipher = cli_flag(cli, "server-key-cipher")};

	TRY(enrolee_want(cli, "mef", &ask.mef_uri, why));
	TRY(enrolee_key_option(cli, &ask.key_wish, why));
	TRY(bootstrap_given(cli, ask.mef_uri, ask.dir, &given, &origin, why));
	ask.anchors_origin = buf_text(&origin);
	ask.anchors_pem = buf_span(&given.anchors);
	ask.cert_pem = buf_span(&given.cert);
	ask.key_pem = buf_span(&given.key);
	TRY(generation_dir(ask.dir, why));
	TRY(generation_lock(ask.dir, &lock, why));
	cli_say(cli, "Enrolling with %s\n", ask.mef_uri);
	return enrolee_drive(cli, &ask, why);
}

/* What an exchange needs from options and files, kept until it ends. */
struct inputs {
	struct exchange_plan plan;
	struct enrolee_given given;
	char identity[M2M_KEYID_SIZE];
	struct buf anchors, mef, token, origin;
	struct agent_keys held;
};

static void inputs_fini(struct inputs *in)
{
	enrolee_given_fini(&in->given);
	secret_wipe(&in->plan.psk);
	buf_fini(&in->anchors);
	buf_fini(&in->mef);
	buf_fini(&in->origin);
	buf_fini_wipe(&in->token);
	agent_keys_fini(&in->held);
}

static enum err take_token(const struct cli *cli, struct inputs *in, struct why *why)
{
	const char *path = cli_value(cli, "token-file");

	if (!path)
		return OK;
	TRY(store_read_line(path, "Enrolment-Token", &in->token, why));
	in->plan.token = buf_text(&in->token);
	return OK;
}

/* TS-0003 8.3.2.1: KpmId and Kpm */
static enum err take_kpm(const struct cli *cli, struct inputs *in, struct why *why)
{
	enum { KPM_MIN = 16, KPM_MAX = 64 }; /* docs/decisions/0013 */
	const char *id = cli_value(cli, "psk-id");
	const char *anchors = cli_value(cli, "anchors");
	struct span fqdn = {0};

	TRY(enrolee_want(cli, "mef", &in->plan.mef_uri, why));
	TRY(store_read_key(cli_value(cli, "psk"), KPM_MIN, KPM_MAX, in->identity, &in->plan.psk, why));
	if (!id && !in->identity[0])
		return WHY(why, CLI_USAGE, "", "want --psk-id, or a key file with IDENTIFIER:DIGITS");
	if (id)
		TRY(m2m_named_parse(span_text(id), false, in->identity, &fqdn, why));
	in->plan.psk_identity = in->identity;
	if (!anchors)
		return OK;
	TRY(file_read(anchors, &in->anchors, why));
	in->plan.anchors_pem = buf_span(&in->anchors);
	return OK;
}

static enum err take_certificate(const struct cli *cli, struct inputs *in, struct why *why)
{
	TRY(enrolee_want(cli, "mef", &in->plan.mef_uri, why));
	TRY(bootstrap_given(cli, in->plan.mef_uri, in->plan.dir, &in->given, &in->origin, why));
	in->plan.anchors_origin = buf_text(&in->origin);
	in->plan.anchors_pem = buf_span(&in->given.anchors);
	in->plan.cert_pem = buf_span(&in->given.cert);
	in->plan.key_pem = buf_span(&in->given.key);
	in->plan.has_certificate = true;
	return OK;
}

/* seed 003 8.3.3.2: KreId and Kre authenticate when re-enrolling to obtain fresh credentials */
static enum err take_kre(const struct cli *cli, struct inputs *in, struct why *why)
{
	struct why ignored = {0};
	OWNED_HELD struct enrolee_held certificate = {0};

	TRY(store_keys(in->plan.dir, true, clock_unix_s(&cli->clock), &in->held, why));
	in->plan.psk_identity = in->held.kreid;
	in->plan.psk = in->held.kre;
	in->plan.mef_uri = cli_value(cli, "mef");
	if (!in->plan.mef_uri) {
		TRY(generation_read(in->plan.dir, GENERATION_MEF, &in->mef, why));
		in->plan.mef_uri = buf_text(&in->mef);
	}
	in->plan.has_certificate = enrolee_held(in->plan.dir, &certificate, &ignored) == OK;
	if (generation_read(in->plan.dir, GENERATION_ANCHORS, &in->anchors, &ignored) == OK)
		in->plan.anchors_pem = buf_span(&in->anchors);
	return OK;
}

/* Tables 9.2.2.1-1 and -2: Enrolment Target Identifier, Enrolment Expiry */
static enum err take_instruction(const struct cli *cli, struct exchange_plan *plan, struct why *why)
{
	const char *expiry = cli_value(cli, "expiry");

	plan->targets_n = cli_values(cli, "target", &plan->targets);
	if (!expiry)
		return OK;
	TRY(text_duration(span_text(expiry), "--expiry", &plan->expiry_s, why));
	if (plan->expiry_s < PREFS_EXPIRY_MIN_S || plan->expiry_s > PREFS_EXPIRY_MAX_S)
		return WHY(why, CLI_USAGE, "TS-0003 9.2.2.1", "--expiry: want %ds to %dd, have '%.40s'", PREFS_EXPIRY_MIN_S,
			PREFS_EXPIRY_MAX_S / 86400, expiry);
	return OK;
}

static enum err take_inputs(const struct cli *cli, struct inputs *in, struct why *why)
{
	in->plan.certificate = !cli_flag(cli, "no-certificate");
	in->plan.maf = !cli_flag(cli, "no-maf");
	TRY(take_instruction(cli, &in->plan, why));
	TRY(enrolee_key_option(cli, &in->plan.key_wish, why));
	TRY(take_token(cli, in, why));
	if (cli_flag(cli, "again"))
		return take_kre(cli, in, why);
	return cli_flag(cli, "psk") ? take_kpm(cli, in, why) : take_certificate(cli, in, why);
}

static enum err enrol_by_exchange(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(inputs_fini))) struct inputs in = {.anchors = BUF(ENROLEE_PEM_MAX), .mef = BUF(ENROLEE_URI_MAX),
		.token = BUF(2 * M2M_TOKEN_MAX), .origin = BUF(ORIGIN_MAX),
		.plan = {.dir = enrolee_dir(cli), .connect = cli_value(cli, "connect"), .no_wait = cli_flag(cli, "no-wait"),
			.tls12_only = cli_flag(cli, "tls12"), .server_key = wants_server_key(cli),
			.server_key_cipher = cli_flag(cli, "server-key-cipher")}};
	OWNED_LOCK int lock = -1;

	agent_keys_init(&in.held);
	if (!cli_flag(cli, "again"))
		TRY(generation_dir(in.plan.dir, why));
	TRY(generation_lock(in.plan.dir, &lock, why));
	TRY(take_inputs(cli, &in, why));
	cli_say(cli, "Enrolment exchange with %s\n", in.plan.mef_uri);
	return exchange_drive(cli, &in.plan, why);
}

static enum err run_enrol(struct cli *cli, struct why *why)
{
	bool by_key = cli_flag(cli, "psk") || cli_flag(cli, "again");

	if (cli_flag(cli, "srp-user") || cli_flag(cli, "srp-password")) {
		TRY(srp_check_options(cli, why));
		return srp_enrol(cli, why);
	}
	if (cli_flag(cli, "psk") && cli_flag(cli, "again"))
		return WHY(why, CLI_USAGE, "", "want either --psk or --again");
	if (by_key && (cli_flag(cli, "cert") || cli_flag(cli, "key")))
		return WHY(why, CLI_USAGE, "", "want either a key (--psk, --again) or a certificate (--cert, --key)");
	if (by_key && (cli_flag(cli, "implicit-anchors") || cli_flag(cli, "root-fingerprint")))
		return WHY(why, CLI_USAGE, "", "--implicit-anchors, --root-fingerprint: with a certificate only; a key authenticates the MEF by itself");
	if (cli_flag(cli, "cmc") && (by_key || cli_flag(cli, "exchange") || wants_server_key(cli)))
		return WHY(why, CLI_USAGE, "RFC 7030 4.3", "--cmc: want --cert alone, which signs the message");
	return by_key || cli_flag(cli, "exchange") ? enrol_by_exchange(cli, why) : enrol_by_est(cli, why);
}

static const struct cli_option enrol_options[] = {
	{"mef", "URI", "The MEF: https://FQDN[:PORT], for EST alone with /.well-known/est/LABEL."},
	{"cert", "FILE", "Certificate that the device has: the factory's, then its intermediates, PEM."},
	{"key", "FILE", "Its private key, PEM, readable by the owner only."},
	{"anchors", "FILE", "Explicit trust anchors for the MEF's certificate, PEM; no others are trusted."},
	{"implicit-anchors", "FILE|system", "Instead: anchors that authenticate the MEF once, while the explicit ones are fetched; system: those of this machine."},
	{"root-fingerprint", "SHA256", "Instead: fetch the anchors from anybody and take the root that has this SHA-256, as `openmef init` printed it."},
	{"psk", "FILE", "Pre-provisioned key Kpm instead of a certificate: hexadecimal digits, or KPMID:DIGITS; - is standard input."},
	{"psk-id", "KPMID", "Its identifier, NAME@MEF-FQDN, where the file holds none."},
	{"srp-user", "USER", "Instead of a certificate: the user that the MEF's operator gave this device (TLS-SRP, RFC 5054; TLS 1.2)."},
	{"srp-password", "FILE", "Its password, one line, in a file readable by the owner only; - is standard input."},
	{"exchange", NULL, "Run the enrolment exchange with a certificate too: symmetric keys, MAFs, authorised pairs."},
	{"again", NULL, "Run it again, authenticated by the re-authentication key Kre of the last one."},
	{"token-file", "FILE", "Enrolment-Token that the M2M service provider handed out; - is standard input."},
	{"target", "ID", "Enrolment Target Identifier: a MAF-ID, or Enrolee B's CSE-ID or AE-ID, that the MEF must grant; may be repeated."},
	{"expiry", "DURATION", "Enrolment Expiry, as 30d: the keys end then at the latest; default: when the MEF says."},
	{"no-certificate", NULL, "Tell the MEF that this device takes no certificate."},
	{"no-maf", NULL, "Tell the MEF that this device uses no MAF."},
	{"out", "DIR", "Where to keep the credentials (same as --dir; default ./enrolee)."},
	{"key-type", "KIND", "New key where the MEF has no wish: P-256 (default), P-384, RSA-2048, RSA-3072, RSA-4096."},
	{"subject", "TEXT", "Values for what the MEF's subject template leaves to the device, as 'OU=plant 3, serialNumber=4711'."},
	{"link-session", NULL, "Link the request to the TLS session (RFC 7030 3.5) also where the MEF does not ask for it."},
	{"server-key", NULL, "Let the MEF make the key (RFC 7030 4.4), for devices without good randomness; over TLS alone."},
	{"server-key-cipher", NULL, "The same, and encrypted: for the key of --psk or --again, else for the key of --cert."},
	{"cmc", NULL, "Ask by a message that the certificate signs (full CMC), where the MEF's label offers it."},
	{"connect", "HOST:PORT", "Connect there instead of to the URI's host; its certificate must still name the host."},
	{"no-wait", NULL, "Do not sleep when the MEF says \"later\": keep key and request, and exit 7."},
	{"tls12", NULL, "Use TLS 1.2 only."},
	{NULL, NULL, NULL},
};

const struct command command_enrol = {"enrol", "", 0, 0, "Get certificate and keys from a MEF.",
	"With --cert: fetches trust anchors and CSR attributes, makes a key, asks for a certificate (EST), checks all of it, and installs it by one rename. Run again after a failure it goes on with the same key. With --srp-user: the same, where a password that neither side sends authenticates both; renewals go by the certificate. With --psk, --exchange or --again: the enrolment exchange, which derives the Enrolment Key from the TLS session and does what the MEF then instructs: certificate, MAFs, authorised pairs.",
	enrol_options, run_enrol};
