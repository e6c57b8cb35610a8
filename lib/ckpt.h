/* ckpt.h -- read, inspect, convert and write model checkpoints
 *
 * The one idea: a checkpoint is an ordered set of named, lazy tensors, and every tensor can produce any byte range of
 * itself. Opening a checkpoint reads headers only; saving one plans every offset first and then fills the output in
 * parallel. No function here executes a pickle, prints, or exits.
 *
 * Conventions
 *   - A function that can fail takes a ckpt_error as its last argument and returns false or NULL. The error is filled
 *     on failure and untouched on success; it may be NULL when the caller does not care why.
 *   - ckpt_x_free(NULL) is fine. Strings returned as const char * belong to the object they came from.
 *   - Shapes are row-major, outermost dimension first; sizes and offsets are bytes unless a name says elements.
 *   - Tensor bytes are little-endian, contiguous and row-major whatever the file held.
 *   - A checkpoint may be read from several threads at once; changing one needs exclusive access.
 */
#ifndef CKPT_H
#define CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CKPT_API __attribute__((visibility("default")))
#else
#define CKPT_API
#endif

/* The library's version, for example "0.1.0". */
CKPT_API const char *ckpt_version(void);

/* ---- errors ---------------------------------------------------------------------------------------------------- */

typedef enum ckpt_code {
	CKPT_OK = 0,
	CKPT_E_USAGE,       /* an argument of the caller makes no sense */
	CKPT_E_NOMEM,       /* out of memory */
	CKPT_E_IO,          /* the system refused to open, read, write, ... */
	CKPT_E_FORMAT,      /* the file is malformed */
	CKPT_E_UNSUPPORTED, /* the file is valid, ckpt cannot do this with it */
	CKPT_E_LIMIT,       /* a named limit (ckpt_limits) was exceeded */
	CKPT_E_NOT_FOUND,   /* no such tensor, key, file */
	CKPT_E_EXISTS,      /* the output is there already and force was not given */
	CKPT_E_CHANGED,     /* the input changed while it was read */
	CKPT_E_CANCELLED    /* the progress callback asked to stop */
} ckpt_code;

#define CKPT_ERROR_TEXT 1024

/* One failure: a code and one whole sentence without a final newline. The text is valid UTF-8 and safe for a terminal:
 * whatever came from a file is escaped. Initialise with {0}. */
typedef struct ckpt_error {
	ckpt_code code;
	char text[CKPT_ERROR_TEXT];
} ckpt_error;

/* ---- dtypes ---------------------------------------------------------------------------------------------------- */

/* The 22 dtypes of safetensors in the order that also decides its layout (low to high), then those that only torch
 * has. CKPT_DTYPE_NONE means "no dtype" where an option may leave it open. */
typedef enum ckpt_dtype {
	CKPT_BOOL,
	CKPT_F4,
	CKPT_F6_E2M3,
	CKPT_F6_E3M2,
	CKPT_U8,
	CKPT_I8,
	CKPT_F8_E5M2,
	CKPT_F8_E4M3,
	CKPT_F8_E8M0,
	CKPT_F8_E4M3FNUZ,
	CKPT_F8_E5M2FNUZ,
	CKPT_I16,
	CKPT_U16,
	CKPT_F16,
	CKPT_BF16,
	CKPT_I32,
	CKPT_U32,
	CKPT_F32,
	CKPT_C64,
	CKPT_F64,
	CKPT_I64,
	CKPT_U64,
	CKPT_C128,
	CKPT_C32,
	CKPT_QINT8,
	CKPT_QUINT8,
	CKPT_QINT32,
	CKPT_QUINT4X2,
	CKPT_QUINT2X4,
	CKPT_BITS8,
	CKPT_BITS16,
	CKPT_BITS1X8,
	CKPT_BITS2X4,
	CKPT_BITS4X2,
	CKPT_DTYPE_COUNT,
	CKPT_DTYPE_NONE = CKPT_DTYPE_COUNT
} ckpt_dtype;

/* "F32", "BF16", ...: as safetensors spells it; torch-only dtypes are spelled alike (C128, QINT8, BITS8). */
CKPT_API const char *ckpt_dtype_name(ckpt_dtype dtype);

/* Accepts the safetensors spelling in any case and torch's names (float32, bfloat16, torch.float16, half, ...).
 * Returns CKPT_DTYPE_NONE when the name means nothing. */
CKPT_API ckpt_dtype ckpt_dtype_parse(const char *name);

