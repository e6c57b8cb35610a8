/* recognise.h -- which type of model tensors show, and a config made from their sizes */
#ifndef CKPT_MODEL_RECOGNISE_H
#define CKPT_MODEL_RECOGNISE_H
#include "model.h"
#include "sizes.h"

/* only: the one type to try, or NULL for all. */
const ckpt_arch *ckpt_model_recognise_sizes(const ckpt_checkpoint *cp, const ckpt_arch *only, ckpt_sizes *sizes,
                                            ckpt_error *err);

/* A config with the sizes that the tensors show. What they do not show (the number of heads, activation, epsilon) is a
 * guess: good for names and shapes, not for numbers. arch NULL: recognised. */
ckpt_config *ckpt_model_guess_config(const ckpt_checkpoint *cp, const ckpt_arch *arch, ckpt_error *err);
#endif
