/* pickle_read.h -- the pickle machine: builds values, imports nothing, calls nothing
 *
 * All opcodes of protocols 0 to 5, except those that refer to something outside of the file (extension codes,
 * out-of-band buffers). A call or an instance becomes an object that remembers what would have been called with what;
 * so the tree can be written again.
 *
 * In the nodes that it makes, `object_kind` of a global holds its ckpt_pickle_role and `tensor` its number among the
 * globals of the stream; `object_kind` of a tuple is 1 when Python could not hash it.
 */
#ifndef CKPT_FORMATS_PICKLE_READ_H
#define CKPT_FORMATS_PICKLE_READ_H
#include "../lib/arena.h"
#include "../lib/value.h"
#include "pickle_names.h"

typedef enum ckpt_pickle_event_kind {
	CKPT_PICKLE_GLOBAL,     /* a name was imported */
	CKPT_PICKLE_UNRESOLVED, /* STACK_GLOBAL on something that is no pair of strings */
	CKPT_PICKLE_COMPUTED,   /* a call of something that is no global */
	CKPT_PICKLE_DROPPED,    /* the result of a call was thrown away */
	CKPT_PICKLE_EXTENSION,  /* EXT1, EXT2, EXT4 */
	CKPT_PICKLE_PERSISTENT  /* PERSID, or a BINPERSID that the hook did not want */
} ckpt_pickle_event_kind;

typedef struct ckpt_pickle_event {
	ckpt_pickle_event_kind kind;
	const char *record;        /* as in the options */
	uint64_t offset;           /* of the opcode, from the start of that record */
	const char *opcode;        /* "GLOBAL" */
	const char *module, *name; /* GLOBAL; else NULL. Raw text of the file: escape before printing */
	ckpt_pickle_class class;   /* GLOBAL */
	bool called;               /* GLOBAL: some call used it */
	bool odd;                  /* GLOBAL: with a state that is not as simple as training states have it */
} ckpt_pickle_event;

typedef struct ckpt_pickle_options {
	ckpt_arena *arena;  /* where the values live */
	ckpt_limits limits; /* resolved */
	const char *record; /* what the stream is called in messages: "archive/data.pkl" */
	uint64_t base;      /* added to offsets in messages and events */
	/* Turns a persistent id into a value, or fails. text: it came as a line of text (PERSID). NULL: refused. A hook that
	 * returns NULL without an error does not want it: an event. */
	ckpt_value *(*persistent)(void *user, ckpt_value *id, bool text, ckpt_error *err);
	/* Record mode: told every event in the order of the stream, when the run ends, also when it ends in an error.
	 * Nothing is refused for its name then, and after a fault that another machine may pass over the run goes on, to
	 * see what stands behind it; it has failed all the same. NULL: names classed dangerous are refused, as are the other
	 * events. */
	void (*record_event)(void *user, const ckpt_pickle_event *event);
	void *user;
	/* Makes the first `end` bytes be there, or more, and says how many are; false: they cannot be had. NULL: all are there. */
	bool (*ensure)(void *bytes_of, size_t end, size_t *there, ckpt_error *err);
	void *bytes_of;
	bool *ran_out; /* set to whether it failed because the bytes came to an end; NULL: not asked */
} ckpt_pickle_options;

typedef struct ckpt_pickle_result {
	ckpt_value *root;
	size_t consumed; /* bytes up to and with STOP */
	size_t left;     /* values that STOP left on the stack beside the root */
	unsigned protocol;
	uint64_t opcodes;
	bool python2; /* it holds str opcodes of Python 2 */
} ckpt_pickle_result;

/* Runs one stream that starts at data; what follows its STOP is not looked at. Errors name the record, the opcode and
 * its offset. After a failure out->consumed alone is set: to the bytes up to STOP if record mode reached it, else 0. */
bool ckpt_pickle_read(const uint8_t *data, size_t length, const ckpt_pickle_options *options, ckpt_pickle_result *out,
                      ckpt_error *err);
/* "a list", "an int": for messages. */
const char *ckpt_pickle_kind_text(const ckpt_value *v);
/* The role of the callable of an object or tensor, or of a global itself; CKPT_ROLE_NONE for anything else. */
ckpt_pickle_role ckpt_pickle_role_of(const ckpt_value *v);
#endif
