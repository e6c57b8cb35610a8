/* test_text_steps.c -- each normaliser, pre-tokeniser, decoder and post-processor by what it makes of a text; fields that are refused */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/text/text.h"
#include "unit.h"

#define META "\xe2\x96\x81"

/* Each piece as one token with its own text, and its span. */
static char *pieces_of(const char *steps, const char *text)
{
	ckpt_error err = {0};
	ckpt_encoding got = {0};
	ckpt_buffer json = {0}, out = {0};
	ckpt_buffer_printf(&json, "{%s,\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"\\u0001\",0]]}}", steps);
	ckpt_tokenizer *t = ckpt_tokenizer_read(json.data, json.length, &err);
	ckpt_encoder *e = t ? ckpt_encoder_new(t, &err) : NULL;
	if (e && ckpt_encode(e, text, strlen(text), NULL, 0, NULL, &got, &err)) {
		for (size_t i = 0; i < got.count; i++) {
			size_t length;
			const char *token = ckpt_token_text(&got, i, &length);
			ckpt_buffer_printf(&out, "%s%.*s:%u-%u", i ? "|" : "", (int)length, token, got.items[i].from, got.items[i].to);
		}
	}
	char *made = strdup(e && !err.text[0] ? (out.data ? out.data : "") : err.text);
	ckpt_buffer_free(&json);
	ckpt_buffer_free(&out);
	ckpt_encoding_free(&got);
	ckpt_encoder_free(e);
	ckpt_tokenizer_free(t);
	return made;
}

typedef struct sample {
	const char *step, *text, *wanted;
} sample;

static void check(const char *room, const sample *s)
{
	for (; s->step; s++) {
		char *steps = NULL;
		CU_ASSERT_FATAL(asprintf(&steps, "\"%s\":%s", room, s->step) > 0);
		char *made = pieces_of(steps, s->text);
		if (strcmp(made, s->wanted) != 0) fprintf(stderr, "%.90s: wanted \"%s\", found \"%s\"\n", s->step, s->wanted, made);
		CU_ASSERT_STRING_EQUAL(made, s->wanted);
		free(made);
		free(steps);
	}
}

static void normalizers(void)
{
	static const sample samples[] = {
		{"{\"type\":\"Strip\"}", "  a b ", "a b:2-5"},
		{"{\"type\":\"Strip\",\"strip_left\":false}", " a ", " a:0-2"},
		{"{\"type\":\"Strip\",\"strip_right\":false}", " a ", "a :1-3"},
		{"{\"type\":\"NFC\"}", "e\xcc\x81x", "\xc3\xa9x:0-3"},
		{"{\"type\":\"NFC\"}", "\xed\x8c\xa8\xe1\x86\xa7", "\xed\x8c\xa8\xe1\x86\xa7:0-2"}, /* U+11A7 composes with nothing */
		{"{\"type\":\"NFC\"}", "\xed\x8c\xa8\xe1\x86\xa8", "\xed\x8c\xa9:0-1"},
		{"{\"type\":\"NFC\"}", "\xf0\x91\xa4\xb5\xf0\x91\xa4\xb0", "\xf0\x91\xa4\xb5\xf0\x91\xa4\xb0:0-2"}, /* newer than the library's forms */
		{"{\"type\":\"NFD\"}", "\xc3\xa9", "e\xcc\x81:0-1"},
		{"{\"type\":\"NFD\"}", "x\xcd\x85\xcc\xb4", "x\xcc\xb4\xcd\x85:0-3"},
		{"{\"type\":\"NFKC\"}", "\xef\xac\x81", "fi:0-1"},
		{"{\"type\":\"NFKD\"}", "\xc2\xbd", "1\xe2\x81\x84" "2:0-1"},
		{"{\"type\":\"StripAccents\"}", "e\xcc\x81", "e:0-1"},
		{"{\"type\":\"Lowercase\"}", "A\xc3\x89\xc4\xb0\xc7\x85\xe1\xb2\x89", "a\xc3\xa9i\xcc\x87\xc7\x86\xe1\xb2\x8a:0-5"},
		{"{\"type\":\"Nmt\"}", "a\x01\tb\xe2\x80\x8b", "a b :0-5"},
		{"{\"type\":\"Prepend\",\"prepend\":\"> \"}", "a", "> a:0-1"},
		{"{\"type\":\"Replace\",\"pattern\":{\"String\":\"b\"},\"content\":\"xy\"}", "abc", "axyc:0-3"},
		{"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"b*\"},\"content\":\"-\"}", "abb", "-a--:0-3"},
		{"{\"type\":\"ByteLevel\"}", " \xc3\xa9", "\xc4\xa0\xc3\x83\xc2\xa9:0-2"},
		{"{\"type\":\"BertNormalizer\"}", "\xc3\x89\x01\xe8\xaa\x9e\xc2\xa0", "e \xe8\xaa\x9e  :0-4"},
		{"{\"type\":\"BertNormalizer\",\"clean_text\":false,\"handle_chinese_chars\":false,\"strip_accents\":false,\"lowercase\":false}", "\xc3\x89\x01\xe8\xaa\x9e",
		 "\xc3\x89\x01\xe8\xaa\x9e:0-3"},
		{"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\",\"normalizers\":[]},{\"type\":\"Lowercase\"},{\"type\":\"Strip\"}]}", " A", "a:1-2"},
		{NULL, NULL, NULL}};
	check("normalizer", samples);
}

