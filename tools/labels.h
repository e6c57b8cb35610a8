/* labels.h -- what the logits of a classifier say, in words */
#ifndef CKPT_TOOLS_LABELS_H
#define CKPT_TOOLS_LABELS_H
#include "tool.h"

/* As transformers' pipelines choose: by problem_type of the config, and whether there is one label or several. */
typedef enum ckpt_label_scores {
	CKPT_SCORES_SHARES, /* softmax: the labels of a row exclude each other */
	CKPT_SCORES_SINGLE, /* sigmoid: each label by itself */
	CKPT_SCORES_VALUES  /* regression: the number itself */
} ckpt_label_scores;

enum { CKPT_LABEL_NAME = 32 };

typedef struct ckpt_label {
	const char *name; /* not its own; NULL: the row of that number, which multiple choice chooses among */
	size_t index;
	double score;
} ckpt_label;

typedef struct ckpt_labels {
	ckpt_label *items; /* [rows][length][each] */
	size_t rows, length, each;
	bool tokens; /* one label for each of `length` tokens of a row; else all labels of a row, best first */
	ckpt_label_scores scores;
} ckpt_labels;

/* labels stays empty (rows 0) when the model is no classifier. */
bool ckpt_labels_find(const ckpt_model *model, const ckpt_checkpoint *outputs, ckpt_labels *labels, ckpt_error *err);
void ckpt_labels_free(ckpt_labels *labels);
/* Its name, in room where it has none of its own. */
const char *ckpt_label_name(const ckpt_label *label, char room[CKPT_LABEL_NAME]);
#endif
