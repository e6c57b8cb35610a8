/* heads.c -- heads that stand on many bodies */
#include "heads.h"

#include "../error.h"

#include <string.h>

bool ckpt_forward_last(ckpt_forward *f, const void *x, uint64_t length, uint64_t h)
{
	return ckpt_forward_output(f, "last_hidden_state", 3, (uint64_t[]){f->in->batch, length, h}, x);
}

bool ckpt_forward_first_dense(ckpt_forward *f, const void *x, uint64_t h, const char *name, ckpt_nn_activation act, void *rows)
{
	uint64_t batch = f->in->batch;
	size_t row = (size_t)h * ckpt_nn_item(f->nn);
	char *first = ckpt_forward_array(f, batch * h);
	if (!first) return false;
	for (uint64_t b = 0; b < batch; b++) memcpy(first + b * row, (const char *)x + b * f->in->length * row, row);
	const char *block = strcmp(name, "pooler.dense") == 0 ? "pooler" : name; /* as ALBERT has it */
	return ckpt_forward_linear(f, CKPT_TIME_HEAD, batch, first, act, NULL, rows, "%s", name) &&
	       ckpt_forward_block(f, block, rows, batch, h);
}

/* *logits [rows,n] = x W^T + b, with n from the weight itself. */
static bool logits_of(ckpt_forward *f, uint64_t rows, const void *x, const char *name, const char *bias, void **logits, uint64_t *n)
{
	ckpt_nn_weight w, b = {0};
	if (!ckpt_forward_weight(f, &w, "%s.weight", name)) return false;
	if (!w.data) return ckpt_fail(f->err, CKPT_E_NOT_FOUND, "class %s has no tensor '%s.weight'", f->model->class->name, name);
	if (bias ? !ckpt_forward_weight(f, &b, "%s", bias) : !ckpt_forward_weight(f, &b, "%s.bias", name)) return false;
	*n = w.rows;
	*logits = ckpt_forward_array(f, rows * w.rows);
	bool ok = *logits && ckpt_nn_linear(f->nn, rows, x, &w, false, &b, CKPT_ACT_NONE, NULL, *logits, f->err);
	ckpt_forward_time(f, CKPT_TIME_HEAD);
	return ok && ckpt_forward_block(f, name, *logits, rows, *n);
}

/* The last of each row's positions [B,length,width], one behind the other. */
static const void *last_positions(ckpt_forward *f, const void *x, uint64_t length, const char *name)
{
	ckpt_nn_weight w;
	if (!ckpt_forward_weight(f, &w, "%s.weight", name)) return NULL;
	size_t row = (size_t)w.cols * ckpt_nn_item(f->nn);
	char *rows = ckpt_forward_array(f, f->in->batch * w.cols);
	for (uint64_t b = 0; rows && b < f->in->batch; b++)
		memcpy(rows + b * row, (const char *)x + (b * length + length - 1) * row, row);
	return rows;
}

bool ckpt_forward_lm_logits(ckpt_forward *f, const void *x, uint64_t length, const char *name, const char *bias)
{
	uint64_t n;
	void *logits;
	if (f->last_only && !(x = last_positions(f, x, length, name))) return false;
	if (f->last_only) length = 1;
	return logits_of(f, f->in->batch * length, x, name, bias, &logits, &n) &&
	       ckpt_forward_output(f, "logits", 3, (uint64_t[]){f->in->batch, length, n}, logits);
}

bool ckpt_forward_token_logits(ckpt_forward *f, const void *x, uint64_t length, const char *name, const char *field)
{
	uint64_t n;
	void *logits;
	bool lone = ckpt_forward_class_is(f, "ForPreTraining"); /* ELECTRA's: a number a token */
	return logits_of(f, f->in->batch * length, x, name, NULL, &logits, &n) &&
	       ckpt_forward_output(f, field, lone ? 2 : 3, (uint64_t[]){f->in->batch, length, n}, logits);
}

bool ckpt_forward_row_logits(ckpt_forward *f, const void *rows, const char *name, const char *field)
{
	uint64_t n, b = f->in->batch;
	void *logits;
	bool choice = ckpt_forward_class_is(f, "ForMultipleChoice");
	return logits_of(f, b, rows, name, NULL, &logits, &n) &&
	       ckpt_forward_output(f, field, 2, choice ? (uint64_t[]){1, b} : (uint64_t[]){b, n}, logits);
}

bool ckpt_forward_answer_logits(ckpt_forward *f, const void *x)
{
	uint64_t n, m = f->in->batch * f->in->length, item = ckpt_nn_item(f->nn);
	void *both;
	char *one = ckpt_forward_array(f, m);
	if (!one || !logits_of(f, m, x, "qa_outputs", NULL, &both, &n)) return false;
	if (n != 2)
		return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "qa_outputs has %llu outputs, a start and an end are 2",
		                 (unsigned long long)n);
	for (uint64_t k = 0; k < 2; k++) {
		for (uint64_t i = 0; i < m; i++) memcpy(one + i * item, (char *)both + (2 * i + k) * item, item);
		if (!ckpt_forward_output(f, k ? "end_logits" : "start_logits", 2, (uint64_t[]){f->in->batch, f->in->length}, one))
			return false;
	}
	return true;
}

bool ckpt_forward_word_logits(ckpt_forward *f, const void *x, const ckpt_word_head *h, const char *field)
{
	uint64_t n, m = f->in->batch * f->in->length;
	void *t = ckpt_forward_array(f, m * h->width), *logits;
	return t && ckpt_forward_linear(f, CKPT_TIME_HEAD, m, x, h->act, NULL, t, "%s", h->dense) &&
	       ckpt_forward_block(f, h->dense, t, m, h->width) &&
	       ckpt_forward_norm(f, false, m, h->width, t, h->eps, t, "%s", h->norm) &&
	       ckpt_forward_block(f, h->norm, t, m, h->width) && logits_of(f, m, t, h->decoder, h->bias, &logits, &n) &&
	       ckpt_forward_output(f, field, 3, (uint64_t[]){f->in->batch, f->in->length, n}, logits);
}

bool ckpt_forward_last_token_logits(ckpt_forward *f, const void *x, uint64_t h, const char *name)
{
	uint64_t pad = 0, s = f->in->length;
	size_t row = (size_t)h * ckpt_nn_item(f->nn);
	bool has_pad = ckpt_config_u64(f->config, "pad_token_id", &pad);
	if (!has_pad && f->in->batch > 1)
		return ckpt_fail(f->err, CKPT_E_USAGE, "pad_token_id is null: a classifier of the last token takes one sequence, found %zu",
		                 f->in->batch);
	char *rows = ckpt_forward_array(f, f->in->batch * h);
	if (!rows) return false;
	for (uint64_t b = 0; b < f->in->batch; b++) {
		uint64_t last = s - 1;
		while (has_pad && last > 0 && f->in->ids[b * s + last] == (int64_t)pad) last--;
		memcpy(rows + b * row, (const char *)x + (b * s + last) * row, row);
	}
	return ckpt_forward_row_logits(f, rows, name, "logits");
}
