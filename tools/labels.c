/* labels.c -- what the logits of a classifier say, in the names of the config's labels */
#include "labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cast.h"
#include "../lib/ends_in.h"
#include "../lib/model/model.h"

static int best_first(const void *a, const void *b)
{
	const ckpt_label *x = a, *y = b;
	return (x->score < y->score) - (x->score > y->score);
}

/* All labels with their scores, in the order of ids. */
static void score(const ckpt_config *config, const double *logits, size_t count, ckpt_label *out)
{
	double most = logits[0], sum = 0;
	for (size_t i = 1; i < count; i++) most = fmax(most, logits[i]);
	for (size_t i = 0; i < count; i++) sum += exp(logits[i] - most);
	for (size_t i = 0; i < count; i++) {
		const char *name = ckpt_config_label(config, i);
		out[i] = (ckpt_label){name ? name : "?", exp(logits[i] - most) / sum};
	}
}

static bool read_logits(const ckpt_tensor *t, double **out, ckpt_error *err)
{
	void *raw = malloc((size_t)t->bytes + 1);
	double *values = calloc((size_t)t->elements + 1, sizeof *values);
	bool ok = (raw && values) || ckpt_fail_nomem(err);
	if (ok) ok = ckpt_tensor_read(t, 0, (size_t)t->bytes, raw, err);
	if (ok) ckpt_cast_to_f64(t->dtype, raw, values, (size_t)t->elements);
	free(raw);
	*out = values;
	return ok;
}

bool ckpt_labels_find(const ckpt_model *model, const ckpt_checkpoint *outputs, ckpt_labels *l, ckpt_error *err)
{
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(outputs, "logits");
	const char *class = ckpt_model_class(model);
	bool sequence = ckpt_ends_in(class, "ForSequenceClassification"), tokens = ckpt_ends_in(class, "ForTokenClassification");
	double *logits = NULL;
	*l = (ckpt_labels){.tokens = tokens};
	if (!t || (!sequence && !tokens) || t->shape[t->rank - 1] < 2) return true; /* one number is no choice among names */
	size_t each = (size_t)t->shape[t->rank - 1], count = (size_t)t->elements / each;
	ckpt_label *row = calloc(each, sizeof *row), *items = calloc(count * (tokens ? 1 : each), sizeof *items);
	bool ok = (row && items) || ckpt_fail_nomem(err);
	if (ok) ok = read_logits(t, &logits, err);
	for (size_t i = 0; ok && i < count; i++) {
		score(model->config, logits + i * each, each, row);
		qsort(row, each, sizeof *row, best_first);
		memcpy(items + i * (tokens ? 1 : each), row, (tokens ? 1 : each) * sizeof *row);
	}
	free(row);
	free(logits);
	*l = (ckpt_labels){items, (size_t)t->shape[0], tokens ? (size_t)t->shape[1] : 1, tokens ? 1 : each, tokens};
	return ok;
}

void ckpt_labels_free(ckpt_labels *l)
{
	free(l->items);
}
