/* pattern.c -- fixed strings, and regular expressions through PCRE2 with limits
 *
 * PCRE2's own limit counts backtracking of one place where a match may begin, not the bytes that are walked, nor the
 * places. So each search is made twice at most: first quickly, with few steps and in a window of few bytes, so that no
 * place costs much; where that is not enough, by the same pattern compiled with a callout in front of every item, which
 * counts items and the bytes between them and takes them from what the whole text may cost.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../buffer.h"
#include "../error.h"

enum { QUICK_STEPS = 64, QUICK_BYTES = 256, FIRST_STEPS = 1 << 24, STEPS_A_BYTE = 256, DEPTH = 100000, HEAP_KIB = 65536 };
enum { EXPRESSION_MOST = 1 << 16, STEP_LENGTH = 256 };

struct ckpt_pattern {
	char *text; /* a fixed string, or the expression for messages */
	size_t length;
	pcre2_code *code, *counted; /* NULL: a fixed string */
	uint32_t repeats; /* the greatest number of a {}: an item may walk so far and be seen only once */
};

struct ckpt_matcher {
	pcre2_match_data *data;
	pcre2_match_context *quick, *counted;
	const ckpt_pattern *pattern; /* of the search */
	size_t last;                 /* where it was seen last */
	size_t text;                 /* bytes of the whole text */
	uint64_t most, left;         /* steps for all searches in it */
};

#define SPACES "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define WORDS                                                                                                          \
	"\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}"                   \
	"\\x{1f170}-\\x{1f189}"

/* Outside a class, Oniguruma's \w holds the raised digits and fractions of Latin-1, too. */
#define WORDS_ALONE "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

/* An escape of the expression: \s and \w as Unicode has them, since PCRE2's differ in some characters. */
static bool put_escape(ckpt_buffer *b, char c, bool in_class, ckpt_error *err)
{
	const char *set = c == 's' || c == 'S' ? SPACES : c == 'w' || c == 'W' ? WORDS : NULL;
	if (c == 'h' || c == 'H') return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the pattern uses \\%c, which ckpt does not read", c);
	if (!set || (in_class && (c == 'S' || c == 'W'))) {
		ckpt_buffer_printf(b, "\\%c", c);
	} else if (in_class) {
		ckpt_buffer_str(b, set);
	} else {
		ckpt_buffer_printf(b, "[%s%s%s]", c == 'S' || c == 'W' ? "^" : "", set, c == 'w' || c == 'W' ? WORDS_ALONE : "");
	}
	return true;
}

/* Whether \p{name} is a script: PCRE2 then means the characters that are used in it, too, unless it is told otherwise. */
static bool is_script(const char *name, size_t length)
{
	char alone[64];
	int code, n = snprintf(alone, sizeof alone, "\\p{sc:%.*s}", (int)(length < 40 ? length : 40), name);
	PCRE2_SIZE at;
	pcre2_code *made = length && n > 0 ? pcre2_compile((PCRE2_SPTR)alone, (size_t)n, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL) : NULL;
	pcre2_code_free(made);
	return made != NULL;
}

/* The greatest number of {3}, {3,} or {3,5} at e. */
static void note_repeats(ckpt_pattern *p, const char *e)
{
	for (e++; *e && *e != '}';) {
		char *end = NULL;
		unsigned long n = *e >= '0' && *e <= '9' ? strtoul(e, &end, 10) : 0;
		if (n > p->repeats) p->repeats = n < EXPRESSION_MOST ? (uint32_t)n : EXPRESSION_MOST;
		e = end ? end : e + 1;
	}
}

static bool translate(ckpt_pattern *p, ckpt_buffer *b, const char *e, ckpt_error *err)
{
	bool in_class = false;
	for (; *e; e++) {
		if (*e == '\\' && e[1]) {
			if (!put_escape(b, *++e, in_class, err)) return false;
			const char *close = e[1] == '{' ? strchr(e, '}') : NULL;
			if (!close) continue;
			ckpt_buffer_char(b, '{');
			if ((*e == 'p' || *e == 'P') && is_script(e + 2, (size_t)(close - e - 2))) ckpt_buffer_str(b, "sc:");
			ckpt_buffer_add(b, e + 2, (size_t)(close - e - 1));
			e = close;
			continue;
		}
		if (*e == '{' && !in_class) note_repeats(p, e);
		if (in_class && e[0] == '&' && e[1] == '&')
			return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the pattern uses && in a class, which ckpt does not read");
		if (*e == '[') in_class = true;
		if (*e == ']') in_class = false;
		ckpt_buffer_char(b, *e);
	}
	return ckpt_buffer_ok(b, err);
}

