/* What the examples do not show of libenrolee, case by case; built against the installed library by test_library.py. */
#include <enrolee.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WANT(truth) \
	do { \
		if (!(truth)) { \
			fprintf(stderr, "line %d: %s: %d %s\n", __LINE__, #truth, enrolee_error_code(e), enrolee_error_text(e)); \
			enrolee_free(e); \
			return 1; \
		} \
	} while (0)

static int64_t shift;

static int64_t unix_s(void *arg)
{
	return time(NULL) + shift;
}

static int64_t mono_ms(void *arg)
{
	return 0;
}

static int filled;

static int fill(void *arg, unsigned char *out, size_t n)
{
	filled++;
	memset(out, 7, n);
	return arg ? -1 : 0;
}

/* due HOST:PORT DIR: states by the device's clock, then renewed with the right one. */
static int due(struct enrolee *e, char **argv)
{
	const struct enrolee_clock clock = {sizeof(clock), NULL, unix_s, mono_ms};
	struct enrolee_status s = {.size = sizeof(s)};
	char path[300];
	const unsigned char *p;
	size_t n;

	WANT(enrolee_set_text(e, ENROLEE_CONNECT, argv[2]) == 0 && enrolee_set_text(e, ENROLEE_DIR, argv[3]) == 0);
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_GOOD && s.days_left > 0 && !s.has_symmetric);
	WANT(enrolee_set_clock(e, &clock) == 0);
	shift = s.renew_from_s - time(NULL) + 60;
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_DUE);
	shift = s.not_after_s - time(NULL) + 60;
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_EXPIRED && s.days_left == 0);
	WANT(enrolee_run(e, ENROLEE_RENEW) != 0); /* by this clock the MEF's certificate is over too */
	shift = s.not_before_s - time(NULL) - 100000;
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_NOT_YET);
	WANT(enrolee_set_clock(e, NULL) == 0);
	WANT(enrolee_set_random(e, fill, e) == 0 && enrolee_run(e, ENROLEE_RENEW) == 1890 && enrolee_error_kind(e) == ENROLEE_SYSTEM);
	filled = 0;
	WANT(enrolee_set_random(e, fill, NULL) == 0 && enrolee_run(e, ENROLEE_RENEW) == 0 && filled == 1);
	WANT(enrolee_error_text(e)[0] == '\0' && enrolee_error_code(e) == 0 && enrolee_next(e)->kind == ENROLEE_ACTION_DONE);
	WANT(enrolee_path(e, ENROLEE_ITEM_KEY, path, sizeof(path)) == 0 && strstr(path, "/current/key.pem"));
	WANT(enrolee_path(e, ENROLEE_ITEM_KEY, path, 5) != 0 && enrolee_path(e, ENROLEE_ITEM_SYMMETRIC, path, sizeof(path)) == 1892);
	WANT(enrolee_held(e, ENROLEE_ITEM_CERTIFICATE, &p, &n) == 0 && strncmp((const char *)p, "-----BEGIN", 10) == 0 && p[n] == 0);
	WANT(enrolee_held(e, ENROLEE_ITEM_SYMMETRIC, &p, &n) == 1807 && p == NULL && enrolee_error_kind(e) == ENROLEE_NOT_FOUND);
	WANT(enrolee_status(e, &s) == 0);
	printf("serial %s\n", s.serial);
	return 0;
}

