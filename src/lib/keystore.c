#include "lib/inner.h"

#include "adapt/sys/generation.h"

/* What lasts until the run ends, so that signing finds the store. */
static enum err sign(void *arg, struct span digest, uint8_t *sig, size_t *sig_n, struct why *why)
{
	struct enrolee *e = arg;

	return e->store.sign(e->store.arg, e->run.key_ref, digest.p, digest.n, sig, sig_n) == 0
		? OK : lib_caller_failed("key store: sign", NULL, why);
}

enum err lib_lock(struct enrolee *e, bool make, struct why *why)
{
	const char *dir = lib_text(e, ENROLEE_DIR);

	if (e->store.read)
		return OK;
	if (!dir)
		return WHY(why, AGENT_OPTION, "", "ENROLEE_DIR: want a directory or a key store, have neither");
	if (make)
		TRY(generation_dir(dir, why));
	return generation_lock(dir, &e->run.lock, why);
}

static int put(void *to, const void *p, size_t n)
{
	struct buf *out = to;

	buf_put(out, p, n);
	return out->bad ? ENROLEE_NONE : 0;
}

static const struct {
	const char *name; /* of the file */
	const char *title;
} items[LIB_ITEMS] = {
	[ENROLEE_ITEM_KEY] = {GENERATION_KEY, "private key"},
	[ENROLEE_ITEM_CERTIFICATE] = {GENERATION_CERT, "certificate"},
	[ENROLEE_ITEM_CHAIN] = {GENERATION_CHAIN, "chain"},
	[ENROLEE_ITEM_ANCHORS] = {GENERATION_ANCHORS, "anchors"},
	[ENROLEE_ITEM_MEF] = {GENERATION_MEF, "address of the MEF"},
	[ENROLEE_ITEM_SYMMETRIC] = {GENERATION_KEYS, "symmetric keys"},
	[ENROLEE_ITEM_REQUEST] = {NULL, "request under way"},
};

enum err lib_read(struct enrolee *e, enum enrolee_item item, struct buf *out, struct why *why)
{
	const char *dir = lib_text(e, ENROLEE_DIR);

	if (!e->store.read && !dir)
		return WHY(why, AGENT_OPTION, "", "ENROLEE_DIR: want a directory or a key store, have neither");
	if (!e->store.read && item == ENROLEE_ITEM_REQUEST)
		return generation_request(dir, out, why);
	if (!e->store.read)
		return generation_read(dir, items[item].name, out, why);
	int got = e->store.read(e->store.arg, item, put, out);
	TRY(buf_check(out, items[item].title, why));
	if (got == ENROLEE_NONE)
		return WHY(why, AGENT_FILES, "", "key store: there is no %s", items[item].title);
	return got == 0 ? OK : lib_caller_failed("key store: read", items[item].title, why);
}

static void drop_key(struct enrolee *e)
{
	key_free(e->run.key);
	e->run.key = NULL;
	e->run.key_ref = NULL;
	buf_fini_wipe(&e->run.key_pem);
	e->run.key_pem = BUF(KEY_PEM_MAX);
}

/* The key of a request that was under way when the device stopped, where it fits. */
static bool take_pending(struct enrolee *e, enum key_spec spec)
{
	struct why ignored = {0};

	if (generation_pending(lib_text(e, ENROLEE_DIR), &e->run.key_pem, &ignored) == OK
		&& key_parse_pem(buf_span(&e->run.key_pem), (struct span){NULL, 0}, &e->run.key, &ignored) == OK
		&& key_spec_of(e->run.key) == spec)
		return true;
	drop_key(e);
	return false;
}

static enum err make_in_dir(struct enrolee *e, enum key_spec spec, struct why *why)
{
	struct lib_run *run = &e->run;

	if (spec == KEY_NONE) {
		buf_put_span(&run->key_pem, buf_span(&run->own_key));
		TRY(buf_check(&run->key_pem, "key", why));
		return key_parse_pem(buf_span(&run->key_pem), (struct span){NULL, 0}, &run->key, why);
	}
	if (take_pending(e, spec))
		return OK;
	TRY(key_new(spec, &run->key, why));
	TRY(key_write_pem(run->key, (struct span){NULL, 0}, &run->key_pem, why));
	return generation_keep_pending(lib_text(e, ENROLEE_DIR), buf_span(&run->key_pem), why);
}

enum err lib_take_key(struct enrolee *e, const struct enrolee_key *key, struct why *why)
{
	if (!e->store.sign)
		return WHY(why, AGENT_OPTION, "", "key that was fed: want enrolee_set_keystore, which signs with it");
	drop_key(e);
	e->run.key_ref = key->ref;
	return key_new_remote(span_of(key->spki.p, key->spki.n), sign, e, &e->run.key, why);
}

enum err lib_make_key(struct enrolee *e, enum key_spec spec, struct why *why)
{
	struct enrolee_key made = {0};

	drop_key(e);
	if (!e->store.make_key)
		return make_in_dir(e, spec, why);
	const char *kind = spec == KEY_NONE ? NULL : key_spec_name(spec);
	if (e->store.make_key(e->store.arg, kind, &made) != 0)
		return lib_caller_failed("key store: make_key", kind, why);
	TRY(lib_take_key(e, &made, why));
	if (spec != KEY_NONE && key_spec_of(e->run.key) != spec)
		return WHY(why, AGENT_CALLER, "", "key store: make_key: want %s, have %s", kind, key_spec_name(key_spec_of(e->run.key)));
	return OK;
}

static struct span span_of_octets(struct enrolee_octets o)
{
	return span_of(o.p, o.n);
}

enum err lib_install(struct enrolee *e, struct why *why)
{
	const struct enrolee_installation *what = &e->run.installation;
	const struct generation g = {
		.key_pem = span_of_octets(what->key_pem),
		.cert_pem = span_of_octets(what->certificate),
		.chain_pem = span_of_octets(what->chain),
		.anchors_pem = span_of_octets(what->anchors),
		.mef_uri = what->mef,
		.keys_json = span_of_octets(what->symmetric),
		.anchors_origin = buf_text(&e->run.origin),
	};
	unsigned int number = 0;

	if (!e->store.install)
		return generation_install(lib_text(e, ENROLEE_DIR), &g, &number, why);
	return e->store.install(e->store.arg, what) == 0 ? OK : lib_caller_failed("key store: install", NULL, why);
}