/* Bits of one element: 4, 6, 8, 16, ... 128. */
CKPT_API unsigned ckpt_dtype_bits(ckpt_dtype dtype);

/* ---- options shared by several calls --------------------------------------------------------------------------- */

/* Limits on what a file may ask for; 0 means the default. docs/limits.md lists them with their reasons. */
typedef struct ckpt_limits {
	uint64_t header_bytes;   /* JSON header of safetensors, .npy header: 100,000,000 */
	uint64_t index_bytes;    /* *.index.json: 100,000,000 */
	uint64_t pickle_bytes;   /* one pickle stream: 268,435,456 */
	uint64_t pickle_values;  /* values that one pickle may make: 33,554,432 */
	uint64_t tensors;        /* tensors in one checkpoint: 4,194,304 */
	uint64_t view_bytes;     /* a view that repeats its storage (stride 0): 17,179,869,184 */
	uint64_t depth;          /* nesting of JSON and of printed trees: 128 */
	uint64_t zip_records;    /* records in one archive: 8,388,608 */
	uint64_t inflate_bytes;  /* what one deflated record may become: 68,719,476,736 */
	uint64_t cache_bytes;    /* keys and values kept while text is generated: 8,589,934,592 */
} ckpt_limits;

/* The names of the limits, as `--limit NAME=VALUE` spells them ("header-bytes", ...). */
CKPT_API bool ckpt_limits_set(ckpt_limits *limits, const char *name, uint64_t value, ckpt_error *err);

/* Called from one thread at a time with bytes done and in all; return false to stop: the call under way then fails
 * with CKPT_E_CANCELLED and leaves nothing behind. */
typedef bool (*ckpt_progress_fn)(void *user, uint64_t done, uint64_t total);

typedef struct ckpt_work {
	int threads;               /* 0: as many as OpenMP would start */
	ckpt_progress_fn progress; /* may be NULL */
	void *user;                /* handed to progress */
} ckpt_work;

/* ---- checkpoints ----------------------------------------------------------------------------------------------- */

typedef struct ckpt_checkpoint ckpt_checkpoint;
typedef struct ckpt_tensor ckpt_tensor;
typedef struct ckpt_value ckpt_value;

typedef struct ckpt_open_options {
	ckpt_limits limits;
	const char *format; /* a name from ckpt_format_at(); NULL: recognised by content */
	const char *root;   /* which part of a training checkpoint holds the weights; NULL: found, see ckpt_open */
	bool skip_crc;      /* do not verify the CRC of zip records while their bytes are read */
} ckpt_open_options;

/* Opens a file or a folder and reads its headers; no weight is read. A pickle is interpreted by a machine that builds
 * values and never calls anything. When a pickle nests its weights (training checkpoints), every tensor is listed under
 * its dotted path ("model.encoder.weight"); options->root names one part ("model", "state.ema") whose tensors alone are
 * then listed, without that prefix; see also ckpt_checkpoint_roots. Errors name the path. */
CKPT_API ckpt_checkpoint *ckpt_open(const char *path, const ckpt_open_options *options, ckpt_error *err);

/* An empty checkpoint, to be filled with ckpt_checkpoint_add_*. */
CKPT_API ckpt_checkpoint *ckpt_checkpoint_new(ckpt_error *err);
CKPT_API void ckpt_checkpoint_free(ckpt_checkpoint *cp);

/* What it was read from: "safetensors", "torch", ...; NULL for one made by ckpt_checkpoint_new. */
CKPT_API const char *ckpt_checkpoint_format(const ckpt_checkpoint *cp);
/* More about it in words ("zip, torch 2.7 or later, whole module"); may be "". */
CKPT_API const char *ckpt_checkpoint_detail(const ckpt_checkpoint *cp);

/* Remarks made while opening ("3 records are not referenced by the pickle"). */
CKPT_API size_t ckpt_checkpoint_note_count(const ckpt_checkpoint *cp);
CKPT_API const char *ckpt_checkpoint_note_at(const ckpt_checkpoint *cp, size_t i);

CKPT_API size_t ckpt_checkpoint_metadata_count(const ckpt_checkpoint *cp);
CKPT_API const char *ckpt_checkpoint_metadata_key(const ckpt_checkpoint *cp, size_t i);
CKPT_API const char *ckpt_checkpoint_metadata_value(const ckpt_checkpoint *cp, size_t i);
/* Adds or replaces one pair; both strings are copied. */
CKPT_API bool ckpt_checkpoint_metadata_set(ckpt_checkpoint *cp, const char *key, const char *value, ckpt_error *err);

