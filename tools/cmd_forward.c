/* cmd_forward.c -- ckpt forward: what a model computes */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../lib/checkpoint.h"
#include "forward.h"
#include "ids.h"
#include "model_open.h"
#include "progress.h"

typedef struct options {
	ckpt_input_options input;
	ckpt_text_options text;
	const char *config, *class_name, *type, *output;
	int precision; /* 0: f32, 1: f64 */
	uint64_t repeat, generate; /* 0: as the class and the input have it */
	bool no_cache, hidden, json, time, force;
} options;

/* ---- passes ---------------------------------------------------------------------------------------------------- */

typedef struct measured {
	double seconds;
	ckpt_forward_timing parts;
} measured;

static int by_seconds(const void *a, const void *b)
{
	const measured *x = a, *y = b;
	return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

static void note_parts(const ckpt_forward *f, ckpt_forward_timing *t)
{
	t->part_count = 0;
	while (t->part_count < CKPT_FORWARD_PARTS_MOST) {
		double seconds;
		const char *name = ckpt_forward_part(f, t->part_count, &seconds);
		if (!name) break;
		t->parts[t->part_count].name = name;
		t->parts[t->part_count++].seconds = seconds;
	}
}

/* One pass; with `repeat` that one does not count and so many more do. The outputs of the last, which words go on behind where
 * there is something to generate. */
static ckpt_checkpoint *compute(ckpt_forward *f, const ckpt_forward_input *in, const ckpt_forward_options *o,
                                const ckpt_generate_options *words, uint64_t repeat, ckpt_forward_timing *timing, ckpt_error *err)
{
	size_t runs = repeat ? (size_t)repeat + 1 : 1, skip = repeat ? 1 : 0;
	measured *all = calloc(runs, sizeof *all);
	ckpt_checkpoint *out = NULL;
	timing->seconds = calloc(runs, sizeof *timing->seconds);
	bool ok = (all && timing->seconds) || ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < runs; i++) {
		ckpt_checkpoint_free(out);
		double start = ckpt_now();
		out = words->count && i + 1 == runs ? ckpt_forward_prompt(f, in, o, words, err) : ckpt_forward_run(f, in, o, err);
		all[i].seconds = ckpt_now() - start;
		ok = out != NULL;
		if (ok) note_parts(f, &all[i].parts);
	}
	if (ok) {
		double *seconds = timing->seconds;
		qsort(all + skip, runs - skip, sizeof *all, by_seconds);
		*timing = all[skip + (runs - skip) / 2].parts;
		timing->seconds = seconds;
		timing->count = runs - skip;
		timing->tokens = in->batch * (in->length + in->decoder_length);
		for (size_t i = skip; i < runs; i++) seconds[i - skip] = all[i].seconds;
	}
	free(all);
	return out;
}

/* ---- the file of outputs --------------------------------------------------------------------------------------- */

/* The first output that is no state of a layer. */
static size_t main_output(const ckpt_checkpoint *out)
{
	for (size_t i = 0; i < out->count; i++)
		if (!strstr(out->tensors[i].name, "hidden_states.")) return i;
	return 0;
}

static bool save(const ckpt_call *call, const ckpt_checkpoint *out, const options *o, ckpt_error *err)
{
	const ckpt_save_options how = {.force = o->force, .limits = call->open.limits};
	size_t length = strlen(o->output), first = main_output(out);
	ckpt_checkpoint *one = NULL;
	if (length > 4 && strcasecmp(o->output + length - 4, ".npy") == 0 && out->count > 1) {
		ckpt_remark(call, "a .npy file holds one array: %s alone is written", out->tensors[first].name);
		one = ckpt_checkpoint_subset(out, &first, 1, err);
		if (!one) return false;
	}
	bool ok = ckpt_save(one ? one : out, o->output, &how, NULL, err);
	ckpt_checkpoint_free(one);
	return ok;
}

/* ---- words ----------------------------------------------------------------------------------------------------- */

/* How many words, where the class gives some or --generate asks for them, and how; 0: none. */
static bool plan_words(const ckpt_call *call, const ckpt_model *model, ckpt_generation *g, ckpt_error *err)
{
	const options *o = call->options;
	bool texts = o->text.texts.count && ckpt_forward_generates(model);
	if (!o->generate && !texts) return true;
	if (o->input.decoder_ids || o->input.decoder_mask)
		return ckpt_fail(err, CKPT_E_USAGE, "--generate begins the decoder itself: no decoder input goes with it");
	if (!ckpt_generation_read(call, call->arguments[0], model, g, err)) return false;
	g->how.count = o->generate ? o->generate : CKPT_GENERATE_DEFAULT;
	g->how.no_cache = o->no_cache;
	g->how.f64 = o->precision == 1;
	return true;
}

