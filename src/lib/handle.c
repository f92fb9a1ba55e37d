#include "lib/inner.h"

#include "adapt/sys/clock.h"
#include "adapt/sys/file.h"
#include "base/mem.h"

const char *enrolee_version(void)
{
	return OMEF_VERSION;
}

static int64_t caller_unix_s(void *self)
{
	const struct enrolee *e = self;

	return e->given_clock.unix_s(e->given_clock.arg);
}

static int64_t caller_mono_ms(void *self)
{
	const struct enrolee *e = self;

	return e->given_clock.mono_ms(e->given_clock.arg);
}

struct enrolee *enrolee_new(void)
{
	struct enrolee *e = mem_alloc(sizeof(*e));

	if (!e)
		return NULL;
	for (size_t i = 0; i < LIB_TEXTS; i++)
		e->texts[i] = BUF(LIB_TEXT_MAX);
	for (size_t i = 0; i < LIB_BLOBS; i++)
		e->blobs[i] = BUF(LIB_PEM_MAX);
	e->clock = clock_system();
	e->run.lock = -1;
	lib_response_clear(&e->response);
	lib_run_end(e);
	return e;
}

void enrolee_free(struct enrolee *e)
{
	if (!e)
		return;
	lib_run_end(e);
	lib_response_fini(&e->response);
	for (size_t i = 0; i < LIB_TEXTS; i++)
		buf_fini_wipe(&e->texts[i]);
	for (size_t i = 0; i < LIB_BLOBS; i++)
		buf_fini_wipe(&e->blobs[i]);
	for (size_t i = 0; i < LIB_ITEMS; i++)
		buf_fini_wipe(&e->items[i]);
	mem_free(e);
}

void lib_open(struct enrolee *e)
{
	why_clear(&e->why);
	e->error[0] = '\0';
}

int lib_close(struct enrolee *e, enum err err)
{
	if (err == OK)
		return 0;
	why_print(&e->why, e->error, sizeof(e->error));
	return (int)e->why.code;
}

const char *enrolee_error_text(const struct enrolee *e)
{
	return e->error;
}

int enrolee_error_code(const struct enrolee *e)
{
	return e->error[0] ? (int)e->why.code : 0;
}

enum enrolee_kind enrolee_error_kind(const struct enrolee *e)
{
	if (!e->error[0])
		return ENROLEE_OK;
	switch (e->why.kind) {
	case OK:
		return ENROLEE_OK;
	case ERR_SYNTAX:
		return ENROLEE_SYNTAX;
	case ERR_UNSUPPORTED:
		return ENROLEE_UNSUPPORTED;
	case ERR_UNAUTHENTICATED:
		return ENROLEE_UNAUTHENTICATED;
	case ERR_FORBIDDEN:
		return ENROLEE_FORBIDDEN;
	case ERR_NOT_FOUND:
		return ENROLEE_NOT_FOUND;
	case ERR_CONFLICT:
		return ENROLEE_CONFLICT;
	case ERR_LIMIT:
		return ENROLEE_LIMIT;
	case ERR_EXPIRED:
		return ENROLEE_EXPIRED;
	case ERR_PENDING:
		return ENROLEE_PENDING;
	case ERR_NOMEM:
		return ENROLEE_NOMEM;
	case ERR_SYSTEM:
		return ENROLEE_SYSTEM;
	case ERR_CRYPTO:
		return ENROLEE_CRYPTO;
	case ERR_STORE:
		return ENROLEE_STORE;
	case ERR_BUG:
		return ENROLEE_BUG;
	}
	return ENROLEE_BUG;
}

enum err lib_caller_failed(const char *what, const char *text, struct why *why)
{
	return WHY(why, AGENT_CALLER, "", "%s%s%s", what, text && text[0] ? ": " : "", text ? text : "");
}

const char *lib_text(struct enrolee *e, enum enrolee_text what)
{
	return e->texts[what].n ? buf_text(&e->texts[what]) : NULL;
}

static enum err check_number(int what, int n, const char *kind, struct why *why)
{
	return what >= 1 && what < n ? OK
		: WHY(why, AGENT_OPTION, "", "%s option: want 1 to %d, have %d", kind, n - 1, what);
}

/* The old value is wiped: it may have been a secret. */
static enum err replace(struct buf *b, size_t max, const void *p, size_t n, struct why *why)
{
	buf_fini_wipe(b);
	*b = BUF(max);
	buf_put(b, p, n);
	return buf_check(b, "option", why);
}

