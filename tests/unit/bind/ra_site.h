#pragma once
/* Devices from the factory and a registration authority for the tests of requests on behalf of others. */
#include "mef.h"
#include "proto/est/challenge.h"

/* A device: its certificate, the connection it makes, a key for what it enrols. */
struct device {
	struct key *factory_key, *key;
	struct buf leaf, own; /* the factory's certificate, the MEF's */
	struct peer peer;
};

static inline void device_fini(struct device *d)
{
	key_free(d->factory_key);
	key_free(d->key);
	buf_fini(&d->leaf);
	buf_fini(&d->own);
}

#define OWNED_DEVICE __attribute__((cleanup(device_fini)))

static inline void device_make(struct mef_site *m, const char *serial_number, struct device *d)
{
	d->factory_key = mef_key();
	d->key = mef_key();
	d->leaf = d->own = BUF(MEF_DER_MAX);
	mef_cert(m, "device", serial_number, d->factory_key, m->factory_key, &m->factory_der, &d->leaf);
	d->peer = mef_peer(m, PEER_THIRD_PARTY, &d->leaf);
}

/* names: NULL or a dNSName; cn: NULL for an empty subject. */
static inline void csr_make(const struct key *key, const char *cn, const char *name, const char *challenge, struct buf *out)
{
	struct buf subject OWNED_BUF = BUF(NAME_DER_MAX);
	struct buf sans OWNED_BUF = BUF(1024);
	const struct san_list list = {.n = 1, .items = {{.kind = SAN_DNS, .value = span_text(name)}}};
	struct why why = {0};

	assert_int_equal(name_write_cn(cn, NULL, &subject, &why), OK);
	if (name)
		assert_int_equal(san_write(&list, &sans, &why), OK);
	const struct csr_plan plan = {.subject = buf_span(&subject), .sans = buf_span(&sans), .challenge = span_text(challenge),
		.digital_signature = true};
	buf_clear(out);
	assert_int_equal(csr_write(&plan, key, out, &why), OK);
}

static inline void post_csr(struct mef_site *m, const char *path, const struct peer *peer, const struct buf *der, struct got *g)
{
	struct buf text OWNED_BUF = BUF(CALL_BODY_MAX);

	est_body_write_request(&text, buf_span(der));
	mef_post(m, path, peer, buf_span(&text), g);
}

/* The one certificate of a good answer. */
static inline void take_cert(struct got *g, struct buf *out)
{
	struct buf der OWNED_BUF = BUF(MEF_DER_MAX);
	struct span certs[4] = {{NULL, 0}};
	size_t n = 0;
	struct why why = {0};

	if (g->status != 200)
		fail_msg("enrolment: %u %s", (unsigned int)g->status, buf_text(&g->body));
	assert_int_equal(est_body_der(buf_span(&g->body), &der, &why), OK);
	assert_int_equal(cms_certs_parse(buf_span(&der), certs, 4, &n, &why), OK);
	assert_int_equal(n, 1);
	buf_clear(out);
	buf_put_span(out, certs[0]);
}

/* Enrols it; from now on it connects by the certificate that it got. */
static inline void device_enrol(struct mef_site *m, struct device *d, const char *name)
{
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	csr_make(d->key, NULL, name, NULL, &csr);
	post_csr(m, "/.well-known/est/simpleenroll", &d->peer, &csr, &g);
	take_cert(&g, &d->own);
	d->peer = mef_peer(m, PEER_OWN, &d->own);
}

/* A profile whose certificates hold id-kp-cmcRA, for the enrolee ra1 (SN-9). The default label admits it. */
static inline void ra_register(struct mef_site *m)
{
	const struct enrolee e = {.id = "ra1", .entity_type = ENTITY_FQDN, .entity_id = "ra1.example.com",
		.state = ENROLEE_ENABLED, .label = "", .profile = "ra"};
	const struct credential c = {.kind = CREDENTIAL_SERIAL, .value = "SN-9"};
	struct profile *p = &m->profiles.items[m->profiles.n++];
	struct why why = {0};

	*p = m->profiles.items[0];
	snprintf(p->name, sizeof(p->name), "ra");
	snprintf(p->ekus[1], sizeof(p->ekus[1]), "1.3.6.1.5.5.7.3.28");
	p->ekus_n = 2;
	assert_int_equal(m->store->ops->begin(m->store->self, &why), OK);
	assert_int_equal(registry_add(m->store, &e, &c, 1, m->now_s, &why), OK);
	assert_int_equal(m->store->ops->commit(m->store->self, &why), OK);
	m->labels.items[0].ra = true;
}

static inline void ra_make(struct mef_site *m, struct device *ra)
{
	ra_register(m);
	device_make(m, "SN-9", ra);
	device_enrol(m, ra, "ra1.example.com");
}

static inline void mef_set_state(struct mef_site *m, const char *id, enum enrolee_state state)
{
	struct why why = {0};

	assert_int_equal(m->store->ops->begin(m->store->self, &why), OK);
	assert_int_equal(registry_set_state(m->store, id, state, m->now_s, &why), OK);
	assert_int_equal(m->store->ops->commit(m->store->self, &why), OK);
}
