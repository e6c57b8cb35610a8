/* steps.c -- what recipes work with: weights, the steps that use them, arrays, outputs, time */
#include "forward.h"
#include "weights.h"

#include "../checkpoint.h"
#include "../error.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAME_MOST = 256 };

/* ---- time ---- */

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void ckpt_forward_time(ckpt_forward *f, ckpt_forward_time_part part)
{
	double t = now();
	f->seconds[part] += t - f->mark;
	f->mark = t;
}

/* ---- weights ---- */

static bool weight_of(ckpt_forward *f, ckpt_nn_weight *out, const char *name)
{
	size_t slot = ckpt_model_find(f->model, name);
	*out = (ckpt_nn_weight){0};
	return slot == CKPT_NO_SLOT || ckpt_weights_get(f->weights, slot, out, f->err);
}

bool ckpt_forward_weight(ckpt_forward *f, ckpt_nn_weight *out, const char *format, ...)
{
	char name[NAME_MOST];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(name, sizeof name, format, arguments);
	va_end(arguments);
	return weight_of(f, out, name);
}

bool ckpt_forward_has(const ckpt_forward *f, const char *local)
{
	return ckpt_model_tensor(f->model, local) != NULL;
}

typedef struct pair {
	ckpt_nn_weight weight, bias;
} pair;

/* NAME.weight and NAME.bias; the bias need not be there, the weight neither unless it is `required`. */
static bool pair_of(ckpt_forward *f, pair *p, bool required, const char *format, va_list arguments)
{
	char name[NAME_MOST], full[NAME_MOST + 8];
	vsnprintf(name, sizeof name, format, arguments);
	snprintf(full, sizeof full, "%s.weight", name);
	if (!weight_of(f, &p->weight, full)) return false;
	if (required && !p->weight.data)
		return ckpt_fail(f->err, CKPT_E_NOT_FOUND, "class %s has no tensor '%s'", f->model->class->name, full);
	snprintf(full, sizeof full, "%s.bias", name);
	return weight_of(f, &p->bias, full);
}

#define PAIR(p, required)                                                                                              \
	pair p;                                                                                                        \
	va_list arguments;                                                                                             \
	va_start(arguments, format);                                                                                   \
	bool ok = pair_of(f, &p, required, format, arguments);                                                         \
	va_end(arguments)

/* ---- steps ---- */

bool ckpt_forward_linear(ckpt_forward *f, ckpt_forward_time_part part, uint64_t m, const void *x, ckpt_nn_activation act,
                         const void *residual, void *y, const char *format, ...)
{
	PAIR(p, true);
	ok = ok && ckpt_nn_linear(f->nn, m, x, &p.weight, false, &p.bias, act, residual, y, f->err);
	ckpt_forward_time(f, part);
	return ok;
}

bool ckpt_forward_linears(ckpt_forward *f, ckpt_forward_time_part part, uint64_t m, const void *x, size_t count,
                          const char *const *names, void *const *ys, const char *format, ...)
{
	char prefix[NAME_MOST], name[2 * NAME_MOST];
	ckpt_nn_weight w[4], b[4];
	ckpt_nn_output outputs[4];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(prefix, sizeof prefix, format, arguments);
	va_end(arguments);
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%s.%s.weight", prefix, names[i]);
		if (!weight_of(f, &w[i], name)) return false;
		if (!w[i].data) return ckpt_fail(f->err, CKPT_E_NOT_FOUND, "class %s has no tensor '%s'", f->model->class->name, name);
		snprintf(name, sizeof name, "%s.%s.bias", prefix, names[i]);
		if (!weight_of(f, &b[i], name)) return false;
		outputs[i] = (ckpt_nn_output){&w[i], &b[i], ys[i]};
	}
	bool ok = ckpt_nn_linears(f->nn, m, x, count, outputs, f->err);
	ckpt_forward_time(f, part);
	return ok;
}

bool ckpt_forward_conv1d(ckpt_forward *f, ckpt_forward_time_part part, uint64_t m, const void *x, ckpt_nn_activation act,
                         const void *residual, void *y, const char *format, ...)
{
	PAIR(p, true);
	ok = ok && ckpt_nn_linear(f->nn, m, x, &p.weight, true, &p.bias, act, residual, y, f->err);
	ckpt_forward_time(f, part);
	return ok;
}

bool ckpt_forward_norm(ckpt_forward *f, bool rms, uint64_t m, uint64_t h, const void *x, double eps, void *y,
                       const char *format, ...)
{
	PAIR(p, false); /* both may be absent: a norm without weights */
	if (ok) ok = rms ? ckpt_nn_rms_norm(f->nn, m, h, x, &p.weight, eps, y, f->err)
		         : ckpt_nn_layer_norm(f->nn, m, h, x, &p.weight, &p.bias, eps, y, f->err);
	ckpt_forward_time(f, CKPT_TIME_NORM);
	return ok;
}

