/* read_steps.c -- normalisers, pre-tokenisers and decoders as tokenizer.json writes them */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "../checked.h"
#include "../error.h"
#include "../utf8.h"
#include "steps.h"

/* The pattern of byte-level pre-tokenisers, from GPT-2. */
#define BYTE_LEVEL_PATTERN "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

typedef struct reader {
	ckpt_step *step;
	const ckpt_json *v;
	ckpt_arena *arena;
	ckpt_error *err;
} reader;

static bool flag(const reader *r, const char *key, bool missing, bool *out)
{
	const ckpt_json *m = ckpt_json_member(r->v, key);
	*out = missing;
	if (!m || ckpt_json_get_kind(m) == CKPT_JSON_NULL) return true;
	if (ckpt_json_get_kind(m) != CKPT_JSON_BOOL)
		return ckpt_fail(r->err, CKPT_E_FORMAT, "%s is %s, not true or false", key, ckpt_json_kind_name(m));
	*out = ckpt_json_is_true(m);
	return true;
}

static bool text(const reader *r, const char *key, const char **out)
{
	const ckpt_json *m = ckpt_json_member(r->v, key);
	if (!m || ckpt_json_get_kind(m) != CKPT_JSON_STRING)
		return ckpt_fail(r->err, CKPT_E_FORMAT, "%s is %s, not a string", key, m ? ckpt_json_kind_name(m) : "missing");
	const char *s = ckpt_json_string(m);
	*out = ckpt_arena_copy(r->arena, s, strlen(s));
	return *out || ckpt_fail_nomem(r->err);
}

static bool character(const reader *r, const char *key)
{
	const char *s;
	uint32_t c;
	if (!text(r, key, &s)) return false;
	size_t n = strlen(s), used = n ? ckpt_utf8_decode(s, n, &c) : 0;
	r->step->text = s;
	return (n && used == n) || ckpt_fail(r->err, CKPT_E_FORMAT, "%s is \"%.40s\", not one character", key, s);
}

static bool number(const reader *r, const char *key, uint64_t *out)
{
	const ckpt_json *m = ckpt_json_member(r->v, key);
	return (m && ckpt_json_u64(m, out)) || ckpt_fail(r->err, CKPT_E_FORMAT, "%s is no whole number", key);
}

static bool pattern(const reader *r)
{
	const ckpt_json *p = ckpt_json_member(r->v, "pattern");
	const ckpt_json *kind = p && ckpt_json_get_kind(p) == CKPT_JSON_OBJECT ? ckpt_json_child(p) : NULL;
	if (!kind || ckpt_json_get_kind(kind) != CKPT_JSON_STRING)
		return ckpt_fail(r->err, CKPT_E_FORMAT, "its pattern is neither {\"String\": ...} nor {\"Regex\": ...}");
	if (!strcmp(ckpt_json_key(kind), "String")) r->step->pattern = ckpt_pattern_string(ckpt_json_string(kind), r->err);
	else if (!strcmp(ckpt_json_key(kind), "Regex")) r->step->pattern = ckpt_pattern_regex(ckpt_json_string(kind), r->err);
	else return ckpt_fail(r->err, CKPT_E_UNSUPPORTED, "its pattern is of the unknown kind \"%.40s\"", ckpt_json_key(kind));
	return r->step->pattern != NULL;
}

static bool behavior(const reader *r, bool needed)
{
	static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
	const char *name;
	r->step->behavior = CKPT_ISOLATED;
	if (!needed && !ckpt_json_member(r->v, "behavior")) return true;
	if (!text(r, "behavior", &name)) return false;
	for (int i = 0; i < 5; i++)
		if (!strcmp(name, names[i])) {
			r->step->behavior = (ckpt_behavior)i;
			return true;
		}
	return ckpt_fail(r->err, CKPT_E_UNSUPPORTED, "its behavior \"%.40s\" is unknown", name);
}

/* The scheme by name; older files say add_prefix_space. */
static bool scheme(const reader *r)
{
	const ckpt_json *m = ckpt_json_member(r->v, "prepend_scheme");
	bool add = true;
	if (!flag(r, "add_prefix_space", true, &add)) return false;
	r->step->scheme = add ? CKPT_ALWAYS : CKPT_NEVER;
	if (!m) return true;
	const char *name;
	if (!text(r, "prepend_scheme", &name)) return false;
	if (!strcmp(name, "always")) r->step->scheme = CKPT_ALWAYS;
	else if (!strcmp(name, "first")) r->step->scheme = CKPT_FIRST;
	else if (!strcmp(name, "never")) r->step->scheme = CKPT_NEVER;
	else return ckpt_fail(r->err, CKPT_E_UNSUPPORTED, "its prepend_scheme \"%.40s\" is unknown", name);
	return true;
}

static bool read_bert(reader *r)
{
	ckpt_step *s = r->step;
	bool lower;
	if (!flag(r, "lowercase", true, &lower)) return false;
	s->lower = lower;
	return flag(r, "clean_text", true, &s->clean) && flag(r, "handle_chinese_chars", true, &s->chinese) &&
	       flag(r, "strip_accents", lower, &s->accents);
}

