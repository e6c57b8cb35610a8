/* pull.c -- from a name to files in the cache: commit, list, choice, transfer, links, ref */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "../path.h"
#include "inner.h"

/* Room that is left alone on the disk. */
enum { SPARE = 16 << 20 };

/* One pull under way. */
typedef struct pull {
	ckpt_hub *hub;
	const ckpt_hub_id *id;
	const ckpt_hub_wish *wish;
	ckpt_hub_result *out;
	const char *revision, *one; /* one: the single file that was named, or NULL */
	const char *local; /* the folder in place of the cache, or NULL */
	char *folder;
	char lacking[1024]; /* a file that the cache should have */
	int held; /* the folder, locked against removal; -1: not yet */
	ckpt_hub_listing listing;
	ckpt_error *err;
} pull;

void ckpt_hub_result_free(ckpt_hub_result *r)
{
	for (size_t i = 0; i < r->count; i++) free(r->items[i].name);
	free(r->items);
	free(r->path);
	*r = (ckpt_hub_result){0};
}

static bool is_commit(const char *revision)
{
	return strlen(revision) == 40 && ckpt_hub_is_hash(revision);
}

static bool set_path(pull *p)
{
	free(p->out->path);
	if (p->local) {
		char *real = realpath(p->local, NULL);
		p->out->path = ckpt_hub_path(p->err, "%s%s%s", real ? real : p->local, p->one ? "/" : "", p->one ? p->one : "");
		free(real);
		return p->out->path;
	}
	p->out->path = ckpt_hub_path(p->err, "%s/snapshots/%s%s%s", p->folder, p->out->commit, p->one ? "/" : "", p->one ? p->one : "");
	return p->out->path;
}

static bool file_there(const pull *p, const char *file)
{
	struct stat st;
	char *path = ckpt_hub_path(NULL, "%s/snapshots/%s/%s", p->folder, p->out->commit, file);
	bool there = path && stat(path, &st) == 0;
	free(path);
	return there;
}

/* ---- with it ---- */

static bool add_item(pull *p, const ckpt_hub_entry *e, bool cached)
{
	ckpt_hub_item *item = &p->out->items[p->out->count];
	*item = (ckpt_hub_item){strdup(e->path), e->size, cached};
	if (!item->name) return ckpt_fail_nomem(p->err);
	p->out->count++;
	return true;
}

/* Bytes of the file that are in the cache: its blob, or what an earlier try left. */
static uint64_t bytes_there(const pull *p, const ckpt_hub_entry *e, bool *whole)
{
	struct stat st;
	char *blob = ckpt_hub_path(NULL, "%s/blobs/%s", p->folder, e->hash);
	char *partial = ckpt_hub_path(NULL, "%s/blobs/%s.ckpt.incomplete", p->folder, e->hash);
	uint64_t there = 0;
	char *own = ckpt_hub_path(NULL, "%s/snapshots/%s/%s", p->folder, p->out->commit, e->path);
	*whole = blob && !p->wish->force && ckpt_hub_has(blob, e->size);
	/* where links are not possible the snapshot holds the file itself */
	if (!*whole && own && !p->wish->force && lstat(own, &st) == 0) *whole = S_ISREG(st.st_mode) && (uint64_t)st.st_size == e->size;
	free(own);
	if (*whole)
		there = e->size;
	else if (partial && !p->wish->force)
		there = ckpt_hub_partial(partial, e->size);
	free(blob);
	free(partial);
	return there;
}

static bool look(const pull *p, const ckpt_hub_entry *e, uint64_t *there, bool *whole)
{
	*whole = false;
	*there = 0;
	if (!p->local) *there = bytes_there(p, e, whole);
	if (!p->local || p->wish->force) return true;
	if (!ckpt_local_look(p->local, e, whole, p->err)) {
		if (p->err && p->err->code == CKPT_E_FORMAT) p->hub->why = CKPT_HUB_CORRUPT; /* a hostile name */
		return false;
	}
	*there = *whole ? e->size : 0;
	return true;
}

static bool survey(pull *p)
{
	p->out->of = p->listing.count;
	p->out->items = calloc(p->listing.count + 1, sizeof *p->out->items);
	if (!p->out->items) return ckpt_fail_nomem(p->err);
	for (size_t i = 0; i < p->listing.count; i++) {
		const ckpt_hub_entry *e = &p->listing.entries[i];
		uint64_t there;
		bool whole;
		if (!e->chosen) continue;
		if (!look(p, e, &there, &whole)) return false;
		p->out->missing += e->size - there;
		p->hub->state.all += e->size;
		p->hub->state.count++;
		if (!add_item(p, e, whole)) return false;
	}
	return true;
}

