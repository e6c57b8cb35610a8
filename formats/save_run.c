/* save_run.c -- carries a plan out: fills temporary files, then gives all of them their names or none
 *
 * Each name is given atomically. When there are several, whatever stood under a name before keeps a second one until
 * the last file is in place, so that a failure half-way puts the old checkpoint back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/checked.h"
#include "../lib/error.h"
#include "../lib/path.h"
#include "save_plan.h"

/* Above this many bytes the page cache is not trusted to take the output at once. */
#define LARGE ((uint64_t)1 << 30)

/* ---- filling --------------------------------------------------------------------------------------------------- */

static bool fill_file(ckpt_save_plan *plan, ckpt_save_file *f, const ckpt_work *work, uint64_t done, uint64_t total,
                      ckpt_error *err)
{
	ckpt_layout *l = f->layout;
	if (!ckpt_layout_fill(l, f->out, work, done, total, plan->sync || total >= LARGE, err)) return false;
	if (l->finish && !l->finish(l, f->out, err)) return false;
	return ckpt_output_finish(f->out, l->size, plan->sync, err);
}

static bool fill_all(ckpt_save_plan *plan, const ckpt_work *work, ckpt_error *err)
{
	uint64_t total = 0, done = 0;
	for (size_t i = 0; i < plan->count; i++)
		if (!ckpt_add_u64(total, plan->files[i].layout->size, &total))
			return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the files together would have more than 2^64 bytes");
	for (size_t i = 0; i < plan->count; i++) {
		ckpt_save_file *f = &plan->files[i];
		f->out = ckpt_output_new(f->path, f->layout->size, plan->force, err);
		if (!f->out) return false;
	}
	for (size_t i = 0; i < plan->count; i++) {
		ckpt_save_file *f = &plan->files[i];
		if (!fill_file(plan, f, work, done, total, err)) return false;
		done += f->layout->size;
	}
	return ckpt_checkpoint_unchanged(plan->given, err);
}

/* ---- naming ---------------------------------------------------------------------------------------------------- */

/* Gives what stands under the path a second name. Where links are not to be had the first one is lost meanwhile. */
static bool back_up(ckpt_save_file *f, ckpt_error *err)
{
	struct stat st;
	if (lstat(f->path, &st) != 0) return true;                     /* nothing there */
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) return true; /* will not be replaced either */
	uint64_t number = 0;
	if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) number = (uint64_t)(uintptr_t)f;
	char *folder = ckpt_path_folder(f->path, err), *backup = NULL, name[32];
	snprintf(name, sizeof name, ".ckpt-%016llx.old", (unsigned long long)number);
	if (folder) backup = ckpt_path_join(folder, name, err);
	free(folder);
	if (!backup) return false;
	if (linkat(AT_FDCWD, f->path, AT_FDCWD, backup, 0) == 0 || rename(f->path, backup) == 0) {
		f->backup = backup;
		return true;
	}
	ckpt_fail_errno(err, errno, "cannot keep the old %s", f->path);
	free(backup);
	return false;
}

static bool is_ours(const ckpt_save_file *f)
{
	struct stat there, mine;
	return lstat(f->path, &there) == 0 && fstat(ckpt_output_fd(f->out), &mine) == 0 &&
	       there.st_dev == mine.st_dev && there.st_ino == mine.st_ino;
}

/* A single file that was to replace another was renamed over it, whole: there is no older one to bring back, so it stays. */
static void put_back(ckpt_save_plan *plan)
{
	for (size_t i = plan->count; i-- > 0;) {
		ckpt_save_file *f = &plan->files[i];
		if (f->backup)
			rename(f->backup, f->path);
		else if (f->placed && is_ours(f) && !(plan->force && plan->count == 1))
			unlink(f->path);
		/* renaming one of two links to the same file does nothing */
		if (f->backup) unlink(f->backup);
	}
}

static bool commit_all(ckpt_save_plan *plan, ckpt_error *err)
{
	bool ok = true;
	for (size_t i = 0; ok && plan->count > 1 && i < plan->count; i++)
		if (plan->force) ok = back_up(&plan->files[i], err);
	for (int kind = 0; kind < CKPT_SAVE_KINDS; kind++)
		for (size_t i = 0; ok && i < plan->count; i++) {
			ckpt_save_file *f = &plan->files[i];
			if ((int)f->kind != kind) continue;
			f->placed = true;
			ok = ckpt_output_commit(f->out, plan->sync, err);
		}
	if (!ok) {
		put_back(plan);
		return false;
	}
	for (size_t i = 0; i < plan->count; i++)
		if (plan->files[i].backup) unlink(plan->files[i].backup);
	return true;
}

/* The new checkpoint is complete: a file of the old one that cannot be removed is said, not undone. */
static bool remove_stale(const ckpt_save_plan *plan, ckpt_error *err)
{
	bool ok = true;
	for (size_t i = 0; i < plan->stale.count; i++) {
		char *path = ckpt_path_join(plan->parent, plan->stale.names[i], err);
		if (!path) return false;
		if (unlink(path) != 0 && errno != ENOENT && ok)
			ok = ckpt_fail_errno(err, errno,
			                     "the new checkpoint is complete, but %s of the old one cannot be removed",
			                     path);
		free(path);
	}
	return ok;
}

static bool make_folder(const ckpt_save_plan *plan, bool *made, ckpt_error *err)
{
	*made = plan->folder && mkdir(plan->folder, 0777) == 0;
	if (!plan->folder || *made || errno == EEXIST) return true;
	return ckpt_fail_errno(err, errno, "cannot make the folder %s", plan->folder);
}

typedef struct checker {
	bool (*check)(void *user, const ckpt_checkpoint *written, ckpt_error *err);
	void *user;
} checker;

/* Whether what lies there without a name may have one. */
static bool approve(const ckpt_save_plan *plan, const checker *c, ckpt_error *err)
{
	if (!c->check) return true;
	ckpt_checkpoint *written = ckpt_save_reopen(plan, err);
	bool ok = written && c->check(c->user, written, err);
	ckpt_checkpoint_free(written);
	return ok && ckpt_checkpoint_unchanged(plan->given, err);
}

static bool run(ckpt_save_plan *plan, const ckpt_work *work, const checker *c, ckpt_error *err)
{
	bool made;
	if (!make_folder(plan, &made, err)) return false;
	bool named = fill_all(plan, work, err) && approve(plan, c, err) && commit_all(plan, err);
	for (size_t i = 0; i < plan->count; i++) {
		ckpt_save_file *f = &plan->files[i];
		ckpt_output_free(f->out); /* also takes away what was not named */
		free(f->backup);
		f->out = NULL;
		f->backup = NULL;
		f->placed = false;
	}
	if (named) return remove_stale(plan, err);
	if (made) rmdir(plan->folder);
	if (!err || err->code == CKPT_OK) return false; /* a check said no without a word */
	return ckpt_path_prefix(err, plan->folder ? plan->folder : plan->files[0].path);
}

bool ckpt_save_plan_run(ckpt_save_plan *plan, const ckpt_work *work, ckpt_error *err)
{
	return run(plan, work, &(checker){0}, err);
}

bool ckpt_save_plan_run_checked(ckpt_save_plan *plan, const ckpt_work *work,
                                bool (*check)(void *user, const ckpt_checkpoint *written, ckpt_error *err), void *user,
                                ckpt_error *err)
{
	return run(plan, work, &(checker){check, user}, err);
}