/* Tensors in file order. Pointers stay valid until the checkpoint is changed or freed. */
CKPT_API size_t ckpt_checkpoint_tensor_count(const ckpt_checkpoint *cp);
CKPT_API const ckpt_tensor *ckpt_checkpoint_tensor_at(const ckpt_checkpoint *cp, size_t i);
/* By name, in constant time; NULL when there is none. */
CKPT_API const ckpt_tensor *ckpt_checkpoint_tensor_find(const ckpt_checkpoint *cp, const char *name);

/* Adds a tensor; `data` holds all its bytes (little-endian, row-major) and is copied. */
CKPT_API bool ckpt_checkpoint_add_bytes(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank,
                                        const uint64_t *shape, const void *data, size_t length, ckpt_error *err);
/* Adds a tensor whose every element is `value` (converted to dtype); takes no memory whatever its size. */
CKPT_API bool ckpt_checkpoint_add_fill(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank,
                                       const uint64_t *shape, double value, ckpt_error *err);

/* The value tree of a pickle (everything that torch.load would have built), or NULL. */
CKPT_API const ckpt_value *ckpt_checkpoint_value(const ckpt_checkpoint *cp);
/* The paths under which a pickle holds separate groups of tensors that look like state dicts ("model", "ema"), when
 * the tensors are nested; 0 when they lie at the top. */
CKPT_API size_t ckpt_checkpoint_root_count(const ckpt_checkpoint *cp);
CKPT_API const char *ckpt_checkpoint_root_at(const ckpt_checkpoint *cp, size_t i);

/* ---- tensors --------------------------------------------------------------------------------------------------- */

CKPT_API const char *ckpt_tensor_name(const ckpt_tensor *t);
CKPT_API ckpt_dtype ckpt_tensor_dtype(const ckpt_tensor *t);
CKPT_API size_t ckpt_tensor_rank(const ckpt_tensor *t);
CKPT_API const uint64_t *ckpt_tensor_shape(const ckpt_tensor *t); /* rank sizes */
CKPT_API uint64_t ckpt_tensor_elements(const ckpt_tensor *t);
CKPT_API uint64_t ckpt_tensor_bytes(const ckpt_tensor *t);
/* The name of the earlier tensor that has the very same bytes in the very same place (tied weights), or NULL. */
CKPT_API const char *ckpt_tensor_alias_of(const ckpt_tensor *t);
/* Reads bytes offset .. offset+length of the tensor into destination. Thread-safe. The range must lie inside. */
CKPT_API bool ckpt_tensor_read(const ckpt_tensor *t, uint64_t offset, size_t length, void *destination,
                               ckpt_error *err);

typedef struct ckpt_stats {
	uint64_t elements, zeros, nans, infs;
	double min, max, absmax; /* over the values that are no NaN; NaN when there is none */
	double mean, std;        /* over the finite values; std as torch.std: n-1 in the denominator */
} ckpt_stats;

/* One pass over the values; complex numbers count by their parts. The same result for every thread count. */
CKPT_API bool ckpt_tensor_stats(const ckpt_tensor *t, const ckpt_work *work, ckpt_stats *out, ckpt_error *err);

/* SHA-256 (FIPS 180-4) of the tensor's bytes as 64 hex digits and a NUL. */
CKPT_API bool ckpt_tensor_sha256(const ckpt_tensor *t, char hex[65], ckpt_error *err);

/* SHA-256 of every tensor, several at once; hex holds one row a tensor. When fingerprint is not NULL it receives the
 * SHA-256 over the lines "NAME\0DTYPE\0[d0,d1]\0SHA256\n" of all tensors, sorted by name as bytes: equal for
 * equal tensors whatever format, order, sharding or aliasing holds them. */
CKPT_API bool ckpt_checkpoint_sha256(const ckpt_checkpoint *cp, const ckpt_work *work, char (*hex)[65],
                                     char fingerprint[65], ckpt_error *err);

/* ---- comparing --------------------------------------------------------------------------------------------------- */

