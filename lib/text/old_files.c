/* old_files.c -- vocab.txt, or vocab.json and merges.txt, written as tokenizer.json and read as that */
#include "old_files.h"

#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "trie.h"

/* Qwen2's split; the others' is the one of ByteLevel. */
#define QWEN2_PATTERN                                                                                                  \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"              \
	"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* A token is a string, or an object with its content. */
static const char *content_of(const ckpt_json *v)
{
	const ckpt_json *m = v && ckpt_json_get_kind(v) == CKPT_JSON_OBJECT ? ckpt_json_field(v, "content") : v;
	return m && ckpt_json_get_kind(m) == CKPT_JSON_STRING ? ckpt_json_string(m) : NULL;
}

static void put_string(ckpt_buffer *b, const char *text)
{
	ckpt_json_write_string(b, text, strlen(text), false);
}

/* ---- added tokens: those of the config, else special and added ones */

static const char *const special_names[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
enum { SPECIAL_NAMES = sizeof special_names / sizeof *special_names };

typedef struct additions {
	const ckpt_text_files *files;
	const ckpt_tokenizer *base; /* without them */
	bool mask_left;             /* a mask token that is a mere string takes the space in front */
	ckpt_trie specials, added;  /* the contents of both; added: to their ids */
	ckpt_buffer text;
	ckpt_error *err;
} additions;

static const ckpt_json *special(const ckpt_text_files *f, const char *name)
{
	const ckpt_json *m = ckpt_json_field(f->special, name);
	return m ? m : ckpt_json_field(f->config, name);
}

static void put_added(additions *a, const char *content, uint64_t id, const ckpt_json *v, bool is_special, bool left)
{
	ckpt_buffer *b = &a->text;
	ckpt_buffer_printf(b, "%s{\"id\":%llu,\"content\":", b->length ? "," : "", (unsigned long long)id);
	put_string(b, content);
	ckpt_buffer_printf(b, ",\"special\":%s,\"normalized\":%s,\"lstrip\":%s,\"rstrip\":%s,\"single_word\":%s}",
	                   is_special ? "true" : "false", ckpt_json_field_flag(v, "normalized", !is_special) ? "true" : "false",
	                   ckpt_json_field_flag(v, "lstrip", left) ? "true" : "false", ckpt_json_field_flag(v, "rstrip", false) ? "true" : "false",
	                   ckpt_json_field_flag(v, "single_word", false) ? "true" : "false");
}

static bool put_special(additions *a, const ckpt_json *v, bool left)
{
	const char *content = content_of(v);
	uint32_t id;
	if (!content) return true;
	if (!ckpt_tokenizer_find(a->base, content, &id) && (id = ckpt_trie_find(&a->added, content, strlen(content))) == CKPT_TRIE_NONE)
		return ckpt_fail(a->err, CKPT_E_FORMAT, "the special token \"%.80s\" is neither in the vocabulary nor in added_tokens.json", content);
	put_added(a, content, id, v, true, left);
	return true;
}

static const ckpt_json *items_of(const ckpt_json *array)
{
	return array && ckpt_json_get_kind(array) == CKPT_JSON_ARRAY ? ckpt_json_child(array) : NULL;
}

static bool note_special(additions *a, const ckpt_json *v)
{
	const char *content = content_of(v);
	return !content || ckpt_trie_add(&a->specials, content, strlen(content), 0) || ckpt_fail_nomem(a->err);
}

/* Both lists may be long, and each is asked for the members of the other. */
static bool index_both(additions *a, const ckpt_json *more)
{
	if (!ckpt_trie_init(&a->specials) || !ckpt_trie_init(&a->added)) return ckpt_fail_nomem(a->err);
	for (int i = 0; i < SPECIAL_NAMES; i++)
		if (!note_special(a, special(a->files, special_names[i]))) return false;
	for (const ckpt_json *e = items_of(more); e; e = ckpt_json_next(e))
		if (!note_special(a, e)) return false;
	for (const ckpt_json *e = a->files->added ? ckpt_json_child(a->files->added) : NULL; e; e = ckpt_json_next(e)) {
		uint64_t id;
		const char *content = ckpt_json_key(e);
		if (!ckpt_json_u64(e, &id) || id > INT32_MAX)
			return ckpt_fail(a->err, CKPT_E_FORMAT, "the id of the added token \"%.80s\" is no whole number below 2^31", content);
		if (!ckpt_trie_add(&a->added, content, strlen(content), (uint32_t)id)) return ckpt_fail_nomem(a->err);
	}
	return true;
}

static bool put_decoder(additions *a, const ckpt_json *decoder)
{
	for (const ckpt_json *e = ckpt_json_child(decoder); e; e = ckpt_json_next(e)) {
		char *end;
		unsigned long long id = strtoull(ckpt_json_key(e), &end, 10);
		if (end == ckpt_json_key(e) || *end || !content_of(e))
			return ckpt_fail(a->err, CKPT_E_FORMAT, "added_tokens_decoder has the entry \"%.40s\", which is no id with a token", ckpt_json_key(e));
		put_added(a, content_of(e), id, e, ckpt_json_field_flag(e, "special", false), false);
	}
	return true;
}

static bool put_all(additions *a)
{
	const ckpt_json *decoder = ckpt_json_field(a->files->config, "added_tokens_decoder"), *more = special(a->files, "additional_special_tokens");
	if (decoder && ckpt_json_get_kind(decoder) == CKPT_JSON_OBJECT && ckpt_json_child(decoder)) return put_decoder(a, decoder);
	if (!index_both(a, more)) return false;
	for (int i = 0; i < SPECIAL_NAMES; i++)
		if (!put_special(a, special(a->files, special_names[i]), a->mask_left && i == SPECIAL_NAMES - 1)) return false;
	for (const ckpt_json *e = items_of(more); e; e = ckpt_json_next(e))
		if (!put_special(a, e, false)) return false;
	for (const ckpt_json *e = a->files->added ? ckpt_json_child(a->files->added) : NULL; e; e = ckpt_json_next(e)) {
		const char *content = ckpt_json_key(e);
		if (ckpt_trie_find(&a->specials, content, strlen(content)) != CKPT_TRIE_NONE) continue;
		put_added(a, content, ckpt_trie_find(&a->added, content, strlen(content)), NULL, false, false);
	}
	return true;
}

/* The tokenizer of what b holds: its model and steps, in an object that is still open. */
static ckpt_tokenizer *finish(ckpt_buffer *b, const ckpt_tokenizer *base, const ckpt_text_files *f, const char *fixed,
                              bool mask_left, ckpt_error *err)
{
	additions a = {.files = f, .base = base, .mask_left = mask_left, .err = err};
	ckpt_tokenizer *t = NULL;
	ckpt_buffer_str(&a.text, fixed);
	if (put_all(&a) && ckpt_buffer_ok(&a.text, err)) {
		ckpt_buffer_str(b, ",\"added_tokens\":[");
		ckpt_buffer_add(b, a.text.data ? a.text.data : "", a.text.length);
		ckpt_buffer_str(b, "]}");
		if (ckpt_buffer_ok(b, err)) t = ckpt_tokenizer_read(b->data, b->length, err);
	}
	ckpt_buffer_free(&a.text);
	ckpt_trie_free(&a.specials);
	ckpt_trie_free(&a.added);
	return t;
}

/* What b holds so far, closed. */
static ckpt_tokenizer *base_of(ckpt_buffer *b, ckpt_error *err)
{
	size_t length = b->length;
	ckpt_buffer_char(b, '}');
	ckpt_tokenizer *t = ckpt_buffer_ok(b, err) ? ckpt_tokenizer_read(b->data, b->length, err) : NULL;
	b->length = length;
	return t;
}

/* ---- vocab.txt: one token a line, its number is the id; the rest is BERT's */

static const char *const bert_tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

static bool put_line(ckpt_buffer *b, ckpt_trie *seen, const char *line, size_t length, size_t id, ckpt_error *err)
{
	uint32_t other = ckpt_trie_find(seen, line, length);
	if (other != CKPT_TRIE_NONE)
		return ckpt_fail(err, CKPT_E_FORMAT, "lines %u and %zu are the same token, \"%.*s\"", other + 1, id + 1, (int)(length < 80 ? length : 80), line);
	if (!ckpt_trie_add(seen, line, length, (uint32_t)id)) return ckpt_fail_nomem(err);
	if (id) ckpt_buffer_char(b, ',');
	ckpt_json_write_string(b, line, length, false);
	ckpt_buffer_printf(b, ":%zu", id);
	return true;
}

static bool put_vocabulary(ckpt_buffer *b, const ckpt_buffer *lines, int64_t ids[5], ckpt_error *err)
{
	ckpt_trie seen;
	size_t id = 0;
	bool good = ckpt_trie_init(&seen) || ckpt_fail_nomem(err);
	for (size_t at = 0; good && at < lines->length; id++) {
		const char *line = lines->data + at, *end = memchr(line, '\n', lines->length - at);
		size_t length = end ? (size_t)(end - line) : lines->length - at;
		at += length + 1;
		if (length && line[length - 1] == '\r') length--;
		for (int k = 0; k < 5; k++)
			if (length == strlen(bert_tokens[k]) && memcmp(line, bert_tokens[k], length) == 0) ids[k] = (int64_t)id;
		good = put_line(b, &seen, line, length, id, err);
	}
	ckpt_trie_free(&seen);
	return good;
}

static void put_bert(ckpt_buffer *b, const ckpt_json *config, const int64_t ids[5])
{
	bool lower = ckpt_json_field_flag(config, "do_lower_case", true);
	ckpt_buffer_printf(b, ",\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%s,",
	                   ckpt_json_field_flag(config, "tokenize_chinese_chars", true) ? "true" : "false");
	ckpt_buffer_printf(b, "\"strip_accents\":%s,\"lowercase\":%s},", ckpt_json_field_flag(config, "strip_accents", lower) ? "true" : "false",
	                   lower ? "true" : "false");
	ckpt_buffer_str(b, "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
	                   "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}");
	if (ids[2] >= 0 && ids[3] >= 0)
		ckpt_buffer_printf(b, ",\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",%lld],\"cls\":[\"[CLS]\",%lld]}",
		                   (long long)ids[3], (long long)ids[2]);
}

