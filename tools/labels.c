/* labels.c -- what the logits of a classifier say, in words */
#include "labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cast.h"
#include "../lib/ends_in.h"
#include "../lib/model/model.h"

/* ---- which heads classify, and what ---- */

typedef struct head {
	const char *class_end, *type; /* type: of the model; NULL: any */
	const char *output;
	bool tokens;
	const char *const *names; /* NULL: those of the config */
} head;

/* Of two sentences: is the second what comes next (BERT), are they in their order (ALBERT)? Of a token: was it changed? */
static const char *const next_names[] = {"second follows", "second does not follow"};
static const char *const order_names[] = {"texts in order", "texts swapped"};
static const char *const token_names[] = {"original", "replaced"};

static const head heads[] = {
	{"ForSequenceClassification", NULL, "logits", false, NULL},
	{"ForTokenClassification", NULL, "logits", true, NULL},
	{"ForMultipleChoice", NULL, "logits", false, NULL},
	{"ForNextSentencePrediction", NULL, "logits", false, next_names},
	{"ForPreTraining", "bert", "seq_relationship_logits", false, next_names},
	{"ForPreTraining", "albert", "sop_logits", false, order_names},
	{"ForPreTraining", "electra", "logits", true, token_names},
};

static const head *find_head(const ckpt_model *model)
{
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		if (ckpt_ends_in(ckpt_model_class(model), heads[i].class_end) &&
		    (!heads[i].type || strcmp(heads[i].type, ckpt_model_type(model)) == 0))
			return &heads[i];
	return NULL;
}

/* ---- scores ---- */

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static ckpt_label_scores scores_of(const ckpt_model *model, size_t count)
{
	const char *problem = ckpt_config_text(model->config, "problem_type");
	if (!ckpt_ends_in(ckpt_model_class(model), "ForSequenceClassification")) return CKPT_SCORES_SHARES;
	if (problem && strcmp(problem, "regression") == 0) return CKPT_SCORES_VALUES;
	bool several = problem && strcmp(problem, "multi_label_classification") == 0;
	return several || count == 1 ? CKPT_SCORES_SINGLE : CKPT_SCORES_SHARES;
}

static void put_scores(ckpt_label_scores how, double *x, size_t count)
{
	double most = x[0], sum = 0;
	for (size_t i = 1; i < count; i++) most = fmax(most, x[i]);
	for (size_t i = 0; how == CKPT_SCORES_SHARES && i < count; i++) sum += x[i] = exp(x[i] - most);
	for (size_t i = 0; i < count; i++) {
		if (how == CKPT_SCORES_SHARES) x[i] /= sum;
		if (how == CKPT_SCORES_SINGLE) x[i] = sigmoid(x[i]);
	}
}

/* The better first, of equal ones the one with the smaller number. */
static int best_first(const void *a, const void *b)
{
	const ckpt_label *x = a, *y = b;
	if (x->score > y->score || x->score < y->score) return x->score < y->score ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

/* All labels of a row of logits, best first. */
static void label_row(const ckpt_model *model, const head *h, ckpt_label_scores how, double *logits, size_t count, ckpt_label *out)
{
	bool choice = strcmp(h->class_end, "ForMultipleChoice") == 0;
	put_scores(how, logits, count);
	for (size_t i = 0; i < count; i++) {
		const char *name = h->names ? (i < 2 ? h->names[i] : "?") : choice ? NULL : ckpt_config_label(model->config, i);
		out[i] = (ckpt_label){name || choice ? name : "?", i, logits[i]};
	}
	qsort(out, count, sizeof *out, best_first);
}

/* One logit a token, for the second of two names. */
static ckpt_label label_token(const head *h, double logit)
{
	double p = sigmoid(logit);
	return logit > 0 ? (ckpt_label){h->names[1], 1, p} : (ckpt_label){h->names[0], 0, 1 - p};
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
	const head *h = find_head(model);
	const ckpt_tensor *t = h ? ckpt_checkpoint_tensor_find(outputs, h->output) : NULL;
	double *logits = NULL;
	*l = (ckpt_labels){0};
	if (!t) return true;
	bool lone = h->tokens && h->names; /* a logit a token */
	size_t each = lone ? 1 : (size_t)t->shape[t->rank - 1], count = (size_t)t->elements / each, kept = h->tokens ? 1 : each;
	ckpt_label_scores how = scores_of(model, each);
	ckpt_label *row = calloc(each, sizeof *row), *items = calloc(count * kept, sizeof *items);
	bool ok = (row && items) || ckpt_fail_nomem(err);
	if (ok) ok = read_logits(t, &logits, err);
	for (size_t i = 0; ok && i < count; i++) {
		if (lone) *row = label_token(h, logits[i]);
		else label_row(model, h, how, logits + i * each, each, row);
		memcpy(items + i * kept, row, kept * sizeof *row);
	}
	free(row);
	free(logits);
	*l = (ckpt_labels){items, (size_t)t->shape[0], h->tokens ? (size_t)t->shape[1] : 1, kept, h->tokens, how};
	return ok;
}

const char *ckpt_label_name(const ckpt_label *label, char room[CKPT_LABEL_NAME])
{
	if (!label->name) snprintf(room, CKPT_LABEL_NAME, "row %zu", label->index);
	return label->name ? label->name : room;
}

void ckpt_labels_free(ckpt_labels *l)
{
	free(l->items);
}