/* How far apart the values of two tensors are; complex numbers count by their parts. */
typedef struct ckpt_difference {
	uint64_t elements;  /* compared */
	uint64_t different; /* |a - b| > atol + rtol |b|; where one alone is NaN or infinite; NaN equals NaN */
	double max_abs;     /* |a - b|; infinite where one alone is NaN or infinite */
	double max_rel;     /* |a - b| / max(|a|, |b|), 0 where both are 0 */
	double rms;         /* root of the mean of (a - b)^2 */
	double cosine;      /* of the angle between a and b as vectors; 1 when both are 0, 0 when one is */
	uint64_t max_ulps;  /* representable numbers between a and b, in the coarser of the two dtypes after rounding to it;
	                       0 between a float and an integer */
	uint64_t worst;     /* index of the element with the largest |a - b| */
	double sum_squares, dot, square_a, square_b; /* what rms and cosine come from: they add up over tensors */
} ckpt_difference;

/* One pass over both, in bounded memory, the same result for every thread count. The numbers of elements must be equal; dtypes
 * may differ. Dtypes that are no numbers are compared byte by byte, and only with their own kind. */
CKPT_API bool ckpt_tensor_compare(const ckpt_tensor *a, const ckpt_tensor *b, double atol, double rtol, const ckpt_work *work,
                                  ckpt_difference *out, ckpt_error *err);
/* Adds one comparison to the sum of others, which starts with {0}; `worst` loses its meaning. */
CKPT_API void ckpt_difference_add(ckpt_difference *sum, const ckpt_difference *one);

/* ---- values: what a pickle holds besides tensors --------------------------------------------------------------- */

typedef enum ckpt_value_kind {
	CKPT_VALUE_NONE,
	CKPT_VALUE_BOOL,
	CKPT_VALUE_INT,     /* fits int64 */
	CKPT_VALUE_BIGINT,  /* any other integer, as text in ckpt_value_text */
	CKPT_VALUE_FLOAT,
	CKPT_VALUE_STRING,  /* UTF-8, may hold surrogates as Python's surrogatepass writes them */
	CKPT_VALUE_BYTES,
	CKPT_VALUE_BYTEARRAY,
	CKPT_VALUE_LIST,
	CKPT_VALUE_TUPLE,
	CKPT_VALUE_SET,
	CKPT_VALUE_FROZENSET,
	CKPT_VALUE_DICT,    /* items are key, value, key, value, ... */
	CKPT_VALUE_GLOBAL,  /* a name "module.name" that Python would import; never imported */
	CKPT_VALUE_OBJECT,  /* a call or instance that Python would make; never made */
	CKPT_VALUE_TENSOR,  /* an object that is one of the checkpoint's tensors */
	CKPT_VALUE_STORAGE, /* a bare storage */
	CKPT_VALUE_PERSID   /* another persistent id */
} ckpt_value_kind;

CKPT_API ckpt_value_kind ckpt_value_get_kind(const ckpt_value *v);
CKPT_API bool ckpt_value_bool(const ckpt_value *v);
CKPT_API int64_t ckpt_value_int(const ckpt_value *v);
CKPT_API double ckpt_value_float(const ckpt_value *v);
/* Bytes of a string, bytes, bytearray, bigint (decimal or 0x hexadecimal text) or global ("module.name"). NUL-terminated, *length without
 * the NUL; length may be NULL. */
CKPT_API const char *ckpt_value_text(const ckpt_value *v, size_t *length);
/* Items of a list, tuple, set; of a dict keys and values in turn; of an object: see ckpt_value_object. */
CKPT_API size_t ckpt_value_count(const ckpt_value *v);
CKPT_API const ckpt_value *ckpt_value_item(const ckpt_value *v, size_t i);
/* For a tensor: its index in the checkpoint, or SIZE_MAX when it was not selected or cannot be read. */
CKPT_API size_t ckpt_value_tensor(const ckpt_value *v);
/* Parts of an object: what would be called, with which arguments, the state set afterwards (or NULL), and whether its
 * items are dict items (key, value in turn) rather than list items. Any out-pointer may be NULL. */
CKPT_API void ckpt_value_object(const ckpt_value *v, const ckpt_value **callable, const ckpt_value **arguments,
                                const ckpt_value **state, bool *dict_items);

/* ---- edits: none touches a byte, each wraps the tensors -------------------------------------------------------- */

/* Casts floating-point tensors (f64 f32 f16 bf16 f8) to dtype, round to nearest even; others are left alone. */
CKPT_API bool ckpt_checkpoint_cast(ckpt_checkpoint *cp, ckpt_dtype dtype, ckpt_error *err);
/* Keeps the tensors whose name matches one of include (all, when there is none) and none of exclude; shell patterns
 * where * also matches dots and slashes. */
CKPT_API bool ckpt_checkpoint_select(ckpt_checkpoint *cp, const char *const *include, size_t includes,
                                     const char *const *exclude, size_t excludes, ckpt_error *err);
