/* test_text_files.c -- tokenizers from folders: vocab.txt, vocab.json with merges.txt, and what lies beside them */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/text/text.h"
#include "files.h"
#include "unit.h"

#define LINES "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nab\n##c\nAb\n"
#define VOCAB "{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3,\"\xc4\xa0" "ab\":4,\"<s>\":5,\"</s>\":6,\"<mask>\":7,\"<pad>\":8,\"<|endoftext|>\":9}"
#define MERGES "#version: 0.2\r\na b\r\n\xc4\xa0 ab\n\n"

static void put(const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof path, "tok/%s", name);
	unit_write(path, text, strlen(text));
}

/* An empty folder with one file or two; texts NULL: not there. */
static const char *folder(const char *lines, const char *vocab, const char *merges)
{
	const char *path = unit_mkdir("tok");
	if (lines) put("vocab.txt", lines);
	if (vocab) put("vocab.json", vocab);
	if (merges) put("merges.txt", merges);
	return path;
}

/* wanted: ids with spaces between them; a word that is no number: one of the refusal. */
static void gives(const char *text, const char *pair, const char *wanted)
{
	ckpt_error err = {0};
	ckpt_encoding got = {0};
	ckpt_buffer ids = {0};
	ckpt_tokenizer *t = ckpt_tokenizer_open(unit_path("tok"), &err);
	ckpt_encoder *e = t ? ckpt_encoder_new(t, &err) : NULL;
	if (e && ckpt_encode(e, text, strlen(text), pair, pair ? strlen(pair) : 0, NULL, &got, &err))
		for (size_t i = 0; i < got.count; i++) ckpt_buffer_printf(&ids, "%s%u", i ? " " : "", got.items[i].id);
	bool good = e ? ids.data && !strcmp(ids.data, wanted) : strstr(err.text, wanted) != NULL;
	if (!good) fprintf(stderr, "wanted \"%s\", found \"%s\" and \"%s\"\n", wanted, ids.data ? ids.data : "", err.text);
	CU_ASSERT_TRUE(good);
	ckpt_buffer_free(&ids);
	ckpt_encoding_free(&got);
	ckpt_encoder_free(e);
	ckpt_tokenizer_free(t);
}

static void lines(void)
{
	folder(LINES, NULL, NULL);
	gives("Abc [MASK] x", NULL, "2 5 6 4 1 3");
	gives("ab", "ab", "2 5 3 5 3");
	put("vocab.txt", "[UNK]\r\nab\r\n");
	gives("ab x", NULL, "1 0");
	put("vocab.txt", LINES);
	put("tokenizer_config.json", "{\"do_lower_case\":false,\"strip_accents\":true,\"tokenize_chinese_chars\":false}");
	gives("Ab ab", NULL, "2 7 5 3");
	put("vocab.txt", "ab\n");
	gives("ab", NULL, "[UNK]");
	put("vocab.txt", "[UNK]\nab\nab\n");
	gives("ab", NULL, "vocab.txt: lines 2 and 3 are the same token, \"ab\"");
}

static void special_and_added(void)
{
	folder(LINES "<x>\n", NULL, NULL);
	put("special_tokens_map.json", "{\"mask_token\":\"[MASK]\",\"bos_token\":{\"content\":\"<x>\",\"lstrip\":true,\"rstrip\":true},"
	                               "\"additional_special_tokens\":[\"<y>\"]}");
	put("added_tokens.json", "{\"<y>\":9,\"<z>\":10}");
	gives("ab<x>ab<y><z>ab", NULL, "2 5 8 5 9 10 5 3");
	put("added_tokens.json", "{\"<z>\":10}");
	gives("ab", NULL, "\"<y>\" is neither");
	put("added_tokens.json", "{\"<y>\":-1}");
	gives("ab", NULL, "\"<y>\" is no whole number");
	put("added_tokens.json", "[]");
	gives("ab", NULL, "added_tokens.json: this is an array");
	put("added_tokens.json", "{\"<y>\":9");
	gives("ab", NULL, "added_tokens.json");
}

static void decoder_of_the_config(void)
{
	folder(LINES, NULL, NULL);
	put("tokenizer_config.json", "{\"added_tokens_decoder\":{\"9\":{\"content\":\"<w>\",\"special\":true},\"4\":{\"content\":\"[MASK]\",\"lstrip\":true}}}");
	gives("ab<w>", NULL, "2 5 9 3");
	put("tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"<w>\"}}}");
	gives("ab", NULL, "entry \"x\"");
	put("tokenizer_config.json", "{\"added_tokens_decoder\":{\"9\":{}}}");
	gives("ab", NULL, "entry \"9\"");
	put("tokenizer_config.json", "3");
	gives("ab", NULL, "tokenizer_config.json: this is a number");
}