static pcre2_code *compile_one(const ckpt_pattern *p, const ckpt_buffer *expression, uint32_t more, ckpt_error *err)
{
	int code = 0;
	PCRE2_SIZE at = 0;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	if (!context) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	pcre2_set_max_pattern_length(context, EXPRESSION_MOST);
	pcre2_set_parens_nest_limit(context, 100);
	const char *text = expression->data ? expression->data : "";
	pcre2_code *made = pcre2_compile((PCRE2_SPTR)text, expression->length,
	                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | more, &code, &at, context);
	pcre2_compile_context_free(context);
	if (!made) {
		char why[160] = "";
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "cannot read the pattern \"%.200s\": %s", p->text, why);
		return NULL;
	}
	pcre2_jit_compile(made, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD); /* where there is none, it is interpreted */
	return made;
}

static bool compile(ckpt_pattern *p, const ckpt_buffer *expression, ckpt_error *err)
{
	uint32_t references = 0;
	p->code = compile_one(p, expression, 0, err);
	p->counted = p->code ? compile_one(p, expression, PCRE2_AUTO_CALLOUT, err) : NULL;
	if (!p->counted) return false;
	pcre2_pattern_info(p->code, PCRE2_INFO_BACKREFMAX, &references);
	return !references || ckpt_fail(err, CKPT_E_UNSUPPORTED, "the pattern \"%.200s\" refers back to a group, which ckpt does not read", p->text);
}

static ckpt_pattern *new_pattern(const char *text, ckpt_error *err)
{
	ckpt_pattern *p = calloc(1, sizeof *p);
	if (p) p->text = strdup(text);
	if (p && p->text) {
		p->length = strlen(text);
		return p;
	}
	free(p);
	ckpt_fail_nomem(err);
	return NULL;
}

ckpt_pattern *ckpt_pattern_string(const char *text, ckpt_error *err)
{
	return new_pattern(text, err);
}

ckpt_pattern *ckpt_pattern_regex(const char *expression, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_pattern *p = new_pattern(expression, err);
	if (p && (!translate(p, &b, expression, err) || !compile(p, &b, err))) {
		ckpt_pattern_free(p);
		p = NULL;
	}
	ckpt_buffer_free(&b);
	return p;
}

void ckpt_pattern_free(ckpt_pattern *p)
{
	if (!p) return;
	pcre2_code_free(p->code);
	pcre2_code_free(p->counted);
	free(p->text);
	free(p);
}

/* In front of each item: what was walked since the last one, more where an item may be long. */
static int count(pcre2_callout_block *block, void *data)
{
	ckpt_matcher *m = data;
	size_t at = block->current_position, walked = at > m->last ? at - m->last : m->last - at;
	uint64_t steps = (1 + (uint64_t)walked) * (1 + m->pattern->length / STEP_LENGTH) + m->pattern->repeats;
	m->last = at;
	if (steps > m->left) return PCRE2_ERROR_CALLOUT;
	m->left -= steps;
	return 0;
}

ckpt_matcher *ckpt_matcher_new(ckpt_error *err)
{
	ckpt_matcher *m = calloc(1, sizeof *m);
	if (m) {
		m->data = pcre2_match_data_create(1, NULL);
		m->quick = pcre2_match_context_create(NULL);
		m->counted = pcre2_match_context_create(NULL);
	}
	if (!m || !m->data || !m->quick || !m->counted) {
		ckpt_matcher_free(m);
		ckpt_fail_nomem(err);
		return NULL;
	}
	pcre2_set_match_limit(m->quick, QUICK_STEPS);
	pcre2_set_match_limit(m->counted, UINT32_MAX);
	pcre2_set_callout(m->counted, count, m);
	pcre2_set_heap_limit(m->quick, HEAP_KIB);
	pcre2_set_heap_limit(m->counted, HEAP_KIB);
	return m;
}