/* Replaces the first match of the POSIX extended regular expression in each name by the replacement, in which \1..\9
 * stand for groups and & or \0 for the match. Two tensors under one name afterwards are an error that names both. */
CKPT_API bool ckpt_checkpoint_rename(ckpt_checkpoint *cp, const char *regex, const char *replacement,
                                     ckpt_error *err);
/* Removes tensors that are aliases; with record, each dropped name is written to the metadata as dropped=kept, as
 * safetensors.torch.save_model does. */
CKPT_API bool ckpt_checkpoint_drop_aliases(ckpt_checkpoint *cp, bool record, ckpt_error *err);
/* Brings back aliases that the metadata records (dropped=kept), and removes these pairs from the metadata. */
CKPT_API bool ckpt_checkpoint_restore_aliases(ckpt_checkpoint *cp, ckpt_error *err);

/* ---- formats and saving ---------------------------------------------------------------------------------------- */

typedef struct ckpt_format_info {
	const char *name;    /* "safetensors", "torch", "torch-legacy", "npz", ... */
	const char *summary; /* one line */
	bool reads, writes;
} ckpt_format_info;

CKPT_API size_t ckpt_format_count(void);
CKPT_API bool ckpt_format_at(size_t i, ckpt_format_info *out);

typedef enum ckpt_alias_policy {
	CKPT_ALIASES_AUTO, /* kept where the format can hold them, else dropped and recorded in the metadata */
	CKPT_ALIASES_DROP, /* dropped and recorded */
	CKPT_ALIASES_COPY  /* each name gets its own bytes */
} ckpt_alias_policy;

/* A small file that is written beside the weights. */
typedef struct ckpt_extra_file {
	const char *name; /* plain, without a folder: "config.json" */
	const void *bytes;
	size_t length;
} ckpt_extra_file;

typedef struct ckpt_save_options {
	const char *format;        /* NULL: decided by the path's suffix; for a folder "safetensors" */
	ckpt_alias_policy aliases;
	uint64_t max_shard_bytes;  /* 0: one file; else the Hub's shard names and an index */
	bool force;                /* replace existing files */
	bool no_sync;              /* leave it to the system when bytes reach the disk (no fsync) */
	const char *folder_from;   /* writing a folder: carry config.json, tokenizer and other small files from here; not folders */
	const ckpt_extra_file *extra_files; /* writing a folder: these files too, instead of carried ones of that name */
	size_t extra_file_count;
	ckpt_limits limits;
} ckpt_save_options;

typedef struct ckpt_save_plan ckpt_save_plan;

/* Decides every file, offset and name that saving will produce, and refuses what the format cannot hold; writes
 * nothing. The checkpoint must outlive the plan and not change meanwhile. */
CKPT_API ckpt_save_plan *ckpt_save_plan_new(const ckpt_checkpoint *cp, const char *path,
                                            const ckpt_save_options *options, ckpt_error *err);
CKPT_API void ckpt_save_plan_free(ckpt_save_plan *plan);
CKPT_API size_t ckpt_save_plan_file_count(const ckpt_save_plan *plan);
CKPT_API const char *ckpt_save_plan_file_path(const ckpt_save_plan *plan, size_t i);
CKPT_API uint64_t ckpt_save_plan_file_bytes(const ckpt_save_plan *plan, size_t i);
CKPT_API size_t ckpt_save_plan_file_tensors(const ckpt_save_plan *plan, size_t i);
CKPT_API const char *ckpt_save_plan_format(const ckpt_save_plan *plan);
/* Remarks on what lies in the folder besides, and on files that are not carried along. */
CKPT_API size_t ckpt_save_plan_note_count(const ckpt_save_plan *plan);
CKPT_API const char *ckpt_save_plan_note_at(const ckpt_save_plan *plan, size_t i);

/* Does it: temporary files, filled in parallel, fsync, rename. After a failure no file of the plan exists under its
 * final name unless it did before, with its old content; a single file under force that got its name, and whose folder
 * could not be synced then, stays with its complete new content. */
CKPT_API bool ckpt_save_plan_run(ckpt_save_plan *plan, const ckpt_work *work, ckpt_error *err);

/* Plan and run in one call. */
CKPT_API bool ckpt_save(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options,
                        const ckpt_work *work, ckpt_error *err);

/* ---- models: configs --------------------------------------------------------------------------------------------- */

