/* arch.c -- the table of architectures, and the little language that their tables are written in */
#include "arch.h"
#include "../checked.h"
#include <string.h>

/* One line a type. */
#define CKPT_ARCHS(X)                                                                                                  \
	X(albert)                                                                                                      \
	X(bart)                                                                                                        \
	X(bert)                                                                                                        \
	X(distilbert)                                                                                                  \
	X(electra)                                                                                                     \
	X(gpt2)                                                                                                        \
	X(llama)                                                                                                       \
	X(mistral)                                                                                                     \
	X(opt)                                                                                                         \
	X(qwen2)                                                                                                       \
	X(roberta)                                                                                                     \
	X(t5)

#define DECLARE(name) extern const ckpt_arch ckpt_arch_##name;
CKPT_ARCHS(DECLARE)
#define ROW(name) &ckpt_arch_##name,
static const ckpt_arch *const table[] = {CKPT_ARCHS(ROW)};
enum { COUNT = sizeof table / sizeof table[0] };

const ckpt_arch *ckpt_arch_at(size_t i) { return i < COUNT ? table[i] : NULL; }

const ckpt_arch *ckpt_arch_find(const char *type)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(table[i]->type, type)) return table[i];
	return NULL;
}

const char *ckpt_arch_list(char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < COUNT; i++) {
		size_t length = strlen(table[i]->type) + (i ? 2 : 0);
		if (used + length + 1 > size) break;
		if (i) strcpy(text + used, ", ");
		strcat(text + used, table[i]->type);
		used += length;
	}
	return text;
}

const ckpt_arch_class *ckpt_arch_class_find(const ckpt_arch *arch, const char *name)
{
	size_t stem = strlen(arch->classes[0].name) - strlen("Model"); /* "Bert" of "BertModel" */
	for (const ckpt_arch_class *c = arch->classes; c->name; c++)
		if (!strcmp(c->name, name) || !strcmp(c->name + stem, name)) return c;
	return NULL;
}

/* One symbol or number; moves *text behind it. */
static bool eval_atom(const char **text, const char *end, const uint64_t dims[CKPT_SYMBOLS], uint64_t *out)
{
	if (*text == end) return false;
	if (**text >= 'A' && **text <= 'Z') {
		*out = dims[CKPT_SYMBOL(*(*text)++)];
		return true;
	}
	uint64_t value = 0;
	const char *start = *text;
	for (; *text < end && **text >= '0' && **text <= '9'; (*text)++) value = value * 10 + (uint64_t)(**text - '0');
	*out = value;
	return *text > start;
}

/* Products before sums, both from the left. */
static bool eval_product(const char **text, const char *end, const uint64_t dims[CKPT_SYMBOLS], uint64_t *out)
{
	uint64_t value, factor;
	if (!eval_atom(text, end, dims, &value)) return false;
	while (*text < end && (**text == '*' || **text == '/')) {
		char sign = *(*text)++;
		if (!eval_atom(text, end, dims, &factor)) return false;
		if (sign == '*' && !ckpt_mul_u64(value, factor, &value)) return false;
		if (sign == '/') {
			if (!factor || value % factor) return false;
			value /= factor;
		}
	}
	*out = value;
	return true;
}

bool ckpt_arch_eval(const char *expression, size_t length, const uint64_t dims[CKPT_SYMBOLS], uint64_t *out)
{
	const char *text = expression, *end = expression + length;
	uint64_t value, term;
	if (!eval_product(&text, end, dims, &value)) return false;
	while (text < end) {
		char sign = *text++;
		if (!eval_product(&text, end, dims, &term)) return false;
		if (sign == '+' && !ckpt_add_u64(value, term, &value)) return false;
		if (sign == '-') {
			if (term > value) return false;
			value -= term;
		}
		if (sign != '+' && sign != '-') return false;
	}
	*out = value;
	return true;
}

bool ckpt_arch_shape(const char *shape, const uint64_t dims[CKPT_SYMBOLS], uint32_t *rank, uint64_t out[4])
{
	*rank = 0;
	for (const char *at = shape; *at && *rank < 4;) {
		size_t length = strcspn(at, ",");
		if (!ckpt_arch_eval(at, length, dims, &out[(*rank)++])) return false;
		at += length + (at[length] == ',');
	}
	return true;
}

int ckpt_arch_axis(const char *shape, char symbol)
{
	int axis = 0;
	for (const char *at = shape; *at; at++) {
		if (*at == symbol) return axis;
		if (*at == ',') axis++;
	}
	return -1;
}
