/* partial.c -- a file that has not come whole: how much of it is there, and what says so */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "download.h"

bool ckpt_download_fail(ckpt_download *d, int errnum)
{
	if (errnum == ENOSPC || errnum == EDQUOT)
		return ckpt_hub_fail(d->hub, CKPT_HUB_SPACE, d->err, CKPT_E_IO,
		                     "%s: there is no space left on the disk of %s; make some and pull again, it goes on from here", d->what,
		                     d->place);
	return ckpt_fail_errno(d->err, errnum, "%s: cannot write to %s", d->what, d->place);
}

bool ckpt_download_restart(ckpt_download *d, uint64_t have)
{
	bool told = d->digest && have >= d->have;
	ckpt_hub_count(d->hub, (int64_t)have - (int64_t)d->counted);
	d->counted = d->have = have;
	if (!ckpt_hub_resize(d->fd, have)) return ckpt_download_fail(d, errno);
	if (told) {
		ckpt_digest_ready(d->digest, have);
		return true;
	}
	ckpt_digest_cancel(d->digest);
	d->digest = ckpt_digest_start(d->fd, d->entry->hash, d->entry->size, have, true, d->err);
	return d->digest;
}

/* ---- how much is there ----
 *
 * A partial file holds the beginning of the file, as far as it reaches. While ranges come beside each other it has holes; then a
 * second file, which is made before the first hole and removed after the last, holds the number of bytes before them.
 */

char *ckpt_download_ranges(const char *partial, ckpt_error *err)
{
	static const char end[] = ".incomplete";
	return ckpt_hub_path(err, "%.*s.ranges%s", (int)(strlen(partial) - (sizeof end - 1)), partial, end);
}

bool ckpt_download_note(ckpt_download *d)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%020llu\n", (unsigned long long)d->have);
	int fd = ckpt_hub_open(d->ranges, O_WRONLY | O_CREAT | O_NOFOLLOW, 0666);
	bool ok = fd >= 0 && pwrite(fd, text, (size_t)n, 0) == n;
	int errnum = errno;
	if (fd >= 0) close(fd);
	return ok || ckpt_download_fail(d, errnum);
}

uint64_t ckpt_hub_partial(const char *partial, uint64_t size)
{
	struct stat st;
	char text[32] = "", *end;
	if (lstat(partial, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > size) return 0;
	uint64_t have = (uint64_t)st.st_size;
	char *ranges = ckpt_download_ranges(partial, NULL);
	if (!ranges) return 0;
	ssize_t n = ckpt_hub_read_small(ranges, text, sizeof text - 1);
	bool noted = n >= 0 || errno != ENOENT;
	free(ranges);
	if (!noted) return have;
	uint64_t before = strtoull(text, &end, 10);
	return end == text + 20 && before <= have ? before : 0;
}
