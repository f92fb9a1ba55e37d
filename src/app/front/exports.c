#include "app/front/front.h"

#include "base/text.h"

static const char est_root[] = "/.well-known/est/";
static const char exchange_root[] = "/enrolment";
static const char registration[] = "/maf/symmKeyReg";

static const struct est_label *find_label(const struct label_set *labels, struct span name)
{
	for (size_t i = 0; i < labels->n; i++) {
		if (span_is(name, labels->items[i].name))
			return &labels->items[i];
	}
	return NULL;
}

/* RFC 7030 3.5: the operations whose CSR may carry a value of the session */
static bool takes_csr(struct span operation)
{
	static const char *const names[] = {"simpleenroll", "simplereenroll", "serverkeygen", "fullcmc"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_is(operation, names[i]))
			return true;
	}
	return false;
}

/* RFC 7030 3.2.2: root/OPERATION or root/LABEL/OPERATION */
static bool binds_to_session(const struct label_set *labels, struct span rest)
{
	size_t slash = span_find(rest, '/');
	const struct est_label *label = find_label(labels, span_first(rest, slash < rest.n ? slash : 0));

	if (!label)
		return false;
	return label->bind_tls
		|| (label->linking != LINKING_OFF && takes_csr(span_from(rest, slash < rest.n ? slash + 1 : 0)));
}

enum call_export front_exports(void *arg, const struct call *call)
{
	const struct front *f = arg;
	size_t n = sizeof(exchange_root) - 1;

	if (span_starts(call->path, est_root))
		return binds_to_session(f->labels, span_from(call->path, sizeof(est_root) - 1)) ? EXPORT_BINDING : EXPORT_NONE;
	if (span_starts(call->path, exchange_root) && (call->path.n == n || call->path.p[n] == '/'))
		return EXPORT_ENROLMENT;
	return span_is(call->path, registration) ? EXPORT_CONNECTION : EXPORT_NONE;
}
