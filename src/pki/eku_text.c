/* Lists of extended key usages as operators write them; declared in cert.h. */
#include "pki/cert.h"

#include "base/text.h"
#include "pki/oid.h"

enum { DOTTED_SIZE = 64 };

static const struct {
	const char *name;
	const char *dotted;
} names[] = {{"serverAuth", "1.3.6.1.5.5.7.3.1"}, {"clientAuth", "1.3.6.1.5.5.7.3.2"}, {"cmcRA", "1.3.6.1.5.5.7.3.28"}};

static enum err read_one(struct span item, struct arena *arena, struct span *out, struct why *why)
{
	struct buf contents OWNED_BUF = BUF(DOTTED_SIZE);
	char dotted[DOTTED_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_is_nocase(item, names[i].name))
			item = span_text(names[i].dotted);
	}
	if (!text_copy(dotted, sizeof(dotted), item))
		return WHY(why, EKU_TEXT, "", "extended key usage: want less than %d characters", DOTTED_SIZE);
	TRY(oid_parse(dotted, &contents, why));
	*out = arena_copy(arena, buf_span(&contents));
	return out->p ? OK : WHY(why, NOMEM, "", "extended key usages");
}

enum err eku_list_read(struct span text, struct arena *arena, struct eku_list *out, struct why *why)
{
	*out = (struct eku_list){.n = 0};
	while (text.n) {
		size_t comma = span_find(text, ',');
		struct span item = span_first(text, comma);
		text = span_from(text, comma < text.n ? comma + 1 : comma);
		while (item.n && item.p[0] == ' ')
			item = span_from(item, 1);
		while (item.n && item.p[item.n - 1] == ' ')
			item.n--;
		if (out->n == CERT_EKU_MAX)
			return WHY(why, EKU_TEXT, "", "extended key usages: want at most %d", CERT_EKU_MAX);
		TRY(read_one(item, arena, &out->oids[out->n++], why));
	}
	return OK;
}