ckpt_tokenizer *ckpt_tokenizer_from_lines(const ckpt_text_files *f, ckpt_error *err)
{
	ckpt_buffer b = {0}, fixed = {0};
	ckpt_tokenizer *t = NULL, *base = NULL;
	int64_t ids[5] = {-1, -1, -1, -1, -1};
	ckpt_buffer_str(&b, "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"vocab\":{");
	bool read = put_vocabulary(&b, f->vocabulary, ids, err);
	ckpt_buffer_str(&b, "}}");
	for (int k = 0; k < 5; k++)
		if (ids[k] >= 0)
			ckpt_buffer_printf(&fixed, "%s{\"id\":%lld,\"content\":\"%s\",\"special\":true,\"normalized\":false}", fixed.length ? "," : "",
			                   (long long)ids[k], bert_tokens[k]);
	base = read ? base_of(&b, err) : NULL;
	put_bert(&b, f->config, ids);
	if (base && ckpt_buffer_ok(&fixed, err)) t = finish(&b, base, f, fixed.data ? fixed.data : "", false, err);
	ckpt_tokenizer_free(base);
	ckpt_buffer_free(&b);
	ckpt_buffer_free(&fixed);
	return t;
}

/* ---- vocab.json and merges.txt */

typedef enum bpe_family { GPT2, ROBERTA, QWEN2 } bpe_family;

