/* URIs, percent escapes, media types and Accept values: texts that a peer or an operator writes. */
#include "wire/media.h"
#include "wire/uri.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_within(struct span part, struct span whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct uri uri;
	struct why why = {0};
	char out[64];

	if (uri_parse(in, &uri, &why) == OK) {
		assert(uri.host.n > 0 && uri.port > 0);
		assert(uri.path.n == 0 || uri.path.p[0] == '/');
		assert(lies_within(uri.host, in) && lies_within(uri.path, in) && lies_within(uri.query, in));
	}
	why_clear(&why);
	if (uri_decode(in, out, sizeof(out), &why) == OK)
		assert(strlen(out) <= size);
	assert(lies_within(media_param(in, "smime-type"), in));
	(void)media_is(in, "application/pkcs10");
	(void)media_accepts(in, "application/pkcs7-mime");
	return 0;
}