bool ckpt_forward_embed(ckpt_forward *f, uint64_t m, const int64_t *ids, double scale, bool add, void *y, const char *what,
                        const char *format, ...)
{
	PAIR(p, true);
	uint64_t length = m / f->in->batch;
	for (uint64_t i = 0; ok && i < m; i++)
		if (ids[i] < 0 || (uint64_t)ids[i] >= p.weight.rows)
			ok = ckpt_fail(f->err, CKPT_E_USAGE, "%s %lld at row %llu, position %llu is outside 0 .. %llu", what,
			               (long long)ids[i], (unsigned long long)(i / length), (unsigned long long)(i % length),
			               (unsigned long long)(p.weight.rows - 1));
	if (ok) ckpt_nn_embed(f->nn, m, ids, &p.weight, scale, add, y);
	ckpt_forward_time(f, CKPT_TIME_EMBEDDINGS);
	return ok;
}

bool ckpt_forward_attend(ckpt_forward *f, const ckpt_nn_attention *a)
{
	bool ok = ckpt_nn_attend(f->nn, a, f->err);
	ckpt_forward_time(f, CKPT_TIME_ATTENTION);
	return ok;
}

/* ---- what else a recipe needs ---- */

/* Some that an earlier pass left, of just that size, or new memory. */
void *ckpt_forward_memory(ckpt_forward *f, uint64_t count, size_t item)
{
	size_t size;
	if (__builtin_mul_overflow(count, item, &size)) return ckpt_fail_nomem(f->err), NULL;
	for (size_t i = 0; i < f->memory_count; i++) {
		ckpt_forward_memory_slot *m = &f->memory[i];
		if (m->used || m->size != size) continue;
		m->used = true;
		return m->data;
	}
	if (f->memory_count == f->memory_capacity) {
		size_t capacity = f->memory_capacity ? f->memory_capacity * 2 : 16;
		ckpt_forward_memory_slot *memory = reallocarray(f->memory, capacity, sizeof *memory);
		if (!memory) return ckpt_fail_nomem(f->err), NULL;
		f->memory = memory;
		f->memory_capacity = capacity;
	}
	void *data = ckpt_nn_allocate(size, f->err);
	if (data) f->memory[f->memory_count++] = (ckpt_forward_memory_slot){data, size, true};
	return data;
}

void *ckpt_forward_array(ckpt_forward *f, uint64_t count)
{
	return ckpt_forward_memory(f, count, ckpt_nn_item(f->nn));
}

double ckpt_forward_root(uint64_t d)
{
	return 1.0 / sqrt((double)d);
}

bool ckpt_forward_activation(ckpt_forward *f, const char *key, ckpt_nn_activation *out)
{
	const char *name = ckpt_config_text(f->config, key);
	*out = name ? ckpt_nn_activation_by_name(name) : CKPT_ACT_UNKNOWN;
	if (*out != CKPT_ACT_UNKNOWN) return true;
	return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "%s is \"%s\", an activation without a forward pass here", key,
	                 name ? name : "null");
}

bool ckpt_forward_class_is(const ckpt_forward *f, const char *ending)
{
	const char *name = f->model->class->name;
	size_t n = strlen(name), k = strlen(ending);
	return n >= k && strcmp(name + n - k, ending) == 0;
}

bool ckpt_forward_check_length(ckpt_forward *f, uint64_t length, uint64_t most)
{
	if (length <= most) return true;
	return ckpt_fail(f->err, CKPT_E_USAGE, "the input has %llu positions, the model takes at most %llu",
	                 (unsigned long long)length, (unsigned long long)most);
}

/* ---- what comes out ---- */

bool ckpt_forward_block(ckpt_forward *f, const char *block, const void *values, uint64_t rows, uint64_t cols)
{
	ckpt_forward_time(f, CKPT_TIME_OTHER);
	if (f->options->on_block && !f->options->on_block(f->options->user, block, values, rows, cols))
		return ckpt_fail(f->err, CKPT_E_CANCELLED, "stopped after %s", block);
	if (f->options->frugal) ckpt_weights_forget(f->weights);
	f->mark = now();
	return true;
}

bool ckpt_forward_output(ckpt_forward *f, const char *name, size_t rank, const uint64_t *shape, const void *values)
{
	uint64_t count = 1;
	for (size_t i = 0; i < rank; i++) count *= shape[i];
	ckpt_dtype dtype = f->options->f64 ? CKPT_F64 : CKPT_F32;
	return ckpt_checkpoint_add_bytes(f->out, name, dtype, rank, shape, values, (size_t)count * ckpt_nn_item(f->nn), f->err);
}

bool ckpt_forward_hidden(ckpt_forward *f, const char *prefix, uint64_t i, uint64_t length, uint64_t h, const void *values)
{
	char name[64];
	if (!f->options->hidden_states) return true;
	snprintf(name, sizeof name, "%shidden_states.%llu", prefix, (unsigned long long)i);
	return ckpt_forward_output(f, name, 3, (uint64_t[]){f->in->batch, length, h}, values);
}
