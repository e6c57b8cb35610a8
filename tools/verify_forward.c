/* verify_forward.c -- does the model compute: finite outputs, and what single precision loses against double */
#include <float.h>
#include <math.h>
#include <string.h>

#include "../lib/json.h"
#include "verify.h"

/* Loss of single precision beyond which a model is called unstable, in proportion to the largest value of the block. */
#define UNSTABLE 1e-3

/* The first block that holds NaN or an infinity, or NULL. */
static const ckpt_block *first_not_finite(const ckpt_blocks *b)
{
	for (size_t i = 0; i < b->count; i++)
		for (uint64_t j = 0; j < b->items[i].count; j++)
			if (!(fabsf(b->items[i].values[j]) <= FLT_MAX)) return &b->items[i];
	return NULL;
}

static const ckpt_block *worst_of(const ckpt_blocks *b)
{
	const ckpt_block *worst = &b->items[0];
	for (size_t i = 0; i < b->count; i++)
		if (b->items[i].relative > worst->relative) worst = &b->items[i];
	return worst;
}

static void judge(ckpt_check *c, const ckpt_blocks *blocks)
{
	const ckpt_block *w = worst_of(blocks);
	ckpt_buffer_printf(&c->summary, "; f32 against f64: max abs %.2g, %.2g of the largest value, in %s", w->max_abs, w->relative,
	                   w->name);
	ckpt_buffer_str(&c->json, ",\"block\":");
	ckpt_json_write_string(&c->json, w->name, strlen(w->name), false);
	ckpt_json_real(&c->json, "max_abs_error", w->max_abs);
	ckpt_json_real(&c->json, "relative_error", w->relative);
	for (size_t i = 0; i < blocks->count; i++) {
		const ckpt_block *x = &blocks->items[i];
		ckpt_check_detail(c, "%s: f32 against f64: max abs %.2g, %.2g of the largest value", x->name, x->max_abs, x->relative);
	}
	if (w->relative > UNSTABLE)
		ckpt_check_fail(c, "single precision loses %.2g of the largest value in %s: the weights are not those of a working model",
		                w->relative, w->name);
}

bool ckpt_verify_forward(ckpt_verify *v, ckpt_error *err)
{
	ckpt_check *c = &v->checks[CKPT_CHECK_FORWARD];
	ckpt_blocks blocks = {0};
	const ckpt_forward_input *in = &v->inputs.in;
	if (!ckpt_blocks_record(v, v->model.model, &v->inputs, &blocks, NULL, err)) {
		ckpt_blocks_free(&blocks);
		return ckpt_error_prefix(err, "%s", v->path);
	}
	const ckpt_block *broken = first_not_finite(&blocks);
	ckpt_buffer_printf(&c->summary, "%zu x %zu tokens", in->batch, in->length);
	if (v->tokenizer) {
		ckpt_buffer_printf(&c->summary, " by the %s tokenizer of %s", v->tokenizer, v->path);
		ckpt_buffer_printf(&c->json, ",\"tokenizer\":\"%s\"", v->tokenizer);
	}
	ckpt_buffer_printf(&c->json, ",\"rows\":%zu,\"length\":%zu", in->batch, in->length);
	bool ok = true;
	if (broken) {
		ckpt_check_fail(c, "the output of %s is not finite", broken->name);
	} else {
		ok = ckpt_blocks_compare(v, &blocks, v->model.model, &v->inputs, true, 0, UNSTABLE, err);
		if (ok && blocks.count) judge(c, &blocks);
		if (ok) ckpt_blocks_json(&blocks, false, &c->json);
	}
	ckpt_blocks_free(&blocks);
	ckpt_check_done(c);
	return ok;
}