/* What a config.json says: the kind of model and its sizes. Every field of the kind has a value: what the file does
 * not say is filled in; other names and old names of fields are understood; unknown keys are kept. Values that make no
 * model (a hidden size that the heads do not divide, 0 layers) are refused with the key and the reason. */
typedef struct ckpt_config ckpt_config;

/* The defaults of a model type: "bert", "gpt2", ... */
CKPT_API ckpt_config *ckpt_config_for_type(const char *model_type, ckpt_error *err);
/* From a config.json, or a folder that holds one. */
CKPT_API ckpt_config *ckpt_config_open(const char *path, ckpt_error *err);
CKPT_API ckpt_config *ckpt_config_parse(const char *text, size_t length, ckpt_error *err);
CKPT_API void ckpt_config_free(ckpt_config *config);
CKPT_API const char *ckpt_config_type(const ckpt_config *config);
/* Sets count keys at once to values that are written as in JSON; a string needs no quotes. An unknown key, a wrong type,
 * a combination that makes no model and a change that would do nothing are refused, and the config is then as it was.
 * Fields that follow from others (head_dim, label2id, layer_types, ...) are computed again. */
CKPT_API bool ckpt_config_set(ckpt_config *config, const char *const *keys, const char *const *values, size_t count,
                              ckpt_error *err);
/* The whole config as transformers prints and saves it: sorted, indented, floats as Python writes them, a newline at
 * the end. transformers_version decides its form (4.x or 5.x) and is written into it; NULL: "5.24.0". The text belongs
 * to the config and lasts until the next call. */
CKPT_API const char *ckpt_config_json(ckpt_config *config, const char *transformers_version, ckpt_error *err);

/* ---- models: binding weights to an architecture ------------------------------------------------------------------ */

/* A config, a class of its architecture ("BertForMaskedLM") and a checkpoint bound together. */
typedef struct ckpt_model ckpt_model;


typedef struct ckpt_model_options {
	const char *path;       /* what the checkpoint was opened from; config.json is looked for in or beside it */
	const char *config;     /* a config.json elsewhere (or a folder with one); NULL: as path says */
	const char *type;       /* model type, where config.json does not say; NULL: recognised by the tensors */
	const char *class_name; /* "BertForMaskedLM" or "ForMaskedLM"; NULL: as the config declares, else as heads show */
	bool guess;             /* where there is no config at all, make one from the shapes: enough for a report */
} ckpt_model_options;

/* Finds the config, the type and the class of a checkpoint, which must outlive the model, and binds its tensors to the
 * tensors of the architecture, under whatever prefix and spelling they go. What is missing, unexpected or of a wrong
 * shape is no failure here: it is in the report. A type that the tensors leave open (BERT's body is RoBERTa's) is refused. */
CKPT_API ckpt_model *ckpt_model_open(const ckpt_checkpoint *cp, const ckpt_model_options *options, ckpt_error *err);
CKPT_API void ckpt_model_free(ckpt_model *model);
CKPT_API const char *ckpt_model_type(const ckpt_model *model);  /* "bert" */
CKPT_API const char *ckpt_model_class(const ckpt_model *model); /* "BertForMaskedLM" */
/* 2 when the model has numbered layers in an encoder and in a decoder, 1 for a single stack, 0 when layers share their
 * weights. */
CKPT_API unsigned ckpt_model_stacks(const ckpt_model *model);
/* Parameters; tied ones count once, buffers do not. */
CKPT_API uint64_t ckpt_model_parameters(const ckpt_model *model);
/* What had to be recognised or guessed, a line each; "" when nothing had to. */
CKPT_API const char *ckpt_model_notes(const ckpt_model *model);
/* No tensor is missing or of a wrong shape; else false and a sentence that counts them and names the first. */
CKPT_API bool ckpt_model_complete(const ckpt_model *model, ckpt_error *err);
/* The loading report: sorted lines "missing  NAME  wanted [768]", layers that are alike folded into one line; "" when all
 * fits. As JSON: {"missing":[{"name","shape"}],"unexpected":[{"name","dtype","shape"}],"mismatched":[{"name","found",
 * "found_dtype","wanted"}],"ignored":0,"complete":true}. The text lasts until the next call. */
CKPT_API const char *ckpt_model_report(ckpt_model *model, bool json, ckpt_error *err);

/* ---- models: random weights -------------------------------------------------------------------------------------- */

