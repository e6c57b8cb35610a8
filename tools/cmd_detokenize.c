/* cmd_detokenize.c -- ckpt detokenize: ids back to text */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/json.h"
#include "../lib/text/text.h"
#include "lines.h"
#include "tool.h"

typedef struct options {
	bool no_special, json;
} options;

typedef struct work {
	const options *o;
	ckpt_encoder *encoder;
	size_t printed;
} work;

/* "101 7592", "101,7592" or "[101, 7592]". */
static bool parse(const char *text, size_t length, uint32_t **ids, size_t *count, ckpt_error *err)
{
	*count = 0;
	*ids = malloc((length / 2 + 1) * sizeof **ids);
	if (!*ids) return ckpt_fail_nomem(err);
	for (const char *p = text; p < text + length;) {
		if (isspace((unsigned char)*p) || *p == ',' || *p == '[' || *p == ']') {
			p++;
			continue;
		}
		size_t digits = strspn(p, "0123456789");
		unsigned long long id = digits && digits < 11 ? strtoull(p, NULL, 10) : UINT64_MAX;
		if (id > INT32_MAX) return ckpt_fail(err, CKPT_E_USAGE, "\"%.40s\" is no id", p);
		(*ids)[(*count)++] = (uint32_t)id;
		p += digits;
	}
	return true;
}

static bool one(void *context, const char *text, size_t length, ckpt_error *err)
{
	work *w = context;
	uint32_t *ids = NULL;
	size_t count;
	ckpt_buffer plain = {0}, out = {0};
	bool good = parse(text, length, &ids, &count, err) && ckpt_decode(w->encoder, ids, count, w->o->no_special, &plain, err);
	if (good && w->o->json) {
		ckpt_buffer_str(&out, w->printed ? ", " : "[");
		ckpt_json_write_string(&out, plain.data ? plain.data : "", plain.length, false);
	} else if (good) {
		ckpt_text_append(&out, plain.data ? plain.data : "", plain.length);
		ckpt_buffer_char(&out, '\n');
	}
	good = good && ckpt_buffer_ok(&out, err);
	if (good) fwrite(out.data, 1, out.length, stdout);
	w->printed++;
	free(ids);
	ckpt_buffer_free(&plain);
	ckpt_buffer_free(&out);
	return good;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	ckpt_tokenizer *t = ckpt_tokenizer_open(call->arguments[0], err);
	work w = {.o = call->options, .encoder = t ? ckpt_encoder_new(t, err) : NULL};
	bool good = w.encoder != NULL;
	for (size_t i = 1; good && i < call->argument_count; i++) good = ckpt_lines_each(call->arguments[i], one, &w, err);
	if (good && w.o->json) puts(w.printed ? "]" : "[]");
	ckpt_encoder_free(w.encoder);
	ckpt_tokenizer_free(t);
	return good ? CKPT_EXIT_OK : CKPT_EXIT_BY_ERROR;
}

static const char *const synopsis[] = {"MODEL IDS... [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Turns ids back into text, as the decoder of the tokenizer says. MODEL is what `ckpt tokenize` takes; IDS is one text's "
	       "ids in one argument, with spaces or commas between them, as `ckpt tokenize` prints them; @FILE or - (standard input) stands for one text's ids a line. An id that is not in the "
	       "vocabulary is refused. Control characters are shown escaped, but not in JSON."},
	{"JSON", "With `--json` one array of strings is printed, one for each IDS."},
	{0},
};

static const ckpt_option table[] = {
	{"no-special-tokens", 0, CKPT_OPTION_FLAG, offsetof(options, no_special), NULL, "leave out [CLS], </s> and other special tokens", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, offsetof(options, json), NULL, "print JSON", 0, 0},
	{0},
};

const ckpt_tool ckpt_tool_detokenize = {
	.name = "detokenize",
	.summary = "turn ids back into text",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.options_size = sizeof(options),
	.models = CKPT_MODELS_FIRST | CKPT_MODELS_TOKENIZER,
	.arguments_min = 2,
	.arguments_max = SIZE_MAX,
	.run = run,
};
