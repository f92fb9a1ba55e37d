#include "der_mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OCTETS = 4,
	BITS = 3,
	INDEFINITE = 0x80,
	LONG_VALUE = 700, /* past every limit on an identifier or nonce */
	MANY = 70,
	DEEP = 70,
	HEAD_MAX = 12,
};

/* ---- reading */

struct level {
	size_t end;
	int field;
	bool indefinite;
};

/* Identifier and length; false for what cannot be one. */
static bool read_head(const uint8_t *p, size_t n, struct der_field *f)
{
	size_t used = 2, len = 0;

	if (n < 2 || (p[0] & 0x1f) == 0x1f || p[1] > 0x84)
		return false;
	if (p[1] < 0x80) {
		len = p[1];
	} else {
		used += p[1] & 0x7f;
		if (used > n)
			return false;
		for (size_t i = 2; i < used; i++)
			len = len << 8 | p[i];
	}
	f->indefinite = p[1] == INDEFINITE;
	if (f->indefinite && !(p[0] & 0x20))
		return false;
	f->head = used;
	f->body = len;
	f->all = used + len;
	return len <= n - used;
}

/* Do these octets look like fields, one behind the other? */
static bool is_list(const uint8_t *p, size_t n)
{
	struct der_field f;

	for (size_t fields = 0; n; fields++) {
		if (!read_head(p, n, &f) || f.indefinite || p[0] == 0 || fields > 64)
			return false;
		p += f.all;
		n -= f.all;
	}
	return true;
}

/* A primitive that holds DER, as extnValue, eContent and subjectPublicKey do. */
static bool holds_fields(const uint8_t *p, struct der_field *f)
{
	const uint8_t *body = p + f->head;

	if (p[0] == OCTETS && f->body >= 2 && is_list(body, f->body))
		return true;
	if (p[0] != BITS || f->body < 3 || body[0] != 0 || !is_list(body + 1, f->body - 1))
		return false;
	f->head++;
	f->body--;
	return true;
}

static void leave(struct der_fields *out, const struct level *l, size_t end, size_t tail)
{
	struct der_field *f = &out->list[l->field];

	if (!l->indefinite)
		return;
	f->body = end - f->at - f->head;
	f->all = f->head + f->body + tail;
}

static bool read_from(const uint8_t *data, size_t n, size_t from, struct der_fields *out)
{
	struct level levels[DER_DEPTH_MAX] = {{.end = n, .field = -1}};
	size_t depth = 1, at = from;

	out->n = 0;
	out->from = from;
	while (depth) {
		struct level *l = &levels[depth - 1];
		if (l->indefinite && at + 2 <= l->end && data[at] == 0 && data[at + 1] == 0) {
			leave(out, l, at, 2);
			at += 2;
			depth--;
			continue;
		}
		if (at == l->end) {
			if (l->indefinite)
				return false;
			depth--;
			continue;
		}
		struct der_field *f = &out->list[out->n];
		if (out->n == DER_FIELDS_MAX || !read_head(data + at, l->end - at, f))
			return false;
		f->at = at;
		f->parent = l->field;
		f->inner = (data[at] & 0x20) || holds_fields(data + at, f);
		at += f->inner ? f->head : f->all;
		if (f->inner && depth == DER_DEPTH_MAX)
			return false;
		if (f->inner)
			levels[depth++] = (struct level){
				f->indefinite ? l->end : at + f->body, (int)out->n, f->indefinite};
		out->n++;
	}
	return out->n > 0 && at == n;
}

bool der_fields_read(const uint8_t *data, size_t n, struct der_fields *out)
{
	return read_from(data, n, 0, out) || (n > 1 && read_from(data, n, 1, out));
}

/* ---- writing */

struct work {
	uint8_t *p;
	size_t n, max;
	bool full;
};