/* By the class of the tokenizer; where none is named, RoBERTa is known by its tokens. */
static bool family_of(const ckpt_text_files *f, const ckpt_tokenizer *base, bpe_family *family, ckpt_error *err)
{
	static const struct {
		const char *name;
		bpe_family family;
	} known[] = {{"GPT2Tokenizer", GPT2}, {"CodeGenTokenizer", GPT2}, {"RobertaTokenizer", ROBERTA}, {"BartTokenizer", ROBERTA},
	             {"LongformerTokenizer", ROBERTA}, {"LEDTokenizer", ROBERTA}, {"Qwen2Tokenizer", QWEN2}};
	const char *name = content_of(ckpt_json_field(f->config, "tokenizer_class"));
	uint32_t id;
	if (!name) {
		*family = ckpt_tokenizer_find(base, "<s>", &id) && ckpt_tokenizer_find(base, "</s>", &id) && ckpt_tokenizer_find(base, "<mask>", &id)
		              ? ROBERTA : GPT2;
		return true;
	}
	size_t length = strlen(name);
	if (length > 4 && !strcmp(name + length - 4, "Fast")) length -= 4;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].name) == length && memcmp(known[i].name, name, length) == 0) {
			*family = known[i].family;
			return true;
		}
	return ckpt_fail(err, CKPT_E_UNSUPPORTED, "without tokenizer.json, ckpt does not know how a %.60s uses vocab.json and merges.txt", name);
}

