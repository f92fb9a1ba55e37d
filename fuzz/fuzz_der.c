/* The DER reader: first every kind of take on the first item, then a walk through all levels. */
#include "pki/der.h"
#include "pki/oid.h"

#include <stdlib.h>

enum { DEPTH_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read and written again is the same octets. */
static void must_equal(const struct buf *again, const struct der_item *item)
{
	if (again->bad || !span_equal(buf_span(again), item->all))
		abort();
}

static void write_again(const struct der_item *item)
{
	struct buf out OWNED_BUF = BUF(item->all.n + 16);

	der_put(&out, item->tag, item->body);
	must_equal(&out, item);
}

static void take_each(const struct der_item *item)
{
	struct buf out OWNED_BUF = BUF(item->all.n + 1024);
	struct der d = der_init(item->all);
	bool flag = der_take_bool(&d);

	if (der_done(&d)) {
		der_put_bool(&out, flag);
		must_equal(&out, item);
	}
	d = der_init(item->all);
	struct span number = der_take_uint(&d);
	if (der_done(&d)) {
		buf_clear(&out);
		der_put_uint(&out, number);
		must_equal(&out, item);
	}
	d = der_init(item->all);
	struct span bits = der_take_bits(&d);
	if (der_done(&d)) {
		buf_clear(&out);
		der_put_bits(&out, bits, 0);
		must_equal(&out, item);
	}
	d = der_init(item->all);
	struct span oid = der_take_oid(&d);
	if (der_done(&d)) {
		buf_clear(&out);
		oid_put_dotted(&out, oid);
	}
	d = der_init(item->all);
	der_take_flags(&d);
	d = der_init(item->all);
	int64_t at_s = der_take_time(&d);
	if (der_done(&d) && (item->tag == DER_UTC_TIME || at_s >= 2524608000)) {
		buf_clear(&out);
		der_put_time(&out, at_s);
		must_equal(&out, item);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct der levels[DEPTH_MAX] = {der_init(span_of(data, size))};
	size_t depth = 1;

	while (depth) {
		struct der *d = &levels[depth - 1];
		if (!der_more(d)) {
			depth--;
			continue;
		}
		struct der_item item = der_next(d);
		if (d->bad)
			continue;
		write_again(&item);
		take_each(&item);
		if (item.tag & 0x20 && depth < DEPTH_MAX)
			levels[depth++] = der_init(item.body);
	}
	return 0;
}
