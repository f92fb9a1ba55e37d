#include "app/role.h"

#include "adapt/issuer/msg.h"
#include "adapt/keys/files.h"
#include "adapt/sys/clock.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "adapt/sys/random.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/ca/message.h"
#include "net/log.h"
#include "net/sandbox.h"

#include <stdio.h>
#include <unistd.h>

enum {
	PEM_MAX = 256 * 1024,
	CRL_BYTES_MAX = 8 * 1024 * 1024, /* the bound of its frame */
	REFUSAL_MAX = 1024,
	/* Without any registrar for that long this process is one that a registrar hung up on: a new one is
	 * better. Longer than the parent ever waits before it starts a registrar again. */
	ALONE_MS = 30 * 1000,
};

struct signer;

/* One registrar; two for a moment while one replaces the other. */
struct link {
	struct signer *signer;
	struct ipc *channel;
	struct link *next;
};

struct signer {
	struct loop *loop;
	struct role_control *control;
	struct loop_timer *alone;
	struct link *links;
	struct clock clock;
	struct ca ca;
	struct key *key;
	struct buf cert;
	char name[ISSUER_NAME_MAX];
	struct {
		struct ca ca; /* without profiles: it issues nothing */
		struct key *key;
		struct buf cert;
		char name[ISSUER_NAME_MAX]; /* "": there is none */
	} other;                            /* in a CA rollover: it signs its CRLs */
	struct message message;   /* key NULL where there is none */
	struct key *message_key;
	struct buf message_cert;
	struct buf der; /* of the certificate under way; kept for its memory */
};

/* ---- orders */

static enum err refuse(struct link *l, uint32_t id, const struct why *reason, struct why *why)
{
	OWNED_BUF struct buf b = BUF(REFUSAL_MAX);

	log_why(LOG_INFO_, "order refused", reason);
	msg_refused_write(&b, reason);
	TRY(buf_check(&b, "refusal", why));
	return ipc_send(l->channel, CH_REFUSED, id, buf_span(&b), why);
}

static enum err on_issue(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	OWNED_BUF struct buf out = BUF(CERT_DER_MAX + REFUSAL_MAX);
	struct signer *s = l->signer;
	struct issue_order order;
	struct issue_result result = {0};
	struct why reason = {0};

	TRY(msg_order_parse(payload, &order, why));
	buf_clear(&s->der);
	if (ca_issue(&s->ca, &order, clock_unix_s(&s->clock), &s->der, &result, &reason) != OK)
		return refuse(l, id, &reason, why);
	msg_issued_write(&out, &result);
	TRY(buf_check(&out, "issued", why));
	return ipc_send(l->channel, CH_ISSUED, id, buf_span(&out), why);
}

static const struct ca *ca_of(const struct signer *s, const char *name, struct why *why)
{
	if (!name[0] || strcmp(name, s->name) == 0)
		return &s->ca;
	if (s->other.name[0] && strcmp(name, s->other.name) == 0)
		return &s->other.ca;
	(void)WHY(why, CA_NAME, "", "CRL order: want '%s'%s%s, have '%s'", s->name, s->other.name[0] ? " or " : "", s->other.name, name);
	return NULL;
}

static enum err on_sign_crl(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	OWNED_BUF struct buf der = BUF(CRL_BYTES_MAX);
	OWNED_MEM struct crl_entry *entries = NULL;
	struct crl_order order;
	struct why reason = {0};

	TRY(msg_crl_order_parse(payload, &order, &entries, why));
	int64_t now_s = clock_unix_s(&l->signer->clock);
	const struct ca *ca = ca_of(l->signer, order.ca, &reason);
	if (!ca || ca_sign_crl(ca, &order, now_s, &der, &reason) != OK || buf_check(&der, "CRL", &reason) != OK)
		return refuse(l, id, &reason, why);
	return ipc_send(l->channel, CH_CRL, id, buf_span(&der), why);
}

static enum err want_message(const struct signer *s, struct why *why)
{
	return s->message.key ? OK : WHY(why, MESSAGE_NONE, "", "[ca] message_key: want one, have none");
}

/* RFC 7030 4.4: the private key leaves this process once, and is kept nowhere. */
static enum err on_make_key(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	struct made_key_bytes bytes __attribute__((cleanup(made_key_bytes_fini))) = MADE_KEY_BYTES;
	__attribute__((cleanup(buf_fini_wipe))) struct buf out = BUF(KEY_PKCS8_MAX + MESSAGE_SIGNED_MAX + CSR_DER_MAX + 64);
	struct key_order order;
	struct why reason = {0};

	TRY(msg_key_order_parse(payload, &order, why));
	int64_t now_s = clock_unix_s(&l->signer->clock);
	if (want_message(l->signer, &reason) != OK || message_make_key(&l->signer->message, &order, now_s, &bytes, &reason) != OK)
		return refuse(l, id, &reason, why);
	const struct made_key key = made_key_view(&bytes);
	msg_key_write(&out, &key);
	TRY(buf_check(&out, "made key", why));
	return ipc_send(l->channel, CH_KEY, id, buf_span(&out), why);
}

