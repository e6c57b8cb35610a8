/* save_plan.h -- inside of a plan for saving, shared by the files that make it and the one that runs it */
#ifndef CKPT_FORMATS_SAVE_PLAN_H
#define CKPT_FORMATS_SAVE_PLAN_H
#include "format.h"
#include "model_folder.h"

/* In the order in which they get their names: who finds the weights finds what belongs to them, and an index never
 * names a shard that is not there. */
typedef enum ckpt_save_kind { CKPT_SAVE_COMPANION, CKPT_SAVE_WEIGHTS, CKPT_SAVE_INDEX, CKPT_SAVE_KINDS } ckpt_save_kind;

typedef struct ckpt_save_file {
	ckpt_save_kind kind;
	char *path;
	ckpt_layout *layout;
	ckpt_checkpoint *shard; /* what the layout shows, when it is a part of the plan's checkpoint */
	ckpt_output *out;       /* while running */
	char *backup;           /* second name of what stood under path before, while committing */
	bool placed;            /* committed, or possibly so */
} ckpt_save_file;

struct ckpt_save_plan {
	const ckpt_format *row;
	const ckpt_checkpoint *given; /* by the caller */
	ckpt_checkpoint *view;        /* the same without aliases, where the format cannot hold them; or NULL */
	char *folder;               /* the folder that is written, or NULL for a single file or shards beside others */
	char *parent;               /* the folder that the files go to, "" for the present one */
	char *name, *stem, *suffix; /* "model.safetensors", "model", "safetensors" */
	ckpt_save_file *files;
	size_t count, capacity;
	ckpt_file_list stale; /* files of an earlier checkpoint in parent, to be removed after success */
	char **notes;
	size_t note_count, note_capacity;
	bool force, sync;
	ckpt_limits limits; /* for reading again what was written */
};

/* Appends a file; layout and shard are taken over on success and on failure. */
bool ckpt_save_add(ckpt_save_plan *plan, ckpt_save_kind kind, const char *name, ckpt_layout *layout,
                   ckpt_checkpoint *shard, ckpt_error *err);
bool ckpt_save_note(ckpt_save_plan *plan, ckpt_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* save_shards.c: cuts cp into shards as huggingface_hub does and plans them with their index; one file when all fits into one. */
bool ckpt_save_shards(ckpt_save_plan *plan, const ckpt_checkpoint *cp, const ckpt_save_options *options,
                      ckpt_error *err);
/* save_folder.c: plans the small files that go along into a folder. */
bool ckpt_save_companions(ckpt_save_plan *plan, const ckpt_save_options *options, ckpt_error *err);
/* Opens the weights that were written and have no name yet, through their index when there are several. */
ckpt_checkpoint *ckpt_save_reopen(const ckpt_save_plan *plan, ckpt_error *err);
/* Looks for weights that would be mixed up with the planned ones; fills plan->stale. */
bool ckpt_save_find_stale(ckpt_save_plan *plan, ckpt_error *err);
#endif
