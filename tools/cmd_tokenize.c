/* cmd_tokenize.c -- ckpt tokenize: text to the ids that a model sees */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/text/text.h"
#include "lines.h"
#include "table.h"
#include "texts.h"
#include "tool.h"

typedef struct options {
	const char *pair;
	bool no_special, padding, offsets, json;
	uint64_t max_length;
} options;

/* What the texts, one after the other, are done with. */
typedef struct work {
	const ckpt_call *call;
	const options *o;
	ckpt_tokenizer *tokenizer;
	ckpt_encoder *encoder;
	ckpt_encoding spare;
	ckpt_encoding *batch; /* with padding: kept until the longest is known */
	size_t count, room, printed, number; /* number: of the text, for messages */
} work;

static bool print_json(work *w, const ckpt_encoding *e, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_buffer_str(&b, w->printed++ ? ",\n {" : "[{");
	ckpt_texts_put_json(&b, stdout, e);
	ckpt_buffer_char(&b, '}');
	bool good = ckpt_buffer_ok(&b, err);
	if (good) fwrite(b.data, 1, b.length, stdout);
	ckpt_buffer_free(&b);
	return good;
}

static bool print_table(work *w, const ckpt_encoding *e, ckpt_error *err)
{
	static const ckpt_column columns[] = {{.title = "id", .right = true}, {.title = "token", .least = 8}, {.title = "span", .right = true}};
	ckpt_buffer text = {0};
	ckpt_table *t = ckpt_table_new(columns, 3);
	if (!t) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < e->count; i++) {
		const ckpt_token *x = e->items + i;
		size_t length;
		const char *token = ckpt_token_text(e, i, &length);
		text.length = 0;
		ckpt_buffer_add(&text, token, length);
		ckpt_table_format(t, "%" PRIu32, x->id);
		ckpt_table_text(t, text.data ? text.data : "");
		ckpt_table_format(t, "%" PRIu32 "-%" PRIu32, x->from, x->to);
	}
	if (w->printed++) putchar('\n');
	bool good = ckpt_table_print(t, stdout, &w->call->terminal, true, err) && ckpt_buffer_ok(&text, err);
	ckpt_table_free(t);
	ckpt_buffer_free(&text);
	return good;
}

static bool print(work *w, const ckpt_encoding *e, ckpt_error *err)
{
	if (w->o->json) return print_json(w, e, err);
	if (w->call->terminal.out || w->o->offsets) return print_table(w, e, err);
	for (size_t i = 0; i < e->count; i++) printf("%s%" PRIu32, i ? " " : "", e->items[i].id);
	putchar('\n');
	return true;
}

static bool keep(work *w, ckpt_encoding e, ckpt_error *err)
{
	if (w->count == w->room) {
		size_t room = w->room ? w->room * 2 : 16;
		ckpt_encoding *more = realloc(w->batch, room * sizeof *more);
		if (!more) {
			ckpt_encoding_free(&e);
			return ckpt_fail_nomem(err);
		}
		w->batch = more;
		w->room = room;
	}
	w->batch[w->count++] = e;
	return true;
}

static bool one(void *context, const char *text, size_t length, ckpt_error *err)
{
	work *w = context;
	const options *o = w->o;
	ckpt_encode_options how = {o->no_special, o->max_length};
	w->number++;
	if (!ckpt_encode(w->encoder, text, length, o->pair, o->pair ? strlen(o->pair) : 0, &how, &w->spare, err))
		return ckpt_error_prefix(err, "text %zu", w->number);
	if (!o->padding) return print(w, &w->spare, err);
	ckpt_encoding e = w->spare;
	w->spare = (ckpt_encoding){0};
	return keep(w, e, err);
}

static bool finish(work *w, ckpt_error *err)
{
	size_t longest = 0;
	for (size_t i = 0; i < w->count; i++)
		if (w->batch[i].count > longest) longest = w->batch[i].count;
	for (size_t i = 0; i < w->count; i++)
		if (!ckpt_encoding_pad(w->tokenizer, w->batch + i, longest, err) || !print(w, w->batch + i, err)) return false;
	if (w->o->json) puts(w->printed ? "]" : "[]");
	return true;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	work w = {.call = call, .o = call->options};
	bool good = (w.tokenizer = ckpt_tokenizer_open(call->arguments[0], err)) && (w.encoder = ckpt_encoder_new(w.tokenizer, err));
	for (size_t i = 1; good && i < call->argument_count; i++) good = ckpt_lines_each(call->arguments[i], one, &w, err);
	good = good && finish(&w, err);
	for (size_t i = 0; i < w.count; i++) ckpt_encoding_free(w.batch + i);
	free(w.batch);
	ckpt_encoding_free(&w.spare);
	ckpt_encoder_free(w.encoder);
	ckpt_tokenizer_free(w.tokenizer);
	return good ? CKPT_EXIT_OK : CKPT_EXIT_BY_ERROR;
}

static const char *const synopsis[] = {"MODEL TEXT... [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Turns text into the ids that a model sees, as the tokenizers library and transformers do. MODEL is a folder, a "
	       "`tokenizer.json` or a checkpoint beside one; where there is none, `vocab.txt` is read as BERT does, or "
	       "`vocab.json` with `merges.txt` as GPT-2, RoBERTa, BART or Qwen2 do. Of a model on the Hub (`org/name`) only these files are "
	       "fetched. TEXT is a text, "
	       "@FILE or - (standard input) stands for a text a line."},
	{NULL, "WordPiece, BPE (byte-level and with byte fallback), Unigram and WordLevel models are known, with the normalisers, "
	       "pre-tokenisers, post-processors and decoders of BERT, GPT-2, RoBERTa, Llama, Qwen2, T5, ALBERT and their kin; another "
	       "kind is refused by its name. A truncation or padding that the file asks for is not done unless an option says so."},
	{NULL, "On a terminal, or with `--offsets`, every text is a table of ids, tokens and spans in characters; otherwise a line of ids."},
	{"JSON", "With `--json` one array is printed, with an object for each text: `ids`, `tokens`, `offsets` (the first character and "
	         "the one behind the last, as Python counts them) and `attention_mask` (0 for padding)."},
	{0},
};

static const ckpt_option table[] = {
	{"pair", 0, CKPT_OPTION_TEXT, offsetof(options, pair), "TEXT", "a second text for each TEXT, as in question answering", 0, 0},
	{"no-special-tokens", 0, CKPT_OPTION_FLAG, offsetof(options, no_special), NULL, "without [CLS], </s> and what else is put around", 0, 0},
	{"max-length", 0, CKPT_OPTION_COUNT, offsetof(options, max_length), "N", "cut to N ids, special tokens included; of a pair the longer text first; at the end, or on the side that the files name", 1, 0},
	{"padding", 0, CKPT_OPTION_FLAG, offsetof(options, padding), NULL, "pad all texts to the length of the longest", 0, 0},
	{"offsets", 0, CKPT_OPTION_FLAG, offsetof(options, offsets), NULL, "print the table also where no terminal is", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, offsetof(options, json), NULL, "print JSON", 0, 0},
	{0},
};

const ckpt_tool ckpt_tool_tokenize = {
	.name = "tokenize",
	.summary = "turn text into the ids that a model sees",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.options_size = sizeof(options),
	.models = CKPT_MODELS_FIRST | CKPT_MODELS_TOKENIZER,
	.arguments_min = 2,
	.arguments_max = SIZE_MAX,
	.run = run,
};
