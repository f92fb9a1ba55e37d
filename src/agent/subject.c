/* The subject of the CSR. */
#include "agent/run.h"

#include "pki/oid.h"

enum { SANS_ARENA_MAX = 64 * 1024 };

/* The identity that the MEF gave, as far as it fits in a common name. */
static bool cn_of_identity(struct agent *a, struct name_part *part)
{
	struct san_list list = {.n = 0};
	struct why ignored = {0};

	if (a->sans.n == 0 || san_parse(a->sans, &a->arena, &list, &ignored) != OK)
		return false;
	for (size_t i = 0; i < list.n; i++) {
		bool text = list.items[i].kind == SAN_DNS || list.items[i].kind == SAN_URI;
		if (!text || list.items[i].value.n > NAME_VALUE_MAX)
			continue;
		part->tag = name_tag(part->type);
		part->value = list.items[i].value;
		return true;
	}
	return false;
}

static bool given_by_caller(const struct agent *a, struct name_part *part)
{
	for (size_t i = 0; i < a->given.n; i++) {
		if (!span_equal(a->given.parts[i].type, part->type) || a->given.parts[i].value.n == 0)
			continue;
		part->tag = a->given.parts[i].tag;
		part->value = a->given.parts[i].value;
		return true;
	}
	return false;
}

static bool of_current(const struct agent *a, struct name_part *part)
{
	struct name_part have = {.tag = 0};

	if (a->current.subject.n == 0 || !name_find(a->current.subject, part->type, &have))
		return false;
	part->tag = have.tag;
	part->value = have.value;
	return true;
}

/* RFC 9908 3.4: an attribute without value is for the client: the caller's word, its identity, what it has now. */
static enum err fill(struct agent *a, struct name_part *part, struct why *why)
{
	struct buf name OWNED_BUF = BUF(512);

	if (part->value.n || given_by_caller(a, part))
		return OK;
	if (span_equal(part->type, OID_COMMON_NAME) && cn_of_identity(a, part))
		return OK;
	if (of_current(a, part))
		return OK;
	name_part_put(&name, part);
	return WHY(why, AGENT_TEMPLATE, "RFC 9908 3.4", "subject: want a value for %.100s, have none (see --subject)",
		buf_text(&name));
}

enum err run_put_subject(struct agent *a, struct buf *out, struct why *why)
{
	static const uint8_t empty_name[] = {0x30, 0x00};
	struct name_template subject = a->attrs.subject;
	bool renew = a->config.goal == AGENT_RENEW;

	/* The identity stands in the subjectAltName (TS-0003 10.1.4: nothing on the subject); without one
	 * the authenticating certificate's subject is all that names the device. */
	bool own = a->current.subject.n && (renew || (a->sans.n == 0 && subject.n == 0));
	if (own) {
		buf_put_span(out, a->current.subject);
	} else if (subject.n) {
		for (size_t i = 0; i < subject.n; i++)
			TRY(fill(a, &subject.parts[i], why));
		name_template_write(&subject, out);
	} else {
		buf_put(out, empty_name, sizeof(empty_name));
	}
	return buf_check(out, "subject", why);
}
