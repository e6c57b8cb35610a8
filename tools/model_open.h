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

/* Errors name the path. */
bool ckpt_opened_make(const ckpt_call *call, const ckpt_model_choice *choice, ckpt_opened *out, ckpt_error *err);
/* Remarks on what had to be recognised, and on each line of the loading report. */
bool ckpt_opened_remark(const ckpt_call *call, const ckpt_model_choice *choice, ckpt_opened *o, ckpt_error *err);
/* A remark for each line of a text. */
void ckpt_remark_lines(const ckpt_call *call, const char *path, const char *text);
void ckpt_opened_free(ckpt_opened *o);
#endif