static enum err on_sign_cmc(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	OWNED_BUF struct buf der = BUF(MESSAGE_SIGNED_MAX);
	struct why reason = {0};

	int64_t now_s = clock_unix_s(&l->signer->clock);
	if (want_message(l->signer, &reason) != OK || message_sign_cmc(&l->signer->message, payload, now_s, &der, &reason) != OK)
		return refuse(l, id, &reason, why);
	return ipc_send(l->channel, CH_SIGNED, id, buf_span(&der), why);
}

/* ---- channels */

static void link_free(struct link *l)
{
	struct link **at = &l->signer->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	ipc_free(l->channel);
	mem_free(l);
}

static void link_lost(struct link *l, const struct why *why)
{
	struct signer *s = l->signer;

	log_why(why->code == CODE_IPC_CLOSED ? LOG_DEBUG_ : LOG_WARN_, "registrar channel closed", why);
	link_free(l);
	if (!s->links)
		loop_timer_set(s->alone, ALONE_MS);
}

static void on_closed(void *arg, const struct why *why)
{
	link_lost(arg, why);
}

/* A registrar that speaks nonsense is hung up on, whatever made it do so. */
static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct link *l = arg;
	struct why why = {0};
	enum err err = OK;

	if (type == CH_ISSUE)
		err = on_issue(l, id, payload, &why);
	else if (type == CH_SIGN_CRL)
		err = on_sign_crl(l, id, payload, &why);
	else if (type == CH_MAKE_KEY)
		err = on_make_key(l, id, payload, &why);
	else if (type == CH_SIGN_CMC)
		err = on_sign_cmc(l, id, payload, &why);
	else
		err = WHY(&why, ISSUER_MESSAGE, "", "frame: want an order, have type %u", type);
	if (err != OK)
		link_lost(l, &why);
}

static void on_channel(void *arg, enum role other, int fd)
{
	struct signer *s = arg;
	struct link *l = mem_alloc(sizeof(*l));
	const struct ipc_handler h = {on_frame, on_closed, l};
	struct why why = {0};

	if (!l) {
		/* The parent starts another one, with memory. */
		close(fd);
		log_event(LOG_ERROR_, "out of memory", NULL);
		loop_stop(s->loop);
		return;
	}
	l->signer = s;
	if (ipc_new(s->loop, fd, &channel_orders, &h, &l->channel, &why) != OK) {
		log_why(LOG_ERROR_, "registrar channel", &why);
		mem_free(l);
		return;
	}
	l->next = s->links;
	s->links = l;
	loop_timer_stop(s->alone);
}

static void on_stop(void *arg)
{
	loop_stop(((struct signer *)arg)->loop);
}

static void on_alone(void *arg)
{
	log_event(LOG_WARN_, "no registrar any more", NULL);
	on_stop(arg);
}

/* ---- start */

static enum err passphrase(void *arg, const char *label, struct secret *out, struct why *why)
{
	return key_file_passphrase(arg, label, out, why);
}

static enum err open_key(const struct conf *conf, const char *label, const char *path, struct key **out, struct why *why)
{
	const struct keys_file file = {.label = label, .path = path};
	OWNED_SECRET struct secret master = {0};
	struct keys_files files;

	TRY(master_load(conf->master_key, &master, why));
	keys_files_init(&files, &file, 1, passphrase, &master);
	struct keys port = keys_files_port(&files);
	return port.open(port.self, file.label, out, why);
}

static enum err keep_first(void *arg, struct span der, struct why *why)
{
	struct buf *out = arg;

	if (out->n == 0)
		buf_put_span(out, der);
	return buf_check(out, "CA certificate", why);
}

static enum err open_cert(const char *path, struct buf *out, struct ca *ca, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);

	TRY(file_read(path, &pem, why));
	TRY(why_within(cert_each_pem(buf_span(&pem), keep_first, out, why), path, why));
	ca->cert_der = buf_span(out);
	return why_within(cert_parse(ca->cert_der, &ca->cert, why), path, why);
}

/* Where bind/route.c serves them; no base, no extension. */
static enum err put_uri(const struct conf *conf, const char *folder, const char *kind, char out[PROFILE_URI_MAX], struct why *why)
{
	if (!conf->public_http[0])
		return OK;
	int n = snprintf(out, PROFILE_URI_MAX, "%s%s%s%s", conf->public_http, folder, conf->ca_name, kind);
	if (n < 0 || n >= PROFILE_URI_MAX)
		return WHY(why, BUF_LIMIT, "", "public_http: want at most %d bytes with %s%s%s", PROFILE_URI_MAX - 1, folder,
			conf->ca_name, kind);
	return OK;
}