static void put_merges(ckpt_buffer *b, const ckpt_buffer *lines)
{
	bool some = false;
	for (size_t at = 0; at < lines->length;) {
		const char *line = lines->data + at, *end = memchr(line, '\n', lines->length - at);
		size_t length = end ? (size_t)(end - line) : lines->length - at;
		at += length + 1;
		if (length && line[length - 1] == '\r') length--;
		if (!length || (length >= 8 && memcmp(line, "#version", 8) == 0)) continue;
		if (some) ckpt_buffer_char(b, ',');
		some = true;
		ckpt_json_write_string(b, line, length, false);
	}
}

/* ["token", id] */
static bool put_pair(ckpt_buffer *b, const ckpt_text_files *f, const ckpt_tokenizer *base, const char *name, const char *missing,
                     ckpt_error *err)
{
	const char *token = content_of(special(f, name));
	uint32_t id;
	if (!token) token = missing;
	if (!ckpt_tokenizer_find(base, token, &id)) return ckpt_fail(err, CKPT_E_FORMAT, "the token \"%.80s\" is not in the vocabulary", token);
	ckpt_buffer_char(b, '[');
	put_string(b, token);
	ckpt_buffer_printf(b, ",%u]", id);
	return true;
}

/* A token in front of each text. */
static bool put_front(ckpt_buffer *b, const ckpt_text_files *f, const ckpt_tokenizer *base, ckpt_error *err)
{
	const char *token = content_of(special(f, "bos_token"));
	uint32_t id;
	if (!token) token = "<|endoftext|>";
	if (!ckpt_tokenizer_find(base, token, &id)) return ckpt_fail(err, CKPT_E_FORMAT, "the token \"%.80s\" is not in the vocabulary", token);
	ckpt_buffer t = {0};
	put_string(&t, token);
	if (!ckpt_buffer_ok(&t, err)) {
		ckpt_buffer_free(&t);
		return false;
	}
	ckpt_buffer_printf(b, "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":%s,\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],", t.data);
	ckpt_buffer_printf(b, "\"pair\":[{\"SpecialToken\":{\"id\":%s,\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
	                      "{\"SpecialToken\":{\"id\":%s,\"type_id\":1}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],", t.data, t.data);
	ckpt_buffer_printf(b, "\"special_tokens\":{%s:{\"id\":%s,\"ids\":[%u],\"tokens\":[%s]}}}", t.data, t.data, id, t.data);
	ckpt_buffer_free(&t);
	return true;
}

