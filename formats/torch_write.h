/* torch_write.h -- plans files as torch.save writes them, for the rows "torch" and "torch-legacy"
 *
 * A checkpoint that still has the whole value tree of a pickle is written as that tree: the same dicts, objects and
 * numbers, views sharing storages as before. Any other one becomes an OrderedDict of its tensors. Nothing of a storage
 * is read; the layout keeps references on the sources.
 */
#ifndef CKPT_FORMATS_TORCH_WRITE_H
#define CKPT_FORMATS_TORCH_WRITE_H
#include "../lib/checkpoint.h"
#include "../lib/layout.h"

/* The zip archive of torch 1.6 and later, byte for byte as torch 2.13 writes it but for the serialization id. The last
 * component of path gives the name of the archive's folder. options may be NULL. */
ckpt_layout *ckpt_torch_plan(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options,
                             ckpt_error *err);
/* The stacked pickles of torch before 1.6. Refuses what torch cannot load back from these: dtypes without a storage
 * class. */
ckpt_layout *ckpt_torch_legacy_plan(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options,
                                    ckpt_error *err);
#endif
