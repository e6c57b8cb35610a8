/* unicode.c -- what characters are: decomposition, order and clusters by utf8proc, within the library's own classes */
#include "unicode.h"

#include <string.h>
#include <utf8proc.h>

#include "../utf8.h"
#include "classes.h"

static utf8proc_category_t category(uint32_t c)
{
	return utf8proc_category((utf8proc_int32_t)c);
}

bool ckpt_unicode_space(uint32_t c)
{
	if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
	if (c == 0x85) return true;
	utf8proc_category_t k = category(c);
	return k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

bool ckpt_unicode_punctuation(uint32_t c)
{
	if (c < 0x80) return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
	return ckpt_class_punctuation(c);
}

bool ckpt_unicode_control(uint32_t c)
{
	if (c == '\t' || c == '\n' || c == '\r') return false;
	if (c < 0x80) return c < 32 || c == 127;
	return ckpt_class_control(c);
}

bool ckpt_unicode_mark(uint32_t c)
{
	return c >= 0x300 && ckpt_class_mark(c);
}

bool ckpt_unicode_nonspacing(uint32_t c)
{
	return c >= 0x300 && ckpt_class_nonspacing(c);
}

bool ckpt_unicode_numeric(uint32_t c)
{
	if (c < 0x80) return c >= '0' && c <= '9';
	return ckpt_class_numeric(c);
}

bool ckpt_unicode_word(uint32_t c)
{
	if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
	return ckpt_class_word(c);
}

bool ckpt_unicode_chinese(uint32_t c)
{
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
	       (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
	       (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

unsigned ckpt_unicode_columns(uint32_t c)
{
	int width = utf8proc_charwidth((utf8proc_int32_t)c);
	if (category(c) == UTF8PROC_CATEGORY_CN) return 1; /* newer than the tables: a box */
	return width < 0 ? 0 : (unsigned)width;
}

/* One character has two in lower case: I with a dot above. */
size_t ckpt_unicode_lower(uint32_t c, uint32_t out[2])
{
	out[0] = c == 0x130 ? 'i' : c < 0x80 ? (c >= 'A' && c <= 'Z' ? c + 32 : c) : ckpt_class_lower(c);
	out[1] = 0x307;
	return c == 0x130 ? 2 : 1;
}

static int combining(uint32_t c)
{
	int class = c < 0x300 ? 0 : utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
	return class && ckpt_class_ordered(c) ? class : 0;
}

/* Combining marks behind `from` into canonical order. Stable; a merge of halves, since a file may hold a long run. */
static void merge_order(ckpt_change *items, ckpt_change *spare, size_t count)
{
	for (size_t width = 1; width < count; width *= 2) {
		for (size_t begin = 0; begin < count; begin += 2 * width) {
			size_t middle = begin + width < count ? begin + width : count;
			size_t end = middle + width < count ? middle + width : count;
			size_t i = begin, j = middle;
			for (size_t k = begin; k < end; k++) {
				bool left = i < middle && (j >= end || combining(items[i].code_point) <= combining(items[j].code_point));
				spare[k] = left ? items[i++] : items[j++];
			}
		}
		memcpy(items, spare, count * sizeof *items);
	}
}

static void order(ckpt_changes *c, size_t from)
{
	size_t count = c->count - from;
	if (count < 2 || c->failed) return;
	for (size_t i = 0; i < count; i++) ckpt_changes_add(c, 0, 0);
	if (c->failed) return;
	merge_order(c->items + from, c->items + from + count, count);
	c->count = from + count;
}

/* What a and b compose to; 0: nothing. No character below U+0300 composes with one in front of it, nor does U+11A7, the place in
 * front of the last consonants of Hangul, which utf8proc lets vanish. */
static uint32_t pair(uint32_t a, uint32_t b)
{
	if (b < 0x300 || b == 0x11a7) return 0;
	utf8proc_int32_t both[3] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b, 0};
	utf8proc_ssize_t n = utf8proc_normalize_utf32(both, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
	return n == 1 && ckpt_class_decomposed((uint32_t)both[0]) ? (uint32_t)both[0] : 0;
}

/* In place: each starter takes the marks and vowels behind it that it composes with. */
static void compose(ckpt_changes *c, size_t from)
{
	size_t starter = SIZE_MAX, to = from;
	int last = -1; /* class of the character in front, as long as it was kept behind the starter */
	for (size_t i = from; i < c->count; i++) {
		ckpt_change x = c->items[i];
		int class = combining(x.code_point);
		uint32_t both = starter == SIZE_MAX || (last >= 0 && last >= class) || (class == 0 && last >= 0)
		                    ? 0 : pair(c->items[starter].code_point, x.code_point);
		if (both) {
			c->items[starter].code_point = both;
			c->items[starter].change += x.change - 1;
			continue;
		}
		c->items[to] = x;
		if (class == 0) {
			starter = to;
			last = -1;
		} else {
			last = class;
		}
		to++;
	}
	c->count = to;
}

void ckpt_unicode_normalize(ckpt_changes *out, const char *text, size_t length, bool compatible, bool do_compose)
{
	utf8proc_option_t options = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
	size_t run = out->count, start = out->count; /* run: begin of the marks behind the last starter */
	for (size_t at = 0; at < length && !out->failed;) {
		uint32_t c;
		utf8proc_int32_t parts[32];
		int boundary = 0;
		at += ckpt_utf8_decode(text + at, length - at, &c);
		utf8proc_ssize_t n = 1;
		parts[0] = (utf8proc_int32_t)c;
		if (c >= 0x80 && ckpt_class_decomposed(c)) n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 32, options, &boundary);
		for (utf8proc_ssize_t i = 0; i < n; i++) {
			if (combining((uint32_t)parts[i]) == 0) {
				order(out, run);
				run = out->count + 1;
			}
			ckpt_changes_add(out, (uint32_t)parts[i], i > 0);
		}
	}
	order(out, run < out->count ? run : out->count);
	if (do_compose && !out->failed) compose(out, start);
}

size_t ckpt_unicode_grapheme(const char *text, size_t length, size_t at)
{
	uint32_t before, c;
	utf8proc_int32_t state = 0;
	at += ckpt_utf8_decode(text + at, length - at, &before);
	while (at < length) {
		size_t n = ckpt_utf8_decode(text + at, length - at, &c);
		if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)c, &state)) break;
		before = c;
		at += n;
	}
	return at;
}
