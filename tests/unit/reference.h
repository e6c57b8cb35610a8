/* reference.h -- tiny models with formula weights, inputs and reference outputs, from data/reference/tiny.json */
#ifndef CKPT_UNIT_REFERENCE_H
#define CKPT_UNIT_REFERENCE_H
#include "../../lib/ckpt.h"
#include "../../lib/json.h"

typedef struct reference_case {
	const char *name, *class_name, *precision; /* "float64", "float32": how the outputs were computed */
	ckpt_config *config;
	ckpt_checkpoint *weights; /* F32, under the names of the class */
	ckpt_model *model;        /* both bound together */
	ckpt_forward_input in;
	int64_t *arrays[4];       /* behind in */
	const ckpt_json *outputs; /* {"FIELD": {"shape", "data"}, ...} */
} reference_case;

/* The whole file; NULL (and a failed assertion) when it cannot be read. */
ckpt_json *reference_open(void);
/* The case of that node of the file; false with a failed assertion. reference_free in any case. */
bool reference_load(const ckpt_json *node, reference_case *out);
/* The case by name. */
bool reference_find(const ckpt_json *file, const char *name, reference_case *out);
void reference_free(reference_case *c);
#endif
