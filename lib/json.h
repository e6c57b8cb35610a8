/* json.h -- strict JSON over cJSON: exact 64-bit integers, no duplicate keys, bounded depth
 *
 * The text is first checked against RFC 8259 by our own scanner (strict UTF-8, no lone surrogates, no NUL in strings,
 * no trailing bytes but white space, nesting limit), which also hands numbers to cJSON as text, so that none is ever
 * rounded. Duplicate keys, also when one is written with escapes, are refused with the key's name.
 */
#ifndef CKPT_LIB_JSON_H
#define CKPT_LIB_JSON_H
#include "buffer.h"
#include "ckpt.h"

typedef struct cJSON ckpt_json; /* a node; look at it only through these functions */

typedef enum ckpt_json_kind {
	CKPT_JSON_NULL,
	CKPT_JSON_BOOL,
	CKPT_JSON_NUMBER,
	CKPT_JSON_STRING,
	CKPT_JSON_ARRAY,
	CKPT_JSON_OBJECT
} ckpt_json_kind;

/* depth: the deepest nesting allowed. Errors give line and column. */
ckpt_json *ckpt_json_parse(const char *text, size_t length, uint64_t depth, ckpt_error *err);
void ckpt_json_free(ckpt_json *root);

/* For texts with very many members (a safetensors header, a weight map): the members of the one object that text holds,
 * in turn, each as its decoded key and the text of its value, so that no tree of the whole is ever in memory. The value
 * can be handed to ckpt_json_parse or to this function again. Checked as strictly as by ckpt_json_parse; a duplicate
 * among the keys is found after the last visit. visit returns false to stop, having set the error. */
typedef bool (*ckpt_json_visit_fn)(void *user, const char *key, const char *value, size_t length, ckpt_error *err);
bool ckpt_json_each_member(const char *text, size_t length, uint64_t depth, ckpt_json_visit_fn visit, void *user,
                           ckpt_error *err);
/* "an object", "a number", ... of a value that was handed to visit. */
const char *ckpt_json_text_kind(const char *value);

ckpt_json_kind ckpt_json_get_kind(const ckpt_json *v);
const char *ckpt_json_kind_name(const ckpt_json *v);  /* "an object", "a number", for messages */
const ckpt_json *ckpt_json_child(const ckpt_json *v); /* first item of an array or object, or NULL */
const ckpt_json *ckpt_json_next(const ckpt_json *v);  /* next sibling, or NULL */
const char *ckpt_json_key(const ckpt_json *v);        /* of a member of an object */
const char *ckpt_json_string(const ckpt_json *v);     /* of a string, UTF-8 */
const char *ckpt_json_number(const ckpt_json *v);     /* of a number: its text as written */
bool ckpt_json_is_true(const ckpt_json *v);
/* Exact integers without sign, fraction or exponent ("-0" is none); false otherwise. */
bool ckpt_json_u64(const ckpt_json *v, uint64_t *out);
bool ckpt_json_i64(const ckpt_json *v, int64_t *out);
bool ckpt_json_f64(const ckpt_json *v, double *out);
/* One member by name; linear, so not inside a loop over the members. */
const ckpt_json *ckpt_json_member(const ckpt_json *object, const char *key);

/* The same of a value that need be no object; a null counts as no member. */
const ckpt_json *ckpt_json_field(const ckpt_json *v, const char *key);
const char *ckpt_json_field_string(const ckpt_json *v, const char *key);            /* NULL: no string */
bool ckpt_json_field_flag(const ckpt_json *v, const char *key, bool missing);       /* missing: where there is no true or false */

/* Appends a quoted string. ascii: everything above 0x7e as \uXXXX (Python's default); otherwise raw UTF-8 with
 * \b \t \n \f \r \" \\ and \u00xx for other controls, as serde_json writes. Bytes that are no UTF-8 become \udcXX. */
void ckpt_json_write_string(ckpt_buffer *b, const char *text, size_t length, bool ascii);
#endif
