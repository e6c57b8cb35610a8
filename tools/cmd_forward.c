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
	const char *config, *class_name, *type, *output;
	int precision; /* 0: f32, 1: f64 */
	uint64_t repeat;
	bool hidden, json, time, force;
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

/* One pass; with `repeat` that one does not count and so many more do. The outputs of the last. */
static ckpt_checkpoint *compute(ckpt_forward *f, const ckpt_forward_input *in, const ckpt_forward_options *o, uint64_t repeat,
                                ckpt_forward_timing *timing, ckpt_error *err)
{
	size_t runs = repeat ? (size_t)repeat + 1 : 1, skip = repeat ? 1 : 0;
	measured *all = calloc(runs, sizeof *all);
	ckpt_checkpoint *out = NULL;
	timing->seconds = calloc(runs, sizeof *timing->seconds);
	bool ok = (all && timing->seconds) || ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < runs; i++) {
		ckpt_checkpoint_free(out);
		double start = ckpt_now();
		out = ckpt_forward_run(f, in, o, err);
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

static bool save(const ckpt_call *call, const ckpt_checkpoint *out, const options *o, ckpt_error *err)
{
	const ckpt_save_options how = {.force = o->force, .limits = call->open.limits};
	size_t length = strlen(o->output), first = 0;
	ckpt_checkpoint *one = NULL;
	if (length > 4 && strcasecmp(o->output + length - 4, ".npy") == 0 && out->count > 1) {
		ckpt_remark(call, "a .npy file holds one array: %s alone is written", out->tensors[0].name);
		one = ckpt_checkpoint_subset(out, &first, 1, err);
		if (!one) return false;
	}
	bool ok = ckpt_save(one ? one : out, o->output, &how, NULL, err);
	ckpt_checkpoint_free(one);
	return ok;
}

static bool show(const ckpt_call *call, const ckpt_opened *model, const ckpt_checkpoint *out, const ckpt_forward_timing *timing,
                 ckpt_error *err)
{
	const options *o = call->options;
	const ckpt_forward_result result = {.model = model->model, .outputs = out, .f64 = o->precision == 1, .values = !o->output,
	                                    .timing = o->time || o->repeat ? timing : NULL};
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
	bool ok = o->input.ids || ckpt_fail(err, CKPT_E_USAGE, "--input-ids is missing");
	ok = ok && ckpt_inputs_read(call, &o->input, &inputs, err) && ckpt_opened_make(call, &choice, &model, err) &&
	     ckpt_opened_remark(call, &choice, &model, err);
	if (ok) f = ckpt_forward_new(model.model, err);
	if (f) out = compute(f, &inputs.in, &how, o->repeat, &timing, err);
	if (ok && !out) ckpt_error_prefix(err, "%s", call->arguments[0]);
	ok = out && show(call, &model, out, &timing, err);
	ckpt_checkpoint_free(out);
	ckpt_forward_free(f);
	ckpt_opened_free(&model);
	ckpt_inputs_free(&inputs);
	free(timing.seconds);
	return ok ? CKPT_EXIT_OK : CKPT_EXIT_BY_ERROR;
}

/* ---- the row ------------------------------------------------------------------------------------------------- */

static const char *const synopsis[] = {"MODEL --input-ids IDS [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Runs the model on token ids and prints every output under transformers' name of the field, its shape, and its values "
	       "as torch prints them. MODEL is a folder with config.json and weights, or a file of weights with its config.json "
	       "beside it or named by `--config`. The class is the one that the config declares; `--class` takes another one "
	       "that the weights serve, such as BertModel for a BertForMaskedLM."},
	{NULL, "Weights stay in their file, mapped, in their own dtype (F32, F16, BF16, F64), and each is converted when it is used; "
	       "the dtype of the computation is `--precision`. Results are the same, bit for bit, for every number of threads. `f64` "
	       "computes everything in double precision: a yardstick for the rounding errors of all others, several times slower."},
	CKPT_INPUT_PARAGRAPH,
	{"JSON", "An object with `type`, `class`, `precision`, `outputs` (an object: for each name `dtype`, `shape` and `data`, nested "
	         "lists as of `ckpt cat --json`; no data with `--output`), `labels` for classifiers (for each sequence a list of `label` and "
	         "`score`, best first; for each token its best label), and with `--time` or `--repeat` `seconds` with `min`, `median` and "
	         "`max`, `passes`, `tokens`, `tokens_per_second` and `parts`, the seconds of each part of the pass in the middle."},
	{0},
};

static const ckpt_option table[] = {
	CKPT_INPUT_OPTIONS(options),
	{"config", 0, CKPT_OPTION_TEXT, offsetof(options, config), "PATH", "config.json, or a folder that holds one", 0, 0},
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
	{"ckpt forward model --input-ids '[[3,5,4]]' --precision f64 -o out.safetensors", "All values, computed in double precision."},
	{"ckpt forward model --input-ids '[3,5,4]' --repeat 5 --json", "One sequence, with the time of five passes."},
	{0},
};

const ckpt_tool ckpt_tool_forward = {
	.name = "forward",
	.summary = "run a model on token ids and print what it computes",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.options_size = sizeof(options),
	.uses = CKPT_USES_READ | CKPT_USES_WORK,
	.arguments_min = 1,
	.arguments_max = 1,
	.examples = examples,
	.run = run,
};
