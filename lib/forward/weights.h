/* weights.h -- where the weights of a model lie in memory */
#ifndef CKPT_FORWARD_WEIGHTS_H
#define CKPT_FORWARD_WEIGHTS_H
#include "../model/model.h"
#include "../nn/nn.h"

/* The weights of a model, which must outlive them; nothing is mapped or read before it is asked for. */
typedef struct ckpt_weights ckpt_weights;
ckpt_weights *ckpt_weights_new(const ckpt_model *model, ckpt_error *err);
void ckpt_weights_free(ckpt_weights *w);

/* The tensor bound to the slot, mapped or copied on first use; data NULL for a buffer that the checkpoint has not. */
bool ckpt_weights_get(ckpt_weights *w, size_t slot, ckpt_nn_weight *out, ckpt_error *err);
/* Bytes that had to be copied so far. */
uint64_t ckpt_weights_copied(const ckpt_weights *w);
/* Gives memory back; what was got must be got again. */
void ckpt_weights_forget(ckpt_weights *w);
/* CKPT_E_CHANGED when a file became shorter while it was mapped: what was computed from it is then worth nothing. */
bool ckpt_weights_check(const ckpt_weights *w, ckpt_error *err);
#endif
