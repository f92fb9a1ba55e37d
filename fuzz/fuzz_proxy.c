/* What a proxy says of its client: the PROXY header, and the fields of RFC 9440 behind a first octet that has bit 7 set. */
#include "wire/client_cert.h"
#include "wire/proxy.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_header(struct span in)
{
	struct proxy_header header;
	struct why why = {0};
	size_t size = 0, least = 0;
	bool refused = false;

	/* what is asked for never shrinks, and a refusal stays one, however many bytes have come */
	for (size_t n = 0; n <= in.n && n <= PROXY_HEAD; n++) {
		bool bad = proxy_size(span_first(in, n), &size, &why) != OK;
		assert(!refused || bad);
		assert(bad || (size >= least && size <= PROXY_MAX));
		refused = bad;
		least = bad ? 0 : size;
		why_clear(&why);
	}
	bool fine = proxy_parse(in, &header, &why) == OK;
	assert(!fine || (!refused && in.n == size));
	assert(!fine || !header.cert || header.tls);
	assert(!fine || !header.local || (!header.has_address && !header.has_tls));
}

/* The first line is Client-Cert, each further one a Client-Cert-Chain. */
static void try_fields(struct span in)
{
	struct span chain[CLIENT_CERT_CHAIN_MAX], rest = in;
	struct buf OWNED_BUF bytes = BUF(4096);
	struct client_cert out;
	struct why why = {0};
	size_t n = 0, sum = 0;

	struct span cert = span_first(rest, span_find(rest, '\n'));
	rest = span_from(rest, cert.n + 1);
	while (rest.n && n < CLIENT_CERT_CHAIN_MAX) {
		chain[n] = span_first(rest, span_find(rest, '\n'));
		rest = span_from(rest, chain[n++].n + 1);
	}
	if (client_cert_parse(cert, chain, n, &bytes, &out, &why) != OK)
		return;
	assert(out.n >= 1 && out.n <= 1 + CLIENT_CERT_CHAIN_MAX);
	for (size_t i = 0; i < out.n; i++) {
		assert(out.ders[i].n > 0);
		sum += out.ders[i].n;
	}
	assert(sum == bytes.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span in = span_of(data + 1, size - 1);
	if (data[0] & 0x80)
		try_fields(in);
	else
		try_header(in);
	return 0;
}
