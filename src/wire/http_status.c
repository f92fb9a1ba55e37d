#include "wire/http.h"

unsigned int http_status_of(enum err kind)
{
	switch (kind) {
	case OK:
		return 200;
	case ERR_SYNTAX:
		return 400;
	case ERR_UNSUPPORTED:
		return 415;
	case ERR_UNAUTHENTICATED: /* HTTP authentication is not offered, so 401 would have no challenge */
	case ERR_FORBIDDEN:
	case ERR_EXPIRED:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_CONFLICT:
		return 409;
	case ERR_LIMIT:
		return 413;
	case ERR_PENDING:
		/* RFC 7030 4.2.3: a request that waits for approval is answered with 202 */
		return 202;
	case ERR_NOMEM:
	case ERR_SYSTEM:
	case ERR_STORE:
		return 503;
	case ERR_CRYPTO:
	case ERR_BUG:
		return 500;
	}
	return 500;
}

const char *http_reason(unsigned int status)
{
	static const struct {
		unsigned int status;
		const char *reason;
	} rows[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{202, "Accepted"},
		{503, "Service Unavailable"},
		{100, "Continue"},
		{201, "Created"},
		{204, "No Content"},
		{304, "Not Modified"},
		{401, "Unauthorized"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{411, "Length Required"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].status == status)
			return rows[i].reason;
	}
	return "Unknown";
}
