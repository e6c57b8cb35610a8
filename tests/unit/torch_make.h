/* torch_make.h -- pickles of tensors in protocol 0 text, and files around them, for tests */
#ifndef CKPT_UNIT_TORCH_MAKE_H
#define CKPT_UNIT_TORCH_MAKE_H
#include "../../lib/checkpoint.h"
#include "zip_make.h"

#define STORAGE(kind, key, numel) "(Vstorage\nctorch\n" kind "\nV" key "\nVcpu\nI" numel "\ntQ"
#define ODICT                     "ccollections\nOrderedDict\n)R"
/* size and stride: "(I2\nI3\nt" */
#define VIEW(storage, offset, size, stride) storage "I" offset "\n" size stride
#define TENSOR_OF(view)                     "ctorch._utils\n_rebuild_tensor_v2\n(" view "I00\n" ODICT "tR"
/* n float32 elements of storage 0, which has four */
#define TENSOR(n) TENSOR_OF(VIEW(STORAGE("FloatStorage", "0", "4"), "0", "(I" n "\nt", "(I1\nt"))
#define T4        TENSOR("4")

/* A zip archive with that pickle and one storage of 16 bytes, of the values 1, 2, 3, 4. */
zip_archive torch_archive(const char *pickle, size_t length);
/* A file of stacked pickles around the object, with these bytes behind it. */
const char *torch_legacy(const void *object, size_t object_length, const void *rest, size_t rest_length);

ckpt_checkpoint *torch_accept(const char *path, const ckpt_open_options *options);
void torch_refuse(const char *path, const ckpt_open_options *options, const char *word);
/* All tensors of every file in data/fixtures/torch/expected.txt whose name ends in `tail`, except those that end in
 * `not`; at least so many files. */
void torch_expect_fixtures(const char *tail, const char * not, size_t least);
/* The names of the tensors, each with a blank behind. */
const char *torch_names(const ckpt_checkpoint *cp);
bool torch_has_note(const ckpt_checkpoint *cp, const char *word);
#endif
