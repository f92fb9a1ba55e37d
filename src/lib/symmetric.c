#include "lib/inner.h"

#include "base/date.h"
#include "base/mem.h"
#include "proto/m2m/derive.h"

enum err lib_keys(struct enrolee *e, struct agent_keys *k, struct why *why)
{
	__attribute__((cleanup(buf_fini_wipe))) struct buf json = BUF(DOC_BYTES_MAX);
	char when[DATE_TEXT_SIZE];

	TRY(lib_read(e, ENROLEE_ITEM_SYMMETRIC, &json, why));
	TRY(agent_keys_parse(buf_span(&json), k, why));
	if (!agent_keys_expired(k, clock_unix_s(&e->clock)))
		return OK;
	date_text(k->expires_s, when);
	return WHY(why, AGENT_KEY_EXPIRED, "TS-0003 10.7", "%s: good until %s", k->keid, when);
}

static int tell_maf(const struct agent_keys *k, const struct agent_maf *maf, enrolee_granted_fn each, void *arg)
{
	unsigned int suids[SUID_LIST_MAX];
	struct enrolee_granted granted = {ENROLEE_GRANTED_MAF, maf->fqdn, k->keid, suids, maf->usages.n};

	for (size_t i = 0; i < maf->usages.n; i++)
		suids[i] = maf->usages.items[i];
	return each(arg, &granted);
}

static int tell_pair(const struct agent_keys *k, const struct exchange_pair *pair, enrolee_granted_fn each, void *arg)
{
	unsigned int suid = pair->suid;
	struct enrolee_granted granted = {ENROLEE_GRANTED_PAIR, pair->enrolee_b, k->keid, &suid, 1};

	return each(arg, &granted);
}

int enrolee_each_granted(struct enrolee *e, enrolee_granted_fn each, void *arg)
{
	OWNED_AGENT_KEYS struct agent_keys k = {0};
	int stop = 0;

	lib_open(e);
	agent_keys_init(&k);
	enum err err = lib_keys(e, &k, &e->why);
	for (size_t i = 0; err == OK && i < k.mafs_n && stop == 0; i++)
		stop = tell_maf(&k, &k.mafs[i], each, arg);
	for (size_t i = 0; err == OK && i < k.pairs_n && stop == 0; i++)
		stop = tell_pair(&k, &k.pairs[i], each, arg);
	return err == OK ? stop : lib_close(e, err);
}

/* seed 003 8.3.3.1 step 10: only what the MEF authorised */
static bool is_granted(struct agent_keys *k, unsigned int suid, struct span target)
{
	if (agent_keys_maf(k, target))
		return suid == SUID_RSPF_MAF;
	for (size_t i = 0; i < k->pairs_n; i++) {
		if (k->pairs[i].suid == suid && span_is(target, k->pairs[i].enrolee_b))
			return true;
	}
	return false;
}

static enum err derive(struct enrolee *e, unsigned int suid, const char *target, struct secret *out, struct why *why)
{
	OWNED_AGENT_KEYS struct agent_keys k = {0};

	agent_keys_init(&k);
	TRY(lib_keys(e, &k, why));
	if (!is_granted(&k, suid, span_text(target)))
		return WHY(why, AGENT_PAIR, "seed 003 8.3.3.1 step 10", "usage %u with '%.200s': it was not granted", suid, target);
	return m2m_derive_constrained(&k.ke, suid, span_text(target), out, why);
}

int enrolee_derive(struct enrolee *e, unsigned int suid, const char *target, unsigned char *key_out, size_t *n_out)
{
	OWNED_SECRET struct secret key = {0};

	lib_open(e);
	enum err err = derive(e, suid, target, &key, &e->why);
	if (err == OK && key.n > *n_out)
		err = WHY(&e->why, BUF_LIMIT, "", "key: want room for %zu octets, have %zu", key.n, *n_out);
	*n_out = err == OK ? key.n : 0;
	if (err == OK)
		memcpy(key_out, key.bytes, key.n);
	return lib_close(e, err);
}
