/* cmd_verify.c -- ckpt verify: one verdict on a model, with reasons */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "verify.h"

static const ckpt_verify_options defaults = {.atol = -1, .rtol = -1};

/* What tells two tokenizers apart: sizes, a token, the ids of one of the texts; false: nothing found. */
static bool find_difference(const ckpt_texts *a, const ckpt_texts *b, ckpt_buffer *out, ckpt_error *err)
{
	size_t x = ckpt_tokenizer_size(a->tokenizer), y = ckpt_tokenizer_size(b->tokenizer);
	uint64_t last = ckpt_tokenizer_last_id(a->tokenizer);
	if (x != y) return ckpt_buffer_printf(out, "they have %zu and %zu tokens", x, y), true;
	for (uint64_t id = 0; id <= last; id++) {
		const char *p = ckpt_tokenizer_token(a->tokenizer, id), *q = ckpt_tokenizer_token(b->tokenizer, id);
		if (p && q && strcmp(p, q) == 0) continue;
		if (p || q) return ckpt_buffer_printf(out, "token %llu is \"%s\" and \"%s\"", (unsigned long long)id, p ? p : "", q ? q : ""), true;
	}
	bool other = false;
	for (size_t r = 0; !other && r < a->count; r++) {
		const char *text = ckpt_text_of(a->given, r), *pair = ckpt_pair_of(a->given, r);
		const ckpt_encoding *known = &a->rows[r];
		ckpt_encoding e = {0};
		other = !ckpt_encode(b->encoder, text, strlen(text), pair, pair ? strlen(pair) : 0, NULL, &e, err);
		size_t at = 0;
		for (size_t i = 0; !other && i < known->count; i++)
			if (known->items[i].attention) other = at >= e.count || e.items[at++].id != known->items[i].id;
		ckpt_encoding_free(&e);
		if (other) ckpt_buffer_printf(out, "they give other ids for text %zu", r + 1);
	}
	return other;
}

/* Ids mean the same to both models only if their tokenizers are alike. */
static bool compare_tokenizers(const ckpt_verify *v, const ckpt_texts *texts, ckpt_error *err)
{
	ckpt_error why = {0};
	ckpt_texts other = {0};
	ckpt_buffer what = {0};
	bool opened = ckpt_texts_open(&other, v->options->against, &why);
	if (!opened && why.code != CKPT_E_NOT_FOUND) ckpt_remark(v->call, "%s", why.text);
	if (opened && find_difference(texts, &other, &what, &why))
		ckpt_remark(v->call, "the tokenizers of %s and %s differ: %s; both models get the ids of the first", v->path, v->options->against,
		            what.data ? what.data : "");
	bool ok = ckpt_buffer_ok(&what, err);
	if (why.code == CKPT_E_NOMEM) ok = ckpt_fail_nomem(err);
	ckpt_buffer_free(&what);
	ckpt_texts_free(&other);
	return ok;
}

static bool encode_texts(ckpt_verify *v, ckpt_error *err)
{
	ckpt_texts texts = {0};
	const ckpt_verify_options *o = v->options;
	bool ok = ckpt_texts_open(&texts, v->path, err) && ckpt_texts_encode(&texts, &o->text, v->model.model, &v->inputs, err);
	if (ok) v->tokenizer = ckpt_tokenizer_kind(texts.tokenizer);
	ok = ok && (!o->against || compare_tokenizers(v, &texts, err));
	ckpt_texts_free(&texts);
	return ok;
}

/* Ids that were given, or drawn. */
static bool prepare_inputs(ckpt_verify *v, ckpt_error *err)
{
	const ckpt_verify_options *o = v->options;
	if (o->text.texts.count) return encode_texts(v, err);
	if (o->input.ids) return ckpt_inputs_read(v->call, &o->input, &v->inputs, err);
	if (o->input.mask || o->input.types || o->input.positions || o->input.decoder_ids || o->input.decoder_mask)
		return ckpt_fail(err, CKPT_E_USAGE, "the other inputs go with --input-ids");
	return ckpt_verify_draw(v->model.model, o->seed, &v->inputs, err);
}

/* What needs a pass is skipped when tensors are missing. */
static bool check_all(ckpt_verify *v, ckpt_error *err)
{
	if (!ckpt_verify_structure(v, err) || !ckpt_verify_numbers(v, err)) return false;
	if (!ckpt_model_complete(v->model.model, NULL)) {
		ckpt_buffer_str(&v->checks[CKPT_CHECK_FORWARD].summary, "tensors are missing");
		if (v->options->against) ckpt_check_fail(&v->checks[CKPT_CHECK_AGAINST], "MODEL is not complete");
		if (v->options->expect) ckpt_check_fail(&v->checks[CKPT_CHECK_EXPECT], "MODEL is not complete");
		return true;
	}
	if (!prepare_inputs(v, err) || !ckpt_verify_forward(v, err)) return false;
	if (v->options->expect && !ckpt_verify_expect(v, err)) return false;
	return !v->options->against || ckpt_verify_against(v, err);
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	ckpt_verify v = {.call = call, .options = call->options, .path = call->arguments[0]};
	static const char *const names[] = {"structure", "numbers", "forward", "against", "expect"};
	const ckpt_verify_options *o = v.options;
	const ckpt_model_choice choice = {v.path, o->config, o->class_name, o->type};
	bool failed = false;
	for (size_t i = 0; i < CKPT_CHECK_COUNT; i++) v.checks[i].name = names[i];
	bool ok = ckpt_texts_check(&o->text, &o->input, err) && ckpt_opened_make(call, &choice, &v.model, err) && check_all(&v, err);
	ok = ok && (o->json ? ckpt_verify_print_json(&v, err) : ckpt_verify_print_text(&v, err));
	for (size_t i = 0; i < CKPT_CHECK_COUNT; i++) {
		failed |= v.checks[i].state == CKPT_CHECK_FAILED;
		ckpt_check_free(&v.checks[i]);
	}
	ckpt_inputs_free(&v.inputs);
	ckpt_opened_free(&v.model);
	free(v.first_block);
	return !ok ? CKPT_EXIT_BY_ERROR : failed ? CKPT_EXIT_NEGATIVE : CKPT_EXIT_OK;
}