/* What the heads say to texts, and the words behind them. */
static bool speak(ckpt_forward *f, const ckpt_model *model, const ckpt_inputs *inputs, const ckpt_texts *texts, const ckpt_checkpoint *out,
                  const ckpt_generation *g, ckpt_said *said, ckpt_error *err)
{
	said->texts = texts;
	return (!texts->count || ckpt_said_read(said, texts, model, &inputs->in, out, err)) &&
	       (!g->how.count || ckpt_said_generate(said, f, &inputs->in, out, &g->how, err));
}

/* The texts as input. */
static bool encode(const ckpt_call *call, const ckpt_model *model, ckpt_texts *texts, ckpt_inputs *inputs, ckpt_error *err)
{
	const options *o = call->options;
	return ckpt_texts_open(texts, call->arguments[0], err) && ckpt_texts_encode(texts, &o->text, model, inputs, err);
}

static bool show(const ckpt_call *call, const ckpt_opened *model, const ckpt_checkpoint *out, const ckpt_forward_timing *timing,
                 const ckpt_forward_input *in, const ckpt_said *said, ckpt_error *err)
{
	const options *o = call->options;
	const ckpt_forward_result result = {.model = model->model, .outputs = out, .f64 = o->precision == 1, .values = !o->output,
	                                    .timing = o->time || o->repeat ? timing : NULL, .in = in, .said = said,
	                                    .terminal = &call->terminal};
	if (o->output && !save(call, out, o, err)) return false;
	return o->json ? ckpt_forward_print_json(&result, err) : ckpt_forward_print_text(&result, err);
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const options *o = call->options;
	const ckpt_model_choice choice = {call->arguments[0], o->config, o->class_name, o->type};
	const ckpt_forward_options how = {.f64 = o->precision == 1, .hidden_states = o->hidden, .threads = call->threads};
	ckpt_inputs inputs = {0};
	ckpt_opened model = {0};
	ckpt_forward_timing timing = {0};
	ckpt_forward *f = NULL;
	ckpt_checkpoint *out = NULL;
	ckpt_texts texts = {0};
	ckpt_said said = {0};
	ckpt_generation words = {0};
	bool ok = ckpt_texts_check(&o->text, &o->input, err) &&
	          (o->input.ids || o->text.texts.count || ckpt_fail(err, CKPT_E_USAGE, "--input-ids is missing, or --text"));
	ok = ok && (!o->input.ids || ckpt_inputs_read(call, &o->input, &inputs, err)) &&
	     ckpt_opened_make(call, &choice, &model, err) && ckpt_opened_remark(call, &choice, &model, err) &&
	     (o->input.ids ? !o->generate || ckpt_texts_start_decoder(model.model, &inputs, err)
	                   : encode(call, model.model, &texts, &inputs, err)) &&
	     plan_words(call, model.model, &words, err);
	if (ok) f = ckpt_forward_new(model.model, err);
	if (f) out = compute(f, &inputs.in, &how, &words.how, o->repeat, &timing, err);
	if (ok && (!out || !speak(f, model.model, &inputs, &texts, out, &words, &said, err))) ok = ckpt_error_prefix(err, "%s", call->arguments[0]);
	ok = ok && show(call, &model, out, &timing, &inputs.in, &said, err);
	ckpt_said_free(&said);
	ckpt_texts_free(&texts);
	ckpt_checkpoint_free(out);
	ckpt_forward_free(f);
	ckpt_opened_free(&model);
	ckpt_inputs_free(&inputs);
	free(timing.seconds);
	return ok ? CKPT_EXIT_OK : CKPT_EXIT_BY_ERROR;
}

/* ---- the row ------------------------------------------------------------------------------------------------- */

