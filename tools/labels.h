/* labels.h -- what the logits of a classifier say, in the names of the config's labels */
#ifndef CKPT_TOOLS_LABELS_H
#define CKPT_TOOLS_LABELS_H
#include "tool.h"

typedef struct ckpt_label {
	const char *name; /* belongs to the config */
	double score;     /* softmax over the row */
} ckpt_label;

typedef struct ckpt_labels {
	ckpt_label *items; /* [rows][length][each] */
	size_t rows, length, each;
	bool tokens; /* one label for each of `length` tokens of a row; else all labels of a row, best first */
} ckpt_labels;

/* labels stays empty (rows 0) when the model is no classifier over names. */
bool ckpt_labels_find(const ckpt_model *model, const ckpt_checkpoint *outputs, ckpt_labels *labels, ckpt_error *err);
void ckpt_labels_free(ckpt_labels *labels);
#endif
