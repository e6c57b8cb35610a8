/* decode.c -- the decoders: tokens to text */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "steps.h"

void ckpt_strings_add(ckpt_strings *s, const char *text, size_t length)
{
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		size_t *more = realloc(s->ends, room * sizeof *more);
		if (!more) {
			s->text.failed = true;
			return;
		}
		s->ends = more;
		s->room = room;
	}
	ckpt_buffer_add(&s->text, text, length);
	s->ends[s->count++] = s->text.length;
}

void ckpt_strings_free(ckpt_strings *s)
{
	ckpt_buffer_free(&s->text);
	free(s->ends);
	*s = (ckpt_strings){0};
}

/* Characters 0x21..0x7e, 0xa1..0xac, 0xae..0xff stand for themselves, the other bytes for 0x100 and up in turn. */
static bool own_char(unsigned b)
{
	return (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
}

uint32_t ckpt_byte_char(uint8_t byte)
{
	if (own_char(byte)) return byte;
	if (byte <= 0x20) return 0x100u + byte;
	return byte == 0xad ? 0x143 : 0x121u + (byte - 0x7fu);
}

int ckpt_char_byte(uint32_t c)
{
	if (c < 0x100) return own_char(c) ? (int)c : -1;
	if (c <= 0x120) return (int)(c - 0x100);
	if (c <= 0x142) return (int)(c - 0x121 + 0x7f);
	return c == 0x143 ? 0xad : -1;
}

static const char *at(const ckpt_strings *s, size_t i, size_t *length)
{
	size_t begin = i ? s->ends[i - 1] : 0;
	*length = s->ends[i] - begin;
	return s->text.data ? s->text.data + begin : "";
}

static void put_replaced(ckpt_buffer *b, const char *text, size_t length, const char *old, const char *fresh)
{
	size_t n = strlen(old);
	for (size_t i = 0; i < length;) {
		if (n && length - i >= n && memcmp(text + i, old, n) == 0) {
			ckpt_buffer_str(b, fresh);
			i += n;
		} else {
			ckpt_buffer_char(b, text[i++]);
		}
	}
}

/* English spacing as BERT's decoder has it, token by token. */
static void clean_up(ckpt_buffer *b)
{
	static const char *const pairs[][2] = {
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
		{" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		ckpt_buffer out = {0};
		if (!b->data || !memmem(b->data, b->length, pairs[i][0], strlen(pairs[i][0]))) continue;
		put_replaced(&out, b->data, b->length, pairs[i][0], pairs[i][1]);
		if (b->failed) out.failed = true;
		ckpt_buffer_free(b);
		*b = out;
	}
}

static void wordpiece(const ckpt_step *s, const ckpt_strings *in, ckpt_strings *out)
{
	size_t prefix = strlen(s->text), length;
	for (size_t i = 0; i < in->count; i++) {
		ckpt_buffer b = {0};
		const char *text = at(in, i, &length);
		bool inside = length >= prefix && memcmp(text, s->text, prefix) == 0;
		if (i && !inside) ckpt_buffer_char(&b, ' ');
		size_t cut = i && inside ? prefix : 0;
		ckpt_buffer_add(&b, text + cut, length - cut);
		if (s->clean_up) clean_up(&b);
		if (b.failed) out->text.failed = true;
		ckpt_strings_add(out, b.data ? b.data : "", b.length);
		ckpt_buffer_free(&b);
	}
}

/* The bytes of what can no longer become a character: at least one. */
static size_t broken(const char *text, size_t length)
{
	unsigned char c = (unsigned char)text[0], low = 0x80, high = 0xbf;
	size_t need = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 1, n = 1;
	if (c == 0xe0) low = 0xa0;
	if (c == 0xed) high = 0x9f;
	if (c == 0xf0) low = 0x90;
	if (c == 0xf4) high = 0x8f;
	for (; n < need && n < length; n++) {
		unsigned char d = (unsigned char)text[n];
		if (d < low || d > high) break;
		low = 0x80, high = 0xbf;
	}
	return n;
}

/* Every broken stretch becomes one U+FFFD. */
static void put_lossy(ckpt_strings *out, const ckpt_buffer *b)
{
	ckpt_buffer text = {0};
	uint32_t c;
	for (size_t i = 0, n; i < b->length; i += n) {
		n = ckpt_utf8_decode(b->data + i, b->length - i, &c);
		if (n) {
			ckpt_buffer_add(&text, b->data + i, n);
			continue;
		}
		ckpt_buffer_str(&text, "\xef\xbf\xbd");
		n = broken(b->data + i, b->length - i);
	}
	if (text.failed || b->failed) out->text.failed = true;
	ckpt_strings_add(out, text.data ? text.data : "", text.length);
	ckpt_buffer_free(&text);
}

static void byte_level(const ckpt_strings *in, ckpt_strings *out)
{
	ckpt_buffer all = {0};
	size_t length;
	uint32_t c;
	for (size_t i = 0; i < in->count; i++) {
		const char *text = at(in, i, &length);
		size_t before = all.length, j = 0;
		int byte = 0;
		for (size_t n; j < length && byte >= 0; j += n) {
			n = ckpt_utf8_decode(text + j, length - j, &c);
			byte = n ? ckpt_char_byte(c) : -1;
			if (byte >= 0) ckpt_buffer_char(&all, (char)byte);
		}
		if (byte >= 0) continue;
		all.length = before;
		ckpt_buffer_add(&all, text, length);
	}
	put_lossy(out, &all);
	ckpt_buffer_free(&all);
}

static void bpe(const ckpt_step *s, const ckpt_strings *in, ckpt_strings *out)
{
	size_t length;
	for (size_t i = 0; i < in->count; i++) {
		ckpt_buffer b = {0};
		const char *text = at(in, i, &length);
		put_replaced(&b, text, length, s->text, i + 1 == in->count ? "" : " ");
		if (b.failed) out->text.failed = true;
		ckpt_strings_add(out, b.data ? b.data : "", b.length);
		ckpt_buffer_free(&b);
	}
}

static void metaspace(const ckpt_step *s, const ckpt_strings *in, ckpt_strings *out)
{
	size_t length;
	for (size_t i = 0; i < in->count; i++) {
		ckpt_buffer b = {0};
		const char *text = at(in, i, &length);
		put_replaced(&b, text, length, s->text, i == 0 && s->scheme != CKPT_NEVER ? "" : " ");
		if (b.failed) out->text.failed = true;
		ckpt_strings_add(out, b.data ? b.data : "", b.length);
		ckpt_buffer_free(&b);
	}
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of "<0xAB>"; -1: another token. */
static int byte_token(const char *text, size_t length)
{
	if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
	int high = hex(text[3]), low = hex(text[4]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static void flush_bytes(ckpt_buffer *run, ckpt_strings *out)
{
	if (!run->length) return;
	if (ckpt_utf8_check(run->data, run->length) == SIZE_MAX) {
		ckpt_strings_add(out, run->data, run->length);
	} else {
		for (size_t i = 0; i < run->length; i++) ckpt_strings_add(out, "\xef\xbf\xbd", 3);
	}
	if (run->failed) out->text.failed = true;
	run->length = 0;
}

static void byte_fallback(const ckpt_strings *in, ckpt_strings *out)
{
	ckpt_buffer run = {0};
	size_t length;
	for (size_t i = 0; i < in->count; i++) {
		const char *text = at(in, i, &length);
		int byte = byte_token(text, length);
		if (byte >= 0) {
			ckpt_buffer_char(&run, (char)byte);
			continue;
		}
		flush_bytes(&run, out);
		ckpt_strings_add(out, text, length);
	}
	flush_bytes(&run, out);
	ckpt_buffer_free(&run);
}

static void strip(const ckpt_step *s, const ckpt_strings *in, ckpt_strings *out)
{
	size_t n = strlen(s->text), length;
	for (size_t i = 0; i < in->count; i++) {
		const char *text = at(in, i, &length);
		for (uint64_t k = 0; k < s->start && length >= n && memcmp(text, s->text, n) == 0; k++) text += n, length -= n;
		for (uint64_t k = 0; k < s->stop && length >= n && memcmp(text + length - n, s->text, n) == 0; k++) length -= n;
		ckpt_strings_add(out, text, length);
	}
}

static bool replace(const ckpt_step *s, const ckpt_strings *in, ckpt_strings *out, size_t most, ckpt_matcher *m, ckpt_error *err)
{
	size_t length;
	bool good = true;
	for (size_t i = 0; i < in->count && good; i++) {
		ckpt_buffer b = {0};
		const char *text = at(in, i, &length);
		size_t done_to = 0, from = 0, begin = 0, end = 0;
		bool found = true;
		while (good && found && from <= length) {
			good = ckpt_pattern_find(s->pattern, m, text, length, from, &found, &begin, &end, err);
			if (!good || !found) break;
			ckpt_buffer_add(&b, text + done_to, begin - done_to);
			ckpt_buffer_str(&b, s->text);
			if (b.length > most)
				good = ckpt_fail(err, CKPT_E_LIMIT, "the decoders make more than %zu bytes of the tokens, 64 for each of theirs and 1 MiB",
				                 most);
			done_to = from = end;
			uint32_t c;
			if (begin == end) from += end < length ? ckpt_utf8_decode(text + end, length - end, &c) : 1;
		}
		ckpt_buffer_add(&b, text + done_to, length - done_to);
		if (b.failed) out->text.failed = true;
		ckpt_strings_add(out, b.data ? b.data : "", b.length);
		ckpt_buffer_free(&b);
	}
	return good;
}

static bool step(const ckpt_step *s, const ckpt_strings *in, ckpt_strings *out, size_t most, ckpt_matcher *m, ckpt_error *err)
{
	switch (s->kind) {
	case CKPT_DECODE_WORDPIECE: wordpiece(s, in, out); break;
	case CKPT_DECODE_BYTES: byte_level(in, out); break;
	case CKPT_DECODE_BPE: bpe(s, in, out); break;
	case CKPT_DECODE_METASPACE: metaspace(s, in, out); break;
	case CKPT_DECODE_FALLBACK: byte_fallback(in, out); break;
	case CKPT_DECODE_FUSE: ckpt_strings_add(out, in->text.data ? in->text.data : "", in->text.length); break;
	case CKPT_DECODE_STRIP: strip(s, in, out); break;
	case CKPT_DECODE_REPLACE: return replace(s, in, out, most, m, err);
	default: return ckpt_fail(err, CKPT_E_UNSUPPORTED, "this step is no decoder");
	}
	return true;
}

bool ckpt_decode_steps(const ckpt_steps *steps, ckpt_strings *tokens, ckpt_matcher *matcher, ckpt_error *err)
{
	const size_t most = ckpt_steps_most(tokens->text.length);
	ckpt_matcher_begin(matcher, tokens->text.length);
	for (size_t i = 0; i < steps->count; i++) {
		ckpt_strings out = {0};
		bool good = step(steps->items + i, tokens, &out, most, matcher, err) && ckpt_buffer_ok(&out.text, err);
		ckpt_strings_free(tokens);
		*tokens = out;
		if (!good) return false;
	}
	return true;
}
