#include "proto/m2m/prefs.h"

#include "base/text.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/name_template.h"
#include "proto/m2m/message.h"
#include "wire/doc.h"
#include "wire/uri.h"

#include <stdio.h>

enum {
	WHERE_SIZE = 32,
	NAMES_MAX = 12,
	PAIR_OCTETS = 110,            /* of one pair in an instruction, beside its identifier */
	PAIRS_OCTETS_MAX = 48 * 1024, /* so that the last instruction of an exchange fits in a document */
};

static const char *const certificates[] = {
	[PREFS_CERT_NEVER] = "never",
	[PREFS_CERT_OFFER] = "offer",
	[PREFS_CERT_REQUIRE] = "require",
};

static const char *const credentials[] = {
	[MAF_BY_SYMMETRIC_KEY] = "symmetricKey",
	[MAF_BY_CERTIFICATE] = "certificate",
};

/* An object of the document: which fields it may have, and how reasons name it. */
struct part {
	struct message m;
	char where[WHERE_SIZE]; /* "" or "mafs[0]." */
};

void prefs_defaults(struct prefs *out)
{
	*out = (struct prefs){.certificate = PREFS_CERT_OFFER, .est_label = "", .enrolment_expiry_s = PREFS_EXPIRY_DEFAULT_S};
}

static enum err check_names(const struct part *part, const char *const names[NAMES_MAX], struct why *why)
{
	for (const struct doc *f = part->m.doc->first; f; f = f->next) {
		size_t i = 0;
		while (i < NAMES_MAX && names[i] && strcmp(names[i], f->name) != 0)
			i++;
		if (i == NAMES_MAX || !names[i])
			return WHY(why, PREFS_FIELD, "", "%s%s: no such field", part->where, f->name);
	}
	return OK;
}

/* The place before what is wrong inside an entry of a list. */
static enum err within(const struct part *part, enum err err, struct why *why)
{
	char place[WHERE_SIZE];

	snprintf(place, sizeof(place), "%.*s", (int)strcspn(part->where, "."), part->where);
	return part->where[0] ? why_within(err, place, why) : err;
}

static enum err read_choice(const struct part *part, const char *name, const char *const *choices, int n, int *out, struct why *why)
{
	const char *text = "";

	TRY(message_text(&part->m, name, OPTIONAL, PREFS_TEXT_MAX, &text, why));
	for (int i = 1; text[0] && i <= n; i++) {
		if (strcmp(text, choices[i]) == 0) {
			*out = i;
			return OK;
		}
	}
	if (text[0])
		return WHY(why, PREFS_FIELD, "", "%s: want %s, %s%s%s, have '%.40s'", name, choices[1], choices[2], n > 2 ? ", " : "",
			n > 2 ? choices[3] : "", text);
	return OK;
}

static enum err read_usages(const struct part *part, const char *name, enum suid_origin origin, struct suid_list *out, struct why *why)
{
	const struct doc *f = doc_find(part->m.doc, name);

	if (f && f->kind == DOC_NULL && !f->in_list)
		return OK;
	return message_usages(&part->m, name, origin, out, why);
}

static enum err read_maf_fields(const struct part *part, struct prefs_maf *out, struct why *why)
{
	static const char *const names[NAMES_MAX] = {"fqdn", "uri", "credential", "usages"};
	int credential = MAF_BY_SYMMETRIC_KEY;

	*out = (struct prefs_maf){.fqdn = ""};
	TRY(check_names(part, names, why));
	TRY(message_fqdn(&part->m, "fqdn", MANDATORY, &out->fqdn, why));
	TRY(message_uri(&part->m, "uri", MANDATORY, &out->uri, why));
	TRY(read_choice(part, "credential", credentials, MAF_BY_CERTIFICATE, &credential, why));
	out->credential = (enum maf_credential)credential;
	return read_usages(part, "usages", SUID_MAF_DISTRIBUTED, &out->usages, why);
}

static enum err read_target_fields(const struct part *part, struct prefs_target *out, struct why *why)
{
	static const char *const names[NAMES_MAX] = {"id", "usages"};

	*out = (struct prefs_target){.id = ""};
	TRY(check_names(part, names, why));
	TRY(message_id(&part->m, "id", MANDATORY, &out->id, why));
	TRY(read_usages(part, "usages", SUID_RSPF, &out->usages, why));
	/* TS-0003 8.8.2.3: 21 is a key that is shared with a MAF, and those have a list of their own */
	if (suid_list_has(&out->usages, SUID_RSPF_MAF) || out->usages.n == 0)
		return WHY(why, PREFS_FIELD, "TS-0003 8.8.2.3", "usages: want one or more of 22 to 25");
	return OK;
}

