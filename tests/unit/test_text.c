/* test_text.c -- tokenizers: small ones of each kind, spans, templates, padding, decoding, hostile files */
#include <stdlib.h>
#include <string.h>

#include "../../lib/text/old_files.h"
#include "../../lib/text/steps.h"
#include "../../lib/text/text.h"
#include "../../lib/text/trie.h"
#include "unit.h"

#define WORDPIECE                                                                                                      \
	"{\"added_tokens\":[{\"id\":0,\"content\":\"[PAD]\",\"special\":true,\"normalized\":false},"                       \
	"{\"id\":2,\"content\":\"[CLS]\",\"special\":true,\"normalized\":false}],"                                         \
	"\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"                   \
	"\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"                    \
	"\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]},"                    \
	"\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"                                         \
	"\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","                  \
	"\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"nice\":4,\"##ly\":5,\"!\":6,\"cafe\":7,\"n\":8}}}"
#define BPE                                                                                                            \
	"{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"},"     \
	"\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3,\"\xc4\xa0"                       \
	"ab\":4,\"\xc3\x83\":5,\"\xc2\xa9\":6},\"merges\":[\"a b\",[\"\xc4\xa0\",\"ab\"]]}}"
#define UNIGRAM                                                                                                        \
	"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"},"      \
	"\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"},"             \
	"\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"\xe2\x96\x81\",-2],[\"a\",-3],"          \
	"[\"ab\",-3.5],[\"\xe2\x96\x81"                                                                                    \
	"a\",-1],[\"b\",-4]]}}"

