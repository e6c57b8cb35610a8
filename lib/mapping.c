/* mapping.c -- read-only mappings that survive a file that shrinks
 *
 * A page past the end of a shrunken file raises SIGBUS. The handler, installed with the first mapping, looks the
 * address up in a fixed table of live mappings, puts a page of zeros in its place, marks the mapping as lost and
 * returns: the computation goes on and its owner learns from ckpt_mapping_check. A SIGBUS elsewhere goes to whoever
 * was there before. The table is the one global state of the library, since signal handlers have no other.
 */
#include "checked.h"
#include "error.h"
#include "file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct ckpt_mapping {
	ckpt_file *file;
	void *base;     /* page aligned */
	size_t length;  /* of the mapping, from base */
	size_t skip;    /* first wanted byte */
	size_t slot;
};

#define SLOTS 1024

/* A mapping needs all of its bytes; so much of a remote file is fetched for one. */
enum { REMOTE_MOST = 64 << 20 };

static struct {
	_Atomic(uintptr_t) begin, end;
	atomic_bool lost;
} slots[SLOTS];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;
static struct sigaction previous;
static uintptr_t page_mask;

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	uintptr_t address = (uintptr_t)info->si_addr;
	for (size_t i = 0; i < SLOTS; i++) {
		uintptr_t begin = atomic_load(&slots[i].begin), end = atomic_load(&slots[i].end);
		if (address < begin || address >= end) continue;
		void *page = (void *)(address & ~page_mask);
		if (mmap(page, page_mask + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) break;
		atomic_store(&slots[i].lost, true);
		errno = saved;
		return;
	}
	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(number, info, context);
	} else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
		previous.sa_handler(number);
	} else { /* die as if nobody had handled it: the access is repeated */
		signal(SIGBUS, SIG_DFL);
	}
	errno = saved;
}

static bool claim(ckpt_mapping *m, ckpt_error *err)
{
	bool ok = false;
	pthread_mutex_lock(&slots_lock);
	if (!installed) {
		struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
		sigemptyset(&action.sa_mask);
		page_mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
		installed = sigaction(SIGBUS, &action, &previous) == 0;
	}
	for (size_t i = 0; i < SLOTS && installed; i++)
		if (atomic_load(&slots[i].end) == 0) {
			atomic_store(&slots[i].lost, false);
			atomic_store(&slots[i].begin, (uintptr_t)m->base);
			atomic_store(&slots[i].end, (uintptr_t)m->base + m->length);
			m->slot = i;
			ok = true;
			break;
		}
	pthread_mutex_unlock(&slots_lock);
	return ok ? true : ckpt_fail(err, CKPT_E_LIMIT, "more than %d files are mapped at once", SLOTS);
}

ckpt_mapping *ckpt_mapping_later(ckpt_file *f, uint64_t offset, uint64_t length, ckpt_error *err)
{
	uint64_t end;
	if (!ckpt_add_u64(offset, length, &end) || end > ckpt_file_size(f) || length > SIZE_MAX / 2) {
		ckpt_fail(err, CKPT_E_FORMAT, "%s is truncated: bytes %llu to %llu are wanted, the file has %llu",
			  ckpt_file_path(f), (unsigned long long)offset, (unsigned long long)(offset + length),
			  (unsigned long long)ckpt_file_size(f));
		return NULL;
	}
	ckpt_mapping *m = calloc(1, sizeof *m);
	if (!m) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	m->slot = SLOTS;
	if (length > 0) {
		uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
		m->skip = (size_t)(offset % page);
		m->length = (size_t)length + m->skip;
		void *base = mmap(NULL, m->length, PROT_READ, MAP_SHARED, ckpt_file_fd(f), (off_t)(offset - m->skip));
		if (base == MAP_FAILED) {
			ckpt_fail_errno(err, errno, "cannot map %s", ckpt_file_path(f));
			free(m);
			return NULL;
		}
		m->base = base;
		if (!claim(m, err)) {
			munmap(base, m->length);
			free(m);
			return NULL;
		}
	}
	m->file = ckpt_file_ref(f);
	return m;
}

ckpt_mapping *ckpt_mapping_new(ckpt_file *f, uint64_t offset, uint64_t length, ckpt_error *err)
{
	if (ckpt_file_is_remote(f) && length > REMOTE_MOST) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED,
			  "%s cannot be looked at from afar: %llu bytes of it would have to come first, more than %d; fetch it "
			  "with ckpt pull", ckpt_file_path(f), (unsigned long long)length, REMOTE_MOST);
		return NULL;
	}
	ckpt_mapping *m = ckpt_mapping_later(f, offset, length, err);
	if (m && ckpt_file_fetch(f, offset, length, offset + length, err)) return m;
	ckpt_mapping_free(m);
	return NULL;
}

const void *ckpt_mapping_data(const ckpt_mapping *m) { return m->base ? (const char *)m->base + m->skip : ""; }

bool ckpt_mapping_check(const ckpt_mapping *m, ckpt_error *err)
{
	if (m->slot == SLOTS || !atomic_load(&slots[m->slot].lost)) return true;
	return ckpt_fail(err, CKPT_E_CHANGED, "%s became shorter while it was read: it had %llu bytes",
			 ckpt_file_path(m->file), (unsigned long long)ckpt_file_size(m->file));
}

void ckpt_mapping_forget(const ckpt_mapping *m)
{
	if (m->base && ckpt_mapping_check(m, NULL)) madvise(m->base, m->length, MADV_DONTNEED);
}

void ckpt_mapping_free(ckpt_mapping *m)
{
	if (!m) return;
	if (m->slot != SLOTS) {
		atomic_store(&slots[m->slot].begin, UINTPTR_MAX); /* no address matches while the range goes away */
		munmap(m->base, m->length);
		atomic_store(&slots[m->slot].end, 0);
	}
	ckpt_file_unref(m->file);
	free(m);
}