static enum err read_maf(struct part *part, struct prefs *out, struct why *why)
{
	struct prefs_maf *maf = &out->mafs[out->mafs_n];

	TRY(within(part, read_maf_fields(part, maf, why), why));
	for (size_t i = 0; i < out->mafs_n; i++) {
		if (strcmp(out->mafs[i].fqdn, maf->fqdn) == 0)
			return WHY(why, PREFS_FIELD, "", "%sfqdn: want each once, have '%s' twice", part->where, maf->fqdn);
	}
	if (maf->credential == MAF_BY_CERTIFICATE && out->certificate == PREFS_CERT_NEVER)
		return WHY(why, PREFS_FIELD, "seed 003 8.3.3.4", "%scredential: want symmetricKey where certificate is never, have certificate",
			part->where);
	out->mafs_n++;
	return OK;
}

static enum err read_target(struct part *part, struct prefs *out, struct why *why)
{
	struct prefs_target *target = &out->targets[out->targets_n];

	TRY(within(part, read_target_fields(part, target, why), why));
	for (size_t i = 0; i < out->targets_n; i++) {
		if (strcmp(out->targets[i].id, target->id) == 0)
			return WHY(why, PREFS_FIELD, "", "%sid: want each once, have '%s' twice", part->where, target->id);
	}
	out->targets_n++;
	return OK;
}

static enum err read_list(const struct part *top, const char *name, size_t most,
	enum err (*read)(struct part *, struct prefs *, struct why *), struct prefs *out, struct why *why)
{
	const struct doc *f = doc_find(top->m.doc, name);
	size_t n = 0;

	if (f && f->kind == DOC_NULL && !f->in_list)
		return OK;
	for (; f; f = doc_again(f), n++) {
		struct part part = {.m = {.doc = f, .clause = "", .arena = top->m.arena}};
		snprintf(part.where, sizeof(part.where), "%s[%zu].", name, n);
		if (n == most)
			return WHY(why, PREFS_LIMIT, "", "%s: want at most %zu", name, most);
		if (f->kind != DOC_OBJECT)
			return WHY(why, PREFS_FIELD, "", "%s[%zu]: want an object", name, n);
		TRY(read(&part, out, why));
	}
	return OK;
}

static enum err read_label(const struct part *top, struct prefs *out, struct why *why)
{
	TRY(message_text(&top->m, "estLabel", OPTIONAL, PREFS_LABEL_MAX, &out->est_label, why));
	struct span label = span_text(out->est_label);
	if (label.n && (!text_is_name(label, "._-") || label.p[0] == '.'))
		return WHY(why, PREFS_FIELD, "RFC 7030 3.2.2", "estLabel: want letters, digits, . _ -");
	return OK;
}

static enum err check_pairs(const struct prefs *p, struct why *why)
{
	size_t octets = 0;

	for (size_t i = 0; i < p->targets_n; i++)
		octets += p->targets[i].usages.n * (strlen(p->targets[i].id) + PAIR_OCTETS);
	if (octets > PAIRS_OCTETS_MAX)
		return WHY(why, PREFS_LIMIT, "", "targets: want pairs of identifier and usage of at most %d octets together, have %zu",
			PAIRS_OCTETS_MAX, octets);
	return OK;
}

/* RFC 7030 4.5.2: what this enrolee's csrattrs ask; only its form is checked here */
static enum err read_asks(const struct part *top, struct prefs *out, struct why *why)
{
	struct name_template subject;
	struct eku_list ekus;

	out->ask_subject = out->ask_ekus = out->ask_key = "";
	TRY(message_text(&top->m, "askSubject", OPTIONAL, PREFS_ASK_MAX, &out->ask_subject, why));
	TRY(message_text(&top->m, "askEkus", OPTIONAL, PREFS_ASK_MAX, &out->ask_ekus, why));
	TRY(message_text(&top->m, "askKey", OPTIONAL, PREFS_ASK_MAX, &out->ask_key, why));
	enum err err = name_template_read(span_text(out->ask_subject), top->m.arena, &subject, why);
	if (err != OK)
		return why_within(err, "askSubject", why);
	err = eku_list_read(span_text(out->ask_ekus), top->m.arena, &ekus, why);
	if (err != OK)
		return why_within(err, "askEkus", why);
	enum key_spec key = key_spec_parse(span_text(out->ask_key));
	if (out->ask_key[0] && (key == KEY_NONE || key == KEY_OTHER))
		return WHY(why, PREFS_FIELD, "", "askKey: want P-256, P-384, RSA-2048, RSA-3072 or RSA-4096, have '%.40s'",
			out->ask_key);
	return OK;
}

