/* `openmef request`: certificate requests that wait for a person. */
#include "app/openmef/commands.h"

#include "base/date.h"
#include "base/hex.h"
#include "core/registry/request.h"
#include "pki/csr.h"
#include "pki/digest.h"
#include "pki/name.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LIST_DEFAULT = 50, ROW_ARENA_MAX = 256 * 1024, SANS_TEXT_MAX = 16 * 1024 };

/* ---- what a person compares */

/* What the device can show too: key and request by their digests. */
struct facts {
	const char *subject;
	const char *key_kind;
	char key[KEY_NI_SIZE];
	char csr_hex[2 * SHA256_SIZE + 1];
	struct buf sans; /* "urn:..., name" */
};

static void facts_fini(struct facts *f)
{
	buf_fini(&f->sans);
}

static enum err read_facts(const struct request *r, struct arena *arena, struct facts *out, struct why *why)
{
	struct csr csr = {0};
	struct san_list sans = {0};
	uint8_t digest[SHA256_SIZE];

	TRY(csr_parse(r->csr, &csr, why));
	TRY(name_text(csr.subject, arena, &out->subject, why));
	if (csr.san.n)
		TRY(san_parse(csr.san, arena, &sans, why));
	san_put_text(&out->sans, &sans);
	TRY(buf_check(&out->sans, "subjectAltName", why));
	out->key_kind = key_spec_name(csr.key_spec);
	key_ni_text(csr.spki, out->key);
	digest_sha256(r->csr, digest);
	hex_text(digest, sizeof(digest), out->csr_hex);
	return OK;
}

static const char *state_of(const struct request *r, int64_t now_s)
{
	bool counts = r->state == REQUEST_WAITING || r->state == REQUEST_APPROVED;

	return counts && r->expires_s <= now_s ? "expired" : request_state_name(r->state);
}

static struct json *request_json(const struct request *r, int64_t now_s)
{
	struct json *j = json_object_new();
	char serial[2 * STORE_SERIAL_MAX + 1];

	hex_text(r->serial.p, r->serial.n, serial);
	json_put_text(j, "id", r->id);
	json_put_text(j, "state", state_of(r, now_s));
	json_put_text(j, "enrolee", r->enrolee_id);
	json_put_text(j, "label", r->est_label);
	json_put_text(j, "kind", request_kind_name(r->kind));
	json_put_date(j, "created", r->created_s);
	json_put_date(j, "expires", r->expires_s);
	json_put_date(j, "decided", r->decided_s);
	json_put_text(j, "decided_by", r->decided_by[0] ? r->decided_by : NULL);
	json_put_text(j, "reason", r->reason[0] ? r->reason : NULL);
	json_put_text(j, "serial", r->serial.n ? serial : NULL);
	return j;
}

/* ---- list */

struct listing {
	const struct cli *cli;
	struct json *list;
	int64_t now_s;
	size_t n;
	char last[STORE_REQUEST_ID_MAX + 1];
};

static enum err list_one(void *arg, const struct request *r, struct why *why)
{
	struct listing *l = arg;
	char until[DATE_TEXT_SIZE];

	date_text(r->expires_s, until);
	if (l->cli->json)
		json_add(l->list, request_json(r, l->now_s));
	cli_say(l->cli, "%-10s %-9s %-13s %-24s %s\n", r->id, state_of(r, l->now_s), request_kind_name(r->kind), r->enrolee_id, until);
	l->n++;
	snprintf(l->last, sizeof(l->last), "%s", r->id);
	return OK;
}

static enum err take_state(const struct cli *cli, int *out, struct why *why)
{
	const char *text = cli_value(cli, "state");
	enum request_state state = REQUEST_WAITING;

	*out = 0;
	if (!text)
		return OK;
	if (!request_state_parse(span_text(text), &state))
		return WHY(why, CLI_USAGE, "", "--state: want waiting, approved, denied or done, have '%.20s'", text);
	*out = (int)state;
	return OK;
}

static enum err run_list(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *list = json_list_new();
	struct conf conf;
	uint64_t limit = LIST_DEFAULT;
	struct request_filter filter = {.after_id = cli_value(cli, "after"), .enrolee_id = cli_value(cli, "enrolee")};
	struct listing l = {.cli = cli, .list = list, .now_s = clock_unix_s(&cli->clock)};

	TRY(cli_number(cli, "limit", 1, STORE_PAGE_MAX, &limit, why));
	TRY(take_state(cli, &filter.state, why));
	filter.limit = (size_t)limit;
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	cli_say(cli, "%-10s %-9s %-13s %-24s %s\n", "ID", "STATE", "KIND", "ENROLEE", "UNTIL");
	TRY(store->ops->request_list(store->self, &filter, list_one, &l, why));
	if (l.n == limit)
		cli_say(cli, "More: the same command with --after %s\n", l.last);
	if (cli->json)
		cli_print_json(list);
	return OK;
}

static const struct cli_option list_options[] = {
	{"state", "STATE", "Only those: waiting, approved, denied or done."},
	{"enrolee", "ID", "Only those of this enrolee."},
	{"after", "ID", "Start behind this id."},
	{"limit", "N", "At most N rows (default 50)."},
	{NULL, NULL, NULL},
};

const struct command command_request_list = {"request list", "", 0, 0, "List certificate requests that wait for a person.",
	"Requests come here under labels with hold = enrol or all. An approved one waits for its device to ask again.\n"
	"\n"
	"  openmef request list --state waiting\n"
	"  openmef request list --enrolee pump-17 --json",
	list_options, run_list};