/* Options at their limits and one past them, results out of turn. */
static int rules(struct enrolee *e, char **argv)
{
	static char text[4097], blob[512 * 1024 + 1];
	struct enrolee_status s = {.size = sizeof(s) - 1};
	struct enrolee_transport t = {.size = sizeof(t)};
	struct enrolee_keystore k = {.size = sizeof(k) - 1};
	struct enrolee_clock c = {.size = 0};
	struct enrolee_octets chain[10] = {{NULL, 0}};
	struct enrolee_response *r;

	memset(text, 'a', 4096);
	WANT(enrolee_set_text(e, ENROLEE_TOKEN, text) == 1892);
	text[4095] = '\0';
	WANT(enrolee_set_text(e, ENROLEE_TOKEN, text) == 0 && enrolee_set_text(e, ENROLEE_TOKEN, NULL) == 0);
	WANT(enrolee_set_text(e, (enum enrolee_text)0, "") == 1892 && enrolee_set_text(e, (enum enrolee_text)99, "") == 1892);
	WANT(enrolee_set_blob(e, ENROLEE_ANCHORS, blob, sizeof(blob)) == 1892);
	WANT(enrolee_set_blob(e, ENROLEE_ANCHORS, blob, sizeof(blob) - 1) == 0 && enrolee_set_blob(e, ENROLEE_ANCHORS, NULL, 0) == 0);
	WANT(enrolee_set_blob(e, (enum enrolee_blob)99, "", 0) == 1892 && enrolee_set_number(e, (enum enrolee_number)99, 0) == 1892);
	WANT(enrolee_set_number(e, ENROLEE_TIMEOUT_S, -1) == 1892 && enrolee_set_number(e, ENROLEE_TIMEOUT_S, 0) == 0);
	WANT(enrolee_set_file(e, ENROLEE_ANCHORS, "/nonexistent") != 0 && enrolee_error_kind(e) == ENROLEE_NOT_FOUND);
	WANT(enrolee_status(e, &s) == 1892);
	s.size = sizeof(s);
	WANT(enrolee_status(e, &s) == 1892); /* neither a directory nor a store */
	WANT(enrolee_set_transport(e, &t) == 1892 && enrolee_set_keystore(e, &k) == 1892 && enrolee_set_clock(e, &c) == 1892);
	WANT(enrolee_verify(e, ENROLEE_PEER_SERVER, NULL, chain, 10) == 1892 && enrolee_verify(e, ENROLEE_PEER_SERVER, NULL, chain, 0) == 1892);
	WANT(enrolee_next(e)->kind == ENROLEE_ACTION_FAILED && enrolee_installation(e) == NULL);
	WANT(enrolee_feed_waited(e) == 1809 && enrolee_feed_response(e) == 1809 && enrolee_feed_key(e, NULL) == 1809);
	WANT(enrolee_run(e, (enum enrolee_goal)7) == 1892 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_perform(e) == 1892 && enrolee_next(e)->kind == ENROLEE_ACTION_FAILED);
	WANT(enrolee_set_text(e, ENROLEE_KEY_KIND, "DSA") == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_set_text(e, ENROLEE_KEY_KIND, NULL) == 0 && enrolee_set_text(e, ENROLEE_DIR, argv[2]) == 0);
	WANT(enrolee_run(e, ENROLEE_RENEW) == 1807);
	r = enrolee_response(e);
	for (int i = 0; i < 9; i++)
		WANT(enrolee_response_certificate(r, "x", 1) == 0);
	WANT(enrolee_response_certificate(r, "x", 1) != 0);
	WANT(enrolee_response_exported(r, 0, blob, 48) == 0 && enrolee_response_exported(r, 0, blob, 47) != 0 && enrolee_response_exported(r, 2, blob, 48) != 0);
	WANT(enrolee_response_body(r, blob, 512 * 1024) == 0 && enrolee_response_body(r, blob, 512 * 1024) == 0 && enrolee_response_body(r, blob, 1) != 0);
	return 0;
}

/* ---- what a caller's means may do wrong */

static int asked, naps;

static enum enrolee_outcome later(void *arg, const struct enrolee_request *request, struct enrolee_response *response)
{
	asked++;
	enrolee_response_status(response, 503);
	enrolee_response_retry_after(response, 7);
	return ENROLEE_ANSWERED;
}

static enum enrolee_outcome refuses(void *arg, const struct enrolee_request *request, struct enrolee_response *response)
{
	enrolee_response_reason(response, "not my server");
	return arg ? ENROLEE_LOST : ENROLEE_REFUSED;
}

static enum enrolee_outcome silent(void *arg, const struct enrolee_request *request, struct enrolee_response *response)
{
	enrolee_response_status(response, 200);
	enrolee_response_media_type(response, "application/pkcs7-mime");
	return ENROLEE_ANSWERED;
}

/* What is shown of a server: certificates of files, which prove nothing about who is asked. */
struct shown {
	const char *files[2];
};

