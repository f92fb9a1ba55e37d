#include "core/exchange/rights.h"

enum { PAGE_ROWS = 100 };

static enum err load(struct store *store, enum prefs_scope scope, const char *key,
	struct arena *arena, struct prefs *out, bool *found, struct why *why)
{
	struct span json = {0};
	struct why inner = {0};
	enum err err = store->ops->prefs_get(store->self, scope, key, arena, &json, why);

	*found = err == OK;
	if (err == ERR_NOT_FOUND) {
		why_clear(why);
		return OK;
	}
	TRY(err);
	err = prefs_parse(json, arena, out, &inner);
	if (err != OK && err <= ERR_PENDING)
		return WHY(why, PREFS_STORED, "", "preferences of '%s': %s", key, inner.text);
	if (err != OK)
		*why = inner;
	return err;
}

enum err rights_prefs(struct store *store, const char *enrolee_id, const char *token_id,
	struct arena *arena, struct prefs *out, struct why *why)
{
	bool found = false;

	TRY(load(store, PREFS_ENROLEE, enrolee_id, arena, out, &found, why));
	if (!found && token_id)
		TRY(load(store, PREFS_TOKEN, token_id, arena, out, &found, why));
	if (!found)
		TRY(load(store, PREFS_DEFAULT, "", arena, out, &found, why));
	if (!found)
		prefs_defaults(out);
	return OK;
}

struct certificates {
	int64_t now_s;
	uint8_t last[STORE_SERIAL_MAX];
	size_t last_n, page;
	bool found;
};

static enum err on_issued(void *arg, const struct issued *i, struct why *why)
{
	struct certificates *c = arg;

	if (i->serial.n > sizeof(c->last))
		return WHY(why, BUG, "", "serial number of %zu octets", i->serial.n);
	memcpy(c->last, i->serial.p, i->serial.n);
	c->last_n = i->serial.n;
	c->page++;
	if (i->not_before_s <= c->now_s && c->now_s <= i->not_after_s)
		c->found = true;
	return OK;
}

enum err rights_certificate(
	struct store *store, const char *enrolee_id, int64_t now_s, bool *out, struct why *why)
{
	struct certificates c = {.now_s = now_s};

	do {
		const struct issued_filter filter = {.after = span_of(c.last, c.last_n),
			.enrolee_id = enrolee_id,
			.state = ISSUED_VALID,
			.limit = PAGE_ROWS};
		c.page = 0;
		TRY(store->ops->issued_list(store->self, &filter, on_issued, &c, why));
	} while (c.page == PAGE_ROWS && !c.found);
	*out = c.found;
	return OK;
}