static void expect(const char *json, const char *text, const char *pair, const ckpt_encode_options *o, size_t count,
                   const uint32_t *ids)
{
	ckpt_error err = {0};
	ckpt_encoding got = {0};
	ckpt_tokenizer *t = ckpt_tokenizer_read(json, strlen(json), &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	ckpt_encoder *e = ckpt_encoder_new(t, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	for (int again = 0; again < 2; again++) { /* the second time from the cache */
		CU_ASSERT_TRUE(ckpt_encode(e, text, strlen(text), pair, pair ? strlen(pair) : 0, o, &got, &err));
		CU_ASSERT_EQUAL_FATAL(got.count, count);
		for (size_t i = 0; i < count; i++) CU_ASSERT_EQUAL(got.items[i].id, ids[i]);
	}
	ckpt_encoding_free(&got);
	ckpt_encoder_free(e);
	ckpt_tokenizer_free(t);
}

static void wordpiece(void)
{
	ckpt_encode_options bare = {.no_special = true}, cut = {.max_length = 3}, tight = {.max_length = 5};
	expect(WORDPIECE, "Nicely!", NULL, NULL, 5, (uint32_t[]){2, 4, 5, 6, 3});
	expect(WORDPIECE, "Caf\xc3\xa9 nic [CLS]", NULL, &bare, 3, (uint32_t[]){7, 1, 2});
	expect(WORDPIECE, "", NULL, NULL, 2, (uint32_t[]){2, 3});
	expect(WORDPIECE, "nice nice", NULL, &cut, 3, (uint32_t[]){2, 4, 3});
	expect(WORDPIECE, "nicely", "!", NULL, 6, (uint32_t[]){2, 4, 5, 3, 6, 3});
	expect(WORDPIECE, "nicely", "!", &tight, 5, (uint32_t[]){2, 4, 3, 6, 3});
}

static void spans(void)
{
	ckpt_error err = {0};
	ckpt_encoding got = {0};
	const char *text = "\xe2\x80\x83" "Cafe\xcc\x81 nicely";
	ckpt_tokenizer *t = ckpt_tokenizer_read(WORDPIECE, strlen(WORDPIECE), &err);
	ckpt_encoder *e = ckpt_encoder_new(t, &err);
	CU_ASSERT_TRUE(ckpt_encode(e, text, strlen(text), NULL, 0, NULL, &got, &err));
	CU_ASSERT_EQUAL_FATAL(got.count, 5);
	CU_ASSERT_EQUAL(got.items[1].from, 1);
	CU_ASSERT_EQUAL(got.items[1].to, 5);
	CU_ASSERT_EQUAL(got.items[2].from, 7);
	CU_ASSERT_EQUAL(got.items[3].to, 13);
	CU_ASSERT_TRUE(ckpt_encoding_pad(t, &got, 7, &err));
	CU_ASSERT_EQUAL(got.count, 7);
	CU_ASSERT_EQUAL(got.items[6].id, 0);
	CU_ASSERT_FALSE(got.items[6].attention);
	CU_ASSERT_FALSE(ckpt_encode(e, "ab\xff", 3, NULL, 0, NULL, &got, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "byte 2"));
	ckpt_encoding_free(&got);
	ckpt_encoder_free(e);
	ckpt_tokenizer_free(t);
}

static void bpe_and_unigram(void)
{
	expect(BPE, "ab ab", NULL, NULL, 2, (uint32_t[]){2, 4});
	expect(BPE, "ba\xc3\xa9", NULL, NULL, 4, (uint32_t[]){1, 0, 5, 6});
	expect(UNIGRAM, "ab", NULL, NULL, 2, (uint32_t[]){4, 5});
	expect(UNIGRAM, "xyab", NULL, NULL, 3, (uint32_t[]){1, 0, 3});
}

/* What is added is found in the text alone: no part of a word becomes it, whatever its id. */
static void added_tokens_are_no_vocabulary(void)
{
#define ADDED(id) "{\"added_tokens\":[{\"id\":" #id ",\"content\":\"ab\",\"single_word\":true,\"normalized\":false}],\"model\":{"
	static const char *const models[] = {
		ADDED(5000) "\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"u\",0],[\"a\",-1],[\"b\",-2],[\"c\",-3]]}}",
		ADDED(5000) "\"type\":\"WordPiece\",\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"a\":1,\"b\":2,\"c\":3}}}",
		ADDED(5000) "\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{\"u\":0,\"a\":1,\"b\":2,\"c\":3},\"merges\":[]}}"};
	for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
		expect(models[i], "abc", NULL, NULL, 3, (uint32_t[]){1, 2, 3});
		expect(models[i], "ab", NULL, NULL, 1, (uint32_t[]){5000});
	}
}

static void decoded(const char *json, const uint32_t *ids, size_t count, bool skip, const char *wanted)
{
	ckpt_error err = {0};
	ckpt_buffer out = {0};
	ckpt_tokenizer *t = ckpt_tokenizer_read(json, strlen(json), &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	ckpt_encoder *e = ckpt_encoder_new(t, &err);
	bool good = ckpt_decode(e, ids, count, skip, &out, &err);
	CU_ASSERT_EQUAL(good, wanted != NULL);
	if (good && wanted) CU_ASSERT_STRING_EQUAL(out.data, wanted);
	ckpt_buffer_free(&out);
	ckpt_encoder_free(e);
	ckpt_tokenizer_free(t);
}

static void decode(void)
{
	decoded(WORDPIECE, (uint32_t[]){2, 4, 5, 6}, 4, false, "[CLS] nicely!");
	decoded(WORDPIECE, (uint32_t[]){2, 4, 5, 6}, 4, true, "nicely!");
	decoded(WORDPIECE, (uint32_t[]){99}, 1, false, NULL);
	decoded(BPE, (uint32_t[]){4, 5, 6}, 3, false, " ab\xc3\xa9");
	decoded(BPE, (uint32_t[]){5, 0}, 2, false, "\xef\xbf\xbd" "a");
	decoded(UNIGRAM, (uint32_t[]){4, 5, 1, 2}, 4, false, "ab a");
}

/* Steps that double a text 40 times are stopped long before memory is. */
static void steps_are_bounded(void)
{
	static const char twice[] = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}";
	static const char *const kinds[][2] = {{"normalizer", "normalizers"}, {"decoder", "decoders"}};
	for (int k = 0; k < 2; k++) {
		ckpt_buffer b = {0}, plain = {0};
		ckpt_error err = {0};
		ckpt_encoding got = {0};
		ckpt_buffer_printf(&b, "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"a\",\"vocab\":{\"a\":0}},\"%s\":{\"type\":"
		                   "\"Sequence\",\"%s\":[", kinds[k][0], kinds[k][1]);
		for (int i = 0; i < 40; i++) ckpt_buffer_printf(&b, "%s%s", i ? "," : "", twice);
		ckpt_buffer_str(&b, "]}}");
		ckpt_tokenizer *t = ckpt_tokenizer_read(b.data, b.length, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t);
		ckpt_encoder *e = ckpt_encoder_new(t, &err);
		bool good = k ? ckpt_decode(e, (uint32_t[]){0}, 1, false, &plain, &err) : ckpt_encode(e, "a", 1, NULL, 0, NULL, &got, &err);
		CU_ASSERT_FALSE(good);
		CU_ASSERT_EQUAL(err.code, CKPT_E_LIMIT);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "1048640 bytes"));
		ckpt_encoding_free(&got);
		ckpt_buffer_free(&plain);
		ckpt_buffer_free(&b);
		ckpt_encoder_free(e);
		ckpt_tokenizer_free(t);
	}
}

static void byte_chars(void)
{
	for (int b = 0; b < 256; b++) CU_ASSERT_EQUAL(ckpt_char_byte(ckpt_byte_char((uint8_t)b)), b);
	CU_ASSERT_EQUAL(ckpt_byte_char(' '), 0x120);
	CU_ASSERT_EQUAL(ckpt_char_byte(0x144), -1);
}

