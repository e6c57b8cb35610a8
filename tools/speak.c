/* speak.c -- what the heads of a model say, in words */
#include "speak.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cast.h"
#include "../lib/checkpoint.h"
#include "../lib/ends_in.h"
#include "../lib/utf8.h"

/* count elements from first, as double. */
static bool read_values(const ckpt_tensor *t, uint64_t first, size_t count, double *out, ckpt_error *err)
{
	size_t item = t->dtype == CKPT_F64 ? sizeof(double) : sizeof(float);
	void *raw = malloc(count * item + 1);
	bool ok = (raw || ckpt_fail_nomem(err)) && ckpt_tensor_read(t, first * item, count * item, raw, err);
	if (ok) ckpt_cast_to_f64(t->dtype, raw, out, count);
	free(raw);
	return ok;
}

/* In place; what is -inf becomes 0. */
static void softmax(double *x, size_t count)
{
	double most = -INFINITY, sum = 0;
	for (size_t i = 0; i < count; i++) most = fmax(most, x[i]);
	for (size_t i = 0; i < count; i++) sum += x[i] = exp(x[i] - most);
	for (size_t i = 0; i < count; i++) x[i] /= sum;
}

/* ---- masks ---- */

static const char *mask_of(const ckpt_texts *t, int64_t *id)
{
	static const char *const names[] = {"[MASK]", "<mask>"};
	uint32_t found;
	*id = -1;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (ckpt_tokenizer_find(t->tokenizer, names[i], &found)) {
			*id = (int64_t)found;
			return names[i];
		}
	return NULL;
}

/* The best words, best first, of probabilities; of equal ones the smaller id first. */
static void best_of(const double *scores, size_t count, ckpt_filling *f)
{
	f->count = 0;
	for (size_t i = 0; i < count; i++) {
		size_t at = f->count;
		while (at > 0 && scores[i] > f->scores[at - 1]) at--;
		if (at == CKPT_BEST) continue;
		size_t last = f->count < CKPT_BEST ? f->count++ : CKPT_BEST - 1;
		for (size_t k = last; k > at; k--) {
			f->scores[k] = f->scores[k - 1];
			f->ids[k] = f->ids[k - 1];
		}
		f->scores[at] = scores[i];
		f->ids[at] = i;
	}
}

static bool fill_masks(ckpt_said *s, const ckpt_forward_input *in, const ckpt_tensor *t, ckpt_error *err)
{
	int64_t mask;
	size_t words = (size_t)t->shape[2], count = 0, all = in->batch * in->length;
	s->fills = true;
	s->mask = mask_of(s->texts, &mask);
	for (size_t i = 0; i < all; i++) count += in->ids[i] == mask;
	s->fillings = calloc(count + 1, sizeof *s->fillings);
	double *values = calloc(words + 1, sizeof *values);
	bool ok = (s->fillings && values) || ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < all; i++) {
		if (in->ids[i] != mask) continue;
		ckpt_filling *f = &s->fillings[s->filling_count++];
		*f = (ckpt_filling){.row = i / in->length, .position = i % in->length};
		ok = read_values(t, (uint64_t)i * words, words, values, err);
		if (!ok) break;
		softmax(values, words);
		best_of(values, words, f);
	}
	free(values);
	return ok;
}

/* ---- answers ---- */

/* The bytes of characters from .. to. */
static void cut(const char *text, ckpt_answer *a)
{
	size_t length = strlen(text), at = 0, begin = 0;
	uint32_t c;
	for (uint64_t n = 0; n < a->to && at < length; n++) {
		if (n == a->from) begin = at;
		at += ckpt_utf8_decode(text + at, length - at, &c);
	}
	a->text = text + begin;
	a->length = at - begin;
}

/* The span of context tokens with the greatest product of probabilities, as transformers' pipeline has it: the probabilities
 * are those among the context and the first token, which stands for no answer. */
static void find_answer(const ckpt_encoding *e, uint8_t sequence, size_t length, double *start, double *end, ckpt_answer *a)
{
	for (size_t i = 0; i < length; i++) {
		bool context = i < e->count && e->items[i].sequence == sequence && e->items[i].attention;
		if (!context && i > 0) start[i] = end[i] = -INFINITY;
	}
	softmax(start, length);
	softmax(end, length);
	for (size_t i = 0; i < e->count; i++)
		for (size_t k = i; k < e->count && k < i + CKPT_ANSWER_TOKENS; k++) {
			if (e->items[i].sequence != sequence || e->items[k].sequence != sequence) continue;
			double score = start[i] * end[k];
			if (a->found && score <= a->score) continue;
			*a = (ckpt_answer){.found = true, .score = score, .from = e->items[i].from, .to = e->items[k].to};
		}
}

static bool answer(ckpt_said *s, const ckpt_forward_input *in, const ckpt_tensor *starts, const ckpt_tensor *ends, ckpt_error *err)
{
	const ckpt_text_options *given = s->texts->given;
	double *values = calloc(2 * in->length, sizeof *values);
	s->answers = calloc(in->batch, sizeof *s->answers);
	bool ok = (values && s->answers) || ckpt_fail_nomem(err);
	for (size_t r = 0; ok && r < in->batch; r++) {
		ckpt_answer *a = &s->answers[s->answer_count++];
		ok = read_values(starts, r * in->length, in->length, values, err) &&
		     read_values(ends, r * in->length, in->length, values + in->length, err);
		const char *pair = ckpt_pair_of(given, r);
		if (ok) find_answer(&s->texts->rows[r], pair ? 2 : 1, in->length, values, values + in->length, a);
		if (ok && a->found) cut(pair ? pair : ckpt_text_of(given, r), a);
	}
	free(values);
	return ok;
}

bool ckpt_said_read(ckpt_said *s, const ckpt_texts *texts, const ckpt_model *model, const ckpt_forward_input *in,
                    const ckpt_checkpoint *outputs, ckpt_error *err)
{
	const char *class = ckpt_model_class(model);
	const ckpt_tensor *words = ckpt_checkpoint_tensor_find(outputs, "logits");
	const ckpt_tensor *starts = ckpt_checkpoint_tensor_find(outputs, "start_logits");
	const ckpt_tensor *ends = ckpt_checkpoint_tensor_find(outputs, "end_logits");
	if (ckpt_ends_in(class, "ForPreTraining")) words = ckpt_checkpoint_tensor_find(outputs, "prediction_logits");
	s->texts = texts;
	if (starts && ends) return answer(s, in, starts, ends, err);
	bool masked = ckpt_ends_in(class, "ForMaskedLM") || ckpt_ends_in(class, "ForPreTraining");
	return !masked || !words || words->rank != 3 || fill_masks(s, in, words, err);
}

/* ---- continuations ---- */

bool ckpt_said_generate(ckpt_said *s, ckpt_forward *f, const ckpt_forward_input *in, const ckpt_checkpoint *outputs,
                        const ckpt_generate_options *how, ckpt_error *err)
{
	s->generated = calloc(in->batch, sizeof *s->generated);
	bool ok = s->generated || ckpt_fail_nomem(err);
	while (ok && s->generated_count < in->batch) {
		size_t row = s->generated_count++;
		ok = ckpt_forward_generate(f, in, row, outputs, how, &s->generated[row], err) || ckpt_error_prefix(err, "row %zu", row);
	}
	return ok;
}

void ckpt_said_free(ckpt_said *s)
{
	for (size_t i = 0; i < s->generated_count; i++) ckpt_generated_free(&s->generated[i]);
	free(s->generated);
	free(s->fillings);
	free(s->answers);
}