typedef struct ckpt_init_options {
	uint64_t seed;
	ckpt_dtype dtype;       /* f32, f64, f16 or bf16; CKPT_DTYPE_NONE: what the config says, else f32 */
	const char *class_name; /* "BertForMaskedLM" or "ForMaskedLM"; NULL: as the config declares, else the base model */
	bool aliases;           /* list tied tensors too, as aliases; otherwise only what they are tied to, as
	                           save_pretrained does */
} ckpt_init_options;

/* A model that knows nothing yet: the tensors that the class has under the config, in the order of its state dict, drawn
 * by the architecture's own rules (normal with initializer_range, ones and zeros for norms and biases, zero rows for
 * padding, ...). Values depend on the seed, the tensor's name without the base-model prefix and the element's index
 * alone; lib/rng.h says how. Nothing is computed before the tensors are read. Writes the class and the dtype into config.
 * options may be NULL. */
CKPT_API ckpt_checkpoint *ckpt_init(ckpt_config *config, const ckpt_init_options *options, ckpt_error *err);

/* ---- models: reshaping ------------------------------------------------------------------------------------------- */

/* Another shape of a model: other layers, vocabulary, positions, head. */
typedef struct ckpt_reshape ckpt_reshape;

typedef struct ckpt_reshape_options {
	const char *const *keys;    /* config fields to set, as for ckpt_config_set */
	const char *const *values;
	size_t count;
	const char *layers[2];      /* which layers, in which order ("0,2,4", "0-4,4-9"), of the only or the encoder's stack, and
	                               of the decoder's; NULL: as many as the config then says, from the first on */
	uint64_t vocab_size;        /* 0: as it is */
	uint64_t multiple_of;       /* round the vocabulary up to a multiple; 0: no */
	uint64_t positions;         /* max_position_embeddings; 0: as it is */
	const char *class_name;     /* another head: "BertForMaskedLM" or "ForMaskedLM"; NULL: the same */
	bool random;                /* initialise everything again */
	const char *const *reinit;  /* initialise tensors again whose name matches one of these shell patterns */
	size_t reinit_count;
	bool draw_new_rows;         /* rows that the vocabulary gains: drawn by the init rule, not the mean of those there were */
	uint64_t seed;              /* of everything that is drawn */
} ckpt_reshape_options;

/* Plans it; nothing is read. A tensor that the model lacks is an error unless reinit or random says to draw it. The model
 * (of ckpt_model_open) and its checkpoint must outlive the result. */
CKPT_API ckpt_reshape *ckpt_reshape_new(const ckpt_model *model, const ckpt_reshape_options *options, ckpt_error *err);
CKPT_API void ckpt_reshape_free(ckpt_reshape *r);
/* The tensors of the new model, as slices, repeats and generated rows of the old ones. aliases: list tied tensors too. */
CKPT_API const ckpt_checkpoint *ckpt_reshape_checkpoint(ckpt_reshape *r, bool aliases, ckpt_error *err);
/* Its config.json: the old one in its order, with what changed. The text belongs to r. */
CKPT_API const char *ckpt_reshape_config(const ckpt_reshape *r);
/* What becomes of each tensor (kept, moved, cut, grown, new, redrawn, dropped), folded; or as JSON, a list of {"action","name",
 * "from","shape","old_shape"}. The text lasts until the next call. */
CKPT_API const char *ckpt_reshape_report(ckpt_reshape *r, bool json, ckpt_error *err);

/* ---- models: the forward pass ------------------------------------------------------------------------------------ */

/* What goes in. Arrays are [batch][length], row-major; NULL where the model makes its own. Everything is checked against
 * the config, and refused in a sentence, before it is used. */
typedef struct ckpt_forward_input {
	size_t batch, length;
	const int64_t *ids;            /* tokens */
	const int64_t *mask;           /* 1: kept, 0: padding; NULL: all kept */
	const int64_t *token_type_ids; /* for models that have token types, and GPT-2 */
	const int64_t *position_ids;   /* for models that take them */
	size_t decoder_length;         /* encoder-decoder models: [batch][decoder_length] */
	const int64_t *decoder_ids;    /* NULL: ids moved to the right by one, where transformers does that */
	const int64_t *decoder_mask;
} ckpt_forward_input;

/* Called after each block of the model with its output [rows][cols], float or double as the pass computes; the block is named
 * as its weights are ("embeddings", "encoder.layer.3", "pooler"). Return false to stop with CKPT_E_CANCELLED. */
typedef bool (*ckpt_forward_block_fn)(void *user, const char *block, const void *values, uint64_t rows, uint64_t cols);