static void tries(void)
{
	ckpt_trie t;
	char name[16];
	CU_ASSERT_TRUE_FATAL(ckpt_trie_init(&t));
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "%u", i * 7919);
		CU_ASSERT_TRUE(ckpt_trie_add(&t, name, strlen(name), i));
	}
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "%u", i * 7919);
		CU_ASSERT_EQUAL(ckpt_trie_find(&t, name, strlen(name)), i);
	}
	CU_ASSERT_EQUAL(ckpt_trie_find(&t, "x", 1), CKPT_TRIE_NONE);
	CU_ASSERT_EQUAL(ckpt_trie_find(&t, "", 0), CKPT_TRIE_NONE);
	ckpt_trie_free(&t);
}

static void refused(const char *json, const char *word)
{
	ckpt_error err = {0};
	ckpt_tokenizer *t = ckpt_tokenizer_read(json, strlen(json), &err);
	CU_ASSERT_PTR_NULL(t);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	ckpt_tokenizer_free(t);
}

static void hostile(void)
{
	refused("[]", "an array");
	refused("{}", "missing");
	refused("{\"model\":{\"type\":\"Marvel\"}}", "Marvel");
	refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":2147483648}}}", "2147483648");
	refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":2147483647}}}", "2147483647");
	refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":1,\"b\":1}}}", "both");
	refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":1,\"a\":2}}}", "a");
	refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1},\"merges\":[\"a a\"]}}", "merge 0");
	refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1},\"merges\":[\"aa\"]}}", "no pair");
	refused("{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{},\"merges\":[]}}", "dropout");
	refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1]],\"unk_id\":1}}", "unk_id");
	refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}},\"normalizer\":{\"type\":\"Magic\"}}", "Magic");
	refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}},\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////w==\"}}", "trie");
	refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}},\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Removed\"}}", "pattern");
	ckpt_buffer parts = {0};
	for (int i = 0; i < 65; i++) ckpt_buffer_printf(&parts, "%s{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}", i ? "," : "");
	ckpt_buffer_str(&parts, "],\"pair\":[],\"special_tokens\":{}},\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}");
	char *many = NULL;
	CU_ASSERT_FATAL(asprintf(&many, "{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[%s", parts.data) > 0);
	refused(many, "65 parts, at most 64");
	free(many);
	ckpt_buffer_free(&parts);
	size_t n = strlen(WORDPIECE);
	for (size_t i = 0; i < n; i++) {
		ckpt_error err = {0};
		char *cut = strndup(WORDPIECE, i);
		CU_ASSERT_PTR_NULL(ckpt_tokenizer_read(cut, i, &err));
		CU_ASSERT_NOT_EQUAL(err.text[0], 0);
		free(cut);
	}
}

/* Two long lists that are looked up in each other: each token special, found once, at its id. */
static void long_lists_of_special_tokens(void)
{
	enum { COUNT = 20000 };
	ckpt_buffer lines = {0}, added = {0}, special = {0};
	ckpt_error err = {0};
	uint32_t id;
	ckpt_buffer_str(&lines, "[UNK]\n[CLS]\n[SEP]\na\n");
	for (int i = 0; i < COUNT; i++) {
		ckpt_buffer_printf(&added, "%s\"t%d\":%d", i ? "," : "{", i, i + 4);
		ckpt_buffer_printf(&special, "%s\"t%d\"", i ? "," : "{\"additional_special_tokens\":[", i);
	}
	ckpt_buffer_str(&added, "}");
	ckpt_buffer_str(&special, "]}");
	ckpt_json *a = ckpt_json_parse(added.data, added.length, 8, &err), *s = ckpt_json_parse(special.data, special.length, 8, &err);
	CU_ASSERT_FATAL(a && s);
	ckpt_tokenizer *t = ckpt_tokenizer_from_lines(&(ckpt_text_files){.vocabulary = &lines, .special = s, .added = a}, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(ckpt_tokenizer_size(t), COUNT + 4);
	CU_ASSERT_TRUE(ckpt_tokenizer_find(t, "t19999", &id) && id == COUNT + 3);
	ckpt_tokenizer_free(t);
	ckpt_json_free(a);
	ckpt_json_free(s);
	ckpt_buffer_free(&lines);
	ckpt_buffer_free(&added);
	ckpt_buffer_free(&special);
}

static const unit_case cases[] = {
	{"WordPiece, templates, truncation", wordpiece}, {"spans, padding, invalid UTF-8", spans}, {"BPE and Unigram", bpe_and_unigram},
	{"added tokens are no vocabulary", added_tokens_are_no_vocabulary}, {"decoders", decode}, {"steps are bounded", steps_are_bounded}, {"characters for bytes", byte_chars}, {"tries", tries}, {"hostile files, cut at every byte", hostile},
	{"long lists of special tokens", long_lists_of_special_tokens}, {0},
};

const unit_suite unit_text = {"text", cases};
