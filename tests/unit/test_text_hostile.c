/* test_text_hostile.c -- tokenizers made to cost: one clear sentence each, in bounded time */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../lib/text/text.h"
#include "unit.h"

enum { MOST_SECONDS = 60 }; /* of the processor, for what would else take hours; sanitizers are slow */

static void repeat(ckpt_buffer *b, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++) ckpt_buffer_str(b, text);
}

/* word NULL: the tokenizer of json is good, and the text too. */
static void try(const char *json, const char *text, const char *word)
{
	ckpt_error err = {0};
	ckpt_encoding got = {0};
	clock_t start = clock();
	ckpt_tokenizer *t = ckpt_tokenizer_read(json, strlen(json), &err);
	ckpt_encoder *e = t ? ckpt_encoder_new(t, &err) : NULL;
	bool good = e && ckpt_encode(e, text, strlen(text), NULL, 0, NULL, &got, &err);
	CU_ASSERT_EQUAL(good, word == NULL);
	CU_ASSERT(!word || strstr(err.text, word) != NULL);
	CU_ASSERT(!word || (strlen(err.text) < 1024 && strchr(err.text, '\n') == NULL));
	CU_ASSERT(clock() - start < (clock_t)MOST_SECONDS * CLOCKS_PER_SEC);
	if (word && !strstr(err.text, word)) fprintf(stderr, "wanted \"%s\", found \"%s\"\n", word, err.text);
	ckpt_encoding_free(&got);
	ckpt_encoder_free(e);
	ckpt_tokenizer_free(t);
}

static void cycles_in_merges(void)
{
	static const char json[] =
		"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"ba\":3,\"aba\":4,\"bab\":5,\"\":6},\"merges\":[\"ab a\",\"a ba\","
		"\"b ab\",\"ba b\",\"a b\",\"b a\",\"a b\"]}}";
	ckpt_buffer text = {0};
	repeat(&text, "ab", 100000);
	try(json, text.data, NULL);
	try("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"\":1},\"merges\":[[\"\",\"a\"]]}}", "aa", "merge 0");
	ckpt_buffer_free(&text);
}

static void far_ids(void)
{
	static const char *const ids[] = {"2147483648", "4294967296", "9223372036854775808", "18446744073709551616", "-1", "1.5", "1e30"};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		ckpt_buffer b = {0};
		ckpt_buffer_printf(&b, "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"tok\":%s}}}", ids[i]);
		try(b.data, "", "\"tok\"");
		b.length = 0;
		ckpt_buffer_printf(&b, "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}},\"added_tokens\":[{\"content\":\"tok\",\"id\":%s}]}", ids[i]);
		try(b.data, "", i < 3 ? "\"tok\"" : "added token");
		ckpt_buffer_free(&b);
	}
}

static void duplicates(void)
{
	try("{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"a\",\"vocab\":{\"a\":0,\"b\":1,\"a\":2}}}", "", "duplicate key 'a'");
	try("{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"a\",\"vocab\":{\"a\":0,\"b\":0}}}", "", "both have the id 0");
	try("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0],[\"b\",0],[\"a\",0]]}}", "", "\"a\" is there twice");
	try("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}},\"added_tokens\":[{\"content\":\"a\",\"id\":1}]}", "", "in the vocabulary it is 0");
	try("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}},\"added_tokens\":[{\"content\":\"b\",\"id\":0}]}", "", "both have the id 0");
}

