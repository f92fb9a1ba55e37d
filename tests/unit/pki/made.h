#pragma once
/* Certificates made on the spot, files for the openssl program, and the checks that tests share. */
#include "base/date.h"
#include "base/mem.h"
#include "pki/build.h"
#include "pki/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DAY_S = 86400 };
static const int64_t made_now_s = 1767225600; /* 2026-01-01T00:00:00Z */

struct made {
	struct key *key;
	struct buf spki;
	struct buf name;
	struct buf der;
	uint8_t key_id[20];
};

__attribute__((unused)) static void made_fini(struct made *m)
{
	key_free(m->key);
	buf_fini(&m->spki);
	buf_fini(&m->name);
	buf_fini(&m->der);
}
#define OWNED_MADE __attribute__((cleanup(made_fini)))

#define must(expr) \
	do { \
		enum err must_err_ = (expr); \
		if (must_err_ != OK) \
			fail_msg("%s: %s", #expr, why.text); \
	} while (0)

/* The call, given &refusal as its last argument, fails with that code and its kind. */
__attribute__((unused)) static struct why refusal;
#define refused(expr, code_) \
	do { \
		why_clear(&refusal); \
		enum err refused_err_ = (expr); \
		if (refused_err_ == OK || refusal.code != CODE_##code_) \
			fail_msg("%s: want " #code_ ", have %d %s", #expr, (int)refusal.code, refusal.text); \
		assert_int_equal(refused_err_, refusal.kind); \
	} while (0)

/* A key and an empty plan around it: valid for a year on both sides of now. */
__attribute__((unused)) static struct cert_plan made_plan(struct made *m, enum key_spec spec, const char *cn)
{
	static const uint8_t serial[] = {0x5a, 0x01};
	struct why why = {0};

	*m = (struct made){.spki = BUF(1024), .name = BUF(512), .der = BUF(CERT_DER_MAX)};
	must(key_new(spec, &m->key, &why));
	must(key_write_spki(m->key, &m->spki, &why));
	must(name_write_cn(cn, NULL, &m->name, &why));
	must(spki_key_id(buf_span(&m->spki), m->key_id, &why));
	return (struct cert_plan){
		.serial = span_of(serial, sizeof(serial)),
		.issuer = buf_span(&m->name),
		.subject = buf_span(&m->name),
		.spki = buf_span(&m->spki),
		.not_before_s = made_now_s - 365 * DAY_S,
		.not_after_s = made_now_s + 365 * DAY_S,
		.path_len = -1,
	};
}

/* Signs the plan with by (its name and key identifier included), or with its own key when by is NULL. */
__attribute__((unused)) static void made_sign(struct made *m, struct cert_plan *plan, const struct made *by)
{
	struct why why = {0};

	if (by) {
		plan->issuer = buf_span(&by->name);
		plan->akid = span_of(by->key_id, sizeof(by->key_id));
	}
	buf_clear(&m->der);
	must(cert_build(plan, by ? by->key : m->key, &m->der, &why));
}

__attribute__((unused)) static void made_ca(struct made *m, enum key_spec spec, const char *cn, const struct made *by)
{
	struct cert_plan plan = made_plan(m, spec, cn);

	plan.is_ca = true;
	plan.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
	made_sign(m, &plan, by);
}

/* GeneralNames of one dNSName. */
__attribute__((unused)) static void made_dns(struct buf *out, const char *name)
{
	struct why why = {0};
	struct san_list list = {.n = 1};

	list.items[0] = (struct san){.kind = SAN_DNS, .value = span_text(name)};
	must(san_write(&list, out, &why));
}

/* A folder of its own, removed with all that is in it. */
struct folder {
	char path[64];
};

__attribute__((unused)) static struct folder folder_new(void)
{
	struct folder f = {"/tmp/omef-test-XXXXXX"};

	assert_non_null(mkdtemp(f.path));
	return f;
}

__attribute__((unused)) static void folder_fini(struct folder *f)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", f->path);
	if (system(command) != 0)
		print_error("%s is left behind\n", f->path);
}
#define OWNED_FOLDER __attribute__((cleanup(folder_fini)))

__attribute__((unused)) static void folder_write(const struct folder *f, const char *name, struct span bytes)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.p, 1, bytes.n, file), bytes.n);
	assert_int_equal(fclose(file), 0);
}

__attribute__((unused)) static void folder_write_pem(const struct folder *f, const char *name, struct span der)
{
	struct buf pem OWNED_BUF = BUF(64 * 1024);
	struct why why = {0};

	must(cert_write_pem(der, &pem, &why));
	folder_write(f, name, buf_span(&pem));
}

/* Exit status of the command inside the folder; what it says is in the file "out". */
__attribute__((unused)) static int folder_run(const struct folder *f, const char *command)
{
	struct buf line OWNED_BUF = BUF(4096);

	buf_put_fmt(&line, "cd '%s' && { %s; } >out 2>&1", f->path, command);
	return system(buf_text(&line));
}

/* True when what the last command said holds the text. */
__attribute__((unused)) static bool folder_said(const struct folder *f, const char *text)
{
	char command[512];

	snprintf(command, sizeof(command), "grep -qF -- '%s' '%s/out'", text, f->path);
	return system(command) == 0;
}

__attribute__((unused)) static void folder_show(const struct folder *f)
{
	char command[128];

	snprintf(command, sizeof(command), "cat '%s/out' >&2", f->path);
	if (system(command) != 0)
		print_error("nothing to show\n");
}

#define ran(f, command) \
	do { \
		if (folder_run((f), (command)) != 0) { \
			folder_show(f); \
			fail_msg("%s", (command)); \
		} \
	} while (0)
#define said(f, text) \
	do { \
		if (!folder_said((f), (text))) { \
			folder_show(f); \
			fail_msg("want '%s'", (text)); \
		} \
	} while (0)