static bool check_space(pull *p)
{
	struct statvfs fs;
	const char *place = p->local ? p->local : p->hub->cache;
	if (p->out->missing == 0 || statvfs(place, &fs) < 0) return true;
	uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (room >= SPARE && room - SPARE >= p->out->missing) return true;
	return ckpt_hub_fail(p->hub, CKPT_HUB_SPACE, p->err, CKPT_E_IO,
	                     "%s: there is not enough space on the disk of %s: %.1f MB are to come, %.1f MB are free", p->id->repo,
	                     place, (double)p->out->missing / 1e6, (double)room / 1e6);
}

/* Into its blob. */
static bool fetch(pull *p, const ckpt_hub_entry *e)
{
	ckpt_hub_job job = {.repo = p->id->repo, .commit = p->out->commit, .entry = e, .place = "the cache", .force = p->wish->force};
	char *blob = ckpt_hub_path(p->err, "%s/blobs/%s", p->folder, e->hash), *partial = NULL;
	char *lock_path = ckpt_hub_lock_of(p->hub, p->id->repo, e->hash, p->err);
	int lock = blob && lock_path ? ckpt_hub_lock(p->hub, lock_path, p->err) : -1;
	bool ok = lock >= 0;
	if (ok && !p->wish->force && ckpt_hub_has(blob, e->size)) { /* somebody else was faster */
		ckpt_hub_count(p->hub, (int64_t)e->size);
	} else if (ok) {
		partial = ckpt_hub_path(p->err, "%s.ckpt.incomplete", blob);
		job.partial = partial;
		job.final = blob;
		ok = partial && ckpt_hub_fetch(p->hub, &job, p->err);
	}
	if (lock >= 0) close(lock);
	free(lock_path);
	free(partial);
	free(blob);
	return ok;
}

/* Keeps the repository's folder from being removed from, when there is one. */
static bool hold(pull *p)
{
	bool busy = true, said = false;
	while (p->held < 0 && busy) {
		p->held = ckpt_hub_lock_folder(p->folder, false, &busy);
		if (busy && !said) ckpt_hub_note(p->hub, "another process removes from '%s'; waiting for it", p->folder);
		said = said || busy;
		if (busy && !ckpt_hub_sleep(p->hub, 100, p->err)) return false;
	}
	return true;
}

/* Makes the snapshot's folder, first, since Python calls a repository without snapshots corrupt; and holds it. */
static bool begin_snapshot(pull *p)
{
	char *snapshot = ckpt_hub_path(p->err, "%s/snapshots/%s", p->folder, p->out->commit);
	bool ok = snapshot && ckpt_hub_make_folders(snapshot, true, p->err) && hold(p) &&
	          ckpt_hub_make_folders(snapshot, true, p->err); /* again: until it was held it could go */
	free(snapshot);
	return ok;
}

static bool transfer(pull *p)
{
	size_t at = 0;
	bool ok = ckpt_hub_make_folders(p->hub->cache, true, p->err) && ckpt_hub_tag(p->hub->cache, p->err) &&
	          ckpt_hub_check_case(p->hub, &p->listing, p->id->repo, p->hub->cache, p->err) && check_space(p) && begin_snapshot(p);
	for (size_t i = 0; ok && i < p->listing.count; i++) {
		const ckpt_hub_entry *e = &p->listing.entries[i];
		if (!e->chosen) continue;
		bool cached = p->out->items[at++].cached;
		ckpt_hub_work_on(p->hub, e->path, e->size);
		if (cached)
			ckpt_hub_count(p->hub, (int64_t)e->size);
		else
			ok = fetch(p, e);
		ok = ok && ckpt_hub_link(p->hub, p->folder, p->out->commit, e, !cached, p->err);
	}
	return ok;
}

static bool transfer_local(pull *p)
{
	char *books = ckpt_local_books(p->local, p->err);
	bool ok = books && ckpt_local_begin(p->local, p->err) &&
	          ckpt_hub_check_case(p->hub, &p->listing, p->id->repo, books, p->err) && check_space(p);
	for (size_t i = 0; ok && i < p->listing.count; i++) {
		const ckpt_hub_entry *e = &p->listing.entries[i];
		if (!e->chosen) continue;
		ckpt_hub_work_on(p->hub, e->path, e->size);
		ok = ckpt_local_fetch(p->hub, p->id->repo, p->local, p->out->commit, e, p->wish->force, p->err);
	}
	ok = ok && ckpt_hub_write_tree(books, p->out->commit, &p->listing, p->err);
	free(books);
	return ok;
}

/* After the snapshot's folder exists, since a ref to nothing makes Python call the repository corrupt. */
static bool write_ref(pull *p)
{
	if (is_commit(p->revision)) return true;
	char *path = ckpt_hub_path(p->err, "%s/refs/%s", p->folder, p->revision);
	bool ok = path && ckpt_hub_write_small(path, p->out->commit, p->err);
	free(path);
	return ok;
}

