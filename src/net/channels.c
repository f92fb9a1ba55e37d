#include "net/channels.h"

#include <stdbool.h>

enum {
	/* wire/call.h: body 64 KiB, certificate 16 KiB, path and query, some texts. */
	CALL_MAX = 128 * 1024,
	/* wire/call.h: REPLY_BODY_MAX 4 MiB and the head. */
	REPLY_MAX = 4 * 1024 * 1024 + 4096,
	/* A request of at most 64 KiB, names, profile. */
	ORDER_MAX = 128 * 1024,
	ISSUED_MAX = 32 * 1024,
	/* 100,000 entries of at most 30 octets make 3 MiB; as a signed list of long serials, 5 MiB. */
	CRL_MAX = 8 * 1024 * 1024,
	REFUSED_MAX = 1024,
	KEY_ORDER_MAX = 34 * 1024, /* names of CSR_DER_MAX octets each at most */
	KEY_MAX = 128 * 1024,      /* a key, the same in a signed message with its certificates, a request */
	CMC_MAX = 48 * 1024,       /* port/issuer.h: ISSUER_RESPONSE_MAX */
	SIGNED_MAX = 96 * 1024,    /* that, two certificates of 16 KiB, a signature */
	PSK_IDENTITY_MAX = 320, /* wire/call.h: CALL_IDENTITY_MAX */
	PSK_KEY_MAX = 64,       /* base/secret.h: SECRET_MAX */
	AWAY_MAX = 32 * 1024, /* a request of at most 16 KiB, four names */
	SRP_RECORD_MAX = 16 + 384, /* net/tls.h: TLS_SRP_SALT, TLS_SRP_VERIFIER */
	FETCH_MAX = 2 + 2 + 320, /* a use, a KeId */
	FETCHED_MAX = 2 + 64 + 2 + 512 + 8, /* a key, an enrolee's identifier, a lifetime */
};

static const struct ipc_type call_types[] = {
	{.type = CH_CALL, .max_payload = CALL_MAX, .holds_keys = true},
	{.type = CH_REPLY, .max_payload = REPLY_MAX, .holds_keys = true},
	{.type = CH_PSK, .max_payload = PSK_IDENTITY_MAX},
	{.type = CH_PSK_KEY, .max_payload = PSK_KEY_MAX, .holds_keys = true},
	{.type = CH_SRP, .max_payload = PSK_IDENTITY_MAX},
	{.type = CH_SRP_VERIFIER, .max_payload = SRP_RECORD_MAX, .holds_keys = true},
};

static const struct ipc_type order_types[] = {
	{.type = CH_ISSUE, .max_payload = ORDER_MAX},
	{.type = CH_ISSUED, .max_payload = ISSUED_MAX},
	{.type = CH_SIGN_CRL, .max_payload = CRL_MAX},
	{.type = CH_CRL, .max_payload = CRL_MAX},
	{.type = CH_REFUSED, .max_payload = REFUSED_MAX},
	{.type = CH_MAKE_KEY, .max_payload = KEY_ORDER_MAX},
	{.type = CH_KEY, .max_payload = KEY_MAX, .holds_keys = true},
	{.type = CH_SIGN_CMC, .max_payload = CMC_MAX},
	{.type = CH_SIGNED, .max_payload = SIGNED_MAX},
};

static const struct ipc_type fetch_types[] = {
	{.type = CH_FETCH, .max_payload = FETCH_MAX},
	{.type = CH_FETCHED, .max_payload = FETCHED_MAX, .holds_keys = true},
	{.type = CH_FETCH_REFUSED, .max_payload = REFUSED_MAX},
};

static const struct ipc_type away_types[] = {
	{.type = CH_AWAY, .max_payload = AWAY_MAX},
	{.type = CH_AWAY_CERT, .max_payload = ISSUED_MAX},
	{.type = CH_AWAY_REFUSED, .max_payload = REFUSED_MAX},
};

static const struct ipc_type control_types[] = {
	{.type = CH_CHANNEL, .max_payload = 1, .carries_fd = true},
	{.type = CH_STOP},
	{.type = CH_POKE},
	{.type = CH_READY},
};

const struct ipc_vocabulary channel_calls = {
	"front-registrar", call_types, sizeof(call_types) / sizeof(call_types[0])};
const struct ipc_vocabulary channel_orders = {
	"registrar-signer", order_types, sizeof(order_types) / sizeof(order_types[0])};
const struct ipc_vocabulary channel_fetches = {
	"registrar-caller", fetch_types, sizeof(fetch_types) / sizeof(fetch_types[0])};
const struct ipc_vocabulary channel_away = {
	"registrar-away", away_types, sizeof(away_types) / sizeof(away_types[0])};
const struct ipc_vocabulary channel_control = {
	"control", control_types, sizeof(control_types) / sizeof(control_types[0])};

const char *role_name(enum role r)
{
	switch (r) {
	case ROLE_PARENT:
		return "parent";
	case ROLE_FRONT:
		return "front";
	case ROLE_REGISTRAR:
		return "registrar";
	case ROLE_SIGNER:
		return "signer";
	case ROLE_CALLER:
		return "caller";
	case ROLE_RUNNER:
		return "runner";
	}
	return "unknown";
}
