/* torch_stream.h -- one pickle that lies somewhere in a file, without a length of its own */
#ifndef CKPT_FORMATS_TORCH_STREAM_H
#define CKPT_FORMATS_TORCH_STREAM_H
#include "../lib/file.h"
#include "pickle_read.h"

/* Runs the pickle at *offset, which must end before `end`, and moves *offset behind it. The options' base is set. */
bool ckpt_torch_stream(ckpt_file *f, uint64_t *offset, uint64_t end, ckpt_pickle_options options,
                       ckpt_pickle_result *out, ckpt_error *err);
#endif
