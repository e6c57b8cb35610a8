/* file.h -- an open input file: positioned reads and guarded mappings */
#ifndef CKPT_LIB_FILE_H
#define CKPT_LIB_FILE_H
#include "ckpt.h"

/* Shared by reference counting; thread-safe. Size and identity are those at opening time. */
typedef struct ckpt_file ckpt_file;

/* Regular files only: folders, pipes and devices are refused in words. */
ckpt_file *ckpt_file_open(const char *path, ckpt_error *err);
/* The same for a descriptor that the caller opened (taken over, closed also on failure). */
ckpt_file *ckpt_file_from_fd(int fd, const char *path, ckpt_error *err);
ckpt_file *ckpt_file_ref(ckpt_file *f);
void ckpt_file_unref(ckpt_file *f);
const char *ckpt_file_path(const ckpt_file *f);
uint64_t ckpt_file_size(const ckpt_file *f);
int ckpt_file_fd(const ckpt_file *f);

/* All of offset .. offset+length or failure; EINTR and short counts are handled; CKPT_E_CHANGED when the file has
 * become shorter. The message names the path. */
bool ckpt_file_read(ckpt_file *f, uint64_t offset, size_t length, void *destination, ckpt_error *err);
/* As many bytes as there are up to length (for probes). */
bool ckpt_file_read_some(ckpt_file *f, uint64_t offset, size_t length, void *destination, size_t *got, ckpt_error *err);
/* CKPT_E_CHANGED when size or modification time are no longer those at opening time. */
bool ckpt_file_unchanged(const ckpt_file *f, ckpt_error *err);

/* A file whose bytes are elsewhere and come when they are asked for: its descriptor is a sparse file of the right size, and
 * what was fetched lies in it at its place. */
typedef struct ckpt_file_remote {
	/* Makes offset .. end be there; may go on to `until` where that is cheap (both at most the file's size). From any thread. */
	bool (*fetch)(void *user, uint64_t offset, uint64_t end, uint64_t until, ckpt_error *err);
	/* Another file of the same folder; name is a plain path. */
	ckpt_file *(*beside)(void *user, const char *name, ckpt_error *err);
	void (*drop)(void *user);
} ckpt_file_remote;

/* Turns f into such a file; user is dropped with it. */
void ckpt_file_set_remote(ckpt_file *f, const ckpt_file_remote *remote, void *user);
bool ckpt_file_is_remote(const ckpt_file *f);
ckpt_file *ckpt_file_beside(ckpt_file *f, const char *name, ckpt_error *err); /* of a remote file only */
/* Nothing to do for a file that is here. until: as far as the same reader will read. */
bool ckpt_file_fetch(ckpt_file *f, uint64_t offset, uint64_t length, uint64_t until, ckpt_error *err);

/* An unnamed temporary file; -1 with errno. */
int ckpt_file_temporary(void);
/* Writes all of it where the descriptor stands, again after a signal; false with errno. */
bool ckpt_file_write_whole(int fd, const void *data, size_t size);

/* A read-only mapping of a range. When the file shrinks under it, the lost pages read as zeros and
 * ckpt_mapping_check fails: no SIGBUS reaches the process. Every user calls check after its last access. */
typedef struct ckpt_mapping ckpt_mapping;
ckpt_mapping *ckpt_mapping_new(ckpt_file *f, uint64_t offset, uint64_t length, ckpt_error *err);
/* The same of a remote file of which nothing is there yet: whoever reads it calls ckpt_file_fetch first. */
ckpt_mapping *ckpt_mapping_later(ckpt_file *f, uint64_t offset, uint64_t length, ckpt_error *err);
const void *ckpt_mapping_data(const ckpt_mapping *m);
bool ckpt_mapping_check(const ckpt_mapping *m, ckpt_error *err);
/* Gives the memory of pages read so far back to the system; they are read again when they are needed. */
void ckpt_mapping_forget(const ckpt_mapping *m);
void ckpt_mapping_free(ckpt_mapping *m);
#endif
