/* verify_blocks.c -- the outputs of a pass block by block, kept, and compared with those of another pass */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/json.h"
#include "verify.h"

/* ---- keeping --------------------------------------------------------------------------------------------------- */

typedef struct recorder {
	ckpt_blocks *blocks;
	bool failed;
} recorder;

static bool keep(void *user, const char *name, const void *values, uint64_t rows, uint64_t cols)
{
	recorder *r = user;
	ckpt_blocks *b = r->blocks;
	r->failed = true;
	if (b->count == b->capacity) {
		size_t capacity = b->capacity ? b->capacity * 2 : 32;
		ckpt_block *items = reallocarray(b->items, capacity, sizeof *items);
		if (!items) return false;
		b->items = items;
		b->capacity = capacity;
	}
	ckpt_block *x = &b->items[b->count];
	*x = (ckpt_block){.name = strdup(name), .count = rows * cols, .values = malloc((size_t)(rows * cols) * sizeof(float) + 1)};
	b->count++;
	if (!x->name || !x->values) return false;
	memcpy(x->values, values, (size_t)x->count * sizeof(float));
	r->failed = false;
	return true;
}

bool ckpt_blocks_record(const ckpt_verify *v, const ckpt_model *model, const ckpt_inputs *inputs, ckpt_blocks *out,
                        ckpt_checkpoint **outputs, ckpt_error *err)
{
	recorder r = {.blocks = out};
	const ckpt_forward_options options = {
		.threads = v->call->threads, .frugal = v->options->per_layer, .on_block = keep, .user = &r};
	ckpt_forward *f = ckpt_forward_new(model, err);
	ckpt_checkpoint *found = f ? ckpt_forward_run(f, &inputs->in, &options, err) : NULL;
	if (r.failed) ckpt_fail_nomem(err);
	ckpt_forward_free(f);
	if (outputs && found)
		*outputs = found;
	else
		ckpt_checkpoint_free(found);
	return found != NULL;
}

void ckpt_blocks_free(ckpt_blocks *b)
{
	for (size_t i = 0; i < b->count; i++) {
		free(b->items[i].name);
		free(b->items[i].values);
	}
	free(b->items);
	*b = (ckpt_blocks){0};
}

/* ---- comparing ------------------------------------------------------------------------------------------------- */

typedef struct comparer {
	ckpt_blocks *blocks;
	size_t next;
	bool f64;
	double atol, rtol;
} comparer;

static void compare_values(ckpt_block *x, const void *values, bool f64, double atol, double rtol)
{
	double most = 0, size = 0, dot = 0, aa = 0, bb = 0;
	x->compared = x->same = true;
	for (uint64_t i = 0; i < x->count; i++) {
		double a = (double)x->values[i], b = f64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
		double d = a == b || (a != a && b != b) ? 0 : fabs(a - b);
		if (!(d <= DBL_MAX)) d = INFINITY;
		if (d > 0 && !(d <= DBL_MAX && d <= atol + rtol * fabs(a))) x->same = false;
		most = d > most ? d : most;
		size = fabs(a) > size ? fabs(a) : size;
		if (!(fabs(a) <= DBL_MAX && fabs(b) <= DBL_MAX)) continue;
		dot += a * b;
		aa += a * a;
		bb += b * b;
	}
	x->max_abs = most;
	x->relative = most == 0 ? 0 : size > 0 ? most / size : INFINITY;
	x->cosine = most == 0 ? 1 : aa > 0 && bb > 0 ? fmin(1, dot / sqrt(aa) / sqrt(bb)) : 0;
}

/* Both passes name the same blocks in the same order; one that has other heads has others at the end. */
static bool compare_block(void *user, const char *name, const void *values, uint64_t rows, uint64_t cols)
{
	comparer *c = user;
	size_t i = c->next;
	while (i < c->blocks->count && strcmp(c->blocks->items[i].name, name) != 0) i++;
	if (i == c->blocks->count) return true;
	c->next = i + 1;
	if (c->blocks->items[i].count == rows * cols) compare_values(&c->blocks->items[i], values, c->f64, c->atol, c->rtol);
	return true;
}

bool ckpt_blocks_compare(const ckpt_verify *v, ckpt_blocks *blocks, const ckpt_model *other, const ckpt_inputs *inputs, bool f64,
                         double atol, double rtol, ckpt_error *err)
{
	comparer c = {.blocks = blocks, .f64 = f64, .atol = atol, .rtol = rtol};
	const ckpt_forward_options options = {
		.f64 = f64, .threads = v->call->threads, .frugal = v->options->per_layer, .on_block = compare_block, .user = &c};
	for (size_t i = 0; i < blocks->count; i++) blocks->items[i].compared = false;
	ckpt_forward *f = ckpt_forward_new(other, err);
	ckpt_checkpoint *out = f ? ckpt_forward_run(f, &inputs->in, &options, err) : NULL;
	bool ok = out != NULL;
	ckpt_checkpoint_free(out);
	ckpt_forward_free(f);
	return ok;
}

void ckpt_blocks_json(const ckpt_blocks *b, bool same, ckpt_buffer *json)
{
	bool comma = false;
	ckpt_buffer_str(json, ",\n\"blocks\":[");
	for (size_t i = 0; i < b->count; i++) {
		const ckpt_block *x = &b->items[i];
		if (!x->compared) continue;
		ckpt_buffer_str(json, comma ? ",\n{\"name\":" : "\n{\"name\":");
		ckpt_json_write_string(json, x->name, strlen(x->name), false);
		if (same) ckpt_buffer_printf(json, ",\"same\":%s", x->same ? "true" : "false");
		ckpt_json_real(json, "max_abs", x->max_abs);
		ckpt_json_real(json, "relative", x->relative);
		ckpt_json_real(json, "cosine", x->cosine);
		ckpt_buffer_char(json, '}');
		comma = true;
	}
	ckpt_buffer_char(json, ']');
}