static enum enrolee_outcome shows(void *arg, const struct enrolee_request *request, struct enrolee_response *response)
{
	const struct shown *s = arg;
	unsigned char der[8192];

	for (int i = 0; i < 2 && s->files[i]; i++) {
		FILE *f = fopen(s->files[i], "r");
		size_t n = f ? fread(der, 1, sizeof(der), f) : 0;
		if (f)
			fclose(f);
		if (enrolee_response_certificate(response, der, n) != 0)
			return ENROLEE_REFUSED;
	}
	enrolee_response_status(response, 410);
	return ENROLEE_ANSWERED;
}

static int nap(void *arg, int64_t seconds)
{
	return seconds != 7 || ++naps == 3;
}

static int with_transport(struct enrolee *e, enum enrolee_outcome (*exchange)(void *, const struct enrolee_request *, struct enrolee_response *), void *arg)
{
	const struct enrolee_transport t = {sizeof(t), arg, exchange};

	return enrolee_set_transport(e, &t);
}

/* means MEF ANCHORS CERTIFICATE KEY DIR SERVER-DER ISSUING-DER: no network is used. */
static int means(struct enrolee *e, char **argv)
{
	const struct enrolee_action *a;

	WANT(enrolee_set_text(e, ENROLEE_MEF, argv[2]) == 0 && enrolee_set_file(e, ENROLEE_ANCHORS, argv[3]) == 0);
	WANT(enrolee_set_file(e, ENROLEE_CERTIFICATE, argv[4]) == 0 && enrolee_set_text(e, ENROLEE_DIR, argv[6]) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 1892); /* nobody holds the key */
	WANT(with_transport(e, silent, NULL) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1893); /* no server certificates */
	WANT(with_transport(e, refuses, NULL) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1891 && strstr(enrolee_error_text(e), "not my server"));
	WANT(with_transport(e, refuses, e) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1806 && strstr(enrolee_error_text(e), "not my server"));
	WANT(with_transport(e, shows, &(struct shown){{argv[7], argv[8]}}) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1802); /* the answer counted */
	WANT(with_transport(e, shows, &(struct shown){{argv[7], NULL}}) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1893); /* no path */
	WANT(with_transport(e, shows, &(struct shown){{argv[8], NULL}}) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1893); /* a CA is no server */
	WANT(enrolee_set_text(e, ENROLEE_MEF, "https://elsewhere.example.com") == 0);
	WANT(with_transport(e, shows, &(struct shown){{argv[7], argv[8]}}) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1893);
	WANT(strstr(enrolee_error_text(e), "elsewhere.example.com") && enrolee_set_text(e, ENROLEE_MEF, argv[2]) == 0);
	WANT(enrolee_set_blob(e, ENROLEE_PSK, "0123456789abcde", 15) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_set_blob(e, ENROLEE_PSK, "0123456789abcdef", 16) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_set_text(e, ENROLEE_PSK_IDENTITY, "d@mef.example.com") == 0);
	WANT(with_transport(e, later, NULL) == 0 && enrolee_set_wait(e, nap, NULL) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) != 0 && enrolee_error_kind(e) == ENROLEE_PENDING && naps == 3 && asked == 3);
	WANT(enrolee_set_number(e, ENROLEE_NO_WAIT, 1) == 0 && enrolee_run(e, ENROLEE_ENROL) != 0 && naps == 3 && asked == 4);

	WANT(enrolee_begin(e, ENROLEE_ENROL) == 0);
	a = enrolee_next(e);
	WANT(a->kind == ENROLEE_ACTION_CALL && a->request->method == ENROLEE_GET && strstr(a->request->url, "/cacerts") && a->request->psk.n == 16);
	struct enrolee *other = enrolee_new();
	WANT(other && enrolee_set_text(other, ENROLEE_MEF, argv[2]) == 0 && enrolee_set_file(other, ENROLEE_ANCHORS, argv[3]) == 0);
	WANT(enrolee_set_file(other, ENROLEE_CERTIFICATE, argv[4]) == 0 && enrolee_set_file(other, ENROLEE_KEY, argv[5]) == 0);
	WANT(enrolee_set_text(other, ENROLEE_DIR, argv[6]) == 0 && enrolee_begin(other, ENROLEE_ENROL) == 1814); /* one at a time */
	WANT(enrolee_feed_waited(e) == 1809 && enrolee_next(e)->kind == ENROLEE_ACTION_FAILED && enrolee_error_code(e) == 1809);
	WANT(enrolee_begin(other, ENROLEE_ENROL) == 0); /* its end gave the directory back */
	enrolee_free(other);
	WANT(enrolee_begin(e, ENROLEE_ENROL) == 0 && enrolee_next(e)->kind == ENROLEE_ACTION_CALL);
	WANT(enrolee_feed_failure(e, "power is low") == 0 && enrolee_next(e)->kind == ENROLEE_ACTION_FAILED);
	WANT(enrolee_error_code(e) == 1890 && strstr(enrolee_error_text(e), "power is low"));
	return 0;
}