/* Python remembers that a file is not there, so that it need not ask again. */
static void remember_absence(pull *p)
{
	if (p->hub->why != CKPT_HUB_ABSENT || !p->one || p->local) return;
	ckpt_error *err = p->err, none = {0};
	p->err = &none; /* what is told is that the file is not there */
	char *path = ckpt_hub_path(&none, "%s/.no_exist/%s/%s", p->folder, p->out->commit, p->one);
	if (path && begin_snapshot(p) && ckpt_hub_tag(p->hub->cache, &none) && ckpt_hub_write_small(path, "", &none)) write_ref(p);
	free(path);
	p->err = err;
}

static bool from_hub(pull *p)
{
	if (is_commit(p->revision))
		memcpy(p->out->commit, p->revision, 41);
	else if (!ckpt_hub_commit_of(p->hub, p->id, p->revision, p->out->commit, p->err))
		return false;
	if (!ckpt_hub_list(p->hub, p->id, p->out->commit, &p->listing, p->err)) return false;
	if (!ckpt_hub_choose(p->hub, &p->listing, p->id, p->wish, p->err)) {
		if (!p->wish->dry_run) remember_absence(p);
		return false;
	}
	if (!p->local && !p->wish->dry_run && !hold(p)) return false;
	if (!survey(p)) return false;
	if (p->wish->dry_run) return set_path(p);
	if (p->local) return transfer_local(p) && set_path(p);
	return transfer(p) && write_ref(p) && ckpt_hub_write_tree(p->folder, p->out->commit, &p->listing, p->err) && set_path(p);
}

/* ---- without it ---- */

/* What the folder has, by the list of files that an earlier pull left there: all that is wished for, with the right content. */
static bool from_local(pull *p)
{
	char *books = ckpt_local_books(p->local, NULL);
	ckpt_hub_listing_free(&p->listing);
	if (is_commit(p->revision))
		memcpy(p->out->commit, p->revision, 41);
	bool ok = books && (is_commit(p->revision) || ckpt_hub_read_ref(p->folder, p->revision, p->out->commit) ||
	                    ckpt_local_commit(p->local, p->out->commit));
	ok = ok && ckpt_hub_read_tree(books, p->out->commit, &p->listing) &&
	     ckpt_hub_choose(p->hub, &p->listing, p->id, p->wish, NULL) && survey(p) && p->out->missing == 0;
	for (size_t i = 0; ok && i < p->out->count; i++) ok = p->out->items[i].cached;
	free(books);
	return ok && set_path(p);
}

/* By the list of files, when an earlier pull left one: whether all that is wished for is there. */
static bool is_whole(pull *p)
{
	const ckpt_hub_entry *lacking = NULL;
	ckpt_hub *hub = p->hub;
	void (*note)(void *, const char *) = hub->options.note;
	ckpt_hub_cause why = hub->why;
	if (p->one || p->wish->file_count) return true;
	ckpt_hub_listing_free(&p->listing);
	*p->lacking = '\0';
	hub->options.note = NULL; /* it is a look, no more */
	bool known = ckpt_hub_read_tree(p->folder, p->out->commit, &p->listing) && ckpt_hub_choose(hub, &p->listing, p->id, p->wish, NULL);
	hub->options.note = note;
	hub->why = why;
	if (!known) return true;
	for (size_t i = 0; !lacking && i < p->listing.count; i++)
		if (p->listing.entries[i].chosen && !file_there(p, p->listing.entries[i].path)) lacking = &p->listing.entries[i];
	if (lacking) snprintf(p->lacking, sizeof p->lacking, "%s", lacking->path);
	return !lacking || !p->wish->whole;
}

/* The snapshot that the cache has of the revision, with every file that was named. */
static bool from_cache(pull *p)
{
	struct stat st;
	if (p->local) return from_local(p);
	if (is_commit(p->revision))
		memcpy(p->out->commit, p->revision, 41);
	else if (!ckpt_hub_read_ref(p->folder, p->revision, p->out->commit))
		return false;
	char *path = ckpt_hub_path(NULL, "%s/snapshots/%s", p->folder, p->out->commit);
	bool there = path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	free(path);
	if (there && *p->id->file) there = file_there(p, p->id->file);
	for (size_t i = 0; there && i < p->wish->file_count; i++) there = file_there(p, p->wish->files[i]);
	return there && is_whole(p) && set_path(p);
}

static bool check_names(const ckpt_hub_wish *wish, ckpt_error *err)
{
	for (size_t i = 0; i < wish->file_count; i++) {
		size_t n = strlen(wish->files[i]);
		char name[1024];
		snprintf(name, sizeof name, "%.*s", (int)(n > 1 && wish->files[i][n - 1] == '/' ? n - 1 : n), wish->files[i]);
		if (n >= sizeof name || !ckpt_path_is_plain(name, "file name", err))
			return n < sizeof name ? false : ckpt_fail(err, CKPT_E_USAGE, "a file name of %zu bytes is too long", n);
	}
	return true;
}