void ckpt_matcher_free(ckpt_matcher *m)
{
	if (!m) return;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->quick);
	pcre2_match_context_free(m->counted);
	free(m);
}

void ckpt_matcher_begin(ckpt_matcher *m, size_t length)
{
	m->text = length;
	m->most = m->left = FIRST_STEPS + STEPS_A_BYTE * (uint64_t)length;
}

static bool find_string(const ckpt_pattern *p, const char *text, size_t length, size_t at, bool *found, size_t *begin,
                        size_t *end)
{
	const char *hit = p->length ? memmem(text + at, length - at, p->text, p->length) : NULL;
	*found = hit != NULL;
	if (!hit) return true;
	*begin = (size_t)(hit - text);
	*end = *begin + p->length;
	return true;
}

/* In windows, few steps for each place. Says PCRE2_ERROR_PARTIAL where that is not enough; *at is the place then. */
static int find_quickly(const ckpt_pattern *p, ckpt_matcher *m, const char *text, size_t length, size_t *at)
{
	for (;;) {
		size_t end = length;
		if (length - *at > QUICK_BYTES)
			for (end = *at + QUICK_BYTES; ((unsigned char)text[end] & 0xc0) == 0x80;) end--;
		uint32_t options = PCRE2_NO_UTF_CHECK | (end < length ? PCRE2_PARTIAL_HARD : 0);
		int n = pcre2_match(p->code, (PCRE2_SPTR)text, end, *at, options, m->data, m->quick);
		if (n >= 0 || (n == PCRE2_ERROR_NOMATCH && end == length)) return n;
		size_t partial = n == PCRE2_ERROR_PARTIAL ? pcre2_get_ovector_pointer(m->data)[0] : *at;
		if (n == PCRE2_ERROR_NOMATCH) *at = end;
		else if (partial > *at) *at = partial;
		else return PCRE2_ERROR_PARTIAL;
	}
}

static int find_counted(const ckpt_pattern *p, ckpt_matcher *m, const char *text, size_t length, size_t at)
{
	pcre2_set_depth_limit(m->counted, DEPTH + (length < UINT32_MAX / 2 ? (uint32_t)length : UINT32_MAX / 2));
	m->pattern = p;
	m->last = at;
	int n = pcre2_match(p->counted, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK, m->data, m->counted);
	if (n != PCRE2_ERROR_JIT_STACKLIMIT) return n;
	m->last = at;
	return pcre2_match(p->counted, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, m->data, m->counted);
}

static bool say_failed(const ckpt_pattern *p, const ckpt_matcher *m, int code, ckpt_error *err)
{
	char why[160] = "";
	if (code == PCRE2_ERROR_CALLOUT || code == PCRE2_ERROR_MATCHLIMIT)
		return ckpt_fail(err, CKPT_E_LIMIT, "the pattern \"%.200s\" takes more than %llu steps on a text of %zu bytes", p->text,
		                 (unsigned long long)m->most, m->text);
	pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
	return ckpt_fail(err, CKPT_E_LIMIT, "the pattern \"%.200s\" takes too much on a text of %zu bytes: %s", p->text, m->text, why);
}

bool ckpt_pattern_find(const ckpt_pattern *p, ckpt_matcher *m, const char *text, size_t length, size_t at, bool *found,
                       size_t *begin, size_t *end, ckpt_error *err)
{
	if (!p->code) return find_string(p, text, length, at, found, begin, end);
	int n = find_quickly(p, m, text, length, &at);
	if (n == PCRE2_ERROR_PARTIAL) n = find_counted(p, m, text, length, at);
	*found = n >= 0;
	if (n == PCRE2_ERROR_NOMATCH) return true;
	if (n < 0) return say_failed(p, m, n, err);
	const PCRE2_SIZE *at_both = pcre2_get_ovector_pointer(m->data);
	*begin = at_both[0];
	*end = at_both[1];
	return *begin <= *end || ckpt_fail(err, CKPT_E_UNSUPPORTED, "the pattern \"%.200s\" matches backwards", p->text);
}