static bool read_strip(reader *r) { return flag(r, "strip_left", true, &r->step->left) && flag(r, "strip_right", true, &r->step->right); }

/* NFC, NFD, NFKC, NFKD */
static bool read_form(reader *r)
{
	const char *type = ckpt_json_string(ckpt_json_member(r->v, "type"));
	r->step->compatible = strchr(type, 'K') != NULL;
	r->step->compose = type[strlen(type) - 1] == 'C';
	return true;
}

static bool read_nothing(reader *r) { return r != NULL; }
static bool read_replace(reader *r) { return pattern(r) && text(r, "content", &r->step->text); }
static bool read_prepend(reader *r) { return text(r, "prepend", &r->step->text); }
static bool read_punctuation(reader *r) { return behavior(r, false); }
static bool read_digits(reader *r) { return flag(r, "individual_digits", false, &r->step->each); }
static bool read_split(reader *r) { return pattern(r) && behavior(r, true) && flag(r, "invert", false, &r->step->invert); }

static bool read_character(reader *r)
{
	if (!character(r, "delimiter")) return false;
	r->step->pattern = ckpt_pattern_string(r->step->text, r->err);
	return r->step->pattern != NULL;
}

static bool read_bytes(reader *r)
{
	if (!flag(r, "add_prefix_space", true, &r->step->prefix_space) || !flag(r, "use_regex", true, &r->step->regex)) return false;
	if (!r->step->regex) return true;
	r->step->pattern = ckpt_pattern_regex(BYTE_LEVEL_PATTERN, r->err);
	return r->step->pattern != NULL;
}

static bool read_metaspace(reader *r)
{
	if (!character(r, "replacement") || !scheme(r) || !flag(r, "split", true, &r->step->split)) return false;
	r->step->pattern = ckpt_pattern_string(r->step->text, r->err);
	return r->step->pattern != NULL;
}

static bool read_wordpiece(reader *r)
{
	return text(r, "prefix", &r->step->text) && flag(r, "cleanup", true, &r->step->clean_up);
}

static bool read_bpe(reader *r) { return text(r, "suffix", &r->step->text); }

static bool read_cut(reader *r)
{
	return character(r, "content") && number(r, "start", &r->step->start) && number(r, "stop", &r->step->stop);
}

/* The strings behind the units: each ends in NUL and is UTF-8. */
static bool check_map(const ckpt_step *s, ckpt_error *err)
{
	const char *strings = (const char *)s->map + 4 * s->map_units;
	size_t length = s->map_length - 4 * s->map_units;
	if (length && strings[length - 1] == 0 && ckpt_utf8_check(strings, length) == SIZE_MAX) return true;
	return ckpt_fail(err, CKPT_E_FORMAT, "the strings of precompiled_charsmap are no UTF-8 that ends in NUL");
}

static bool read_precompiled(reader *r)
{
	const char *coded;
	if (!text(r, "precompiled_charsmap", &coded)) return false;
	size_t n = strlen(coded), pad = 0;
	while (pad < 2 && pad < n && coded[n - 1 - pad] == '=') pad++;
	uint8_t *map = ckpt_arena_alloc(r->arena, n + 4);
	if (!map) return ckpt_fail_nomem(r->err);
	int got = n <= INT32_MAX ? EVP_DecodeBlock(map, (const unsigned char *)coded, (int)n) : -1;
	if (got < 4 || n % 4) return ckpt_fail(r->err, CKPT_E_FORMAT, "precompiled_charsmap is no base64 of a map");
	size_t length = (size_t)got - pad, units = length >= 4 ? ckpt_le32(map) : 0;
	if (length < 4 || units % 4 || units > length - 4)
		return ckpt_fail(r->err, CKPT_E_FORMAT, "precompiled_charsmap holds %zu bytes, its trie is said to take %zu", length, units);
	r->step->map = map + 4;
	r->step->map_units = units / 4;
	r->step->map_length = length - 4;
	return check_map(r->step, r->err);
}

typedef struct type_row {
	const char *name;
	ckpt_step_room room;
	ckpt_step_kind kind;
	bool (*read)(reader *r);
} type_row;

