/* model_open.h -- the model that the user named, bound to its weights, with remarks on what had to be recognised */
#ifndef CKPT_TOOLS_MODEL_OPEN_H
#define CKPT_TOOLS_MODEL_OPEN_H
#include "tool.h"

typedef struct ckpt_model_choice {
	const char *path;       /* a folder, or a file of weights */
	const char *config;     /* NULL: in or beside path */
	const char *class_name; /* NULL: as the config declares */
	const char *type;       /* NULL: as the config says */
} ckpt_model_choice;

typedef struct ckpt_opened {
	ckpt_checkpoint *weights;
	ckpt_model *model;
} ckpt_opened;

/* Errors name the path. Lines of the loading report become remarks. */
bool ckpt_opened_make(const ckpt_call *call, const ckpt_model_choice *choice, ckpt_opened *out, ckpt_error *err);
void ckpt_opened_free(ckpt_opened *o);
#endif