bool ckpt_hub_cached(ckpt_hub *hub, const ckpt_hub_id *id, const ckpt_hub_wish *wish, ckpt_hub_result *out)
{
	pull p = {.hub = hub, .id = id, .wish = wish, .out = out, .held = -1};
	*out = (ckpt_hub_result){0};
	p.revision = *id->revision ? id->revision : "main";
	p.one = *id->file ? id->file : wish->file_count == 1 ? wish->files[0] : NULL;
	p.folder = ckpt_hub_folder(hub, id->repo, NULL);
	ckpt_hub_cause why = hub->why;
	bool ok = p.folder && check_names(wish, NULL) && from_cache(&p);
	hub->why = why;
	ckpt_hub_listing_free(&p.listing);
	free(p.folder);
	return ok;
}

/* Whether there is something to fall back to; a look, no more. */
static bool has_other(const pull *p)
{
	char commit[41];
	ckpt_hub_result none = {0};
	pull q = *p;
	q.listing = (ckpt_hub_listing){0};
	if (p->wish->hasty) return true;
	if (p->wish->force || p->wish->dry_run) return false;
	if (p->local) return ckpt_local_commit(p->local, commit);
	q.out = &none;
	bool ok = from_cache(&q);
	ckpt_hub_listing_free(&q.listing);
	ckpt_hub_result_free(&none);
	return ok;
}

/* Whether what the cache has is good enough after this failure, as Python decides it. */
static bool may_fall_back(const pull *p, const ckpt_error *why)
{
	bool before = p->out->count == 0; /* nothing was transferred: it failed at the commit or the list */
	return before && !p->wish->force && !p->wish->dry_run && why->code != CKPT_E_CANCELLED &&
	       (p->hub->why == CKPT_HUB_NETWORK || p->hub->why == CKPT_HUB_REFUSED);
}

bool ckpt_hub_pull(ckpt_hub *hub, const ckpt_hub_id *id, const ckpt_hub_wish *wish, ckpt_hub_result *out, ckpt_error *err)
{
	ckpt_error why = {0};
	pull p = {.hub = hub, .id = id, .wish = wish, .out = out, .held = -1, .err = &why};
	const ckpt_hub_state before = hub->state;
	bool ok = false;
	*out = (ckpt_hub_result){0};
	hub->why = CKPT_HUB_FINE;
	hub->state = (ckpt_hub_state){.moved = hub->state.moved};
	p.revision = *id->revision ? id->revision : "main";
	p.one = *id->file ? id->file : wish->file_count == 1 ? wish->files[0] : NULL;
	p.local = wish->local_dir;
	p.folder = ckpt_hub_folder(hub, id->repo, &why);
	if (!p.folder || !check_names(wish, &why)) goto done;
	if (hub->offline) {
		const char *file = p.one ? p.one : p.lacking;
		ok = from_cache(&p) ||
		     ckpt_hub_fail(hub, CKPT_HUB_OFFLINE, &why, CKPT_E_NOT_FOUND,
		                   "%s%s%s at %s is not in %s%s, and HF_HUB_OFFLINE forbids to fetch it", id->repo, *file ? ", " : "",
		                   file, p.revision, p.local ? "" : "the cache ", p.local ? p.local : hub->cache);
		goto done;
	}
	hub->hasty = has_other(&p);
	ok = from_hub(&p);
	if (!ok && may_fall_back(&p, &why)) {
		ckpt_hub_cause cause = hub->why;
		ok = from_cache(&p);
		hub->why = cause;
		if (ok) ckpt_hub_note(hub, "%s; %s has commit %s, which is used", why.text, p.local ? p.local : "the cache", out->commit);
		if (!ok && hub->hasty && !wish->hasty && cause == CKPT_HUB_NETWORK) { /* it was not enough: now with patience */
			hub->hasty = false;
			why = (ckpt_error){0};
			ckpt_hub_listing_free(&p.listing);
			ok = from_hub(&p);
		}
	}
	hub->hasty = false;
done:
	if (ok && *p.lacking) ckpt_hub_note(hub, "%s: the snapshot in the cache is not whole, it lacks '%s'", id->repo, p.lacking);
	uint64_t moved = hub->state.moved;
	hub->state = before;
	hub->state.moved = moved;
	if (!ok && err) *err = why;
	if (!ok && hub->why == CKPT_HUB_FINE) hub->why = CKPT_HUB_OTHER;
	ckpt_hub_listing_free(&p.listing);
	if (p.held >= 0) close(p.held);
	free(p.folder);
	return ok;
}
