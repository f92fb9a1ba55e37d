#include "app/import/targets.h"

#include <stdio.h>

static enum err add_usage(struct suid_list *usages, struct span name, struct why *why)
{
	unsigned int suid = suid_parse(span_trim(name));

	if (!suid || !suid_list_add(usages, suid))
		return WHY(why, TARGET_FORM, "", "usage: want saef, esprim, esdata, esdata-sign or a number such as 22, have '%.*s'",
			SPAN_FMT(span_first(name, 40)));
	return OK;
}

/* Parted by ',' or '|': a column of CSV would need quotes for the first. */
static enum err add_usages(struct suid_list *usages, struct span text, struct why *why)
{
	while (text.n) {
		size_t comma = span_find(text, ',');
		size_t bar = span_find(text, '|');
		struct span name = span_first(text, comma < bar ? comma : bar);
		text = span_from(text, name.n + 1);
		TRY(add_usage(usages, name, why));
	}
	return OK;
}

/* The last one: an AE-ID may hold '='. */
static size_t last_equals(struct span s)
{
	size_t at = s.n;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '=')
			at = i;
	}
	return at;
}

enum err target_add(struct prefs *p, struct span text, struct arena *arena, struct why *why)
{
	size_t equals = last_equals(text);

	if (equals == 0 || equals + 1 >= text.n)
		return WHY(why, TARGET_FORM, "", "target: want ID=USAGE such as cse1.example.com=saef,esprim, have '%.*s'",
			SPAN_FMT(span_first(text, 80)));
	if (p->targets_n == PREFS_TARGETS_MAX)
		return WHY(why, TARGET_LIMIT, "", "targets: want at most %d", PREFS_TARGETS_MAX);
	struct prefs_target *t = &p->targets[p->targets_n];
	*t = (struct prefs_target){.id = arena_text(arena, span_trim(span_first(text, equals)))};
	if (!t->id)
		return WHY(why, NOMEM, "", "target");
	TRY(add_usages(&t->usages, span_from(text, equals + 1), why));
	p->targets_n++;
	return OK;
}

enum err maf_add(struct prefs *p, struct span text, struct arena *arena, struct why *why)
{
	size_t equals = span_find(text, '=');
	char uri[PREFS_URI_MAX + 1];
	struct span fqdn = span_trim(span_first(text, equals));

	if (!fqdn.n || equals + 1 == text.n)
		return WHY(why, TARGET_FORM, "", "maf: want FQDN or FQDN=URI, have '%.*s'", SPAN_FMT(span_first(text, 80)));
	if (p->mafs_n == PREFS_MAFS_MAX)
		return WHY(why, TARGET_LIMIT, "", "mafs: want at most %d", PREFS_MAFS_MAX);
	int n = snprintf(uri, sizeof(uri), "https://%.*s", SPAN_FMT(span_first(fqdn, sizeof(uri))));
	if (equals == text.n && (n < 0 || (size_t)n >= sizeof(uri)))
		return WHY(why, TARGET_FORM, "", "maf: want a host name, have %zu octets", fqdn.n);
	struct prefs_maf *m = &p->mafs[p->mafs_n];
	*m = (struct prefs_maf){
		.fqdn = arena_text(arena, fqdn),
		.uri = equals == text.n ? arena_text(arena, span_text(uri)) : arena_text(arena, span_trim(span_from(text, equals + 1))),
		.credential = MAF_BY_SYMMETRIC_KEY,
	};
	if (!m->fqdn || !m->uri)
		return WHY(why, NOMEM, "", "maf");
	/* TS-0003 8.8.3: what a MAF hands out is first of all for security associations */
	(void)suid_list_add(&m->usages, SUID_MAF_SAEF);
	p->mafs_n++;
	return OK;
}

bool prefs_certificate_parse(struct span name, enum prefs_certificate *out)
{
	static const char *const names[] = {
		[PREFS_CERT_NEVER] = "never", [PREFS_CERT_OFFER] = "offer", [PREFS_CERT_REQUIRE] = "require"};

	for (enum prefs_certificate c = PREFS_CERT_NEVER; c <= PREFS_CERT_REQUIRE; c++) {
		if (span_is_nocase(name, names[c])) {
			*out = c;
			return true;
		}
	}
	return false;
}
