/* Where a rollover stands, and who still hangs on which CA. */
#include "app/openmef/rollover.h"

#include "adapt/sys/file.h"

#include <string.h>

enum { COUNT_CAS_MAX = 2, COUNT_PAGE = STORE_PAGE_MAX };

enum rollover_stage rollover_stage_of(const struct conf *conf)
{
	const char *slash = strrchr(conf->ca_rollover, '/');

	if (!conf->ca_rollover[0])
		return ROLLOVER_NONE;
	if (!conf->ca_other_cert[0])
		return ROLLOVER_PREPARED;
	return strcmp(conf->ca_name, slash ? slash + 1 : conf->ca_rollover) == 0 ? ROLLOVER_SWITCHED : ROLLOVER_PUBLISHED;
}

const char *rollover_stage_name(enum rollover_stage stage)
{
	switch (stage) {
	case ROLLOVER_NONE:
		return "none";
	case ROLLOVER_PREPARED:
		return "prepared";
	case ROLLOVER_PUBLISHED:
		return "published";
	case ROLLOVER_SWITCHED:
		return "switched";
	}
	return "none";
}

struct counting {
	struct store *store;
	struct rollover_ca *cas;
	uint8_t key_ids[COUNT_CAS_MAX][20];
	size_t n;
	int64_t now_s, from_s; /* certificates that ended before from_s cannot renew */
	uint8_t after[STORE_SERIAL_MAX];
	size_t after_n, rows;
};

/* The issuing CA's key identifier, as its certificates bear it. */
static enum err key_id_of(const char *path, uint8_t out[20], struct why *why)
{
	OWNED_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	struct cert cert = {0};

	TRY(file_read(path, &pem, why));
	TRY(why_within(cert_first_pem(buf_span(&pem), &der, why), path, why));
	TRY(why_within(cert_parse(buf_span(&der), &cert, why), path, why));
	if (cert.skid.n != 20)
		return spki_key_id(cert.spki, out, why);
	memcpy(out, cert.skid.p, 20);
	return OK;
}

/* Has that enrolee a newer certificate? Of two of one CA and one second the higher number counts as such. */
struct later {
	const struct issued *than;
	struct span akid;
	bool found;
};

static bool is_above(struct span a, struct span b)
{
	return a.n != b.n ? a.n > b.n : memcmp(a.p, b.p, a.n) > 0;
}

static enum err look_later(void *arg, const struct issued *row, struct why *why)
{
	struct later *l = arg;
	struct cert cert = {0};
	struct why unreadable = {0};

	if (row->issued_s < l->than->issued_s || span_equal(row->serial, l->than->serial)
		|| cert_parse(row->der, &cert, &unreadable) != OK)
		return OK;
	l->found |= row->issued_s > l->than->issued_s || !span_equal(cert.akid, l->akid) || is_above(row->serial, l->than->serial);
	return OK;
}

/* An enrolee has a few valid certificates; the first page holds them. */
static enum err is_superseded(const struct counting *c, const struct issued *row, struct span akid, bool *out, struct why *why)
{
	const struct issued_filter filter = {.enrolee_id = row->enrolee_id, .state = ISSUED_VALID, .limit = COUNT_PAGE};
	struct later l = {.than = row, .akid = akid};

	TRY(c->store->ops->issued_list(c->store->self, &filter, look_later, &l, why));
	*out = l.found;
	return OK;
}

static enum err count_one(void *arg, const struct issued *row, struct why *why)
{
	struct counting *c = arg;
	struct cert cert = {0};
	struct why unreadable = {0};

	c->rows++;
	c->after_n = row->serial.n;
	memcpy(c->after, row->serial.p, row->serial.n);
	if (row->not_after_s < c->from_s || cert_parse(row->der, &cert, &unreadable) != OK)
		return OK;
	for (size_t i = 0; i < c->n; i++) {
		if (!span_equal(cert.akid, span_of(c->key_ids[i], 20)))
			continue;
		bool superseded = false;
		TRY(is_superseded(c, row, cert.akid, &superseded, why));
		/* past its end, only who has no other comes back by it */
		if (superseded && row->not_after_s < c->now_s)
			continue;
		c->cas[i].certificates++;
		c->cas[i].last_s = row->not_after_s > c->cas[i].last_s ? row->not_after_s : c->cas[i].last_s;
		c->cas[i].enrolees += !superseded;
	}
	return OK;
}

/* A certificate past its end may still renew under such a label, and then its CA must be known. */
static int64_t window_s(const struct conf *conf)
{
	int64_t longest = 0;

	for (size_t i = 0; i < conf->labels.n; i++) {
		if (conf->labels.items[i].expired_s > longest)
			longest = conf->labels.items[i].expired_s;
	}
	return longest;
}

enum err rollover_count(const struct rollover *r, struct rollover_ca *cas, size_t n, struct why *why)
{
	struct counting c = {.store = r->store, .cas = cas, .n = n, .now_s = r->now_s, .from_s = r->now_s - window_s(r->conf)};

	if (n > COUNT_CAS_MAX)
		return WHY(why, BUG, "", "CAs: want at most %d, have %zu", COUNT_CAS_MAX, n);
	for (size_t i = 0; i < n; i++)
		TRY(key_id_of(cas[i].path, c.key_ids[i], why));
	do {
		struct issued_filter filter = {.after = span_of(c.after, c.after_n), .enrolee_id = "", .state = ISSUED_VALID,
			.limit = COUNT_PAGE};
		c.rows = 0;
		uint8_t after[STORE_SERIAL_MAX];
		memcpy(after, c.after, sizeof(after));
		filter.after.p = after;
		TRY(r->store->ops->issued_list(r->store->self, &filter, count_one, &c, why));
	} while (c.rows == COUNT_PAGE);
	return OK;
}