/* ---- a key store that signs wrongly, and one that installs nothing */

static const unsigned char point[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
	0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
	/* the base point of P-256 (FIPS 186-4 D.1.2.3): the key is 1 */
	0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0,
	0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
	0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

enum fault { SIGNS_GARBAGE, SIGNS_NOTHING, SIGNS_TOO_MUCH, MAKES_NOTHING, MAKES_GARBAGE };

static int make_key(void *arg, const char *kind, struct enrolee_key *out)
{
	enum fault fault = *(enum fault *)arg;

	*out = (struct enrolee_key){NULL, {point, fault == MAKES_GARBAGE ? 20 : sizeof(point)}};
	return fault == MAKES_NOTHING ? -2 : 0;
}

static int sign(void *arg, void *ref, const unsigned char *digest, size_t digest_n, unsigned char *sig, size_t *sig_n)
{
	enum fault fault = *(enum fault *)arg;

	memset(sig, 0x30, 70);
	*sig_n = fault == SIGNS_TOO_MUCH ? 100000 : 70;
	return fault == SIGNS_NOTHING || digest_n != 32 ? -2 : 0;
}

static int installs;

static int install(void *arg, const struct enrolee_installation *what)
{
	installs++;
	return 0;
}

static int read_none(void *arg, enum enrolee_item item, enrolee_put put, void *to)
{
	return ENROLEE_NONE;
}

/* store MEF ANCHORS CERTIFICATE KEY HOST:PORT */
static int store(struct enrolee *e, char **argv)
{
	static const int codes[] = {[SIGNS_GARBAGE] = 1259, [SIGNS_NOTHING] = 1890, [SIGNS_TOO_MUCH] = 1259, [MAKES_NOTHING] = 1890};

	WANT(enrolee_set_text(e, ENROLEE_MEF, argv[2]) == 0 && enrolee_set_file(e, ENROLEE_ANCHORS, argv[3]) == 0);
	WANT(enrolee_set_file(e, ENROLEE_CERTIFICATE, argv[4]) == 0 && enrolee_set_file(e, ENROLEE_KEY, argv[5]) == 0);
	WANT(enrolee_set_text(e, ENROLEE_CONNECT, argv[6]) == 0);
	for (enum fault fault = SIGNS_GARBAGE; fault <= MAKES_GARBAGE; fault++) {
		const struct enrolee_keystore k = {sizeof(k), &fault, make_key, sign, NULL, install, read_none};
		WANT(enrolee_set_keystore(e, &k) == 0 && enrolee_run(e, ENROLEE_ENROL) != 0 && installs == 0);
		WANT(fault == MAKES_GARBAGE || enrolee_error_code(e) == codes[fault]);
	}
	return 0;
}

/* ---- symmetric keys */

struct grants {
	int mafs, pairs;
	char pair[300];
	unsigned int suid;
};

static int count(void *arg, const struct enrolee_granted *g)
{
	struct grants *all = arg;

	all->mafs += g->kind == ENROLEE_GRANTED_MAF;
	all->pairs += g->kind == ENROLEE_GRANTED_PAIR;
	if (g->kind != ENROLEE_GRANTED_PAIR || g->suids_n != 1)
		return 0;
	snprintf(all->pair, sizeof(all->pair), "%s", g->target);
	all->suid = g->suids[0];
	return 0;
}

static int stop(void *arg, const struct enrolee_granted *g)
{
	return 42;
}

/* exchange MEF PSK IDENTITY DIR HOST:PORT [certificate] */
static int exchange(struct enrolee *e, char **argv)
{
	struct enrolee_status s = {.size = sizeof(s)};
	struct grants all = {0};
	unsigned char key[32], again[32];
	size_t n = sizeof(key), small = 31;
	char keid[sizeof(s.keid)];

	WANT(enrolee_set_text(e, ENROLEE_MEF, argv[2]) == 0 && enrolee_set_file(e, ENROLEE_PSK, argv[3]) == 0);
	WANT(enrolee_set_text(e, ENROLEE_PSK_IDENTITY, argv[4]) == 0 && enrolee_set_text(e, ENROLEE_DIR, argv[5]) == 0);
	WANT(enrolee_set_text(e, ENROLEE_CONNECT, argv[6]) == 0 && enrolee_set_number(e, ENROLEE_NO_CERTIFICATE, !argv[7]) == 0);
	WANT(enrolee_run(e, ENROLEE_EXCHANGE) == 0 && enrolee_status(e, &s) == 0 && s.has_symmetric && s.symmetric_until_s > time(NULL));
	WANT((s.state != ENROLEE_STATE_NONE) == (argv[7] != NULL));
	WANT(enrolee_each_granted(e, count, &all) == 0 && all.mafs == 1 && all.pairs == 1 && enrolee_each_granted(e, stop, NULL) == 42);
	WANT(enrolee_derive(e, all.suid, all.pair, key, &n) == 0 && n == 32);
	WANT(enrolee_derive(e, all.suid, all.pair, again, &small) != 0 && enrolee_error_kind(e) == ENROLEE_LIMIT && small == 0);
	WANT(enrolee_derive(e, all.suid + 1, all.pair, again, &n) == 1829);
	n = sizeof(again);
	WANT(enrolee_derive(e, all.suid, "cse99.example.com", again, &n) == 1829);
	snprintf(keid, sizeof(keid), "%s", s.keid);
	WANT(enrolee_set_blob(e, ENROLEE_PSK, NULL, 0) == 0 && enrolee_set_number(e, ENROLEE_AGAIN, 1) == 0);
	WANT(enrolee_run(e, ENROLEE_EXCHANGE) == 0 && enrolee_status(e, &s) == 0 && strcmp(keid, s.keid) != 0);
	n = sizeof(again);
	WANT(enrolee_derive(e, all.suid, all.pair, again, &n) == 0 && memcmp(key, again, 32) != 0);
	printf("%s %u %s ", s.keid, all.suid, all.pair);
	for (size_t i = 0; i < n; i++)
		printf("%02X", again[i]);
	printf("\n");
	return 0;
}

/* bootstrap MEF CERTIFICATE KEY DIR HOST:PORT ROOT-SHA256 ANCHORS: the first anchors, three ways and never two. */
static int bootstrap(struct enrolee *e, char **argv)
{
	char wrong[65];

	WANT(enrolee_set_text(e, ENROLEE_MEF, argv[2]) == 0 && enrolee_set_file(e, ENROLEE_CERTIFICATE, argv[3]) == 0);
	WANT(enrolee_set_file(e, ENROLEE_KEY, argv[4]) == 0 && enrolee_set_text(e, ENROLEE_DIR, argv[5]) == 0);
	WANT(enrolee_set_text(e, ENROLEE_CONNECT, argv[6]) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	snprintf(wrong, sizeof(wrong), "%s", argv[7]);
	wrong[63] = wrong[63] == '0' ? '1' : '0';
	WANT(enrolee_set_text(e, ENROLEE_ROOT_SHA256, wrong) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1851);
	WANT(enrolee_set_text(e, ENROLEE_ROOT_SHA256, "12ab") == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_set_text(e, ENROLEE_ROOT_SHA256, argv[7]) == 0 && enrolee_set_file(e, ENROLEE_ANCHORS, argv[8]) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 1892 && enrolee_set_blob(e, ENROLEE_ANCHORS, NULL, 0) == 0);

	WANT(enrolee_begin(e, ENROLEE_ENROL) == 0);
	const struct enrolee_request *q = enrolee_next(e)->request;
	WANT(q && q->provisional && q->certificate.n == 0 && q->key.n == 0 && strstr(q->url, "/cacerts")); /* it is told nothing */
	WANT(enrolee_feed_lost(e, "radio") == 1806 || enrolee_next(e)->kind == ENROLEE_ACTION_FAILED);
	WANT(enrolee_error_code(e) == 1806 && enrolee_set_number(e, ENROLEE_LINK_SESSION, 1) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 0);

	WANT(enrolee_set_text(e, ENROLEE_ROOT_SHA256, NULL) == 0 && enrolee_set_file(e, ENROLEE_IMPLICIT_ANCHORS, argv[8]) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 1852 && enrolee_error_kind(e) == ENROLEE_CONFLICT); /* explicit ones are held */
	WANT(enrolee_set_text(e, ENROLEE_DIR, argv[9]) == 0 && enrolee_run(e, ENROLEE_ENROL) == 0);
	WANT(enrolee_set_file(e, ENROLEE_IMPLICIT_ANCHORS, argv[3]) == 0 && enrolee_set_text(e, ENROLEE_DIR, argv[10]) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 1812); /* they do not vouch for this server */
	return 0;
}

static int set_up(struct enrolee *e, char **argv)
{
	return enrolee_set_text(e, ENROLEE_MEF, argv[2]) || enrolee_set_file(e, ENROLEE_ANCHORS, argv[3])
		|| enrolee_set_file(e, ENROLEE_CERTIFICATE, argv[4]) || enrolee_set_file(e, ENROLEE_KEY, argv[5])
		|| enrolee_set_text(e, ENROLEE_DIR, argv[6]) || enrolee_set_text(e, ENROLEE_CONNECT, argv[7]);
}

/* held MEF ANCHORS CERTIFICATE KEY DIR HOST:PORT: the MEF lets a person decide. */
static int held(struct enrolee *e, char **argv)
{
	struct enrolee_status s = {.size = sizeof(s)};

	WANT(set_up(e, argv) == 0 && enrolee_set_number(e, ENROLEE_NO_WAIT, 1) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 1808 && enrolee_error_kind(e) == ENROLEE_PENDING);
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_NONE && s.has_request && s.request_again_s > s.request_since_s);
	WANT(s.request_since_s > 0 && s.request_again_s <= time(NULL) + 7);
	printf("%s\n", s.request_said);
	return 0;
}

/* enrols MEF ANCHORS CERTIFICATE KEY DIR HOST:PORT SERVER-KEY TLS12 */
static int enrols(struct enrolee *e, char **argv)
{
	struct enrolee_status s = {.size = sizeof(s)};

	WANT(set_up(e, argv) == 0 && enrolee_set_number(e, ENROLEE_SERVER_KEY, atoi(argv[8])) == 0);
	WANT(enrolee_set_number(e, ENROLEE_TLS12_ONLY, atoi(argv[9])) == 0 && enrolee_run(e, ENROLEE_ENROL) == 0);
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_GOOD && !s.has_request);
	return 0;
}