/* ---- show */

static void tell_facts(const struct cli *cli, const struct request *r, struct facts *f, int64_t now_s)
{
	OWNED_JSON struct json *j = request_json(r, now_s);
	char date[DATE_TEXT_SIZE];

	json_put_text(j, "subject", f->subject);
	json_put_text(j, "subject_alt_name", f->sans.n ? buf_text(&f->sans) : NULL);
	json_put_text(j, "key_kind", f->key_kind);
	json_put_text(j, "key", f->key);
	json_put_text(j, "csr_sha256", f->csr_hex);
	if (cli->json)
		cli_print_json(j);
	date_text(r->created_s, date);
	cli_say(cli, "Request %s: %s\nEnrolee %s, label '%s', %s, since %s", r->id, state_of(r, now_s), r->enrolee_id, r->est_label,
		request_kind_name(r->kind), date);
	date_text(r->expires_s, date);
	cli_say(cli, ", until %s\n", date);
	if (r->decided_s) {
		date_text(r->decided_s, date);
		cli_say(cli, "Decided by %s at %s%s%s\n", r->decided_by, date, r->reason[0] ? ": " : "", r->reason);
	}
	cli_say(cli, "Subject %s\nSubjectAltName %s\nKey %s, %s\nCSR SHA-256 %s\n", f->subject[0] ? f->subject : "(empty)",
		f->sans.n ? buf_text(&f->sans) : "(none)", f->key_kind, f->key, f->csr_hex);
}

static enum err run_show(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(facts_fini))) struct facts facts = {.sans = BUF(SANS_TEXT_MAX)};
	OWNED_STORE struct store *store = NULL;
	OWNED_ARENA struct arena arena = ARENA(ROW_ARENA_MAX);
	struct request r = {0};
	struct conf conf;

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(store->ops->request_find(store->self, cli->args[0], &arena, &r, why));
	TRY(read_facts(&r, &arena, &facts, why));
	tell_facts(cli, &r, &facts, clock_unix_s(&cli->clock));
	return OK;
}

const struct command command_request_show = {"request show", "ID", 1, 1, "Show what a waiting request asks for.",
	"Key is the RFC 6920 name of the public key; `enrolee status` on the device shows the same while it waits. ID is what "
	"`openmef request list` and the answer to the device name.\n"
	"\n"
	"  openmef request show K3MZQ2AB",
	NULL, run_show};

/* ---- approve, deny */

struct deciding {
	const char *id;
	struct request_word word;
	int64_t now_s;
};

static enum err do_decide(struct store *store, void *arg, struct why *why)
{
	const struct deciding *d = arg;

	return request_decide(store, d->id, &d->word, d->now_s, why);
}

/* Who sits at the keyboard, also behind sudo. */
static void operator_name(char out[STORE_NAME_MAX + 1])
{
	const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
	const struct passwd *me = getpwuid(getuid());

	if (sudo && sudo[0])
		snprintf(out, STORE_NAME_MAX + 1, "%s", sudo);
	else if (me && me->pw_name && me->pw_name[0])
		snprintf(out, STORE_NAME_MAX + 1, "%s", me->pw_name);
	else
		snprintf(out, STORE_NAME_MAX + 1, "uid %u", (unsigned int)getuid());
}

static enum err decide(struct cli *cli, bool approve, struct why *why)
{
	OWNED_JSON struct json *j = json_object_new();
	OWNED_STORE struct store *store = NULL;
	char name[STORE_NAME_MAX + 1];
	struct conf conf;
	const char *as = cli_value(cli, "as");
	const char *reason = cli_value(cli, "reason");
	struct deciding d = {.id = cli->args[0], .now_s = clock_unix_s(&cli->clock)};

	operator_name(name);
	d.word = (struct request_word){.approve = approve, .by = as ? as : name, .reason = reason ? reason : ""};
	if (!approve && !reason)
		return WHY(why, CLI_USAGE, "", "want --reason TEXT: the device is told it");
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, do_decide, &d, why));
	json_put_text(j, "id", d.id);
	json_put_text(j, "state", approve ? "approved" : "denied");
	json_put_text(j, "decided_by", d.word.by);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "%s request %s. Its device is told when it asks next.\n", approve ? "Approved" : "Denied", d.id);
	return OK;
}

static enum err run_approve(struct cli *cli, struct why *why)
{
	return decide(cli, true, why);
}

static enum err run_deny(struct cli *cli, struct why *why)
{
	return decide(cli, false, why);
}

static const struct cli_option decide_options[] = {
	{"reason", "TEXT", "Why; kept with the request and in the audit log. The device of a denied request is told it."},
	{"as", "NAME", "Who decides; default: the user who runs the command, also behind sudo."},
	{NULL, NULL, NULL},
};

const struct command command_request_approve = {"request approve", "ID", 1, 1, "Let a waiting request have its certificate.",
	"Compare key and names with what the device shows first. The certificate is issued when the device asks next, if "
	"its enrolee and its label admit it then. Of two decisions the first counts: the second command fails.\n"
	"\n"
	"  openmef request approve K3MZQ2AB --reason 'ticket 4711'",
	decide_options, run_approve};

const struct command command_request_deny = {"request deny", "ID", 1, 1, "Refuse a waiting request.",
	"The same CSR stays refused for as long as the request would have waited.\n"
	"\n"
	"  openmef request deny K3MZQ2AB --reason 'key differs from the one on the device'",
	decide_options, run_deny};
