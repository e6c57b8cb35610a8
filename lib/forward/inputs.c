/* inputs.c -- what recipes share between an input and its attention */
#include "inputs.h"
#include "cache.h"

#include "../error.h"

#include <string.h>

bool ckpt_forward_key_mask(ckpt_forward *f, const int64_t *mask, uint64_t count, const unsigned char **out)
{
	*out = NULL;
	if (!mask) return true;
	unsigned char *bytes = ckpt_forward_memory(f, count, 1);
	for (uint64_t i = 0; bytes && i < count; i++) bytes[i] = mask[i] != 0;
	*out = bytes;
	return bytes != NULL;
}

int64_t *ckpt_forward_positions(ckpt_forward *f, const int64_t *given, uint64_t length, int64_t offset)
{
	uint64_t m = f->in->batch * length, past = ckpt_forward_past(f);
	int64_t *p = ckpt_forward_memory(f, m, sizeof *p);
	for (uint64_t i = 0; p && i < m; i++)
		/* an id that cannot be moved is out of range just as it is */
		if (__builtin_add_overflow(given ? given[i] : (int64_t)(past + i % length), offset, &p[i])) p[i] = given[i];
	return p;
}

int64_t *ckpt_forward_shift_right(ckpt_forward *f, uint64_t start)
{
	uint64_t pad = 0, s = f->in->length, m = f->in->batch * s;
	int64_t *out = ckpt_forward_memory(f, m, sizeof *out);
	ckpt_config_u64(f->config, "decoder_start_token_id", &start);
	ckpt_config_u64(f->config, "pad_token_id", &pad);
	for (uint64_t i = 0; out && i < m; i++) {
		out[i] = i % s ? f->in->ids[i - 1] : (int64_t)start;
		if (out[i] == -100) out[i] = (int64_t)pad;
	}
	return out;
}

bool ckpt_forward_self_attend(ckpt_forward *f, uint64_t layer, const void *q, const void *k, const void *v, uint64_t width,
                              uint64_t kv_width, uint64_t heads, uint64_t kv_heads, double scale, uint64_t window, const unsigned char *key_mask,
                              void *out)
{
	uint64_t s = f->in->length;
	ckpt_nn_attention a = {.batch = f->in->batch, .s = s, .t = s, .heads = heads, .kv_heads = kv_heads, .d = width / heads,
	                       .q = q, .k = k, .v = v, .q_stride = width, .k_stride = kv_width, .v_stride = kv_width,
	                       .q_batch = s * width, .k_batch = s * kv_width, .v_batch = s * kv_width,
	                       .scale = scale, .causal = true, .window = window, .key_mask = key_mask, .out = out,
	                       .out_stride = width};
	return ckpt_forward_attend_past(f, layer, &a);
}

bool ckpt_forward_at_end_token(ckpt_forward *f, const void *x, uint64_t length, uint64_t h, void *rows)
{
	uint64_t eos = 2, first = 0, s = f->in->length;
	size_t row = (size_t)h * ckpt_nn_item(f->nn);
	ckpt_config_u64(f->config, "eos_token_id", &eos);
	if (length != s)
		return ckpt_fail(f->err, CKPT_E_USAGE, "the decoder input has %llu positions: a classifier takes as many as the input, %llu",
		                 (unsigned long long)length, (unsigned long long)s);
	for (uint64_t b = 0; b < f->in->batch; b++) {
		uint64_t last = 0, count = 0;
		for (uint64_t j = 0; j < s; j++)
			if (f->in->ids[b * s + j] == (int64_t)eos) last = j, count++;
		if (b == 0) first = count;
		if (count == 0 || count != first)
			return ckpt_fail(f->err, CKPT_E_USAGE,
			                 "row %llu has %llu end tokens (id %llu): a classifier wants the same number in every row, at least 1",
			                 (unsigned long long)b, (unsigned long long)count, (unsigned long long)eos);
		memcpy((char *)rows + b * row, (const char *)x + (b * s + last) * row, row);
	}
	return true;
}
