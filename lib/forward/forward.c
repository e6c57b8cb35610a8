/* forward.c -- the table of recipes, the checks before a pass, and the pass itself */
#include "cache.h"
#include "weights.h"

#include "../checkpoint.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

#define RECIPE(name) extern const ckpt_recipe ckpt_recipe_##name;
#include "recipes.h"
#undef RECIPE
#define RECIPE(name) &ckpt_recipe_##name,
static const ckpt_recipe *const table[] = {
#include "recipes.h"
};

static const ckpt_recipe *find(const char *type)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i]->type, type) == 0) return table[i];
	return NULL;
}

/* ---- one model ---- */

/* Nothing is missing, except perhaps the pooler of a base model, which then has one output less. */
static bool usable(const ckpt_model *model, ckpt_error *err)
{
	for (size_t i = 0; i < model->misfit_count; i++) {
		const ckpt_misfit *m = &model->misfits[i];
		bool pooler = m->kind == CKPT_MISSING && model->slots[m->slot].row->parts == CKPT_PART_POOLER;
		if (m->kind == CKPT_UNEXPECTED || (pooler && model->class == model->arch->classes)) continue;
		return ckpt_model_complete(model, err);
	}
	return true;
}

ckpt_forward *ckpt_forward_new(const ckpt_model *model, ckpt_error *err)
{
	const ckpt_recipe *recipe = find(model->arch->type);
	if (!recipe) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "there is no forward pass for %s", model->arch->type);
		return NULL;
	}
	if (!model->source || model->guessed) {
		ckpt_fail(err, CKPT_E_USAGE, model->source ? "a config that was guessed from shapes is not enough for a forward pass"
		                                           : "the model has no weights");
		return NULL;
	}
	if (!usable(model, err)) return NULL;
	ckpt_forward *f = calloc(1, sizeof *f);
	if (!f) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	f->model = model;
	f->config = model->config;
	f->recipe = recipe;
	f->weights = ckpt_weights_new(model, err);
	if (f->weights) return f;
	ckpt_forward_free(f);
	return NULL;
}

static void free_memory(ckpt_forward *f)
{
	for (size_t i = 0; i < f->memory_count; i++) ckpt_nn_array_free(f->memory[i].data);
	f->memory_count = 0;
}

/* What the last pass did not use is given back, the rest is there for the next: passes over ever longer inputs keep what two
 * of them need. */
static void turn_memory(ckpt_forward *f)
{
	size_t kept = 0;
	for (size_t i = 0; i < f->memory_count; i++) {
		ckpt_forward_memory_slot m = f->memory[i];
		if (!m.used) {
			ckpt_nn_array_free(m.data);
			continue;
		}
		m.used = false;
		f->memory[kept++] = m;
	}
	f->memory_count = kept;
}

void ckpt_forward_free(ckpt_forward *f)
{
	if (!f) return;
	free_memory(f);
	free(f->memory);
	ckpt_cache_free(f->prompt);
	ckpt_nn_free(f->nn);
	ckpt_weights_free(f->weights);
	free(f);
}

/* ---- one pass ---- */

static bool check_mask(const int64_t *mask, uint64_t batch, uint64_t length, const char *what, ckpt_error *err)
{
	for (uint64_t i = 0; mask && i < batch * length; i++)
		if (mask[i] != 0 && mask[i] != 1)
			return ckpt_fail(err, CKPT_E_USAGE, "%s holds %lld at row %llu, position %llu: 1 (kept) or 0 (padding) is meant", what,
			                 (long long)mask[i], (unsigned long long)(i / length), (unsigned long long)(i % length));
	return true;
}

/* What may be given to this model at all. */
static bool check_takes(const ckpt_forward *f, const ckpt_forward_input *in, ckpt_error *err)
{
	const char *what = NULL;
	unsigned takes = f->recipe->takes;
	if (in->token_type_ids && !(takes & CKPT_TAKES_TYPES)) what = "token type ids";
	if (in->position_ids && !(takes & CKPT_TAKES_POSITIONS)) what = "position ids";
	if ((in->decoder_ids || in->decoder_mask) && !(takes & CKPT_TAKES_DECODER)) what = "decoder input";
	return !what || ckpt_fail(err, CKPT_E_USAGE, "%s takes no %s", f->model->class->name, what);
}

static bool check_input(const ckpt_forward *f, const ckpt_forward_input *in, ckpt_error *err)
{
	uint64_t most = 1u << 24; /* tokens: far above every model, far below what overflows */
	if (in->batch == 0 || in->length == 0 || !in->ids) return ckpt_fail(err, CKPT_E_USAGE, "the input ids are empty");
	if (in->batch > most || in->length > most || in->batch * in->length > most)
		return ckpt_fail(err, CKPT_E_USAGE, "the input has %zu rows of %zu positions: %llu in all are the most", in->batch,
		                 in->length, (unsigned long long)most);
	if (in->decoder_ids && (in->decoder_length == 0 || in->decoder_length > most || in->batch * in->decoder_length > most))
		return ckpt_fail(err, CKPT_E_USAGE, in->decoder_length ? "the decoder input ids are too many" : "the decoder input ids are empty");
	if (in->decoder_mask && !in->decoder_ids)
		return ckpt_fail(err, CKPT_E_USAGE, "a decoder attention mask goes with decoder input ids");
	return check_takes(f, in, err) && check_mask(in->mask, in->batch, in->length, "the attention mask", err) &&
	       check_mask(in->decoder_mask, in->batch, in->decoder_length, "the decoder attention mask", err);
}

/* A numeric context for these options. */
static bool use_context(ckpt_forward *f, const ckpt_forward_options *options, ckpt_error *err)
{
	ckpt_nn_precision precision = options->f64 ? CKPT_NN_F64 : CKPT_NN_F32;
	if (f->nn && ckpt_nn_is(f->nn, precision, options->threads)) return true;
	ckpt_nn_free(f->nn);
	f->nn = ckpt_nn_new(precision, options->threads, err);
	return f->nn != NULL;
}

ckpt_checkpoint *ckpt_forward_run(ckpt_forward *f, const ckpt_forward_input *in, const ckpt_forward_options *options,
                                  ckpt_error *err)
{
	static const ckpt_forward_options none;
	if (!options) options = &none;
	if (!check_input(f, in, err) || !use_context(f, options, err) || (f->cache && !ckpt_cache_check(f, in, err))) return NULL;
	f->in = in;
	f->options = options;
	f->err = err;
	f->out = ckpt_checkpoint_new(err);
	turn_memory(f);
	memset(f->seconds, 0, sizeof f->seconds);
	ckpt_forward_time(f, CKPT_TIME_OTHER);
	f->seconds[CKPT_TIME_OTHER] = 0;
	bool ok = f->out && f->recipe->run(f) && ckpt_weights_check(f->weights, err);
	ckpt_checkpoint *out = f->out;
	f->out = NULL;
	if (ok && f->cache) f->cache->past += in->decoder_ids ? in->decoder_length : in->length;
	if (ok) return out;
	ckpt_checkpoint_free(out);
	return NULL;
}

const char *ckpt_forward_part(const ckpt_forward *f, size_t i, double *seconds)
{
	static const char *const names[] = {"embeddings", "attention products", "attention", "feed forward", "norms",
	                                    "head",       "other"};
	if (i >= CKPT_TIME_PARTS) return NULL;
	if (seconds) *seconds = f->seconds[i];
	return names[i];
}
