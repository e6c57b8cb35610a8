/* save_reopen.c -- what was written, opened again before it has a name: by its descriptors, shards as files beside their index */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "../lib/error.h"
#include "../lib/output.h"
#include "../lib/path.h"
#include "save_plan.h"

static ckpt_file *file_of(const ckpt_save_file *f, ckpt_error *err)
{
	int fd = fcntl(ckpt_output_fd(f->out), F_DUPFD_CLOEXEC, 0);
	if (fd >= 0) return ckpt_file_from_fd(fd, f->path, err);
	ckpt_fail_errno(err, errno, "cannot read %s again", f->path);
	return NULL;
}

static bool nothing_to_fetch(void *user, uint64_t offset, uint64_t end, uint64_t until, ckpt_error *err)
{
	(void)user, (void)offset, (void)end, (void)until, (void)err;
	return true;
}

/* A shard is looked for among the planned files alone: what stands under its name is not it yet. */
static ckpt_file *planned(void *user, const char *name, ckpt_error *err)
{
	const ckpt_save_plan *plan = user;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->files[i].kind == CKPT_SAVE_WEIGHTS && strcmp(ckpt_path_base(plan->files[i].path), name) == 0)
			return file_of(&plan->files[i], err);
	ckpt_fail(err, CKPT_E_NOT_FOUND, "it is not among the files that were written");
	return NULL;
}

static void nothing_to_drop(void *user)
{
	(void)user;
}

ckpt_checkpoint *ckpt_save_reopen(const ckpt_save_plan *plan, ckpt_error *err)
{
	static const ckpt_file_remote beside = {nothing_to_fetch, planned, nothing_to_drop};
	const ckpt_save_file *entry = NULL;
	for (size_t i = 0; i < plan->count; i++) {
		const ckpt_save_file *f = &plan->files[i];
		if (f->kind == CKPT_SAVE_INDEX || (f->kind == CKPT_SAVE_WEIGHTS && !entry)) entry = f;
	}
	if (!entry) {
		ckpt_fail(err, CKPT_E_NOT_FOUND, "no weights were written");
		return NULL;
	}
	ckpt_open_options options = {.limits = plan->limits, .format = entry->kind == CKPT_SAVE_INDEX ? "sharded" : NULL};
	ckpt_file *file = file_of(entry, err);
	if (!file) return NULL;
	if (entry->kind == CKPT_SAVE_INDEX) ckpt_file_set_remote(file, &beside, (void *)plan);
	ckpt_checkpoint *cp = ckpt_open_file(file, &options, err);
	ckpt_file_unref(file);
	return cp;
}
