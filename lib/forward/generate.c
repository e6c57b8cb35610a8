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
	ckpt_forward_input source; /* one row, of the encoder */
	int64_t *ids, *types;      /* of the side that generates; types may be NULL */
	size_t length, done;
	const ckpt_tensor *known; /* logits of the prompt's pass, or NULL */
	uint64_t at;              /* which of them choose the first word */
} walk;

/* Logits, of which the last V choose the next word. */
static ckpt_checkpoint *pass(walk *w, const ckpt_tensor **logits, ckpt_error *err)
{
	ckpt_forward *f = w->f;
	size_t from = f->cache ? w->done : 0, length = w->length - from;
	ckpt_forward_input in = w->source;
	in.batch = 1;
	if (w->encoder) {
		in.decoder_length = length;
		in.decoder_ids = w->ids + from;
	} else {
		in.length = length;
		in.ids = w->ids + from;
		in.token_type_ids = w->types ? w->types + from : NULL;
	}
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

/* The best of the words at one of the positions that t has logits of. */
static bool choose_at(const walk *w, const ckpt_tensor *t, uint64_t at, int64_t *best, double *margin, ckpt_error *err)
{
	uint64_t words = t->shape[t->rank - 1], size = words * (w->o->f64 ? sizeof(double) : sizeof(float));
	void *values = malloc((size_t)size + 1);
	bool ok = values || ckpt_fail_nomem(err);
	ok = ok && ckpt_tensor_read(t, at * size, (size_t)size, values, err) && choose(values, w->o->f64, words, best, margin, err);
	free(values);
	return ok;
}

static bool step(walk *w, int64_t *best, double *margin, ckpt_error *err)
{
	const ckpt_tensor *t = NULL;
	if (w->known) {
		bool ok = choose_at(w, w->known, w->at, best, margin, err);
		w->known = NULL;
		return ok;
	}
	ckpt_checkpoint *out = pass(w, &t, err);
	bool ok = out && choose_at(w, t, t->elements / t->shape[t->rank - 1] - 1, best, margin, err);
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
		if (w->types) w->types[w->length] = w->types[w->length - 1];
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

/* ---- what the words go on behind ---- */

static bool check(const ckpt_forward *f, const ckpt_forward_input *in, const ckpt_generate_options *o, ckpt_error *err)
{
	if (!ckpt_forward_generates(f->model))
		return ckpt_fail(err, CKPT_E_USAGE, "%s does not generate: a causal language model or one for conditional generation does",
		                 ckpt_model_class(f->model));
	if (in->position_ids)
		return ckpt_fail(err, CKPT_E_USAGE, "position ids are counted while words are generated, none can be given");
	if (in->length > MOST_TOKENS || o->count > MOST_TOKENS)
		return ckpt_fail(err, CKPT_E_USAGE, "%zu tokens and %llu behind them: at most %d are taken", in->length,
		                 (unsigned long long)o->count, MOST_TOKENS);
	return true;
}

/* Whether the words of a row begin with the pass through the batch: no padding in front, the decoder's start the same. */
static bool begins(const ckpt_forward *f, const ckpt_forward_input *in, size_t row, const ckpt_generate_options *o)
{
	if (ckpt_forward_has_encoder(f->model)) {
		uint64_t start = 0;
		if (in->decoder_ids) return !in->decoder_mask && in->decoder_ids[row * in->decoder_length] == o->start;
		return ckpt_config_u64(f->config, "decoder_start_token_id", &start) && (int64_t)start == o->start;
	}
	const int64_t *mask = in->mask ? in->mask + row * in->length : NULL;
	for (size_t i = 1; mask && i < in->length; i++)
		if (mask[i] > mask[i - 1]) return false;
	return !mask || mask[0];
}

static ckpt_cache *new_cache(const ckpt_forward *f, size_t rows, size_t begin, const ckpt_generate_options *o, ckpt_error *err)
{
	char layers = f->recipe->takes & CKPT_TAKES_DECODER ? 'M' : 'L';
	uint64_t room = positions_of(f->model), most = begin + o->count < room ? begin + o->count : room;
	return ckpt_cache_new(rows, most > begin ? most : begin, ckpt_config_dim(f->config, layers), o->cache_bytes, err);
}

static bool caches(const ckpt_forward *f, const ckpt_generate_options *o)
{
	return f->recipe->takes & CKPT_CACHES && !o->no_cache;
}

ckpt_checkpoint *ckpt_forward_prompt(ckpt_forward *f, const ckpt_forward_input *in, const ckpt_forward_options *options,
                                     const ckpt_generate_options *o, ckpt_error *err)
{
	ckpt_error why = {0};
	bool some = false;
	ckpt_cache_free(f->prompt);
	f->prompt = NULL;
	if (!check(f, in, o, err)) return NULL;
	for (size_t r = 0; r < in->batch; r++) some |= begins(f, in, r, o);
	if (!some || !caches(f, o)) return ckpt_forward_run(f, in, options, err);
	size_t begin = ckpt_forward_has_encoder(f->model) && in->decoder_ids ? in->decoder_length : in->length;
	if (!(f->cache = new_cache(f, in->batch, begin, o, err))) return NULL;
	ckpt_checkpoint *out = ckpt_forward_run(f, in, options, &why);
	if (out)
		f->prompt = f->cache;
	else
		ckpt_cache_free(f->cache);
	f->cache = NULL;
	/* where the rows together are too large, each alone may not be */
	if (!out && why.code == CKPT_E_LIMIT) return ckpt_forward_run(f, in, options, err);
	if (!out && err) *err = why;
	return out;
}

/* The row as it is gone on with: for a lone decoder without its padding; for an encoder with its mask, cut only where the pass
 * is made anew. */
static bool take(walk *w, const ckpt_forward_input *in, size_t row, bool anew, ckpt_error *err)
{
	size_t length = in->length, room = (w->encoder ? 1 : length) + (size_t)w->o->count;
	const int64_t *ids = in->ids + row * length, *mask = in->mask ? in->mask + row * length : NULL;
	const int64_t *types = in->token_type_ids ? in->token_type_ids + row * length : NULL;
	w->ids = calloc(room, sizeof *w->ids);
	w->types = types ? calloc(room, sizeof *w->types) : NULL;
	if (!w->ids || (types && !w->types)) return ckpt_fail_nomem(err);
	if (w->encoder) {
		while (anew && mask && length > 1 && !mask[length - 1]) length--;
		w->source = (ckpt_forward_input){.length = length, .ids = ids, .mask = mask};
		w->ids[w->length++] = w->o->start;
		return true;
	}
	for (size_t i = 0; i < length; i++) {
		if (mask && !mask[i]) continue;
		if (types) w->types[w->length] = types[i];
		w->ids[w->length++] = ids[i];
	}
	return w->length || ckpt_fail(err, CKPT_E_USAGE, "there is nothing but padding");
}

/* The first word is chosen by logits that are known, and what the prompt's pass has kept is taken up. */
static bool take_up(walk *w, size_t row, const ckpt_checkpoint *prompt, ckpt_error *err)
{
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(prompt, "logits");
	if (!t || t->rank != 3)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "%s gives no words", ckpt_model_class(w->f->model));
	w->known = t;
	w->at = row * t->shape[1] + w->length - 1;
	w->done = w->length;
	w->f->cache = w->f->prompt;
	if (w->f->cache) ckpt_cache_take_row(w->f->cache, row, w->length);
	return true;
}

bool ckpt_forward_generate(ckpt_forward *f, const ckpt_forward_input *in, size_t row, const ckpt_checkpoint *prompt,
                           const ckpt_generate_options *o, ckpt_generated *out, ckpt_error *err)
{
	walk w = {.f = f, .o = o, .encoder = ckpt_forward_has_encoder(f->model)};
	double start = now();
	*out = (ckpt_generated){0};
	if (!check(f, in, o, err)) return false;
	bool known = prompt && begins(f, in, row, o);
	out->ids = calloc((size_t)o->count + 1, sizeof *out->ids);
	bool ok = (out->ids || ckpt_fail_nomem(err)) && take(&w, in, row, !known, err) && (!known || take_up(&w, row, prompt, err));
	if (ok && !f->cache && caches(f, o)) ok = (f->cache = new_cache(f, 1, w.length, o, err)) != NULL;
	if (ok && known && f->cache != f->prompt) w.done = 0; /* the cache begins empty */
	f->last_only = true;
	ok = ok && steps(&w, positions_of(f->model), out, err);
	f->last_only = false;
	if (f->cache) out->cache = f->cache->bytes / f->cache->rows;
	if (f->cache != f->prompt) ckpt_cache_free(f->cache);
	f->cache = NULL;
	free(w.ids);
	free(w.types);
	out->seconds = now() - start;
	return ok;
}

void ckpt_generated_free(ckpt_generated *g)
{
	free(g->ids);
}
