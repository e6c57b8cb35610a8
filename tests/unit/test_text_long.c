/* test_text_long.c -- long lines take time in proportion, whatever they are full of and whichever model reads them */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../lib/text/text.h"
#include "unit.h"

/* AddressSanitizer looks at all that memmem might read, at every call. */
#ifdef __has_feature
#define CLANG_ASAN __has_feature(address_sanitizer)
#else
#define CLANG_ASAN 0
#endif
#if CLANG_ASAN || defined __SANITIZE_ADDRESS__
enum { SHORT = 5000 };
#else
enum { SHORT = 50000 };
#endif
enum { TIMES = 10, MOST = 30 };
#define SLACK 0.05 /* seconds: less is not measured well */

#define SPECIAL "\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true}],"
/* Pairs, and pairs of these: so many merges stand in each other's way in a long word. */
#define MERGED "\"a\":1,\"b\":2,\"aa\":3,\"ab\":4,\"aaaa\":5,\"abaa\":6"
#define MERGES "\"merges\":[\"a a\",\"a b\",\"aa aa\",\"ab aa\"]"

static const struct {
	const char *name, *json;
} models[] = {
	{"WordPiece", "{" SPECIAL "\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\","
	              "\"unk_token\":\"<s>\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100000000,\"vocab\":{\"<s>\":0,\"a\":1,\"##a\":2,\"##b\":3,"
	              "\"##aa\":4,\"##aaaa\":5}}}"},
	{"byte-level BPE", "{" SPECIAL "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":\"BPE\",\"vocab\":{\"<s>\":0," MERGED
	                   ",\"\xc4\xa0\":7,\"\xc4\xa0\xc4\xa0\":8}," MERGES ",\"unk_token\":\"<s>\"}}"},
	{"BPE of a whole line", "{" SPECIAL "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"},{\"type\":\"Replace\","
	                        "\"pattern\":{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}]},\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"fuse_unk\":true,\"unk_token\":"
	                        "\"<s>\",\"vocab\":{\"<s>\":0," MERGED ",\"\xe2\x96\x81\":7}," MERGES "}}"},
	{"Unigram", "{" SPECIAL "\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\"},\"model\":{\"type\":\"Unigram\","
	            "\"unk_id\":0,\"vocab\":[[\"<s>\",0],[\"a\",-3],[\"ab\",-4],[\"aaa\",-5],[\"aaaaaaaa\",-6],[\"\xe2\x96\x81\",-2]]}}"},
};

static const char *const units[] = {"aab ba, a ", "aabab", "a", " ", "\xcc\x81\xcc\xa3", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7\xe2\x80\x8d", "0123456789", "!?.,",
                                    "\xe8\xaa\x9e", "<s>"};

static double seconds(ckpt_encoder *e, const char *text, size_t length)
{
	ckpt_error err = {0};
	ckpt_encoding got = {0};
	clock_t start = clock();
	CU_ASSERT_TRUE(ckpt_encode(e, text, length, NULL, 0, NULL, &got, &err));
	clock_t stop = clock();
	ckpt_encoding_free(&got);
	return (double)(stop - start) / CLOCKS_PER_SEC;
}

static void long_lines(void)
{
	char *text = malloc(SHORT * TIMES);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
		ckpt_error err = {0};
		ckpt_tokenizer *t = ckpt_tokenizer_read(models[m].json, strlen(models[m].json), &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t);
		ckpt_encoder *e = ckpt_encoder_new(t, &err);
		for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
			size_t n = strlen(units[u]), count = SHORT / n;
			for (size_t i = 0; i < count * TIMES; i++) memcpy(text + i * n, units[u], n);
			double few = seconds(e, text, count * n), many = seconds(e, text, count * n * TIMES);
			if (many > MOST * few + SLACK) fprintf(stderr, "%s, \"%s\": %.3f s and %.3f s\n", models[m].name, units[u], few, many);
			CU_ASSERT_TRUE(many <= MOST * few + SLACK);
		}
		ckpt_encoder_free(e);
		ckpt_tokenizer_free(t);
	}
	free(text);
}

static const unit_case cases[] = {{"a line ten times as long takes at most thirty times as long", long_lines}, {0}};

const unit_suite unit_text_long = {"text_long", cases};
