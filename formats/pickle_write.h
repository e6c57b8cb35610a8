/* pickle_write.h -- writes pickles as CPython's pickler does at protocol 2
 *
 * Streams are built in memory: by primitives, which write one thing each, and by ckpt_pickle_value, which walks a value
 * tree. Primitives do not fail one by one; ckpt_pickle_check tells whether all went well.
 */
#ifndef CKPT_FORMATS_PICKLE_WRITE_H
#define CKPT_FORMATS_PICKLE_WRITE_H
#include "../lib/buffer.h"
#include "../lib/value.h"

typedef struct ckpt_pickler ckpt_pickler;

/* limit: bytes that all streams together may have (the limit "pickle-bytes"). */
ckpt_pickler *ckpt_pickler_new(uint64_t limit, ckpt_error *err);
void ckpt_pickler_free(ckpt_pickler *p);
/* What was written so far; belongs to the pickler. */
const ckpt_buffer *ckpt_pickler_bytes(const ckpt_pickler *p);
/* False when memory ran out or the limit is passed. */
bool ckpt_pickle_check(const ckpt_pickler *p, ckpt_error *err);

/* ---- primitives; those that return a number put what they wrote into the memo, under that number ---- */

/* A stream starts with its protocol and an empty memo, behind the streams that were written before, and stops. */
void ckpt_pickle_start(ckpt_pickler *p);
bool ckpt_pickle_stop(ckpt_pickler *p, ckpt_error *err);

/* Opcodes that need no more than their byte. */
enum {
	CKPT_OP_MARK = '(',
	CKPT_OP_POP = '0',
	CKPT_OP_POP_MARK = '1',
	CKPT_OP_REDUCE = 'R',
	CKPT_OP_NEWOBJ = 0x81,
	CKPT_OP_NEWOBJ_EX = 0x92,
	CKPT_OP_OBJ = 'o',
	CKPT_OP_BUILD = 'b',
	CKPT_OP_NONE = 'N',
	CKPT_OP_EMPTY_LIST = ']',
	CKPT_OP_EMPTY_DICT = '}',
	CKPT_OP_APPEND = 'a',
	CKPT_OP_APPENDS = 'e',
	CKPT_OP_SETITEM = 's',
	CKPT_OP_SETITEMS = 'u',
	CKPT_OP_PERSID = 'Q'
};

void ckpt_pickle_op(ckpt_pickler *p, int op);
void ckpt_pickle_bool(ckpt_pickler *p, bool value);
void ckpt_pickle_int(ckpt_pickler *p, int64_t value);
/* A larger integer: two's complement, little-endian, as short as it can be. */
void ckpt_pickle_long(ckpt_pickler *p, const void *bytes, size_t length);
void ckpt_pickle_float(ckpt_pickler *p, double value);
/* Makes a tuple of the last `count` things; from 4 on a MARK must lie below them. Not put into the memo. */
void ckpt_pickle_tuple(ckpt_pickler *p, size_t count);
/* A tuple of integers, as shapes and strides are; in the memo when it is not empty. */
void ckpt_pickle_ints(ckpt_pickler *p, const uint64_t *values, size_t count);

uint32_t ckpt_pickle_memoize(ckpt_pickler *p); /* what was written last */
void ckpt_pickle_get(ckpt_pickler *p, uint32_t index);
uint32_t ckpt_pickle_string(ckpt_pickler *p, const char *utf8, size_t length);
/* A string that is one object wherever it comes up, as literals of Python code are. Borrowed until the stream ends. */
uint32_t ckpt_pickle_word(ckpt_pickler *p, const char *word);
/* A global: written once, then shared. Borrowed until the stream ends. */
uint32_t ckpt_pickle_global(ckpt_pickler *p, const char *module, const char *name);

/* ---- value trees ---- */

/* The memo by node: whether it holds v; that it shall. */
bool ckpt_pickle_known(const ckpt_pickler *p, const ckpt_value *v, uint32_t *index);
void ckpt_pickle_remember(ckpt_pickler *p, const ckpt_value *v, uint32_t index);
/* From now on the node is the same object as that word: whichever of them is in the memo already serves both. */
void ckpt_pickle_same(ckpt_pickler *p, const ckpt_value *v, const char *word);

typedef enum ckpt_pickle_answer {
	CKPT_PICKLE_WALK,    /* write the node as it is: a tensor as the call it was, a persistent id as its id */
	CKPT_PICKLE_WRITTEN, /* the hook wrote it by primitives */
	CKPT_PICKLE_FAILED   /* err is filled */
} ckpt_pickle_answer;

/* Asked for each tensor, storage and other persistent id that the memo does not hold. */
typedef ckpt_pickle_answer (*ckpt_pickle_hook)(void *user, ckpt_pickler *p, const ckpt_value *v, ckpt_error *err);

/* Writes the tree below v, with a stack of its own. Nodes are shared by identity, globals by name. hook may be NULL:
 * always WALK. */
bool ckpt_pickle_value(ckpt_pickler *p, const ckpt_value *v, ckpt_pickle_hook hook, void *user, ckpt_error *err);
#endif
