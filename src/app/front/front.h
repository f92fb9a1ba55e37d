#pragma once
/*
 * The front: sockets and TLS on one side, one channel to the registrar on the other. It opens no file
 * after its start, holds no CA key and sees no store.
 */
#include "app/role.h"
#include "net/http_server.h"

enum {
	FRONT_WAITING_MAX = 1000,   /* calls and handshakes held while no registrar is connected */
	FRONT_WAIT_MS = 2000,       /* how long: a restart takes a tenth of that */
	FRONT_FLIGHT_MAX = 20000,   /* sent and not answered: twice the default connections */
	FRONT_RETRY_S = 1,
	/* Without any registrar for that long this front is one that a registrar hung up on: the parent starts
	 * a better one. Longer than the parent ever waits before it starts a registrar again. */
	FRONT_ALONE_MS = 30 * 1000,
};

struct flight; /* flight.c: what was sent and is not answered */

struct front {
	struct loop *loop;
	struct role_control *control;
	struct tls_server *tls;
	struct http_server *server;
	struct flight *flight;
	const struct label_set *labels;
};

/* flight.c. Calls go to the registrar with an id each, replies find their exchange by it. */
MUST_CHECK enum err flight_new(struct loop *l, struct flight **out, struct why *why);
void flight_free(struct flight *f);
/* An http_handler; arg is the flight. */
void flight_call(void *arg, struct http_exchange *x, const struct call *call);
/* An http_psk_handler; arg is the flight. */
void flight_psk(void *arg, struct http_psk *ask, struct span identity);
/* The same for SRP users. */
void flight_srp(void *arg, struct http_psk *ask, struct span user);
/* A channel to a (new) registrar: later calls take it; fd is taken. */
void flight_connect(struct flight *f, int fd);

/*
 * exports.c: an http_exports; arg is the front, of which it reads the labels. The fetching and the use of a challenge
 * under a label that binds to the TLS session, CSRs under one that takes linking, the enrolment exchange, the key registration at a MAF.
 */
enum call_export front_exports(void *arg, const struct call *call);

/* files.c: certificate, key and anchors as the configuration names them, then the TLS server. */
MUST_CHECK enum err front_open_tls(const struct conf *conf, struct tls_server **out, struct why *why);
/* Logs it when the server's certificate is out of its dates. The front starts all the same: CRLs are wanted
 * then too, and a clock that is wrong at boot is set right later. */
void front_tell_dates(const struct conf *conf);
