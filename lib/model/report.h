/* report.h -- the loading report in words and as JSON, and the sizes of a model's parts */
#ifndef CKPT_MODEL_REPORT_H
#define CKPT_MODEL_REPORT_H
#include "../buffer.h"
#include "model.h"

/* Lines such as "missing     encoder.layer.{10..11}.* (32 tensors)"; nothing when there are no misfits. Layers that are
 * alike are folded; shapes found and wanted are given. Text from the file is escaped. */
bool ckpt_report_text(const ckpt_model *model, ckpt_buffer *b, ckpt_error *err);
/* {"missing":[{"name","shape"}],"unexpected":[{"name","dtype","shape"}],
 * "mismatched":[{"name","found","found_dtype","wanted"}],"ignored":0,"complete":true} */
bool ckpt_report_json(const ckpt_model *model, ckpt_buffer *b, ckpt_error *err);

/* A part of a model: the first word of its tensors' names ("embeddings", "encoder", "pooler", "cls"). */
typedef struct ckpt_model_part {
	const char *name; /* not terminated: length bytes */
	size_t length;
	uint64_t parameters;
} ckpt_model_part;

/* Up to `most` parts in the order of the state dict; returns how many there are. */
size_t ckpt_model_parts(const ckpt_model *model, ckpt_model_part *parts, size_t most);

/* Folds names whose first number alone differs: "encoder.layer.{0..3,5}.output.bias". Used by every list of tensors. */
typedef struct ckpt_fold_item {
	const char *name;
	const char *note; /* items of different notes are not folded together; may be "" */
	int kind;         /* nor are those of different kinds */
} ckpt_fold_item;

/* Calls back once a folded line, in the order of kinds and names. count: how many items it stands for. Where all tensors
 * of `universe` (names; NULL: none known) with that stem and those numbers are among the items, they fold into "stem.*". */
typedef void (*ckpt_fold_fn)(void *user, int kind, const char *pattern, const char *note, size_t count);
bool ckpt_fold(ckpt_fold_item *items, size_t count, const char *const *universe, size_t universe_count,
               ckpt_fold_fn emit, void *user, ckpt_error *err);
#endif
