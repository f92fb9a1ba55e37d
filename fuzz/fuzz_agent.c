#include "agent/machine.h"
#include "base/cursor.h"
#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ACTIONS_MAX = 64, PEM_MAX = 64 * 1024 };

/* Made for this corpus, whose last answer certifies it. */
static const char key_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2wyiKnz6p476PQG0\n"
	"lqSdvb9fk2T8txNqQqCapTstVamhRANCAAS4xU7/wlxCw24LTJP/qbKSRk3qKntW\n"
	"+dxAs8+7Q4o1gR4qsxeqBrQqaolUMo4JLXhILiR7xPZdRZmjZtyiHY+O\n"
	"-----END PRIVATE KEY-----\n";

static const int64_t now_s = 1767225600; /* 2026-01-01T00:00:00Z */

static int64_t unix_s(void *self)
{
	return now_s;
}

/* The certificate installed is for the device's own key, and no CA's, whatever the MEF answers. */
static void check_install(const struct agent_action *action, const struct key *key)
{
	struct cert cert = {0};
	struct why why = {0};

	if (cert_parse(action->certificate, &cert, &why) != OK || !key_matches_spki(key, cert.spki) || cert.is_ca)
		abort();
}

static void feed_reply(struct agent *a, const struct agent_action *action, struct cursor *in, struct span server)
{
	static const unsigned int statuses[] = {200, 202, 204, 403, 404, 503};
	struct agent_reply reply = {.media_type = span_text(action->accept), .server_certs = &server, .server_certs_n = 1};

	reply.status = statuses[cursor_u8(in) % (sizeof(statuses) / sizeof(statuses[0]))];
	reply.body = cursor_u16_bytes(in);
	agent_feed(a, &reply);
}

static void run(struct agent *a, const struct key *key, struct cursor *in, struct span server)
{
	for (int i = 0; i < ACTIONS_MAX; i++) {
		struct agent_action action;
		struct why why = {0};
		agent_next(a, &action, &why);
		switch (action.kind) {
		case AGENT_CALL:
			feed_reply(a, &action, in, server);
			break;
		case AGENT_MAKE_KEY:
			agent_feed_key(a, key);
			break;
		case AGENT_INSTALL:
			check_install(&action, key);
			agent_feed_installed(a);
			break;
		case AGENT_WAIT:
			agent_feed_waited(a);
			break;
		case AGENT_DONE:
		case AGENT_FAILED:
			return;
		}
	}
}

/* A goal, the certificate that is anchor, client and server in one, then answers: status and body each. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_init(span_of(data, size));
	static struct key *key; /* parsed once: that is the slow part */
	struct buf pem OWNED_BUF = BUF(PEM_MAX);
	struct agent *agent = NULL;
	struct why why = {0};
	struct agent_config config = {.base_uri = "https://mef.example.com", .clock = {.unix_s = unix_s}};

	config.goal = cursor_u8(&in) % 2 ? AGENT_RENEW : AGENT_ENROL;
	config.client_cert = cursor_u16_bytes(&in);
	if (!key && key_parse_pem(span_text(key_pem), (struct span){NULL, 0}, &key, &why) != OK)
		abort();
	if (cert_write_pem(config.client_cert, &pem, &why) != OK)
		return 0;
	config.anchors_pem = buf_span(&pem);
	if (agent_new(&config, &agent, &why) != OK)
		return 0;
	run(agent, key, &in, config.client_cert);
	agent_free(agent);
	return 0;
}