/* cmc MEF ANCHORS CERTIFICATE KEY DIR HOST:PORT: by full CMC, and renewed so. */
static int by_cmc(struct enrolee *e, char **argv)
{
	WANT(set_up(e, argv) == 0 && enrolee_set_number(e, ENROLEE_CMC, 1) == 0);
	WANT(enrolee_run(e, ENROLEE_EXCHANGE) == 1892 || enrolee_error_code(e) != 0);
	WANT(enrolee_set_number(e, ENROLEE_SERVER_KEY, 1) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_set_number(e, ENROLEE_SERVER_KEY, 0) == 0 && enrolee_begin(e, ENROLEE_ENROL) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 0 && enrolee_run(e, ENROLEE_RENEW) == 0);
	return 0;
}

/* srp MEF USER PASSWORD-FILE DIR HOST:PORT: by password, then renewed by the certificate. */
static int srp(struct enrolee *e, char **argv)
{
	struct enrolee_status s = {.size = sizeof(s)};
	const char *user = argv[3];

	WANT(enrolee_set_text(e, ENROLEE_MEF, argv[2]) == 0 && enrolee_set_text(e, ENROLEE_DIR, argv[5]) == 0);
	WANT(enrolee_set_text(e, ENROLEE_CONNECT, argv[6]) == 0 && enrolee_set_text(e, ENROLEE_SRP_USER, user) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 1892); /* no password */
	WANT(enrolee_set_blob(e, ENROLEE_SRP_PASSWORD, "a\0b", 3) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_set_blob(e, ENROLEE_SRP_PASSWORD, "wrong password wrong", 20) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1831);
	WANT(enrolee_error_kind(e) == ENROLEE_FORBIDDEN && !strstr(enrolee_error_text(e), "wrong password wrong"));
	WANT(enrolee_set_file(e, ENROLEE_SRP_PASSWORD, argv[4]) == 0 && enrolee_run(e, ENROLEE_EXCHANGE) == 1892);
	WANT(enrolee_set_number(e, ENROLEE_SERVER_KEY, 2) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_set_number(e, ENROLEE_SERVER_KEY, 0) == 0 && enrolee_set_number(e, ENROLEE_CMC, 1) == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 1892 && enrolee_set_number(e, ENROLEE_CMC, 0) == 0);
	WANT(enrolee_set_blob(e, ENROLEE_PSK, "0123456789abcdef", 16) == 0 && enrolee_run(e, ENROLEE_ENROL) == 1892);
	WANT(enrolee_set_blob(e, ENROLEE_PSK, NULL, 0) == 0 && enrolee_begin(e, ENROLEE_ENROL) == 0);
	const struct enrolee_request *q = enrolee_next(e)->request;
	WANT(q && strcmp(q->srp_user, user) == 0 && q->srp_password.n > 11 && q->tls12_only && !q->psk_identity && q->psk.n == 0);
	WANT(q->certificate.n == 0 && q->key.n == 0 && q->anchors.n == 0);
	WANT(enrolee_run(e, ENROLEE_ENROL) == 0 && enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_GOOD);
	WANT(enrolee_begin(e, ENROLEE_RENEW) == 0);
	q = enrolee_next(e)->request;
	WANT(q && !q->srp_user && q->srp_password.n == 0 && q->certificate.n && q->anchors.n);
	WANT(enrolee_run(e, ENROLEE_RENEW) == 0 && enrolee_status(e, &s) == 0);
	printf("serial %s\n", s.serial);
	return 0;
}

