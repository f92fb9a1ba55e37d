#include "wire/http.h"

#include "base/date.h"

static bool has_no_body(unsigned int status)
{
	/* RFC 9110 8.6: 1xx and 204 carry neither body nor Content-Length */
	return status < 200 || status == 204 || status == 304;
}

static void put_date(struct buf *out, int64_t date_s)
{
	char date[DATE_TEXT_SIZE];

	date_http(date_s, date);
	buf_put_text(out, "Date: ");
	buf_put_text(out, date);
	buf_put_text(out, "\r\n");
}

static void put_number(struct buf *out, const char *name, uint64_t value)
{
	char digits[24];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	buf_put_text(out, name);
	buf_put(out, digits + at, sizeof(digits) - at);
	buf_put_text(out, "\r\n");
}

static void put_status(struct buf *out, unsigned int status)
{
	const char digits[] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
		(char)('0' + status % 10), ' '};

	buf_put_text(out, "HTTP/1.1 ");
	buf_put(out, digits, sizeof(digits));
	buf_put_text(out, http_reason(status));
	buf_put_text(out, "\r\n");
}

static void put_allow(struct buf *out, unsigned int methods)
{
	static const struct {
		enum call_method method;
		const char *name;
	} rows[] = {{CALL_GET, "GET"}, {CALL_HEAD, "HEAD"}, {CALL_POST, "POST"}, {CALL_PUT, "PUT"}, {CALL_DELETE, "DELETE"}};
	const char *before = "Allow: ";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!(methods & 1u << rows[i].method))
			continue;
		buf_put_text(out, before);
		buf_put_text(out, rows[i].name);
		before = ", ";
	}
	if (before[0] == ',')
		buf_put_text(out, "\r\n");
}

static void put_body_fields(struct buf *out, const struct reply *reply)
{
	if (reply->media_type[0]) {
		buf_put_text(out, "Content-Type: ");
		buf_put_text(out, reply->media_type);
		buf_put_text(out, "\r\n");
	}
	/* RFC 8951 3.1: the field means nothing in HTTP, and deployed EST clients still look for it */
	if (reply->base64)
		buf_put_text(out, "Content-Transfer-Encoding: base64\r\n");
	put_number(out, "Content-Length: ", reply->body.n);
}

void http_reply_write(struct buf *out, const struct reply *reply, bool head_only, bool keep_alive, int64_t date_s)
{
	buf_room(out, 384 + (head_only ? 0 : reply->body.n)); /* one allocation */
	put_status(out, reply->status);
	put_date(out, date_s);
	if (!has_no_body(reply->status))
		put_body_fields(out, reply);
	/* RFC 9110 15.5.6: a 405 says which methods are served */
	if (reply->allow)
		put_allow(out, reply->allow);
	if (reply->retry_after_s)
		put_number(out, "Retry-After: ", reply->retry_after_s);
	if (reply->max_age_s)
		put_number(out, "Cache-Control: max-age=", reply->max_age_s);
	else
		buf_put_text(out, "Cache-Control: no-store\r\n");
	/* RFC 9112 9.6: the last reply says so */
	if (!keep_alive || reply->close)
		buf_put_text(out, "Connection: close\r\n");
	buf_put_text(out, "\r\n");
	if (!head_only && !has_no_body(reply->status))
		buf_put_span(out, reply->body);
}