int enrolee_set_text(struct enrolee *e, enum enrolee_text what, const char *text)
{
	lib_open(e);
	enum err err = check_number((int)what, LIB_TEXTS, "text", &e->why);
	size_t n = text ? strlen(text) : 0;

	if (err == OK && n >= LIB_TEXT_MAX)
		err = WHY(&e->why, AGENT_OPTION, "", "text option %d: want at most %d octets, have %zu", (int)what, LIB_TEXT_MAX - 1, n);
	if (err == OK)
		err = replace(&e->texts[what], LIB_TEXT_MAX, text, n, &e->why);
	return lib_close(e, err);
}

int enrolee_set_blob(struct enrolee *e, enum enrolee_blob what, const void *p, size_t n)
{
	lib_open(e);
	enum err err = check_number((int)what, LIB_BLOBS, "octets", &e->why);

	if (err == OK && n > LIB_PEM_MAX)
		err = WHY(&e->why, AGENT_OPTION, "", "octets option %d: want at most %d octets, have %zu", (int)what, LIB_PEM_MAX, n);
	if (err == OK)
		err = replace(&e->blobs[what], LIB_PEM_MAX, p, p ? n : 0, &e->why);
	return lib_close(e, err);
}

static enum err read_option(enum enrolee_blob what, const char *path, struct buf *out, struct why *why)
{
	bool secret = what == ENROLEE_KEY || what == ENROLEE_PSK || what == ENROLEE_SRP_PASSWORD;

	TRY(secret ? file_read_secret(path, out, why) : file_read(path, out, why));
	/* an editor's, no part of a password */
	while (what == ENROLEE_SRP_PASSWORD && out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
		out->n--;
	return OK;
}

int enrolee_set_file(struct enrolee *e, enum enrolee_blob what, const char *path)
{
	__attribute__((cleanup(buf_fini_wipe))) struct buf content = BUF(LIB_PEM_MAX);

	lib_open(e);
	enum err err = check_number((int)what, LIB_BLOBS, "octets", &e->why);
	if (err == OK)
		err = read_option(what, path, &content, &e->why);
	if (err == OK)
		err = replace(&e->blobs[what], LIB_PEM_MAX, content.p, content.n, &e->why);
	return lib_close(e, err);
}

int enrolee_set_number(struct enrolee *e, enum enrolee_number what, int64_t value)
{
	lib_open(e);
	enum err err = check_number((int)what, LIB_NUMBERS, "number", &e->why);

	if (err == OK && value < 0)
		err = WHY(&e->why, AGENT_OPTION, "", "number option %d: want 0 or more, have %lld", (int)what, (long long)value);
	if (err == OK)
		e->numbers[what] = value;
	return lib_close(e, err);
}

/* A caller built with another version of the header has a table of another size. */
static enum err check_table(size_t have, size_t want, bool complete, const char *name, struct why *why)
{
	if (have < want)
		return WHY(why, AGENT_OPTION, "", "%s: size: want %zu or more, have %zu", name, want, have);
	return complete ? OK : WHY(why, AGENT_OPTION, "", "%s: want every function of it", name);
}

int enrolee_set_clock(struct enrolee *e, const struct enrolee_clock *clock)
{
	enum err err = OK;

	lib_open(e);
	if (clock)
		err = check_table(clock->size, sizeof(*clock), clock->unix_s && clock->mono_ms, "clock", &e->why);
	if (err == OK) {
		e->given_clock = clock ? *clock : (struct enrolee_clock){0};
		e->clock = clock ? (struct clock){e, caller_unix_s, caller_mono_ms} : clock_system();
	}
	return lib_close(e, err);
}

int enrolee_set_random(struct enrolee *e, enrolee_random fill, void *arg)
{
	lib_open(e);
	e->random = fill;
	e->random_arg = arg;
	return 0;
}

int enrolee_set_wait(struct enrolee *e, enrolee_wait wait, void *arg)
{
	lib_open(e);
	e->wait = wait;
	e->wait_arg = arg;
	return 0;
}

int enrolee_set_progress(struct enrolee *e, enrolee_progress tell, void *arg)
{
	lib_open(e);
	e->progress = tell;
	e->progress_arg = arg;
	return 0;
}

int enrolee_set_transport(struct enrolee *e, const struct enrolee_transport *transport)
{
	enum err err = OK;

	lib_open(e);
	if (transport)
		err = check_table(transport->size, sizeof(*transport), transport->exchange != NULL, "transport", &e->why);
	if (err == OK)
		e->transport = transport ? *transport : (struct enrolee_transport){0};
	return lib_close(e, err);
}

int enrolee_set_keystore(struct enrolee *e, const struct enrolee_keystore *store)
{
	enum err err = OK;

	lib_open(e);
	if (store)
		err = check_table(store->size, sizeof(*store), store->make_key && store->sign && store->install && store->read,
			"key store", &e->why);
	if (err == OK)
		e->store = store ? *store : (struct enrolee_keystore){0};
	return lib_close(e, err);
}