/* A map of sentencepiece: a to "xy", b to nothing, U+00E9 to "e"; in base64. */
static void small_map(char *coded)
{
	enum { UNITS = 704, ROOT = 256, BEHIND_C3 = 512 };
	static const struct {
		unsigned at, byte, to, leaf, place;
	} entries[] = {{ROOT ^ 'a', 'a', 400, 1, 0}, {ROOT ^ 'b', 'b', 401, 1, 3}, {ROOT ^ 0xc3, 0xc3, BEHIND_C3, 0, 0}, {BEHIND_C3 ^ 0xa9, 0xa9, 402, 1, 4}};
	static const char strings[] = "xy\0\0e";
	unsigned char map[4 + 4 * UNITS + sizeof strings] = {0};
	uint32_t *units = calloc(UNITS, sizeof *units);
	units[0] = ROOT << 10;
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
		units[entries[i].at] = entries[i].byte | entries[i].leaf << 8 | (entries[i].at ^ entries[i].to) << 10;
		if (entries[i].leaf) units[entries[i].to] = entries[i].place | 1u << 31;
	}
	map[0] = 4 * UNITS & 0xff, map[1] = 4 * UNITS >> 8;
	for (size_t i = 0; i < UNITS; i++)
		for (size_t k = 0; k < 4; k++) map[4 + 4 * i + k] = (unsigned char)(units[i] >> 8 * k);
	memcpy(map + 4 + 4 * UNITS, strings, sizeof strings);
	EVP_EncodeBlock((unsigned char *)coded, map, sizeof map);
	free(units);
}

static void precompiled(void)
{
	static char coded[4096], step[4500];
	static const sample texts[] = {{step, "ca\xc3\xa9" "b.", "cxye.:0-5"}, {step, "a\xcc\x81" "b\xc3\xa9\xcc\x81", "xye:0-4"}, {step, "\xe8\xaa\x9e\xc3\xa8", "\xe8\xaa\x9e\xc3\xa8:0-2"},
	                               {NULL, NULL, NULL}};
	small_map(coded);
	snprintf(step, sizeof step, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"%s\"}", coded);
	check("normalizer", texts);
	char *long_text = malloc(20001), *long_wanted = malloc(40020);
	for (size_t i = 0; i < 20000; i++) long_text[i] = 'a', long_wanted[2 * i] = 'x', long_wanted[2 * i + 1] = 'y';
	long_text[20000] = 0;
	strcpy(long_wanted + 40000, ":0-20000");
	check("normalizer", (sample[]){{step, long_text, long_wanted}, {NULL, NULL, NULL}});
	free(long_text);
	free(long_wanted);
}

#define SPLIT(expression, behavior, more) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" expression "\"},\"behavior\":\"" behavior "\"" more "}"
#define METASPACE(more) "{\"type\":\"Metaspace\",\"replacement\":\"" META "\"" more "}"

