#pragma once
/* Between doc.c and the two codecs behind it, doc_json.c and doc_xml.c. */
#include "wire/doc.h"

struct doc_reading {
	struct arena *arena;
	size_t fields; /* so far */
};

/* A field at the end of parent, which stands at that depth (the top: 1). Limits; a copy of the name. */
MUST_CHECK enum err doc_read_field(struct doc_reading *r, struct doc *parent, size_t depth, struct span name,
	struct doc **out, struct why *why);
MUST_CHECK enum err doc_read_text(struct doc_reading *r, struct doc *field, enum doc_kind kind, struct span text, struct why *why);

/* Why the arena gave nothing: ERR_LIMIT at its cap, which the peer's document reached, else ERR_NOMEM. */
enum err doc_no_room(const struct arena *arena, struct why *why);

/* Behind the last one of its name, else at the end. */
void doc_append(struct doc *parent, struct doc *field);
bool doc_same_name(const struct doc *a, const struct doc *b); /* NULL has none */
/* What both forms can carry. */
bool doc_text_fits(struct span text);

MUST_CHECK enum err doc_json_parse(struct span in, struct arena *arena, struct doc **out, struct why *why);
MUST_CHECK enum err doc_xml_parse(struct span in, struct arena *arena, struct doc **out, struct why *why);
/* Of checked trees: no deeper than DOC_DEPTH_MAX, texts that fit. A failure shows in buf_check. */
void doc_json_write(const struct doc *top, struct buf *out);
void doc_xml_write(const struct doc *top, struct buf *out);