typedef struct ckpt_forward_options {
	bool f64;           /* everything in double precision: slow, the yardstick for rounding errors */
	bool hidden_states; /* outputs hidden_states.0 and on too */
	bool frugal;        /* gives the memory of weights back block by block */
	int threads;        /* 0: as many as OpenMP would start; results do not depend on it, to the bit */
	ckpt_forward_block_fn on_block; /* may be NULL */
	void *user;         /* handed to on_block */
} ckpt_forward_options;

/* The forward pass of a model in evaluation mode, in plain C. Holds the mapped weights and the arrays of the last pass, so that
 * the next one is faster. Weights stay in the file in their own dtype (F32, F16, BF16, F64), each is converted when it is
 * used; only what is no plain range of a file is copied. */
typedef struct ckpt_forward ckpt_forward;

/* The model, which must outlive the pass, has to be complete (ckpt_model_complete); only the pooler of a base model may be
 * missing, and with it pooler_output. */
CKPT_API ckpt_forward *ckpt_forward_new(const ckpt_model *model, ckpt_error *err);
CKPT_API void ckpt_forward_free(ckpt_forward *f);
/* One pass. The outputs are F32 or F64 tensors under transformers' names of fields (last_hidden_state, pooler_output, logits,
 * hidden_states.0, ...); the caller frees them. options may be NULL. */
CKPT_API ckpt_checkpoint *ckpt_forward_run(ckpt_forward *f, const ckpt_forward_input *in, const ckpt_forward_options *options,
                                           ckpt_error *err);
/* Where the time of the last pass went: name and seconds of part i; NULL past the last part. */
CKPT_API const char *ckpt_forward_part(const ckpt_forward *f, size_t i, double *seconds);

/* ---- scanning: what an unknown file would do to whoever loads it ------------------------------------------------- */

typedef enum ckpt_severity {
	CKPT_SEVERITY_SUSPICIOUS, /* unknown or odd: look at it */
	CKPT_SEVERITY_MALFORMED,  /* no loader should take it, or it could not be looked at */
	CKPT_SEVERITY_DANGEROUS   /* can run code, reach files or the network when it is loaded */
} ckpt_severity;

typedef enum ckpt_verdict { CKPT_CLEAN, CKPT_SUSPICIOUS, CKPT_MALFORMED, CKPT_DANGEROUS } ckpt_verdict;

/* One finding. Texts are raw text of the file (escape before printing) or NULL. */
typedef struct ckpt_scan_finding {
	const char *id; /* stable: "CKPT-P001" */
	ckpt_severity severity;
	const char *text;          /* one sentence */
	const char *record;        /* of an archive, or what the stream is */
	uint64_t offset;           /* in the record; UINT64_MAX: none */
	const char *opcode;        /* "GLOBAL" */
	const char *module, *name; /* of an imported name */
	bool called;               /* that name was called, not only mentioned */
} ckpt_scan_finding;

/* A name that a pickle imports and that is known to do no harm. */
typedef struct ckpt_scan_name {
	const char *module, *name, *record;
	uint64_t offset;
	bool called;
} ckpt_scan_name;

typedef struct ckpt_scan ckpt_scan;

/* Looks at one file as a whole: by content, never by suffix; with the loader's own parsers; executing nothing. Fails only
 * when the file cannot be read or memory runs out; everything else is a finding. */
CKPT_API ckpt_scan *ckpt_scan_file(const char *path, const ckpt_limits *limits, ckpt_error *err);
CKPT_API void ckpt_scan_free(ckpt_scan *scan);
CKPT_API ckpt_verdict ckpt_scan_verdict(const ckpt_scan *scan);
/* False when some part could not be looked at; the verdict is then never clean. */
CKPT_API bool ckpt_scan_complete(const ckpt_scan *scan);
CKPT_API const char *ckpt_scan_format(const ckpt_scan *scan); /* "torch", "safetensors", ...; "" when it is none */
CKPT_API const char *ckpt_scan_sha256(const ckpt_scan *scan);
CKPT_API size_t ckpt_scan_finding_count(const ckpt_scan *scan);
CKPT_API const ckpt_scan_finding *ckpt_scan_finding_at(const ckpt_scan *scan, size_t i);
CKPT_API size_t ckpt_scan_name_count(const ckpt_scan *scan);
CKPT_API const ckpt_scan_name *ckpt_scan_name_at(const ckpt_scan *scan, size_t i);

#ifdef __cplusplus
}
#endif
#endif