/* Octets [at, at + old) become those of `with`. */
static void splice(struct work *w, size_t at, size_t old, const uint8_t *with, size_t n)
{
	if (w->full || w->n - old + n > w->max) {
		w->full = true;
		return;
	}
	memmove(w->p + at + n, w->p + at + old, w->n - at - old);
	if (n)
		memcpy(w->p + at, with, n);
	w->n = w->n - old + n;
}

static size_t put_length(uint8_t *out, size_t len)
{
	size_t n = 0;

	if (len < 0x80) {
		out[0] = (uint8_t)len;
		return 1;
	}
	while (len >> (8 * n))
		n++;
	out[0] = (uint8_t)(0x80 | n);
	for (size_t i = 0; i < n; i++)
		out[1 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
	return 1 + n;
}

static size_t length_at(const struct der_field *f, const uint8_t *data)
{
	return data[f->at] == BITS && f->inner ? f->head - 1 : f->head;
}

/* The lengths of what stands around the field, now that it has `more` octets more; from inside to
 * outside. */
static void fit_parents(struct work *w, const uint8_t *data, const struct der_fields *fields,
	size_t field, long more)
{
	for (int up = fields->list[field].parent; up >= 0 && !w->full;
		up = fields->list[up].parent) {
		const struct der_field *f = &fields->list[up];
		uint8_t head[HEAD_MAX];
		size_t old = length_at(f, data) - 1;
		if (f->indefinite)
			continue;
		size_t n = put_length(head, (size_t)((long)(f->all - 1 - old) + more));
		splice(w, f->at + 1, old, head, n);
		more += (long)n - (long)old;
	}
}

/* One value of its type that the type forbids, in place of the first octets; false where it has
 * none. */
static bool make_odd(uint8_t tag, uint8_t *body, size_t n)
{
	switch (tag) {
	case 0x01: /* BOOLEAN: neither 0 nor 255 */
		body[0] = 1;
		return true;
	case 0x02: /* INTEGER: another small number, or negative */
		body[0] = n == 1 ? 99 : 0x81;
		return true;
	case BITS:
		body[0] = 8;
		return true;
	case 0x06:
		body[n - 1] |= 0x80; /* its last arc does not end */
		return true;
	case 0x0a:
		body[0] = 0x63;
		return true;
	case 0x17: /* month 13 */
		if (n >= 4)
			memcpy(body + 2, "13", 2);
		return n >= 4;
	case 0x18:
		if (n >= 6)
			memcpy(body + 4, "13", 2);
		return n >= 6;
	case 0x0c:
	case 0x13:
	case 0x14:
	case 0x16:
	case 0x1e:
	case 0x82:
	case 0x86:
		body[n / 2] = 0;
		return true;
	default:
		return false;
	}
}

/* The new contents of a primitive in `to`, at least n + LONG_VALUE octets; the number of them, or
 * -1. */
static long change_value(
	uint8_t tag, const uint8_t *body, size_t n, enum der_change change, uint8_t *to)
{
	if (n)
		memcpy(to, body, n);
	if (n == 0 && change != DER_VALUE_GROW && change != DER_VALUE_LEAD_ZERO &&
		change != DER_VALUE_LONG)
		return -1;
	switch ((int)change) {
	case DER_VALUE_TOP_BIT:
		to[0] ^= 0x80;
		return (long)n;
	case DER_VALUE_LAST_BIT:
		to[n - 1] ^= 1;
		return (long)n;
	case DER_VALUE_GROW:
		to[n] = 0;
		return (long)n + 1;
	case DER_VALUE_SHRINK:
		return (long)n - 1;
	case DER_VALUE_ZEROS:
		memset(to, 0, n);
		return (long)n;
	case DER_VALUE_ONES:
		memset(to, 0xff, n);
		return (long)n;
	case DER_VALUE_LEAD_ZERO:
	case DER_VALUE_LEAD_TOP:
		memmove(to + 1, to, n);
		to[0] = change == DER_VALUE_LEAD_TOP ? 0x80 : 0;
		return (long)n + 1;
	case DER_VALUE_LONG:
		memset(to + n, n ? to[n - 1] : 'a', LONG_VALUE);
		return (long)n + LONG_VALUE;
	case DER_VALUE_ODD:
		return make_odd(tag, to, n) ? (long)n : -1;
	default:
		return -1;
	}
}

static long nest_deep(const uint8_t *all, size_t n, uint8_t *to)
{
	memcpy(to, all, n);
	for (int i = 0; i < DEEP; i++) {
		uint8_t around[HEAD_MAX] = {0x30};
		size_t head = 1 + put_length(around + 1, n);
		memmove(to + head, to, n);
		memcpy(to, around, head);
		n += head;
	}
	return (long)n;
}

/* A primitive with other contents and the length that fits them. */
static long change_contents(const uint8_t *all, const struct der_field *f, enum der_change change, uint8_t *to)
{
	uint8_t *value = malloc(f->body + LONG_VALUE + 1);
	uint8_t *p = to;

	if (!value)
		abort();
	long n = change_value(all[0], all + f->head, f->body, change, value);
	if (n >= 0) {
		*p++ = all[0];
		p += put_length(p, (size_t)n);
		memcpy(p, value, (size_t)n);
		n += p - to;
	}
	free(value);
	return n;
}

/* The octets that stand in the field's place, into `to`; their number, or -1. Lengths around them
 * are made to fit. */
static long change_whole(const uint8_t *data, const struct der_fields *fields, size_t field,
	enum der_change change, uint8_t *to)
{
	const struct der_field *f = &fields->list[field];
	const uint8_t *all = data + f->at;
	size_t head = length_at(f, data);
	size_t contents = f->all - head;
	uint8_t *p = to;

	switch ((int)change) {
	case DER_LENGTH_OVERLONG:
		if (f->indefinite)
			return -1;
		*p++ = all[0];
		*p++ = 0x84;
		for (int i = 3; i >= 0; i--)
			*p++ = (uint8_t)(contents >> (8 * i));
		memcpy(p, all + head, contents);
		return (long)(6 + contents);
	case DER_LENGTH_INDEFINITE:
		if (f->indefinite)
			return -1;
		*p++ = all[0];
		*p++ = INDEFINITE;
		memcpy(p, all + head, contents);
		memset(p + contents, 0, 2);
		return (long)(4 + contents);
	case DER_EMPTY:
		*p++ = all[0];
		*p++ = 0;
		return 2;
	case DER_DELETE:
		return 0;
	case DER_DOUBLE:
		memcpy(p, all, f->all);
		memcpy(p + f->all, all, f->all);
		return (long)(2 * f->all);
	case DER_MANY:
		for (int i = 0; i < MANY; i++, p += f->all)
			memcpy(p, all, f->all);
		return (long)(MANY * f->all);
	case DER_NEST:
		*p++ = 0x30;
		p += put_length(p, f->all);
		memcpy(p, all, f->all);
		return (long)(p - to + (long)f->all);
	case DER_NEST_DEEP:
		return nest_deep(all, f->all, to);
	case DER_UNNEST:
		if (!f->inner)
			return -1;
		memcpy(p, all + f->head, f->body);
		return (long)f->body;
	case DER_TAG_HIGH:
		*p++ = all[0] | 0x1f;
		*p++ = 0x1f;
		memcpy(p, all + 1, f->all - 1);
		return (long)f->all + 1;
	default:
		break;
	}
	if (change < DER_VALUE_TOP_BIT || f->inner)
		return -1;
	return change_contents(all, f, change, to);
}

/* Changes that leave the lengths around as they were; false where it does not apply. */
static bool change_head(
	struct work *w, const uint8_t *data, const struct der_field *f, enum der_change change)
{
	static const uint8_t huge[] = {0x84, 0x7f, 0xff, 0xff, 0xff};
	static const uint8_t overflow[] = {0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t *at = w->p + f->at;
	size_t length = length_at(f, data) - 1;

	switch ((int)change) {
	case DER_TAG_NUMBER:
		*at ^= 1;
		return true;
	case DER_TAG_CLASS:
		*at ^= 0x80;
		return true;
	case DER_TAG_FORM:
		*at ^= 0x20;
		return true;
	case DER_LENGTH_LESS:
		at[length]--;
		return true;
	case DER_LENGTH_MORE:
		at[length]++;
		return true;
	case DER_LENGTH_HUGE:
		splice(w, f->at + 1, length, huge, sizeof(huge));
		return true;
	case DER_LENGTH_OVERFLOW:
		splice(w, f->at + 1, length, overflow, sizeof(overflow));
		return true;
	default:
		return false;
	}
}

static bool swap_next(
	struct work *w, const uint8_t *data, const struct der_fields *fields, size_t field)
{
	const struct der_field *f = &fields->list[field];

	for (size_t i = field + 1; i < fields->n && fields->list[i].at <= f->at + f->all; i++) {
		const struct der_field *next = &fields->list[i];
		if (next->at != f->at + f->all || next->parent != f->parent)
			continue;
		memcpy(w->p + f->at, data + next->at, next->all);
		memcpy(w->p + f->at + next->all, data + f->at, f->all);
		return true;
	}
	return false;
}

size_t der_field_change(const uint8_t *data, size_t n, const struct der_fields *fields,
	size_t field, enum der_change change, uint8_t *out, size_t max)
{
	const struct der_field *f = &fields->list[field];
	struct work w = {.p = out, .n = n, .max = max};

	if (n > max)
		return 0;
	memcpy(out, data, n);
	if (change == DER_SWAP)
		return swap_next(&w, data, fields, field) ? n : 0;
	if (change_head(&w, data, f, change))
		return w.full ? 0 : w.n;
	size_t room =
		f->all * (change == DER_MANY ? MANY : 3) + (size_t)HEAD_MAX * DEEP + LONG_VALUE;
	if (room > max)
		return 0;
	uint8_t *with = malloc(room);
	if (!with)
		abort();
	long len = change_whole(data, fields, field, change, with);
	if (len >= 0) {
		splice(&w, f->at, f->all, with, (size_t)len);
		fit_parents(&w, data, fields, field, len - (long)f->all);
	}
	free(with);
	return len < 0 || w.full ? 0 : w.n;
}

/* ---- what a refusal owes */

static void blame(const struct why *why, const char *what)
{
	char text[768];

	why_print(why, text, sizeof(text));
	fprintf(stderr, "%s:%d: refusal without %s: %s\n", why->file ? why->file : "?", why->line,
		what, text);
	abort();
}

void der_refusal_check(enum err err, const struct why *why)
{
	const struct code_page *page = code_find((int)why->code);

	if (!page || err != page->kind || why->kind != err)
		blame(why, "a code of its kind");
	if (err > ERR_PENDING)
		blame(why, "fault of the peer");
	const char *colon = strchr(why->text, ':');
	if (!colon || colon == why->text || !strstr(colon, "want "))
		blame(why, "a field and what is wanted of it");
	if (!why->clause[0] && err != ERR_LIMIT)
		blame(why, "a clause");
}

/* ---- libFuzzer */

#ifdef OMEF_FUZZ_CUSTOM
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* Three of four times one field is changed, else bytes as libFuzzer likes, which also combines what
 * was found. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static struct der_fields fields;
	uint64_t r = seed * UINT64_C(0x9e3779b97f4a7c15);

	if ((seed & 3) == 0 || !der_fields_read(data, size, &fields))
		return LLVMFuzzerMutate(data, size, max_size);
	size_t field = (size_t)(r >> 16) % fields.n;
	uint8_t *out = malloc(max_size);
	if (!out)
		abort();
	size_t n = der_field_change(data, size, &fields, field,
		(enum der_change)((r >> 48) % DER_CHANGES), out, max_size);
	if (n)
		memcpy(data, out, n);
	free(out);
	return n ? n : LLVMFuzzerMutate(data, size, max_size);
}
#endif
