#include "app/enrolee/link.h"

#include "wire/uri.h"

void link_fini(struct link *l)
{
	fetch_free(l->fetch);
	enrolee_held_fini(&l->held);
	enrolee_given_fini(&l->given);
}

static struct fetch_config config_of(const struct cli *cli)
{
	return (struct fetch_config){.clock = cli->clock, .connect = cli_value(cli, "connect"), .tls12_only = cli_flag(cli, "tls12")};
}

enum err link_by_key(const struct cli *cli, const char *identity, const struct secret *key, struct link *l, struct why *why)
{
	struct fetch_config config = config_of(cli);

	config.psk_identity = identity;
	config.psk = *key;
	enum err err = fetch_new(&config, &l->fetch, why);
	secret_wipe(&config.psk);
	return err;
}

enum err link_by_certificate(const struct cli *cli, const char *dir, struct link *l, struct why *why)
{
	struct fetch_config config = config_of(cli);

	if (cli_flag(cli, "cert")) {
		TRY(enrolee_given(cli, &l->given, why));
		config.cert_pem = buf_span(&l->given.cert);
		config.key_pem = buf_span(&l->given.key);
		config.anchors_pem = buf_span(&l->given.anchors);
	} else {
		TRY(enrolee_held(dir, &l->held, why));
		buf_put_span(&l->held.cert, buf_span(&l->held.chain));
		config.cert_pem = buf_span(&l->held.cert);
		config.key_pem = buf_span(&l->held.key);
		config.anchors_pem = buf_span(&l->held.anchors);
	}
	return fetch_new(&config, &l->fetch, why);
}

enum err link_base(const char *uri, struct span fqdn, struct buf *out, struct why *why)
{
	struct span all = span_text(uri);
	struct uri parsed = {0};

	if (!uri || !uri[0]) {
		buf_put_fmt(out, "https://%.*s", SPAN_FMT(fqdn));
		return buf_check(out, "URI", why);
	}
	TRY(uri_parse(all, &parsed, why));
	if (!span_is_nocase(parsed.scheme, "https") || !span_equal_nocase(parsed.host, fqdn))
		return WHY(why, AGENT_URI, "TS-0003 10.3.4", "want https://%.*s, have '%.*s'", SPAN_FMT(fqdn),
			SPAN_FMT(span_first(all, 80)));
	buf_put_span(out, span_first(all, parsed.path.n ? (size_t)(parsed.path.p - all.p) : span_find(all, '?')));
	return buf_check(out, "URI", why);
}

enum err link_check(const char *name, const struct fetch_reply *reply, struct why *why)
{
	struct span said = span_first(buf_span(&reply->body), WHY_TEXT_MAX);

	while (said.n && (said.p[said.n - 1] == '\n' || said.p[said.n - 1] == '.'))
		said.n--;
	if (reply->status == 200 || reply->status == 201)
		return OK;
	if (reply->status == 503)
		return WHY(why, AGENT_WAITS, "", "%s: status 503, again in %lld s", name, (long long)reply->retry_after_s);
	if (reply->status >= 500)
		return WHY(why, AGENT_BROKEN, "", "%s: status %u: %.*s", name, reply->status, SPAN_FMT(said));
	if (reply->status >= 400)
		return WHY(why, AGENT_REFUSED, "", "%s: status %u: %.*s", name, reply->status, SPAN_FMT(said));
	return WHY(why, AGENT_REPLY, "", "%s: want status 200, have %u", name, reply->status);
}
