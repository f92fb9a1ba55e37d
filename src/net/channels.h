#pragma once
/* The vocabularies of all channels, one table each. */
#include "net/ipc.h"

/* front -> registrar: a call (wire/call.h); registrar -> front: its reply, same id. */
enum { CH_CALL = 1, CH_REPLY = 2,
	/* front -> registrar: a psk_identity as shown; registrar -> front, same id: its key, 1..64 octets. There is
	 * always one: of an identity that nobody has it is a key that nobody has either. */
	CH_PSK = 3, CH_PSK_KEY = 4,
	/* The same for an SRP user: salt and verifier of 3072 bits. */
	CH_SRP = 5, CH_SRP_VERIFIER = 6 };
/* registrar -> signer: orders (adapt/issuer/msg.h); signer -> registrar: results or a reason. */
enum { CH_ISSUE = 1, CH_ISSUED = 2, CH_SIGN_CRL = 3, CH_CRL = 4, CH_REFUSED = 5,
	CH_MAKE_KEY = 6, CH_KEY = 7, CH_SIGN_CMC = 8, CH_SIGNED = 9 };
/* registrar -> caller: a KeId and its use (adapt/mef/msg.h); caller -> registrar, same id: the key, or why there is none. */
enum { CH_FETCH = 1, CH_FETCHED = 2, CH_FETCH_REFUSED = 3 };
/* registrar -> caller or runner of a MEF: an order for another CA (adapt/issuer/away_msg.h); back, same id: its certificate,
 * or why there is none. */
enum { CH_AWAY = 1, CH_AWAY_CERT = 2, CH_AWAY_REFUSED = 3 };
/* parent -> child: CHANNEL carries a descriptor and one octet enum role of the other end; STOP: finish what
 * is in flight, then exit 0; POKE: the store was changed by another process; child -> parent: READY. */
enum { CH_CHANNEL = 1, CH_STOP = 2, CH_POKE = 3, CH_READY = 4 };

enum role { ROLE_PARENT = 0, ROLE_FRONT = 1, ROLE_REGISTRAR = 2, ROLE_SIGNER = 3, ROLE_CALLER = 4, ROLE_RUNNER = 5 };
const char *role_name(enum role r);

extern const struct ipc_vocabulary channel_calls;   /* front <-> registrar */
extern const struct ipc_vocabulary channel_orders;  /* registrar <-> signer */
extern const struct ipc_vocabulary channel_fetches; /* registrar <-> caller */
extern const struct ipc_vocabulary channel_away;    /* registrar <-> caller, runner of a MEF */
extern const struct ipc_vocabulary channel_control; /* parent <-> each child */
