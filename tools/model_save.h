/* model_save.h -- writing a model: weights as one asks for them, in a folder with its config beside them */
#ifndef CKPT_TOOLS_MODEL_SAVE_H
#define CKPT_TOOLS_MODEL_SAVE_H
#include "tool.h"

typedef struct ckpt_model_target {
	const char *path;
	const char *to;          /* format, or NULL */
	uint64_t max_shard;      /* 0: one file */
	bool force, no_sync;
	const char *folder_from; /* carry small files along from here, or NULL */
	ckpt_extra_file files[2];
	size_t file_count;
} ckpt_model_target;

/* True when DST is a folder: it is one, ends in a slash, or has no suffix that names a format. */
bool ckpt_model_target_is_folder(const ckpt_model_target *target);
/* True when what will be written can hold two names for one tensor. */
bool ckpt_model_target_holds_aliases(const ckpt_model_target *target);
/* Writes it with progress and prints a line about it. */
bool ckpt_model_save(const ckpt_call *call, const ckpt_checkpoint *cp, const ckpt_model_target *target, ckpt_error *err);
#endif