static void nested(void)
{
	enum { DEEP = 1000000 };
	static const char *const rooms[][3] = {{"normalizer", "normalizers", "NFC"}, {"pre_tokenizer", "pretokenizers", "Whitespace"}, {"decoder", "decoders", "Fuse"}};
	ckpt_buffer b = {0};
	repeat(&b, "[", DEEP);
	try(b.data, "", "128");
	for (int k = 0; k < 3; k++) {
		b.length = 0;
		ckpt_buffer_printf(&b, "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}},\"%s\":", rooms[k][0]);
		size_t begin = b.length;
		for (int i = 0; i < DEEP; i++) ckpt_buffer_printf(&b, "{\"type\":\"Sequence\",\"%s\":[", rooms[k][1]);
		try(b.data, "", "128");
		b.length = begin;
		ckpt_buffer_printf(&b, "{\"type\":\"Sequence\",\"%s\":[{\"type\":\"%s\"}", rooms[k][1], rooms[k][2]);
		for (int i = 1; i < DEEP; i++) ckpt_buffer_printf(&b, ",{\"type\":\"%s\"}", rooms[k][2]);
		ckpt_buffer_str(&b, "]}}");
		try(b.data, "", "more than 1024 steps");
	}
	ckpt_buffer_free(&b);
}

/* Patterns that cost at one place, at every place, or by what they walk without going back. */
static void patterns(void)
{
	static const char *const hostile[] = {
		"(a+)+$", "(a|aa)+$", "(a|a?)+[bc]", "(?:a*[bc]|a)*[cd]", "a*a*a*a*[bc]", "\\\\p{L}+\\\\d", "a+[bc]", "(?=a*[bc])a",
		"(?:a{1,9000})+[bc]", "(?<=a)a*[bc]", "(?:a{9000}|a)+[bc]"};
	ckpt_buffer text = {0}, json = {0};
	repeat(&text, "a", 199999);
	ckpt_buffer_char(&text, '!');
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		json.length = 0;
		ckpt_buffer_printf(&json, "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0}},\"pre_tokenizer\":{\"type\":\"Split\","
		                   "\"pattern\":{\"Regex\":\"%s\"},\"behavior\":\"Isolated\"}}", hostile[i]);
		try(json.data, text.data, "200000 bytes");
	}
	ckpt_buffer_free(&text);
	ckpt_buffer_free(&json);
	try("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}},\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"(a+)\\\\1\"}}}",
	    "", "refers back");
}

/* Strings of which a text holds all but the end, everywhere. */
static void long_tokens(void)
{
	enum { LONG = 100000 };
	ckpt_buffer text = {0}, json = {0};
	repeat(&text, "a", LONG);
	ckpt_buffer_printf(&json, "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"#\",\"max_input_chars_per_word\":"
	                   "1000000000,\"vocab\":{\"u\":0,\"a\":1,\"#a\":2,\"#%sb\":3}}}", text.data);
	try(json.data, text.data, "1024 for each byte");
	json.length = 0;
	ckpt_buffer_printf(&json, "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0],[\"%sb\",0]]}}", text.data);
	try(json.data, text.data, "1024 for each byte");
	json.length = 0;
	ckpt_buffer_printf(&json, "{\"added_tokens\":[{\"id\":1,\"content\":\"%sb\"}],\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0}}}",
	                   text.data);
	try(json.data, text.data, "1024 for each byte");
	text.length = 0; /* a space that takes all spaces behind it, too */
	repeat(&text, " ", LONG);
	try("{\"added_tokens\":[{\"id\":1,\"content\":\" \",\"rstrip\":true}],\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0}}}",
	    text.data, "1024 for each byte");
	text.length = 0;
	repeat(&text, "a", LONG);
	json.length = 0;
	ckpt_buffer_printf(&json, "{\"model\":{\"type\":\"BPE\",\"continuing_subword_prefix\":\"%s\",\"vocab\":{},\"merges\":[]}}", text.data);
	try(json.data, "", "100000 bytes, at most 256");
	ckpt_buffer_free(&text);
	ckpt_buffer_free(&json);
}

static const unit_case cases[] = {
	{"cycles in merges", cycles_in_merges}, {"ids beyond 2^31", far_ids}, {"duplicate tokens", duplicates},
	{"a million steps, nested and in a row", nested}, {"catastrophic patterns", patterns}, {"very long tokens", long_tokens}, {0},
};

const unit_suite unit_text_hostile = {"text_hostile", cases};
