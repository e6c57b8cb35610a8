/* pickle_inner.h -- what the files of the pickle machine share with each other */
#ifndef CKPT_FORMATS_PICKLE_INNER_H
#define CKPT_FORMATS_PICKLE_INNER_H
#include "pickle_memo.h"
#include "pickle_read.h"

typedef struct pickle_event {
	ckpt_pickle_event_kind kind;
	ckpt_pickle_class class;
	bool called, odd;
	uint8_t opcode;
	uint64_t offset;
	const ckpt_value *global; /* GLOBAL */
} pickle_event;

typedef struct pickle_machine {
	const uint8_t *data;
	size_t length;
	size_t there; /* of length: may be read */
	size_t at;        /* of the opcode under way */
	const char *name; /* its name; NULL: it has none, or is not read yet */
	size_t next;      /* of the byte to be read next */
	size_t frame_end; /* 0: no frame is open */
	const ckpt_pickle_options *options;
	ckpt_arena *arena;
	ckpt_value **stack;
	size_t depth, stack_size;
	size_t *marks; /* depths of the stack */
	size_t mark_count, mark_size;
	ckpt_pickle_memo memo;
	uint64_t values;
	ckpt_value *none, *yes, *no, *empty_tuple, *small[256]; /* Python has one of each as well */
	pickle_event *events;
	size_t event_count, event_size;
	ckpt_pickle_result result;
	bool stopped;
	bool ran_out; /* it failed because the bytes came to an end */
	bool lost;    /* record mode: an entry of the memo could not be stored, so numbers may mean something else */
	size_t faults;    /* record mode: passed over */
	ckpt_error first; /* of these */
	ckpt_error *err;
} pickle_machine;

typedef struct pickle_op {
	uint8_t code;
	const char *name;
	bool (*run)(pickle_machine *m);
} pickle_op;

/* The opcodes, a list for each file; ends with a row without name. */
extern const pickle_op ckpt_pickle_scalar_ops[], ckpt_pickle_text_ops[], ckpt_pickle_build_ops[];

/* All return false. The text gets the record, the opcode and its offset in front. */
bool ckpt_pickle_fail(pickle_machine *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool ckpt_pickle_fail_as(pickle_machine *m, ckpt_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Record mode, after a fault: whether it may be passed over; false when it has been enough. */
bool ckpt_pickle_pass_over(pickle_machine *m);

/* The next n bytes, or NULL: they run past the end of the stream or of its frame. */
const uint8_t *ckpt_pickle_take(pickle_machine *m, uint64_t n);
/* A line without its newline. */
bool ckpt_pickle_line(pickle_machine *m, const char **line, size_t *length);

/* NULL is passed on as a failure that was already reported. */
bool ckpt_pickle_push(pickle_machine *m, ckpt_value *v);
ckpt_value *ckpt_pickle_pop(pickle_machine *m); /* NULL: underflow */
ckpt_value *ckpt_pickle_top(pickle_machine *m); /* NULL: underflow */
size_t ckpt_pickle_fence(const pickle_machine *m); /* values below it are out of reach */
bool ckpt_pickle_mark(pickle_machine *m);
/* Takes the mark and what lies above it off the stack; the items stay valid until the next push. */
bool ckpt_pickle_pop_mark(pickle_machine *m, ckpt_value ***items, size_t *count);

/* New values, counted against the limit; NULL with the error set. */
ckpt_value *ckpt_pickle_make(pickle_machine *m, ckpt_value_kind kind);
ckpt_value *ckpt_pickle_make_text(pickle_machine *m, ckpt_value_kind kind, const void *bytes, size_t length);
ckpt_value *ckpt_pickle_make_int(pickle_machine *m, int64_t integer);
/* From two's complement, little-endian. */
ckpt_value *ckpt_pickle_make_long(pickle_machine *m, const uint8_t *bytes, size_t length);
/* A str of Python 2: a string when it is UTF-8, else bytes. */
ckpt_value *ckpt_pickle_make_str2(pickle_machine *m, const void *bytes, size_t length);

/* UTF-8, in which lone surrogates are allowed as Python's "surrogatepass" writes them. */
bool ckpt_pickle_is_utf8(const uint8_t *s, size_t length);
/* False only when out of memory, or when the event is refused. */
bool ckpt_pickle_note_event(pickle_machine *m, pickle_event event);
#endif