static enum err read_top(const struct part *top, struct prefs *out, struct why *why)
{
	static const char *const names[NAMES_MAX] = {
		"certificate", "certificateUsages", "estLabel", "enrolmentExpiry", "mafs", "targets", "askSubject", "askEkus",
		"askKey"};
	int certificate = out->certificate;

	TRY(check_names(top, names, why));
	TRY(read_choice(top, "certificate", certificates, PREFS_CERT_REQUIRE, &certificate, why));
	out->certificate = (enum prefs_certificate)certificate;
	TRY(read_usages(top, "certificateUsages", SUID_CERTIFICATE, &out->certificate_usages, why));
	TRY(read_label(top, out, why));
	TRY(message_number(&top->m, "enrolmentExpiry", OPTIONAL, PREFS_EXPIRY_MIN_S, PREFS_EXPIRY_MAX_S, &out->enrolment_expiry_s, why));
	TRY(read_asks(top, out, why));
	TRY(read_list(top, "mafs", PREFS_MAFS_MAX, read_maf, out, why));
	TRY(read_list(top, "targets", PREFS_TARGETS_MAX, read_target, out, why));
	return check_pairs(out, why);
}

enum err prefs_parse(struct span json, struct arena *arena, struct prefs *out, struct why *why)
{
	struct part top = {.m = {.clause = ""}};

	prefs_defaults(out);
	if (json.n > PREFS_TEXT_MAX)
		return WHY(why, PREFS_LIMIT, "", "preferences: want at most %d octets, have %zu", PREFS_TEXT_MAX, json.n);
	TRY(message_open(DOC_JSON, json, "", arena, &top.m, why));
	return read_top(&top, out, why);
}

enum err prefs_write(const struct prefs *p, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct doc *top = doc_new(&arena, "preferences");
	size_t start = out->n;

	doc_put_text(&arena, top, "certificate", span_text(certificates[p->certificate]));
	message_put_usages(&arena, top, "certificateUsages", &p->certificate_usages);
	message_put_text(&arena, top, "estLabel", p->est_label);
	doc_put_number(&arena, top, "enrolmentExpiry", p->enrolment_expiry_s);
	for (size_t i = 0; i < p->mafs_n; i++) {
		struct doc *maf = doc_put_object(&arena, top, "mafs", true);
		message_put_text(&arena, maf, "fqdn", p->mafs[i].fqdn);
		message_put_text(&arena, maf, "uri", p->mafs[i].uri);
		doc_put_text(&arena, maf, "credential", span_text(credentials[p->mafs[i].credential]));
		message_put_usages(&arena, maf, "usages", &p->mafs[i].usages);
	}
	for (size_t i = 0; i < p->targets_n; i++) {
		struct doc *target = doc_put_object(&arena, top, "targets", true);
		message_put_text(&arena, target, "id", p->targets[i].id);
		message_put_usages(&arena, target, "usages", &p->targets[i].usages);
	}
	message_put_text(&arena, top, "askSubject", p->ask_subject);
	message_put_text(&arena, top, "askEkus", p->ask_ekus);
	message_put_text(&arena, top, "askKey", p->ask_key);
	TRY(doc_write(top, DOC_JSON, out, why));
	if (out->n - start > PREFS_WRITTEN_MAX)
		return WHY(why, PREFS_LIMIT, "", "preferences: want at most %d octets without blanks, have %zu", PREFS_WRITTEN_MAX, out->n - start);
	return OK;
}

bool prefs_allow(const struct prefs *p, struct span target_id, unsigned int suid)
{
	char id[M2M_ID_MAX + 1];
	struct why why = {0};

	if (m2m_id_normal(target_id, id, &why) != OK)
		return false;
	for (size_t i = 0; suid == SUID_RSPF_MAF && i < p->mafs_n; i++) {
		/* TS-0003 8.8.2.3: 21 is the key that enrolee and MAF share; one by certificate has none */
		if (p->mafs[i].credential == MAF_BY_SYMMETRIC_KEY && span_is_nocase(span_text(id), p->mafs[i].fqdn))
			return true;
	}
	for (size_t i = 0; suid != SUID_RSPF_MAF && i < p->targets_n; i++) {
		if (strcmp(p->targets[i].id, id) == 0)
			return suid_list_has(&p->targets[i].usages, suid);
	}
	return false;
}
