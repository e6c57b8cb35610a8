/* pattern.c -- fixed strings, and regular expressions through PCRE2 with limits */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "../buffer.h"
#include "../error.h"

/* Steps of one match: a million, and some for each byte, since a long run of spaces is walked several times. */
enum { FIRST_STEPS = 1000000, STEPS_A_BYTE = 32, DEPTH = 100000, HEAP_KIB = 65536 };

struct ckpt_pattern {
	char *text; /* a fixed string, or the expression for messages */
	size_t length;
	pcre2_code *code; /* NULL: a fixed string */
};

struct ckpt_matcher {
	pcre2_match_data *data;
	pcre2_match_context *context;
};

#define SPACES "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define WORDS                                                                                                          \
	"\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}"                   \
	"\\x{1f170}-\\x{1f189}\\x{200c}\\x{200d}"

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
		ckpt_buffer_printf(b, "[%s%s]", c == 'S' || c == 'W' ? "^" : "", set);
	}
	return true;
}

static bool translate(ckpt_buffer *b, const char *e, ckpt_error *err)
{
	bool in_class = false;
	for (; *e; e++) {
		if (*e == '\\' && e[1]) {
			if (!put_escape(b, *++e, in_class, err)) return false;
			continue;
		}
		if (in_class && e[0] == '&' && e[1] == '&')
			return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the pattern uses && in a class, which ckpt does not read");
		if (*e == '[') in_class = true;
		if (*e == ']') in_class = false;
		ckpt_buffer_char(b, *e);
	}
	return ckpt_buffer_ok(b, err);
}

static bool compile(ckpt_pattern *p, const char *expression, size_t length, ckpt_error *err)
{
	int code = 0;
	PCRE2_SIZE at = 0;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	if (!context) return ckpt_fail_nomem(err);
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	pcre2_set_max_pattern_length(context, 1 << 16);
	pcre2_set_parens_nest_limit(context, 100);
	p->code = pcre2_compile((PCRE2_SPTR)expression, length, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
	                        &code, &at, context);
	pcre2_compile_context_free(context);
	if (!p->code) {
		char why[160] = "";
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "cannot read the pattern \"%.200s\": %s", p->text, why);
	}
	pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* where there is none, it is interpreted */
	return true;
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
	if (p && (!translate(&b, expression, err) || !compile(p, b.data ? b.data : "", b.length, err))) {
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
	free(p->text);
	free(p);
}

ckpt_matcher *ckpt_matcher_new(ckpt_error *err)
{
	ckpt_matcher *m = calloc(1, sizeof *m);
	if (m) {
		m->data = pcre2_match_data_create(1, NULL);
		m->context = pcre2_match_context_create(NULL);
	}
	if (m && m->data && m->context) return m;
	ckpt_matcher_free(m);
	ckpt_fail_nomem(err);
	return NULL;
}

void ckpt_matcher_free(ckpt_matcher *m)
{
	if (!m) return;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	free(m);
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

bool ckpt_pattern_find(const ckpt_pattern *p, ckpt_matcher *m, const char *text, size_t length, size_t at, bool *found,
                       size_t *begin, size_t *end, ckpt_error *err)
{
	if (!p->code) return find_string(p, text, length, at, found, begin, end);
	uint64_t steps = FIRST_STEPS + (uint64_t)STEPS_A_BYTE * length;
	pcre2_set_match_limit(m->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
	pcre2_set_depth_limit(m->context, DEPTH + (length < UINT32_MAX / 2 ? (uint32_t)length : UINT32_MAX / 2));
	pcre2_set_heap_limit(m->context, HEAP_KIB);
	int n = pcre2_match(p->code, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK, m->data, m->context);
	if (n == PCRE2_ERROR_JIT_STACKLIMIT)
		n = pcre2_match(p->code, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, m->data, m->context);
	*found = n >= 0;
	if (n == PCRE2_ERROR_NOMATCH) return true;
	if (n < 0)
		return ckpt_fail(err, CKPT_E_LIMIT, "the pattern \"%.200s\" takes more than %llu steps on a text of %zu bytes", p->text,
		                 (unsigned long long)steps, length);
	const PCRE2_SIZE *at_both = pcre2_get_ovector_pointer(m->data);
	*begin = at_both[0];
	*end = at_both[1];
	return *begin <= *end || ckpt_fail(err, CKPT_E_UNSUPPORTED, "the pattern \"%.200s\" matches backwards", p->text);
}