static void merges(void)
{
	folder(NULL, VOCAB, MERGES);
	gives("ab ab", NULL, "5 2 4 6"); /* <s>, </s> and <mask>: RoBERTa */
	gives("ab", "b", "5 2 6 6 1 6");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"GPT2TokenizerFast\"}");
	gives("ab ab<|endoftext|>", NULL, "2 4 9");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,\"add_prefix_space\":true,\"bos_token\":{\"content\":\"<s>\"}}");
	gives("ab", NULL, "5 4");
	gives("ab", "b", "5 4 5 3 1");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true}");
	gives("ab", NULL, "9 2");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"Qwen2Tokenizer\"}");
	gives("ab ab", NULL, "2 4");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"BartTokenizer\",\"sep_token\":\"<pad>\"}");
	gives("ab <mask>", NULL, "5 2 7 8");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"LEDTokenizer\",\"cls_token\":\"<cls>\"}");
	gives("ab", NULL, "\"<cls>\"");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,\"bos_token\":\"<bos>\"}");
	gives("ab", NULL, "\"<bos>\"");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"CLIPTokenizer\"}");
	gives("ab", NULL, "CLIPTokenizer");
	folder(NULL, "{\"a\":0,\"b\":1,\"ab\":2}", "a b");
	gives("ab", NULL, "2");
	folder(NULL, "{\"a\":0}}", "");
	gives("a", NULL, "vocab.json");
	folder(NULL, "{\"a\":0}", "a a\n");
	gives("a", NULL, "merge 0");
}

static void missing(void)
{
	static const char *const pieces[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model"};
	ckpt_error err = {0};
	folder(NULL, VOCAB, NULL);
	gives("ab", NULL, "vocab.json is there alone");
	folder(NULL, NULL, MERGES);
	gives("ab", NULL, "merges.txt is there alone");
	folder(NULL, NULL, NULL);
	gives("ab", NULL, "there is no tokenizer.json");
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		folder(NULL, NULL, NULL);
		put(pieces[i], "x");
		gives("ab", NULL, "save_pretrained");
	}
	CU_ASSERT_PTR_NULL(ckpt_tokenizer_open(unit_path("nowhere.json"), &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nowhere.json: there is no such file"));
	err = (ckpt_error){0};
	CU_ASSERT_PTR_NULL(ckpt_tokenizer_open(unit_path("nowhere"), &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no such file or folder"));
}

/* The file itself, a checkpoint beside it, and what pads. */
static void whole_file(void)
{
	static const char json[] = "{\"padding\":{\"pad_token\":\"b\",\"direction\":\"Left\",\"pad_type_id\":3},\"truncation\":{\"direction\":\"Left\"},"
	                           "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2}}}";
	ckpt_error err = {0};
	ckpt_encoding got = {0};
	folder(NULL, NULL, NULL);
	put("tokenizer.json", json);
	put("model.safetensors", "");
	for (int k = 0; k < 2; k++) {
		ckpt_tokenizer *t = ckpt_tokenizer_open(unit_path(k ? "tok/model.safetensors" : "tok/tokenizer.json"), &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t);
		ckpt_encoder *e = ckpt_encoder_new(t, &err);
		CU_ASSERT_TRUE(ckpt_encode(e, "a b c", 5, NULL, 0, &(ckpt_encode_options){.max_length = 2}, &got, &err));
		CU_ASSERT_TRUE(got.count == 2 && got.items[0].id == 1 && got.items[1].id == 2);
		CU_ASSERT_TRUE(ckpt_encoding_pad(t, &got, 3, &err));
		CU_ASSERT_TRUE(got.count == 3 && got.items[0].id == 1 && got.items[0].type == 3 && !got.items[0].attention && got.items[1].attention);
		ckpt_encoder_free(e);
		ckpt_tokenizer_free(t);
	}
	put("tokenizer_config.json", "{\"pad_token\":{\"content\":\"c\"},\"padding_side\":\"right\",\"truncation_side\":\"right\"}");
	ckpt_tokenizer *t = ckpt_tokenizer_open(unit_path("tok"), &err);
	ckpt_encoder *e = ckpt_encoder_new(t, &err);
	CU_ASSERT_TRUE(ckpt_encode(e, "a b", 3, NULL, 0, &(ckpt_encode_options){.max_length = 1}, &got, &err));
	CU_ASSERT_TRUE(ckpt_encoding_pad(t, &got, 2, &err));
	CU_ASSERT_TRUE(got.count == 2 && got.items[0].id == 0 && got.items[1].id == 2);
	ckpt_encoder_free(e);
	ckpt_tokenizer_free(t);
	ckpt_encoding_free(&got);
	put("tokenizer.json", "[]");
	gives("a", NULL, "tokenizer.json: a tokenizer is an object");
}

static const unit_case cases[] = {
	{"vocab.txt", lines}, {"special and added tokens", special_and_added}, {"added tokens of the config", decoder_of_the_config},
	{"vocab.json and merges.txt", merges}, {"what is missing", missing}, {"tokenizer.json, cut and padded on the left", whole_file}, {0},
};

const unit_suite unit_text_files = {"text_files", cases};