static const char *const synopsis[] = {"MODEL --text TEXT... [OPTION]...", "MODEL --input-ids IDS [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Runs the model on texts or token ids and prints every output under transformers' name of the field, its shape, and its values "
	       "as torch prints them. MODEL is a folder with config.json and weights, or a file of weights with its config.json "
	       "beside it or named by `--config`. The class is the one that the config declares; `--class` takes another one "
	       "that the weights serve, such as BertModel for a BertForMaskedLM."},
	{NULL, "Weights stay in their file, mapped, in their own dtype (F32, F16, BF16, F64), and each is converted when it is used; "
	       "the dtype of the computation is `--precision`. Results are the same, bit for bit, for every number of threads. `f64` "
	       "computes everything in double precision: a yardstick for the rounding errors of all others, several times slower."},
	{NULL, "`--text` takes the tokenizer beside the model (see `ckpt tokenize`); its ids come first, padding makes the mask. `--pair` gives "
	       "the text before it a second one. Then the head speaks, as the pipelines of transformers do:"},
	{NULL, " masks     the five best words for each, with probabilities\n"
	       " labels    of a text, best first; of each token, the best; with scores\n"
	       " pairs     whether the second text follows (BERT), or both are in order (ALBERT)\n"
	       " choices   which row is best (--text QUESTION --pair ONE --pair ANOTHER)\n"
	       " answers   a span of at most 15 tokens (--text QUESTION --pair CONTEXT)\n"
	       " words     the next ten, or --generate N, each the most likely one"},
	{NULL, "Scores of labels are probabilities that add up to 1; each label's own where `problem_type` of the config is "
	       "multi_label_classification, or there is one label alone; and the model's number itself where it is regression. Words end at an end "
	       "token of generation_config.json, or of config.json where there is no such file."},
	{NULL, "While words are generated the keys and values of each layer are kept, at most `--limit cache-bytes` of them (for each token "
	       "4 or 8 bytes x 2 x layers x numbers of a key), so that the pass whose outputs are shown is the first step; types without such a cache, and `--no-cache`, compute the whole sequence "
	       "for each token."},
	CKPT_INPUT_PARAGRAPH,
	{"JSON", "An object with `type`, `class`, `precision`, `outputs` (an object: for each name `dtype`, `shape` and `data`, nested "
	         "lists as of `ckpt cat --json`; no data with `--output`), `labels` for classifiers (for each sequence a list of objects with "
	         "`label` and `score`, best first; for token classifiers an object for each token), with `--text` `texts` (as of `ckpt tokenize`, with `token_type_ids`), "
	         "`masks` (each with `row`, `position` and `words`: `id`, `token`, null beyond the vocabulary, and `score`), `answers` (null, or "
	         "`answer`, `score`, `start` and `end` in characters), and `generated` (for each row `ids`, `stopped`: end, count or length, `margin`, the smallest distance of a chosen "
	         "logit from the next, `seconds` behind that pass, `cache_bytes`, and with `--text` `tokens` and `text`); with `--time` or `--repeat` `seconds` with `min`, `median` and "
	         "`max`, `passes`, `tokens`, `tokens_per_second` and `parts`, the seconds of each part of the pass in the middle."},
	{0},
};

static const ckpt_option table[] = {
	CKPT_TEXT_OPTIONS(options),
	CKPT_INPUT_OPTIONS(options),
	{"generate", 0, CKPT_OPTION_COUNT, offsetof(options, generate), "N",
	 "go on with N tokens, each the most likely one (default: 10 with --text where the class gives words)", 1, 1u << 24},
	{"no-cache", 0, CKPT_OPTION_FLAG, offsetof(options, no_cache), NULL, "compute the whole sequence anew for each token", 0, 0},
	{"config", 0, CKPT_OPTION_CONFIG, offsetof(options, config), "PATH", "config.json, or a folder or model on the Hub that has one", 0, 0},
	{"class", 0, CKPT_OPTION_TEXT, offsetof(options, class_name), "CLASS",
	 "the class: BertForMaskedLM, or ForMaskedLM (default: as the config declares)", 0, 0},
	{"type", 0, CKPT_OPTION_TEXT, offsetof(options, type), "TYPE", "the model type, where config.json does not say it", 0, 0},
	{"output-hidden-states", 0, CKPT_OPTION_FLAG, offsetof(options, hidden), NULL, "the output of every layer too", 0, 0},
	{"precision", 0, CKPT_OPTION_CHOICE, offsetof(options, precision), "f32|f64", "of the computation (default: f32)", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, offsetof(options, json), NULL, "print JSON, with all values", 0, 0},
	{"output", 'o', CKPT_OPTION_TEXT, offsetof(options, output), "FILE",
	 "write all values to a file (.safetensors, .npz, .npy, ...) and print names and shapes alone", 0, 0},
	{"force", 'f', CKPT_OPTION_FLAG, offsetof(options, force), NULL, "replace FILE when it exists", 0, 0},
	{"time", 0, CKPT_OPTION_FLAG, offsetof(options, time), NULL, "print times by part, and tokens per second", 0, 0},
	{"repeat", 0, CKPT_OPTION_COUNT, offsetof(options, repeat), "N", "time N passes after one that does not count", 1, 1000000},
	{0},
};

static const ckpt_example examples[] = {
	{"ckpt forward model --input-ids '[[3,5,4],[3,7,4]]'", "The outputs for two sequences of three tokens."},
	{"ckpt forward model --text 'Hello!' --text 'Cool.' --text 'Nice!'", "Three texts in one batch."},
	{"ckpt forward model --text 'Who is it?' --pair 'The king.'", "A question and its context."},
	{"ckpt forward model --input-ids '[[3,5,4]]' --precision f64 -o out.safetensors", "All values, computed in double precision."},
	{"ckpt forward model --input-ids '[3,5,4]' --repeat 5 --json", "One sequence, with the time of five passes."},
	{0},
};

const ckpt_tool ckpt_tool_forward = {
	.name = "forward",
	.summary = "run a model on texts or token ids and print what it computes",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.options_size = sizeof(options),
	.uses = CKPT_USES_READ | CKPT_USES_WORK,
	.models = CKPT_MODELS_FIRST,
	.arguments_min = 1,
	.arguments_max = 1,
	.examples = examples,
	.run = run,
};
