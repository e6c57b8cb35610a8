/* json_scan.h -- the strict look at a JSON text that comes before cJSON sees it */
#ifndef CKPT_LIB_JSON_SCAN_H
#define CKPT_LIB_JSON_SCAN_H
#include <cjson/cJSON.h>
#include "buffer.h"
#include "ckpt.h"

/* The scanner checks the text and writes it again for cJSON without white space, every number as the string "n12" and
 * every string with an s in front, so that cJSON converts no number and both stay apart. */
typedef struct ckpt_json_scanner {
	const unsigned char *text;
	size_t length, at;
	size_t depth;     /* deepest nesting allowed, at most CKPT_JSON_MAX_DEPTH */
	ckpt_buffer *out; /* NULL: check only */
	ckpt_error *err;
} ckpt_json_scanner;

/* cJSON itself goes no deeper. */
#define CKPT_JSON_MAX_DEPTH (CJSON_NESTING_LIMIT - 1)

/* Each moves behind what it read, and fails with line and column. */
bool ckpt_json_scan_value(ckpt_json_scanner *s, size_t depth); /* with the space in front of it */
bool ckpt_json_scan_key(ckpt_json_scanner *s);                 /* a member's key and its colon */
/* Behind an item of a container that ends with `close`: *more says whether another one follows. */
bool ckpt_json_scan_separator(ckpt_json_scanner *s, char close, bool *more);
bool ckpt_json_scan_end(ckpt_json_scanner *s); /* nothing but space is left */

static inline void ckpt_json_skip_space(ckpt_json_scanner *s)
{
	while (s->at < s->length) {
		unsigned char c = s->text[s->at];
		if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
		s->at++;
	}
}

/* The next byte, or -1 at the end. */
static inline int ckpt_json_peek(const ckpt_json_scanner *s)
{
	return s->at < s->length ? s->text[s->at] : -1;
}

bool ckpt_json_fail_unexpected(const ckpt_json_scanner *s, const char *wanted);
#endif
