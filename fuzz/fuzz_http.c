/*
 * The parser of everything that a peer sends over HTTP. The first octet says how the rest is cut: the
 * result must be the same as in one piece.
 */
#include "wire/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 4096, REQUESTS_MAX = 64 };

struct digest {
	size_t used;
	unsigned int requests, status;
	uint64_t sum;
};

static void mix(struct digest *d, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		d->sum = (d->sum ^ s.p[i]) * 1099511628211u;
	d->sum = (d->sum ^ s.n) * 1099511628211u;
}

static void mix_request(struct digest *d, const struct http_request *r)
{
	d->requests++;
	mix(d, r->target);
	mix(d, r->path);
	mix(d, r->query);
	mix(d, r->host);
	mix(d, r->media_type);
	mix(d, r->transfer_encoding);
	mix(d, r->accept);
	mix(d, r->user_agent);
	mix(d, r->body);
	d->sum = d->sum * 31 + (uint64_t)r->method * 4 + (uint64_t)r->keep_alive * 2 + (uint64_t)r->expect_continue;
	if (r->body.n > BODY_MAX || r->target.n > CALL_PATH_MAX || r->path.n == 0 || r->path.p[0] != '/')
		abort();
}

static struct digest run(struct span in, size_t step)
{
	struct digest d = {0};
	struct http_parser *p = http_parser_new(BODY_MAX);
	size_t end = 0;

	if (!p)
		return d;
	while (d.used < in.n && d.requests < REQUESTS_MAX) {
		struct why why = {0};
		size_t used = 0;
		if (end < d.used + step)
			end = d.used + step;
		enum http_state s = http_parser_feed(p, span_from(span_first(in, end), d.used), &used, &why);
		d.used += used;
		if (s == HTTP_FAILED) {
			d.status = http_parser_status(p);
			d.used = 0; /* what a failed request consumed depends on the cut */
			if (d.status < 400 || why.kind == OK)
				abort();
			break;
		}
		if (s == HTTP_COMPLETE) {
			mix_request(&d, http_parser_request(p));
			http_parser_next(p);
		} else if (s == HTTP_NEED_MORE && d.used < end && d.used < in.n) {
			abort(); /* it must take all before it asks for more */
		}
	}
	http_parser_free(p);
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct span in = span_of(data + 1, size - 1);
	struct digest whole = run(in, in.n ? in.n : 1);
	struct digest cut = run(in, (size_t)data[0] % 61 + 1);

	if (whole.used != cut.used || whole.requests != cut.requests || whole.status != cut.status
		|| whole.sum != cut.sum)
		abort();
	return 0;
}