static bool put_steps(ckpt_buffer *b, bpe_family family, const ckpt_text_files *f, const ckpt_tokenizer *base, ckpt_error *err)
{
	const char *space = ckpt_json_field_flag(f->config, "add_prefix_space", false) ? "true" : "false";
	ckpt_buffer_str(b, ",\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":");
	if (family == QWEN2) {
		ckpt_buffer_str(b, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":");
		put_string(b, QWEN2_PATTERN);
		ckpt_buffer_str(b, "}},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"normalizer\":{\"type\":\"NFC\"}");
	} else {
		ckpt_buffer_printf(b, "{\"type\":\"ByteLevel\",\"add_prefix_space\":%s}", space);
	}
	ckpt_buffer_str(b, ",\"post_processor\":");
	if (family == ROBERTA) {
		ckpt_buffer_printf(b, "{\"type\":\"RobertaProcessing\",\"trim_offsets\":%s,\"add_prefix_space\":%s,\"sep\":",
		                   ckpt_json_field_flag(f->config, "trim_offsets", true) ? "true" : "false", space);
		if (!put_pair(b, f, base, "sep_token", "</s>", err)) return false;
		ckpt_buffer_str(b, ",\"cls\":");
		if (!put_pair(b, f, base, "cls_token", "<s>", err)) return false;
		ckpt_buffer_char(b, '}');
		return true;
	}
	if (family == GPT2 && ckpt_json_field_flag(f->config, "add_bos_token", false)) return put_front(b, f, base, err);
	ckpt_buffer_str(b, "{\"type\":\"ByteLevel\",\"trim_offsets\":false}");
	return true;
}

/* The special tokens that a class has where no file names others, as far as the vocabulary holds them. */
static void put_defaults(ckpt_buffer *b, const ckpt_tokenizer *base, bpe_family family)
{
	static const char *const usual[] = {"<|endoftext|>", "<s>", "</s>", "<unk>", "<pad>", "<mask>"};
	size_t from = family == ROBERTA ? 1 : 0, to = family == ROBERTA ? 6 : 1;
	uint32_t id;
	for (size_t i = from; i < to; i++)
		if (ckpt_tokenizer_find(base, usual[i], &id))
			ckpt_buffer_printf(b, "%s{\"id\":%u,\"content\":\"%s\",\"special\":true,\"normalized\":false,\"lstrip\":%s}", b->length ? "," : "", id,
			                   usual[i], i == 5 ? "true" : "false");
}

ckpt_tokenizer *ckpt_tokenizer_from_merges(const ckpt_text_files *f, ckpt_error *err)
{
	enum { DEPTH = 8 };
	ckpt_buffer b = {0}, fixed = {0};
	ckpt_tokenizer *t = NULL, *base = NULL;
	bpe_family family = GPT2;
	const char *text = f->vocabulary->data ? f->vocabulary->data : "";
	ckpt_json *alone = ckpt_json_parse(text, f->vocabulary->length, DEPTH, err); /* it stands within other JSON: must be whole */
	if (!alone) return NULL;
	ckpt_buffer_str(&b, "{\"model\":{\"type\":\"BPE\",\"vocab\":");
	ckpt_buffer_add(&b, text, f->vocabulary->length);
	ckpt_buffer_str(&b, ",\"merges\":[");
	put_merges(&b, f->merges);
	ckpt_buffer_str(&b, "]}");
	base = base_of(&b, err);
	if (base && family_of(f, base, &family, err) && put_steps(&b, family, f, base, err)) {
		put_defaults(&fixed, base, family);
		if (ckpt_buffer_ok(&fixed, err)) t = finish(&b, base, f, fixed.data ? fixed.data : "", family == ROBERTA, err);
	}
	ckpt_tokenizer_free(base);
	ckpt_json_free(alone);
	ckpt_buffer_free(&fixed);
	ckpt_buffer_free(&b);
	return t;
}