/* verify DIR DER HOST: a peer's certificate by the anchors that are held. */
static int verify(struct enrolee *e, char **argv)
{
	static unsigned char der[16384];
	FILE *f = fopen(argv[3], "r");
	struct enrolee_octets chain[2] = {{der, f ? fread(der, 1, sizeof(der), f) : 0}};

	if (f)
		fclose(f);
	WANT(enrolee_set_text(e, ENROLEE_DIR, argv[2]) == 0 && chain[0].n > 0);
	/* the issuing CA is not among the anchors: without it there is no path */
	WANT(enrolee_verify(e, ENROLEE_PEER_ANY, NULL, chain, 1) == 0);
	WANT(enrolee_verify(e, ENROLEE_PEER_ANY, "elsewhere.example.com", chain, 1) != 0 && enrolee_error_kind(e) == ENROLEE_FORBIDDEN);
	WANT(enrolee_verify(e, ENROLEE_PEER_CLIENT, NULL, chain, 1) != 0 || argv[4]);
	der[chain[0].n - 1] ^= 1;
	WANT(enrolee_verify(e, ENROLEE_PEER_ANY, NULL, chain, 1) != 0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int words;
		int (*run)(struct enrolee *e, char **argv);
	} cases[] = {{"due", 2, due}, {"rules", 1, rules}, {"means", 7, means}, {"store", 5, store}, {"exchange", 5, exchange}, {"verify", 2, verify},
		{"bootstrap", 9, bootstrap}, {"held", 6, held}, {"cmc", 6, by_cmc}, {"enrols", 8, enrols}, {"srp", 5, srp}};

	for (size_t i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) != 0 || argc < 2 + cases[i].words)
			continue;
		struct enrolee *e = enrolee_new();
		int bad = !e || cases[i].run(e, argv);
		if (!bad)
			enrolee_free(e);
		enrolee_free(NULL);
		return bad;
	}
	return 2;
}