static enum err open_other(struct signer *s, const struct conf *conf, struct why *why)
{
	if (!conf->ca_other_cert[0])
		return OK;
	TRY(open_key(conf, "ca-issuing", conf->ca_other_key, &s->other.key, why));
	TRY(open_cert(conf->ca_other_cert, &s->other.cert, &s->other.ca, why));
	s->other.ca.key = s->other.key;
	s->other.ca.crl_lifetime_max_s = conf->crl_lifetime_s;
	memcpy(s->other.name, conf->ca_other_name, sizeof(s->other.name));
	return why_within(ca_check_crl_only(&s->other.ca, why), conf->ca_other_cert, why);
}

static enum err open_ca(struct signer *s, const struct conf *conf, struct why *why)
{
	memcpy(s->name, conf->ca_name, sizeof(s->name));
	TRY(open_other(s, conf, why));
	TRY(open_key(conf, "ca-issuing", conf->ca_key, &s->key, why));
	TRY(open_cert(conf->ca_cert, &s->cert, &s->ca, why));
	s->ca.profiles = &conf->profiles;
	s->ca.key = s->key;
	s->ca.random = random_system();
	s->ca.crl_lifetime_max_s = conf->crl_lifetime_s;
	if (!text_copy(s->ca.own_host, sizeof(s->ca.own_host), span_text(conf->fqdn)))
		return WHY(why, BUF_LIMIT, "", "fqdn: want at most %zu bytes", sizeof(s->ca.own_host) - 1);
	TRY(put_uri(conf, "/crl/", ".crl", s->ca.cdp_uri, why));
	TRY(put_uri(conf, "/ca/", ".cer", s->ca.aia_uri, why));
	return why_within(ca_check(&s->ca, clock_unix_s(&s->clock), why), conf->ca_cert, why);
}

/* Absent files are no fault: then neither serverkeygen nor fullcmc is offered. */
static enum err open_message(struct signer *s, const struct conf *conf, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);

	if (!conf_has_message(conf))
		return OK;
	TRY(open_key(conf, "mef-message", conf->message_key, &s->message_key, why));
	TRY(file_read(conf->message_cert, &pem, why));
	TRY(why_within(cert_first_pem(buf_span(&pem), &s->message_cert, why), conf->message_cert, why));
	struct message m = {.key = s->message_key, .cert_der = buf_span(&s->message_cert), .ca_der = s->ca.cert_der,
		.profiles = &conf->profiles};
	TRY(why_within(cert_parse(m.cert_der, &m.cert, why), conf->message_cert, why));
	/* in a CA rollover it may be the other CA's still */
	if (s->other.name[0] && span_equal(m.cert.akid, s->other.ca.cert.skid))
		m.ca_der = s->other.ca.cert_der;
	TRY(why_within(message_check(&m, why), conf->message_cert, why));
	s->message = m;
	return OK;
}

static enum err signer_init(struct signer *s, const struct role_start *start, struct why *why)
{
	const struct role_events events = {.channel = on_channel, .stop = on_stop, .arg = s};

	s->clock = clock_system();
	s->cert = BUF(CERT_DER_MAX);
	s->der = BUF(CERT_DER_MAX);
	s->other.cert = BUF(CERT_DER_MAX);
	s->message_cert = BUF(CERT_DER_MAX);
	TRY(open_ca(s, start->conf, why));
	TRY(open_message(s, start->conf, why));
	TRY(loop_new(&s->loop, why));
	TRY(loop_timer_new(s->loop, on_alone, s, &s->alone, why));
	TRY(role_control_new(s->loop, start, &events, &s->control, why));
	TRY(sandbox_enter(ROLE_SIGNER, why));
	return role_control_ready(s->control, why);
}

static void signer_fini(struct signer *s)
{
	while (s->links)
		link_free(s->links);
	role_control_free(s->control);
	loop_timer_free(s->alone);
	loop_free(s->loop);
	key_free(s->key);
	key_free(s->other.key);
	key_free(s->message_key);
	buf_fini(&s->message_cert);
	buf_fini(&s->cert);
	buf_fini(&s->other.cert);
	buf_fini(&s->der);
}

int signer_main(const struct role_start *start)
{
	struct signer s = {0};
	struct why why = {0};

	if (signer_init(&s, start, &why) != OK) {
		log_why(LOG_ERROR_, "start failed", &why);
		signer_fini(&s);
		return 1;
	}
	loop_run(s.loop);
	signer_fini(&s);
	return 0;
}