/* ---- the row ------------------------------------------------------------------------------------------------- */

static const char *const synopsis[] = {"MODEL [OPTION]...", "MODEL --against OTHER [OPTION]...", "MODEL --expect FILE|published [OPTION]...",
                                       NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Says whether a model is sound, in one verdict with reasons. MODEL is a folder with config.json and weights, or a file of "
	       "weights with its config.json beside it or named by `--config`."},
	{NULL, " structure  every tensor of the class is there, of its shape, and no stranger\n"
	       " numbers    no NaN or infinity, nothing constant, sizes as after training\n"
	       " forward    outputs are finite; single precision loses little against double\n"
	       " against    OTHER computes the same; else the first block that differs is named\n"
	       " expect     outputs are those of a file, or those published for the model"},
	{NULL, "The ids of the passes are drawn from `--seed`, unless `--input-ids` or `--text` gives some; texts become ids by "
	       "MODEL's tokenizer, for OTHER too. OTHER may have another format, "
	       "sharding, dtype, prefix or way with tied weights. Equal weights give equal bits, so the tolerance of `--against` is "
	       "narrow (atol 1e-6, rtol 1e-6). When all of one model is narrower (BF16 and F32), the other one is rounded to it first, so that "
	       "a conversion that rounded as it should makes no difference."},
	{NULL, "FILE of `--expect` holds tensors under the names of outputs (.safetensors, .npz, .npy), perhaps with the inputs beside "
	       "them, as `ckpt forward -o` writes them; or JSON: what `ckpt forward --json` prints, an object with a list for each output, or "
	       "cases with slices (see data/reference/README.md). `published` takes the values that the tests of transformers expect of "
	       "bert-base-uncased, roberta-base, bart-large and others, by the name of the model; `published:NAME` says which. The "
	       "tolerance is 1e-4, absolute and relative, unless the file has its own."},
	CKPT_INPUT_PARAGRAPH,
	{"JSON", "An object: `model`, `ok`, `reasons` (all of them), with `--against` `first_block` (null when there is none), and for each "
	         "check that was made an object under its name: `ok` (null: skipped), `summary`, `reasons`, `reason_count`, and more: "
	         "`report` of structure, `tensors` of numbers, `rows`, `length` and with `--text` `tokenizer` (its kind), `max_abs_error`, `relative_error`, `block` and `blocks` of forward, "
	         "`first_block` and `blocks` of against (each with `name`, `same`, `max_abs`, `relative`, which is max_abs by the largest value, "
	         "and `cosine`), `outputs` of expect."},
	{0},
};

#define AT(field) offsetof(ckpt_verify_options, field)

static const ckpt_option table[] = {
	{"against", 0, CKPT_OPTION_MODEL, AT(against), "OTHER", "compare what both compute, block by block", 0, 0},
	{"expect", 0, CKPT_OPTION_TEXT, AT(expect), "FILE|published", "compare the outputs with those of a file, or with published ones", 0, 0},
	{"atol", 0, CKPT_OPTION_REAL, AT(atol), "X", "values are equal when |a - b| <= atol + rtol |b|", 0, 0},
	{"rtol", 0, CKPT_OPTION_REAL, AT(rtol), "X", "see `--atol`", 0, 0},
	{"per-layer", 0, CKPT_OPTION_FLAG, AT(per_layer), NULL, "show every block, and hold the weights of one block at a time in memory", 0, 0},
	{"seed", 0, CKPT_OPTION_COUNT, AT(seed), "N", "draw other ids (default: 0)", 0, 0},
	CKPT_TEXT_OPTIONS(ckpt_verify_options),
	CKPT_INPUT_OPTIONS(ckpt_verify_options),
	{"config", 0, CKPT_OPTION_CONFIG, AT(config), "PATH", "config.json, or a folder or model on the Hub that has one", 0, 0},
	{"class", 0, CKPT_OPTION_TEXT, AT(class_name), "CLASS", "the class (default: as the config declares)", 0, 0},
	{"type", 0, CKPT_OPTION_TEXT, AT(type), "TYPE", "the model type, where config.json does not say it", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, AT(json), NULL, "print JSON", 0, 0},
	{0},
};

static const ckpt_example examples[] = {
	{"ckpt verify model", "Is it whole, and does it compute?"},
	{"ckpt verify model --against model.bin --per-layer", "Does the converted file compute the same, layer by layer?"},
	{0},
};

static const ckpt_exit_code exits[] = {{0, "the model is sound"}, {1, "it is not, for the reasons given"}, {0, NULL}};

const ckpt_tool ckpt_tool_verify = {
	.name = "verify",
	.summary = "check a model: complete, plausible, computing as it should",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.defaults = &defaults,
	.options_size = sizeof(ckpt_verify_options),
	.uses = CKPT_USES_READ | CKPT_USES_WORK,
	.models = CKPT_MODELS_FIRST,
	.arguments_min = 1,
	.arguments_max = 1,
	.examples = examples,
	.exits = exits,
	.run = run,
};
