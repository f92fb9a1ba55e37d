#include "agent/exchange.h"
#include "base/cursor.h"
#include "wire/uri.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ACTIONS_MAX = 64, NOW_S = 1767225600 };

#define FQDN "mef.example.com"

static int64_t unix_s(void *self)
{
	return NOW_S;
}

/* A reply of the input: status, media type, body. The device's exported octets are 00 01 02 ... and 80 81 82 ... */
static void feed_reply(struct agent_x *x, struct cursor *in)
{
	static const unsigned int statuses[] = {200, 201, 202, 403, 404, 500, 503};
	static const char *const types[] = {"application/json", "application/xml", "application/vnd.onem2m-res+json", "text/plain"};
	uint8_t octets[2 * M2M_EXPORT_SIZE];

	for (size_t i = 0; i < M2M_EXPORT_SIZE; i++) {
		octets[i] = (uint8_t)i;
		octets[M2M_EXPORT_SIZE + i] = (uint8_t)(0x80 + i);
	}
	struct agent_x_reply reply = {.bootstrap = span_of(octets, M2M_EXPORT_SIZE),
		.reauth = span_of(octets + M2M_EXPORT_SIZE, M2M_EXPORT_SIZE)};
	reply.status = statuses[cursor_u8(in) % (sizeof(statuses) / sizeof(statuses[0]))];
	reply.media_type = span_text(types[cursor_u8(in) % (sizeof(types) / sizeof(types[0]))]);
	reply.body = cursor_u16_bytes(in);
	agent_x_feed(x, &reply);
}

/* Whatever the MEF answers, the device goes to no other host for its certificate. */
static void check_uri(const char *text)
{
	struct uri uri = {0};
	struct why why = {0};

	if (uri_parse(span_text(text), &uri, &why) != OK || !span_is_nocase(uri.host, FQDN) || !span_is_nocase(uri.scheme, "https"))
		abort();
}

/* The keys are those of its own session, bounded in time, and can be stored and read back. */
static void check_keys(const struct agent_keys *k)
{
	struct buf json __attribute__((cleanup(buf_fini_wipe))) = BUF(DOC_BYTES_MAX + 1);
	OWNED_AGENT_KEYS struct agent_keys back = {0};
	struct why why = {0};

	if (strcmp(k->keid, "000102030405060708090A0B0C0D0E0F@" FQDN) != 0 || k->ke.bytes[0] != 0x10 || k->kre.bytes[0] != 0x90
		|| k->expires_s <= NOW_S || k->expires_s > NOW_S + (int64_t)PREFS_EXPIRY_MAX_S)
		abort();
	agent_keys_init(&back);
	enum err err = agent_keys_write(k, &json, &why);
	if (err == ERR_LIMIT)
		return;
	if (err != OK || agent_keys_parse(buf_span(&json), &back, &why) != OK || back.pairs_n != k->pairs_n)
		abort();
}

static void step(struct agent_x *x, const struct agent_x_action *action, struct cursor *in)
{
	struct why lost = {0};

	switch (action->kind) {
	case AGENT_X_CALL:
		feed_reply(x, in);
		break;
	case AGENT_X_ENROL:
		check_uri(action->est_uri);
		(void)WHY(&lost, AGENT_ISSUED, "", "not enrolled");
		if (cursor_u8(in) & 1)
			agent_x_feed_not_enrolled(x, &lost);
		else
			agent_x_feed_enrolled(x);
		break;
	case AGENT_X_KEEP:
		check_keys(action->keys);
		agent_x_feed_kept(x);
		break;
	case AGENT_X_WAIT:
		agent_x_feed_waited(x);
		break;
	case AGENT_X_DONE:
	case AGENT_X_FAILED:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_init(span_of(data, size));
	const struct agent_x_config config = {.mef_uri = "https://" FQDN ":8443", .certificate = true, .maf = true,
		.form = DOC_JSON, .clock = {.unix_s = unix_s}};
	struct agent_x *x = NULL;
	struct why why = {0};

	if (agent_x_new(&config, &x, &why) != OK)
		abort();
	for (int i = 0; i < ACTIONS_MAX; i++) {
		struct agent_x_action action;
		agent_x_next(x, &action, &why);
		if (action.kind == AGENT_X_DONE || action.kind == AGENT_X_FAILED)
			break;
		step(x, &action, &in);
	}
	agent_x_free(x);
	return 0;
}
