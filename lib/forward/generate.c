/* generate.c -- greedy generation, with keys and values kept from step to step */
#include "generate.h"
#include "cache.h"

#include "../checkpoint.h"
#include "../ends_in.h"
#include "../error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_TOKENS = 1 << 24 };

bool ckpt_forward_has_encoder(const ckpt_model *model)
{
	return ckpt_ends_in(ckpt_model_class(model), "ForConditionalGeneration");
}

bool ckpt_forward_generates(const ckpt_model *model)
{
	const char *class = ckpt_model_class(model);
	return ckpt_forward_has_encoder(model) || ckpt_ends_in(class, "ForCausalLM") || ckpt_ends_in(class, "LMHeadModel");
}

/* Positions that the side which generates can have. */
static uint64_t positions_of(const ckpt_model *model)
{
	uint64_t most = ckpt_config_dim(model->config, 'P'), pad = 0;
	if (strcmp(model->arch->type, "t5") == 0) return MOST_TOKENS;
	if (strcmp(model->arch->type, "roberta") == 0) {
		ckpt_config_u64(model->config, "pad_token_id", &pad);
		most = most > pad + 1 ? most - pad - 1 : 0;
	}
	return most;
}

/* ---- one step ---- */

/* The sequence, and what of it was computed. */
typedef struct walk {
	ckpt_forward *f;
	const ckpt_generate_options *o;
	bool encoder;
	const int64_t *source, *mask; /* of the encoder */
	size_t source_length;
	int64_t *ids; /* of the side that generates */
	size_t length, done;
} walk;

/* The logits of the last position, V of them. */
static ckpt_checkpoint *pass(walk *w, const ckpt_tensor **logits, ckpt_error *err)
{
	ckpt_forward *f = w->f;
	size_t from = f->cache ? w->done : 0, length = w->length - from;
	ckpt_forward_input in = {.batch = 1, .length = length, .ids = w->ids + from};
	if (w->encoder)
		in = (ckpt_forward_input){.batch = 1, .length = w->source_length, .ids = w->source, .mask = w->mask,
		                          .decoder_length = length, .decoder_ids = w->ids + from};
	ckpt_checkpoint *out = ckpt_forward_run(f, &in, &(ckpt_forward_options){.f64 = w->o->f64, .threads = w->o->threads}, err);
	if (!out) return NULL;
	*logits = ckpt_checkpoint_tensor_find(out, "logits");
	w->done = w->length;
	if (*logits) return out;
	ckpt_fail(err, CKPT_E_UNSUPPORTED, "%s gives no words", ckpt_model_class(f->model));
	ckpt_checkpoint_free(out);
	return NULL;
}

static double value_at(const void *values, bool f64, uint64_t i)
{
	return f64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

/* The best of count values, and by how much. */
static bool choose(const void *values, bool f64, uint64_t count, int64_t *best, double *margin, ckpt_error *err)
{
	double most = -INFINITY, next = -INFINITY;
	*best = -1;
	for (uint64_t i = 0; i < count; i++) {
		double x = value_at(values, f64, i);
		if (isnan(x)) return ckpt_fail(err, CKPT_E_FORMAT, "the logit of token %llu is NaN", (unsigned long long)i);
		if (*best < 0 || x > most) {
			next = most;
			most = x;
			*best = (int64_t)i;
		} else if (x > next) {
			next = x;
		}
	}
	*margin = most - next;
	return *best >= 0 || ckpt_fail(err, CKPT_E_FORMAT, "there are no logits");
}

static bool step(walk *w, int64_t *best, double *margin, ckpt_error *err)
{
	const ckpt_tensor *t = NULL;
	ckpt_checkpoint *out = pass(w, &t, err);
	if (!out) return false;
	uint64_t words = t->shape[t->rank - 1], size = words * (w->o->f64 ? sizeof(double) : sizeof(float));
	void *values = malloc((size_t)size + 1);
	bool ok = values || ckpt_fail_nomem(err);
	ok = ok && ckpt_tensor_read(t, t->bytes - size, (size_t)size, values, err) &&
	     choose(values, w->o->f64, words, best, margin, err);
	free(values);
	ckpt_checkpoint_free(out);
	return ok;
}

/* ---- all of them ---- */

static bool is_end(const ckpt_generate_options *o, int64_t id)
{
	for (size_t i = 0; i < o->end_count; i++)
		if (o->end[i] == id) return true;
	return false;
}

static bool steps(walk *w, uint64_t room, ckpt_generated *g, ckpt_error *err)
{
	const ckpt_generate_options *o = w->o;
	g->stop = CKPT_STOP_COUNT;
	g->margin = INFINITY;
	while (g->count < o->count) {
		int64_t best = -1;
		double margin = 0;
		if (g->count && w->length >= room) {
			g->stop = CKPT_STOP_LENGTH;
			return true;
		}
		if (!step(w, &best, &margin, err)) return false;
		int64_t forced = g->count == 0 && o->first >= 0 ? o->first : g->count + 1 == o->count ? o->last : -1;
		if (forced >= 0) best = forced;
		if (forced < 0 && margin < g->margin) g->margin = margin;
		g->ids[g->count++] = w->ids[w->length++] = best;
		if (!is_end(o, best)) continue;
		g->stop = CKPT_STOP_END;
		return true;
	}
	return true;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool ckpt_forward_generate(ckpt_forward *f, const int64_t *ids, const int64_t *mask, size_t length,
                           const ckpt_generate_options *o, ckpt_generated *out, ckpt_error *err)
{
	walk w = {.f = f, .o = o, .encoder = ckpt_forward_has_encoder(f->model), .source = ids, .mask = mask, .source_length = length};
	uint64_t room = positions_of(f->model), begin = w.encoder ? 1 : length;
	double start = now();
	*out = (ckpt_generated){0};
	if (!ckpt_forward_generates(f->model))
		return ckpt_fail(err, CKPT_E_USAGE, "%s does not generate: a causal language model or one for conditional generation does",
		                 ckpt_model_class(f->model));
	if (length == 0 || length > MOST_TOKENS || o->count > MOST_TOKENS)
		return ckpt_fail(err, CKPT_E_USAGE, "%zu tokens and %llu behind them: 1 to %d are taken", length, (unsigned long long)o->count,
		                 MOST_TOKENS);
	uint64_t most = begin + o->count < room ? begin + o->count : room;
	bool caches = f->recipe->takes & CKPT_CACHES && !o->no_cache;
	w.ids = calloc((size_t)(begin + o->count), sizeof *w.ids);
	out->ids = calloc((size_t)o->count + 1, sizeof *out->ids);
	bool ok = (w.ids && out->ids) || ckpt_fail_nomem(err);
	if (ok) memcpy(w.ids, w.encoder ? &o->start : ids, (size_t)begin * sizeof *ids);
	w.length = (size_t)begin;
	if (ok && caches) {
		char layers = f->recipe->takes & CKPT_TAKES_DECODER ? 'M' : 'L';
		f->cache = ckpt_cache_new(1, most > begin ? most : begin, ckpt_config_dim(f->config, layers), o->cache_bytes, err);
		ok = f->cache != NULL;
	}
	f->last_only = true;
	ok = ok && steps(&w, room, out, err);
	if (f->cache) out->cache = f->cache->bytes;
	ckpt_cache_free(f->cache);
	f->cache = NULL;
	f->last_only = false;
	free(w.ids);
	out->seconds = now() - start;
	return ok;
}

void ckpt_generated_free(ckpt_generated *g)
{
	free(g->ids);
}
