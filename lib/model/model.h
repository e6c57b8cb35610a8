/* model.h -- a config, an architecture and a checkpoint bound together: each tensor of the model and where it is
 *
 * A slot is one tensor that the model wants. Slots come in the order of the model's state dict. Binding finds for each
 * the tensor of the checkpoint that is meant, under whatever spelling, and reports what does not fit.
 */
#ifndef CKPT_MODEL_MODEL_H
#define CKPT_MODEL_MODEL_H
#include "../checkpoint.h"
#include "../ckpt.h"
#include "../names.h"
#include "config.h"

#define CKPT_NO_SLOT SIZE_MAX

typedef struct ckpt_slot {
	const char *name;  /* as the class spells it: "bert.encoder.layer.0.output.dense.weight" */
	const char *local; /* without the base-model prefix: "encoder.layer.0.output.dense.weight" */
	const ckpt_arch_row *row;
	uint32_t index[2]; /* the numbers that stand for {L} and a second one */
	uint32_t rank;
	uint64_t shape[4];
	uint64_t elements;
	size_t tied;               /* the slot whose values it shares, or CKPT_NO_SLOT */
	const ckpt_tensor *tensor; /* what was bound (for a tied one without a tensor of its own: its source's), or NULL */
	bool own;                  /* tensor is its own, not one that it is tied to */
} ckpt_slot;

/* What did not fit. */
typedef enum ckpt_misfit_kind { CKPT_MISSING, CKPT_UNEXPECTED, CKPT_MISMATCHED } ckpt_misfit_kind;

typedef struct ckpt_misfit {
	ckpt_misfit_kind kind;
	const char *name;          /* MISSING, MISMATCHED: the slot's; UNEXPECTED: the tensor's */
	size_t slot;               /* MISSING, MISMATCHED */
	const ckpt_tensor *tensor; /* UNEXPECTED, MISMATCHED */
} ckpt_misfit;

struct ckpt_model {
	ckpt_arena arena;
	const ckpt_config *config; /* borrowed, or */
	ckpt_config *own_config;   /* freed with the model */
	const ckpt_arch *arch;
	const ckpt_arch_class *class;
	ckpt_slot *slots;
	size_t count;
	ckpt_name_index *index;        /* by local name */
	const ckpt_checkpoint *source; /* borrowed; NULL: nothing bound */
	const char *wrapper;           /* what stood in front of all names ("module."), or "" */
	ckpt_misfit *misfits;          /* sorted: by kind, then by name */
	size_t misfit_count;
	size_t ignored;                /* tensors of the file that are known to be of no use (position_ids, ...) */
	char *notes;                   /* lines about what was recognised or guessed, or NULL */
	bool guessed;                  /* the config was read off the tensors: good for names and shapes, not for numbers */
	char *text;                    /* the last report */
};

/* Every tensor that the class has under the config; nothing is bound. class NULL: the base model. */
ckpt_model *ckpt_model_new(const ckpt_config *config, const ckpt_arch_class *class, ckpt_error *err);
/* The local name of a row with its numbers filled in; false when it does not fit into size bytes. */
bool ckpt_row_name(const ckpt_arch_row *row, const uint32_t index[2], char *text, size_t size);
/* By local name; CKPT_NO_SLOT when the model has no such tensor. */
size_t ckpt_model_find(const ckpt_model *model, const char *local);
/* The tensor bound under the local name, or NULL. Complete after a bind without misfits. */
const ckpt_tensor *ckpt_model_tensor(const ckpt_model *model, const char *local);
/* Parameters, tied ones once, buffers not at all. */
uint64_t ckpt_model_parameters(const ckpt_model *model);

/* Binds the tensors of the checkpoint, which must outlive the model. Misfits are recorded, not failures; two tensors that
 * mean the same slot are refused. */
bool ckpt_model_bind_to(ckpt_model *model, const ckpt_checkpoint *cp, ckpt_error *err);
/* Floating point in whole bytes: what the weights of a model may be stored as. */
bool ckpt_model_takes(ckpt_dtype dtype);
/* The class that the config declares, or else the one whose heads the names show. `declared` tells which. */
const ckpt_arch_class *ckpt_model_class_of(const ckpt_config *config, const ckpt_checkpoint *cp, bool *declared,
                                           ckpt_error *err);

/* Fills err with a sentence that lists the classes there are. */
void ckpt_model_refuse_class(const ckpt_arch *arch, const char *name, ckpt_error *err);

/* spell.c: what a name in a file means: its place among the slots, or CKPT_NO_SLOT. exact is set when it was spelt just
 * as the class spells it. */
size_t ckpt_model_spell(const ckpt_model *model, const char *name, bool *exact);
/* Names that are of no use to any model of the type. */
bool ckpt_arch_ignores(const ckpt_arch *arch, const char *name);
/* Sets model->wrapper to what stands in front of the names ("module.", "0.auto_model."), or to "". */
void ckpt_model_find_wrapper(ckpt_model *model, const char *const *names, size_t count);

/* recognise.c: the type whose table fits the names and shapes; NULL with an error that names the types when none or
 * several do. */
const ckpt_arch *ckpt_model_recognise(const ckpt_checkpoint *cp, ckpt_error *err);
#endif
