/* inspect_model.h -- what a checkpoint is as a model, for ckpt inspect */
#ifndef CKPT_TOOLS_INSPECT_MODEL_H
#define CKPT_TOOLS_INSPECT_MODEL_H
#include "tool.h"

/* Texts that were made while the checkpoint was as it was opened. */
typedef struct ckpt_model_facts {
	char *name;       /* "BertForMaskedLM (bert)"; NULL: no known model */
	char *parameters; /* "109,482,240: embeddings 23,837,184, encoder 85,054,464, pooler 590,592" */
	char *notes;      /* lines: what was recognised, or why nothing was */
	char *report;     /* lines of the loading report */
	char *json;       /* the value of "model" */
} ckpt_model_facts;

/* type: what the user said it is, or NULL. A checkpoint that is no known model is no failure, unless a type was said. */
bool ckpt_model_facts_find(const ckpt_call *call, const char *path, const ckpt_checkpoint *cp, const char *type,
                           ckpt_model_facts *facts, ckpt_error *err);
void ckpt_model_facts_free(ckpt_model_facts *facts);
#endif