static const type_row types[] = {
	{"BertNormalizer", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_BERT, read_bert},
	{"Strip", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_STRIP, read_strip},
	{"StripAccents", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_STRIP_ACCENTS, read_nothing},
	{"NFC", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_FORM, read_form},
	{"NFD", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_FORM, read_form},
	{"NFKC", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_FORM, read_form},
	{"NFKD", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_FORM, read_form},
	{"Lowercase", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_LOWER, read_nothing},
	{"Nmt", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_NMT, read_nothing},
	{"Precompiled", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_PRECOMPILED, read_precompiled},
	{"Replace", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_REPLACE, read_replace},
	{"Prepend", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_PREPEND, read_prepend},
	{"ByteLevel", CKPT_ROOM_NORMALIZER, CKPT_NORMAL_BYTES, read_nothing},
	{"BertPreTokenizer", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_BERT, read_nothing},
	{"Whitespace", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_WHITESPACE, read_nothing},
	{"WhitespaceSplit", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_SPACES, read_nothing},
	{"Punctuation", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_PUNCTUATION, read_punctuation},
	{"Digits", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_DIGITS, read_digits},
	{"CharDelimiterSplit", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_CHARACTER, read_character},
	{"Split", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_PATTERN, read_split},
	{"ByteLevel", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_BYTES, read_bytes},
	{"Metaspace", CKPT_ROOM_PRE_TOKENIZER, CKPT_SPLIT_METASPACE, read_metaspace},
	{"WordPiece", CKPT_ROOM_DECODER, CKPT_DECODE_WORDPIECE, read_wordpiece},
	{"ByteLevel", CKPT_ROOM_DECODER, CKPT_DECODE_BYTES, read_nothing},
	{"BPEDecoder", CKPT_ROOM_DECODER, CKPT_DECODE_BPE, read_bpe},
	{"Metaspace", CKPT_ROOM_DECODER, CKPT_DECODE_METASPACE, read_metaspace},
	{"ByteFallback", CKPT_ROOM_DECODER, CKPT_DECODE_FALLBACK, read_nothing},
	{"Fuse", CKPT_ROOM_DECODER, CKPT_DECODE_FUSE, read_nothing},
	{"Strip", CKPT_ROOM_DECODER, CKPT_DECODE_STRIP, read_cut},
	{"Replace", CKPT_ROOM_DECODER, CKPT_DECODE_REPLACE, read_replace},
};

static const char *const room_names[] = {"normalizer", "pre_tokenizer", "decoder"};

static const char *type_name(const ckpt_json *v)
{
	const ckpt_json *m = ckpt_json_get_kind(v) == CKPT_JSON_OBJECT ? ckpt_json_member(v, "type") : NULL;
	return m && ckpt_json_get_kind(m) == CKPT_JSON_STRING ? ckpt_json_string(m) : NULL;
}

static bool add_step(ckpt_steps *steps, ckpt_step_room room, const ckpt_json *v, ckpt_arena *arena, ckpt_error *err)
{
	const char *name = type_name(v);
	enum { MOST = 1024 }; /* each may walk the whole text */
	if (!name) return ckpt_fail(err, CKPT_E_FORMAT, "the %s is no object with a type", room_names[room]);
	if (steps->count == MOST) return ckpt_fail(err, CKPT_E_LIMIT, "the %s has more than %d steps", room_names[room], MOST);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (types[i].room != room || strcmp(types[i].name, name) != 0) continue;
		ckpt_step *more = realloc(steps->items, (steps->count + 1) * sizeof *more);
		if (!more) return ckpt_fail_nomem(err);
		steps->items = more;
		ckpt_step *s = more + steps->count++;
		*s = (ckpt_step){.kind = types[i].kind};
		reader r = {s, v, arena, err};
		return types[i].read(&r) || ckpt_error_prefix(err, "the %s %s", room_names[room], name);
	}
	return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the %s \"%.60s\" is of a kind that ckpt does not know", room_names[room], name);
}

/* The parts of a Sequence; NULL: it is none. */
static const ckpt_json *parts_of(const ckpt_json *v)
{
	static const char *const keys[] = {"normalizers", "pretokenizers", "decoders"};
	const char *name = type_name(v);
	if (!name || strcmp(name, "Sequence") != 0) return NULL;
	for (int i = 0; i < 3; i++) {
		const ckpt_json *m = ckpt_json_member(v, keys[i]);
		if (m && ckpt_json_get_kind(m) == CKPT_JSON_ARRAY) return m;
	}
	return NULL;
}

bool ckpt_steps_read(ckpt_steps *steps, ckpt_step_room room, const ckpt_json *v, ckpt_arena *arena, ckpt_error *err)
{
	enum { DEEPEST = 64 };
	const ckpt_json *later[DEEPEST];
	size_t depth = 0;
	if (!v || ckpt_json_get_kind(v) == CKPT_JSON_NULL) return true;
	while (v || depth) {
		if (!v) {
			v = later[--depth];
			continue;
		}
		const ckpt_json *parts = parts_of(v), *after = depth ? ckpt_json_next(v) : NULL;
		if (parts) {
			if (depth + 1 >= DEEPEST) return ckpt_fail(err, CKPT_E_LIMIT, "the %s nests more than %d deep", room_names[room], DEEPEST);
			later[depth++] = after;
			v = ckpt_json_child(parts);
			continue;
		}
		if (!add_step(steps, room, v, arena, err)) return false;
		v = after;
	}
	return true;
}

void ckpt_steps_free(ckpt_steps *steps)
{
	for (size_t i = 0; i < steps->count; i++) ckpt_pattern_free(steps->items[i].pattern);
	free(steps->items);
	*steps = (ckpt_steps){0};
}
