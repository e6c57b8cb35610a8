/* verify_numbers.c -- are the values of every tensor such as training leaves them: finite, not constant, of a plausible size */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "../lib/json.h"
#include "../lib/model/model.h"
#include "number.h"
#include "progress.h"
#include "verify.h"

/* How far from what it was drawn with the size of a trained tensor may be; a trained model is within a factor of 50. */
#define FAR 1000.0

/* The deviation that the init rule draws a tensor with; 0: unknown. */
static double drawn_with(const ckpt_model *m, const ckpt_arch_row *row)
{
	uint64_t over = 1;
	double std = ckpt_config_std(m->config);
	if (row->over && !ckpt_arch_eval(row->over, strlen(row->over), m->config->dims, &over)) return 0;
	return std > 0 && over > 0 ? std / sqrt((double)over) : 0;
}

/* RoBERTa has one token type, which training never saw: zeros. */
static bool may_be_zero(const ckpt_slot *s)
{
	return strstr(s->local, "token_type_embeddings") && s->shape[0] == 1;
}

/* True and a reason when the values are not such as the rule leads one to expect. */
static bool suspicious(const ckpt_model *m, const ckpt_slot *s, const ckpt_stats *x, char *why, size_t size)
{
	double rms = sqrt(x->mean * x->mean + (x->elements > 1 ? x->std * x->std : 0)), std;
	ckpt_init_rule rule = s->row->init;
	bool weights = rule == CKPT_INIT_NORMAL || rule == CKPT_INIT_SINUSOID, buffer = s->row->flags & CKPT_ROW_BUFFER;
	why[0] = '\0';
	if (x->nans || x->infs)
		snprintf(why, size, "%" PRIu64 " NaN and %" PRIu64 " infinite of %" PRIu64 " values", x->nans, x->infs, x->elements);
	else if (x->elements == 0 || buffer)
		return false;
	else if (rule != CKPT_INIT_ZERO && x->zeros == x->elements && !may_be_zero(s))
		snprintf(why, size, "all %" PRIu64 " values are zero", x->elements);
	else if (weights && x->elements > 1 && x->min == x->max && !may_be_zero(s))
		snprintf(why, size, "all %" PRIu64 " values are %g", x->elements, x->min);
	else if (weights && (std = drawn_with(m, s->row)) > 0 && rms > 0 && (rms > std * FAR || rms < std / FAR))
		snprintf(why, size, "values are of the size %.3g (root mean square), a model starts with %.3g", rms, std);
	else if ((rule == CKPT_INIT_ONE || rule == CKPT_INIT_FACTOR) && (rms > FAR || rms < 1 / FAR))
		snprintf(why, size, "values are of the size %.3g (root mean square), a model starts with 1", rms);
	else if (rule == CKPT_INIT_ZERO && x->absmax > FAR * 10)
		snprintf(why, size, "the largest value is %.3g, a model starts with 0", x->absmax);
	return why[0] != '\0';
}

static void note(ckpt_check *c, const char *name, const char *why, bool first)
{
	ckpt_check_fail(c, "%s: %s", name, why);
	ckpt_buffer_str(&c->json, first ? "\n{\"name\":" : ",\n{\"name\":");
	ckpt_json_write_string(&c->json, name, strlen(name), false);
	ckpt_buffer_str(&c->json, ",\"reason\":");
	ckpt_json_write_string(&c->json, why, strlen(why), false);
	ckpt_buffer_char(&c->json, '}');
}

static bool own_values(const ckpt_slot *s)
{
	return s->tensor && s->own;
}

bool ckpt_verify_numbers(ckpt_verify *v, ckpt_error *err)
{
	ckpt_check *c = &v->checks[CKPT_CHECK_NUMBERS];
	const ckpt_model *m = v->model.model;
	uint64_t total = 0, done = 0;
	size_t count = 0, bad = 0;
	ckpt_progress progress;
	bool ok = true;
	for (size_t i = 0; i < m->count; i++)
		if (own_values(&m->slots[i])) total += m->slots[i].tensor->bytes;
	ckpt_buffer_str(&c->json, ",\"tensors\":[");
	ckpt_progress_begin(&progress, v->call, "reading");
	for (size_t i = 0; ok && i < m->count; i++) {
		const ckpt_slot *s = &m->slots[i];
		char why[160];
		ckpt_stats stats;
		if (!own_values(s)) continue;
		ckpt_work work = ckpt_progress_part(&progress, done, total);
		ok = ckpt_tensor_stats(s->tensor, &work, &stats, err);
		done += s->tensor->bytes;
		count++;
		if (ok && suspicious(m, s, &stats, why, sizeof why)) note(c, s->tensor->name, why, bad++ == 0);
	}
	ckpt_progress_end(&progress);
	ckpt_buffer_char(&c->json, ']');
	if (bad)
		ckpt_buffer_printf(&c->summary, "%zu of %zu tensors are not plausible", bad, count);
	else
		ckpt_buffer_printf(&c->summary, "%zu tensors: finite, none constant where it should not be, of plausible size", count);
	ckpt_check_done(c);
	return ok;
}