static void pre_tokenizers(void)
{
	static const sample samples[] = {
		{"{\"type\":\"BertPreTokenizer\"}", "ab, c", "ab:0-2|,:2-3|c:4-5"},
		{"{\"type\":\"Whitespace\"}", "a_1 ,.\xc3\xa9\xe2\x80\x8d", "a_1:0-3|,.:4-6|\xc3\xa9\xe2\x80\x8d:6-8"},
		{"{\"type\":\"WhitespaceSplit\"}", "a  b", "a:0-1|b:3-4"},
		{"{\"type\":\"Punctuation\"}", "a.b", "a:0-1|.:1-2|b:2-3"},
		{"{\"type\":\"Punctuation\",\"behavior\":\"MergedWithPrevious\"}", "a.b", "a.:0-2|b:2-3"},
		{"{\"type\":\"Punctuation\",\"behavior\":\"Marvel\"}", "", "the pre_tokenizer Punctuation: its behavior \"Marvel\" is unknown"},
		{"{\"type\":\"Digits\"}", "a12", "a:0-1|12:1-3"},
		{"{\"type\":\"Digits\",\"individual_digits\":true}", "12\xc2\xbd", "1:0-1|2:1-2|\xc2\xbd:2-3"},
		{"{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"\xc3\xa9\"}", "a\xc3\xa9" "b", "a:0-1|b:2-3"},
		{"{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}", "", "the pre_tokenizer CharDelimiterSplit: delimiter is \"ab\", not one character"},
		{SPLIT("b", "Removed", ""), "abbc", "a:0-1|c:3-4"},
		{SPLIT("b", "Isolated", ""), "abbc", "a:0-1|b:1-2|b:2-3|c:3-4"},
		{SPLIT("b", "MergedWithNext", ""), "abbc", "a:0-1|b:1-2|bc:2-4"},
		{SPLIT("b", "Contiguous", ""), "abbc", "a:0-1|bb:1-3|c:3-4"},
		{SPLIT("b", "Removed", ",\"invert\":true"), "abbc", "b:1-2|b:2-3"},
		{SPLIT("[\\\\s\\\\w]+|\\\\S", "Isolated", ""), "a b.", "a b:0-3|.:3-4"},
		{SPLIT("\\\\W", "Isolated", ""), "a.\xc2\xb2", "a:0-1|.:1-2|\xc2\xb2:2-3"},
		{SPLIT("\\\\p{Han}", "Removed", ""), "a\xe3\x80\x82\xe8\xaa\x9e", "a\xe3\x80\x82:0-2"}, /* U+3002 is used with Han, and is none */
		{SPLIT("\\\\x{61}\\\\P{L}", "Removed", ""), "xa1", "x:0-1"},
		{SPLIT("[a&&b]", "Removed", ""), "", "the pre_tokenizer Split: the pattern uses && in a class, which ckpt does not read"},
		{SPLIT("\\\\h", "Removed", ""), "", "the pre_tokenizer Split: the pattern uses \\h, which ckpt does not read"},
		{"{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "a b", "\xc4\xa0" "a:0-1|\xc4\xa0" "b:1-3"},
		{"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}", "a b", "a\xc4\xa0" "b:0-3"},
		{METASPACE(""), "a b", META "a:0-1|" META "b:1-3"},
		{METASPACE(",\"prepend_scheme\":\"never\",\"split\":false"), "a b", "a" META "b:0-3"},
		{METASPACE(",\"prepend_scheme\":\"first\""), "a b", META "a:0-1|" META "b:1-3"},
		{METASPACE(",\"add_prefix_space\":false"), "a b", "a:0-1|" META "b:1-3"},
		{METASPACE(",\"prepend_scheme\":\"last\""), "", "the pre_tokenizer Metaspace: its prepend_scheme \"last\" is unknown"},
		{METASPACE(",\"split\":3"), "", "the pre_tokenizer Metaspace: split is a number, not true or false"},
		{"{\"type\":\"Split\",\"pattern\":3,\"behavior\":\"Removed\"}", "", "the pre_tokenizer Split: its pattern is neither {\"String\": ...} nor {\"Regex\": ...}"},
		{"{\"type\":\"Split\",\"pattern\":{\"Glob\":\"a\"},\"behavior\":\"Removed\"}", "", "the pre_tokenizer Split: its pattern is of the unknown kind \"Glob\""},
		{"{\"type\":\"UnicodeScripts\"}", "", "the pre_tokenizer \"UnicodeScripts\" is of a kind that ckpt does not know"},
		{"3", "", "the pre_tokenizer is no object with a type"},
		{NULL, NULL, NULL}};
	check("pre_tokenizer", samples);
}

/* The tokens a, b, ##c, Xa, <0x41>, <0xFF>, " .", "don 't" as text. */
static void decoders(void)
{
	static const sample samples[] = {
		{"null", "0 1 2", "a b ##c"},
		{"{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}", "0 2 6 7", "ac . don 't"},
		{"{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false}", "2 0 6", "##c a  ."},
		{"{\"type\":\"BPEDecoder\",\"suffix\":\"a\"}", "3 0 1", "X  b"},
		{"{\"type\":\"Metaspace\",\"replacement\":\"X\"}", "3 3", "a a"},
		{"{\"type\":\"Metaspace\",\"replacement\":\"X\",\"prepend_scheme\":\"never\"}", "3 3", " a a"},
		{"{\"type\":\"ByteFallback\"}", "4 0 5 4", "Aa\xef\xbf\xbd\xef\xbf\xbd"},
		{"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\"a\",\"start\":1,\"stop\":0}]}", "0 0 1", "ab"},
		{"{\"type\":\"Strip\",\"content\":\"c\",\"start\":0,\"stop\":2}", "2", "##"},
		{"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"#*\"},\"content\":\".\"}", "2", "..c."},
		{"{\"type\":\"Replace\",\"pattern\":{\"String\":\"##\"},\"content\":\"\"}", "2 0", "ca"},
		{"{\"type\":\"ByteLevel\"}", "0 3", "aXa"},
		{"{\"type\":\"Strip\",\"content\":\"c\",\"start\":-1,\"stop\":2}", "", "the decoder Strip: start is no whole number"},
		{"{\"type\":\"CTC\"}", "", "the decoder \"CTC\" is of a kind that ckpt does not know"},
		{NULL, NULL, NULL}};
	for (const sample *s = samples; s->step; s++) {
		ckpt_error err = {0};
		ckpt_buffer json = {0}, out = {0};
		uint32_t ids[8];
		size_t count = 0;
		for (const char *p = s->text; *p; p += p[1] ? 2 : 1) ids[count++] = (uint32_t)(*p - '0');
		ckpt_buffer_printf(&json, "{\"decoder\":%s,\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"b\":1,\"##c\":2,\"Xa\":3,\"<0x41>\":4,\"<0xFF>\":5,\" .\":6,"
		                   "\"don 't\":7}}}", s->step);
		ckpt_tokenizer *t = ckpt_tokenizer_read(json.data, json.length, &err);
		ckpt_encoder *e = t ? ckpt_encoder_new(t, &err) : NULL;
		const char *made = e && ckpt_decode(e, ids, count, false, &out, &err) ? (out.data ? out.data : "") : err.text;
		if (strcmp(made, s->wanted) != 0) fprintf(stderr, "%.90s: wanted \"%s\", found \"%s\"\n", s->step, s->wanted, made);
		CU_ASSERT_STRING_EQUAL(made, s->wanted);
		ckpt_buffer_free(&json);
		ckpt_buffer_free(&out);
		ckpt_encoder_free(e);
		ckpt_tokenizer_free(t);
	}
}

#define POST(more) "\"post_processor\":{" more "}"
#define TEMPLATE(single) POST("\"type\":\"TemplateProcessing\",\"single\":[" single "],\"pair\":[],\"special_tokens\":{\"X\":{\"id\":\"X\",\"ids\":[0],\"tokens\":[\"x\"]}}")

static void post_processors(void)
{
	static const sample samples[] = {
		{TEMPLATE("{\"SpecialToken\":{\"id\":\"X\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"), "a", "x:0-0|a:0-1"},
		{TEMPLATE("{\"Sequence\":{\"id\":\"A\"}},{\"Sequence\":{\"id\":\"A\"}}"), "a", "a:0-1|a:0-1"},
		{TEMPLATE("{\"Sequence\":{\"id\":\"C\"}}"), "", "the post_processor TemplateProcessing: a part of its template is neither a special token nor the sequence A or B"},
		{TEMPLATE("{\"Sequence\":{\"id\":\"A\",\"type_id\":-1}}"), "", "the post_processor TemplateProcessing: a part of its template has no id or no type"},
		{TEMPLATE("{\"SpecialToken\":{\"id\":\"Y\"}}"), "", "the post_processor TemplateProcessing: its special token \"Y\" has 0 ids and 0 tokens"},
		{POST("\"type\":\"BertProcessing\",\"sep\":[\"s\",0],\"cls\":3"), "", "the post_processor BertProcessing: its cls or sep is no [token, id]"},
		{POST("\"type\":\"BertProcessing\",\"sep\":[\"s\",0],\"cls\":[\"c\",0]"), "a", "c:0-0|a:0-1|s:0-0"},
		{POST("\"type\":\"RobertaProcessing\",\"sep\":[\"s\",0],\"cls\":[\"c\",0],\"trim_offsets\":true,\"add_prefix_space\":false"), " a ", "c:0-0| a :1-2|s:0-0"},
		{POST("\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\",\"trim_offsets\":true}]"), " a", " a:0-2"},
		{POST("\"type\":\"Sequence\",\"processors\":[{\"type\":\"BertProcessing\",\"sep\":[\"s\",0],\"cls\":[\"c\",0]},{\"type\":\"BertProcessing\",\"sep\":[\"s\",0],"
		      "\"cls\":[\"c\",0]}]"), "", "the post_processor BertProcessing: there are two templates, which ckpt does not know"},
		{POST("\"type\":\"Sequence\""), "", "the post_processor Sequence has no array of processors"},
		{POST("\"type\":\"Marvel\""), "", "the post_processor \"Marvel\" is of a kind that ckpt does not know"},
		{POST(""), "", "the post_processor is no object with a type"},
		{"\"padding\":{\"pad_type_id\":-1}", "", "pad_type_id is no whole number"},
		{NULL, NULL, NULL}};
	for (const sample *s = samples; s->step; s++) {
		char *made = pieces_of(s->step, s->text);
		if (strcmp(made, s->wanted) != 0) fprintf(stderr, "%.90s: wanted \"%s\", found \"%s\"\n", s->step, s->wanted, made);
		CU_ASSERT_STRING_EQUAL(made, s->wanted);
		free(made);
	}
}

#define MODEL(fields) "{\"model\":{" fields "}}"

/* Fields of models, and how each is refused; wanted: ids, or the sentence. */
static void models(void)
{
	static const sample samples[] = {
		{MODEL("\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]"), "abxa", "2 0"},
		{MODEL("\"type\":\"BPE\",\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"a\":1},\"merges\":[]"), "xxa", "0 0 1"},
		{MODEL("\"type\":\"BPE\",\"unk_token\":\"u\",\"fuse_unk\":true,\"vocab\":{\"u\":0,\"a\":1},\"merges\":[]"), "xxa", "0 1"},
		{MODEL("\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"<0x78>\":1},\"merges\":[]"), "xy", "1 0"},
		{MODEL("\"type\":\"BPE\",\"end_of_word_suffix\":\"_\",\"continuing_subword_prefix\":\"#\",\"vocab\":{\"a\":0,\"#b_\":1,\"ab_\":2,\"#a\":3},\"merges\":[\"a #b_\"]"), "ab", "2"},
		{MODEL("\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{\"a\":0,\"ab\":1},\"merges\":[]"), "ab", "1"},
		{MODEL("\"vocab\":[[\"u\",0],[\"a\",-1],[\"ab\",-3]],\"unk_id\":0"), "abxa", "2 0 1"},
		{MODEL("\"vocab\":[[\"u\",0],[\"<0x78>\",-1],[\"a\",-1]],\"unk_id\":0,\"byte_fallback\":true"), "xa", "1 2"},
		{MODEL("\"vocab\":[[\"a\",-1]]"), "x", "a character is not in the vocabulary, which has no unknown token"},
		{MODEL("\"vocab\":{\"a\":0,\"##b\":1,\"u\":2},\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":2"), "ab", "0 1"},
		{MODEL("\"vocab\":{\"a\":0,\"##b\":1,\"u\":2},\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":2"), "abb", "2"},
		{MODEL("\"type\":\"WordLevel\",\"vocab\":{\"a\":0}"), "x", "a word is not in the vocabulary, which has no unknown token"},
		{MODEL("\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"a\":0}"), "", "the unknown token \"u\" is not in the vocabulary"},
		{MODEL("\"type\":\"WordLevel\",\"vocab\":[]"), "", "the vocabulary is an array, not an object"},
		{MODEL("\"type\":\"WordLevel\""), "", "the vocabulary is missing, not an object"},
		{MODEL("\"type\":\"WordLevel\",\"vocab\":{\"a\":\"b\"}"), "", "the id of the token \"a\" is no whole number"},
		{MODEL("\"type\":\"Unigram\",\"vocab\":{}"), "", "the vocabulary is an object, not an array"},
		{MODEL("\"type\":\"Unigram\",\"vocab\":[[\"a\"]]"), "", "entry 0 of the vocabulary is no [string, score]"},
		{MODEL("\"type\":\"Unigram\",\"vocab\":[[\"a\",\"b\"]]"), "", "the score of the token \"a\" is no number"},
		{MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0}"), "", "the merges are missing, not an array"},
		{MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[3]"), "", "merge 0 is no pair of strings"},
		{MODEL("\"type\":\"WordPiece\",\"max_input_chars_per_word\":-1,\"vocab\":{}"), "", "max_input_chars_per_word is no whole number"},
		{"{\"added_tokens\":3,\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", "", "added_tokens is a number, not an array"},
		{"{\"added_tokens\":[{\"id\":1}],\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", "", "an added token has no content or no id"},
		{NULL, NULL, NULL}};
	for (const sample *s = samples; s->step; s++) {
		ckpt_error err = {0};
		ckpt_encoding got = {0};
		ckpt_buffer out = {0};
		ckpt_tokenizer *t = ckpt_tokenizer_read(s->step, strlen(s->step), &err);
		ckpt_encoder *e = t ? ckpt_encoder_new(t, &err) : NULL;
		if (e && ckpt_encode(e, s->text, strlen(s->text), NULL, 0, NULL, &got, &err))
			for (size_t i = 0; i < got.count; i++) ckpt_buffer_printf(&out, "%s%u", i ? " " : "", got.items[i].id);
		const char *made = err.text[0] ? err.text : out.data ? out.data : "";
		if (strcmp(made, s->wanted) != 0) fprintf(stderr, "%.90s: wanted \"%s\", found \"%s\"\n", s->step, s->wanted, made);
		CU_ASSERT_STRING_EQUAL(made, s->wanted);
		ckpt_buffer_free(&out);
		ckpt_encoding_free(&got);
		ckpt_encoder_free(e);
		ckpt_tokenizer_free(t);
	}
}

/* In front, behind, within words, as it is or as the normaliser makes it. */
static void added_tokens(void)
{
#define ADDED(flags) "\"normalizer\":{\"type\":\"Lowercase\"},\"added_tokens\":[{\"id\":0,\"content\":\"\\u0001\"},{\"id\":1,\"content\":\"Tok\"" flags "}]"
	static const sample samples[] = {
		{ADDED(""), "a TOK b", "a :0-2|tok:2-5| b:5-7"},
		{ADDED(",\"normalized\":false"), "a TOK Tok", "a tok :0-6|Tok:6-9"},
		{ADDED(",\"lstrip\":true,\"rstrip\":true"), "a  tok b", "a:0-1|  tok :1-7|b:7-8"},
		{"\"added_tokens\":[{\"id\":1,\"content\":\" a\",\"rstrip\":true}]", "x a ab", "x:0-1| a :1-4| a:3-5|b:5-6"}, /* both take the space */
		{ADDED(",\"single_word\":true"), "atok tok,", "atok :0-5|tok:5-8|,:8-9"},
		{NULL, NULL, NULL}};
	for (const sample *s = samples; s->step; s++) {
		char *made = pieces_of(s->step, s->text);
		if (strcmp(made, s->wanted) != 0) fprintf(stderr, "%.90s: wanted \"%s\", found \"%s\"\n", s->step, s->wanted, made);
		CU_ASSERT_STRING_EQUAL(made, s->wanted);
		free(made);
	}
}

static const unit_case cases[] = {
	{"normalisers", normalizers}, {"a map of sentencepiece", precompiled}, {"pre-tokenisers", pre_tokenizers}, {"decoders", decoders}, {"post-processors", post_processors},
	{"models", models}, {"added tokens", added_tokens}, {0},
};

const unit_suite unit_text_steps = {"text_steps", cases};
