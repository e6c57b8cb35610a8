/* http.c -- GETs over libcurl's multi interface: redirects by hand, the token for one origin, everything bounded */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "inner.h"

enum { HEADERS_MOST = 300000, URL_MOST = 16384, SLOWEST = 1024 /* bytes a second */ };

/* One GET under way; it may run beside others. */
struct ckpt_http_exchange {
	ckpt_hub *hub;
	ckpt_http_exchange *next; /* of hub->exchanges */
	CURL *easy;
	bool added; /* to hub->multi */
	struct curl_slist *headers;
	const ckpt_http_request *request;
	ckpt_http_answer *answer;
	char *url;      /* where it is */
	char *location; /* the whole of it: signed URLs are long */
	int hops;
	size_t header_bytes;
	uint64_t came, marked; /* bytes so far, and at `since` */
	double since;
	char commit[72]; /* that some answer on the way named */
	char trouble[CURL_ERROR_SIZE];
	bool stopped; /* by the sink */
	bool flooded; /* by headers */
	bool encoded; /* what came is not the file as it is */
};

typedef ckpt_http_exchange exchange;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- URLs ---- */

static char *part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	CURLUcode code = curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0);
	if (code == CURLUE_OUT_OF_MEMORY) errno = ENOMEM;
	return code == CURLUE_OK ? text : NULL;
}

/* NULL when it is no URL, or with errno ENOMEM. */
static CURLU *parse(const char *text)
{
	CURLU *url = curl_url();
	CURLUcode code = url ? curl_url_set(url, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;
	if (code == CURLUE_OK) return url;
	curl_url_cleanup(url);
	errno = code == CURLUE_OUT_OF_MEMORY ? ENOMEM : EINVAL;
	return NULL;
}

static bool is_loopback(const char *host)
{
	return !strcasecmp(host, "localhost") || !strcmp(host, "[::1]") ||
	       (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

bool ckpt_http_allowed(ckpt_hub *hub, const char *text, ckpt_error *err)
{
	errno = 0;
	CURLU *url = strlen(text) < URL_MOST ? parse(text) : NULL;
	char *scheme = url ? part_of(url, CURLUPART_SCHEME) : NULL, *host = url ? part_of(url, CURLUPART_HOST) : NULL;
	char *user = url ? part_of(url, CURLUPART_USER) : NULL, *password = url ? part_of(url, CURLUPART_PASSWORD) : NULL;
	bool secret = user || password;
	bool fine = scheme && host && !secret &&
	            (!strcasecmp(scheme, "https") || (!strcasecmp(scheme, "http") && is_loopback(host)));
	if (errno == ENOMEM)
		fine = ckpt_fail_nomem(err);
	else if (!fine) /* what may be a password is not shown */
		ckpt_hub_fail(hub, CKPT_HUB_OTHER, err, CKPT_E_UNSUPPORTED,
		              "%.200s is not fetched: only https is, without a user in it (and http from this machine itself)",
		              secret ? "an address with a user in it" : text);
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_free(password);
	curl_url_cleanup(url);
	return fine;
}

bool ckpt_http_same_origin(const char *a, const char *b)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	errno = 0;
	CURLU *x = parse(a), *y = parse(b);
	bool same = x && y;
	for (size_t i = 0; same && i < 3; i++) {
		char *p = part_of(x, parts[i]), *q = part_of(y, parts[i]);
		same = p && q && !strcasecmp(p, q);
		curl_free(p);
		curl_free(q);
	}
	curl_url_cleanup(x);
	curl_url_cleanup(y);
	return same;
}

/* Whether the address is on this machine. */
static bool is_local(const char *text)
{
	CURLU *url = parse(text);
	char *host = url ? part_of(url, CURLUPART_HOST) : NULL;
	bool local = host && is_loopback(host);
	curl_free(host);
	curl_url_cleanup(url);
	return local;
}

bool ckpt_http_may_follow(const char *from, const char *to)
{
	return !is_local(to) || is_local(from);
}

char *ckpt_http_resolve(const char *url, const char *location)
{
	errno = 0;
	CURLU *u = parse(url);
	char *out = NULL;
	CURLUcode code = u ? curl_url_set(u, CURLUPART_URL, location, 0) : CURLUE_OK;
	if (u && code == CURLUE_OK) code = curl_url_get(u, CURLUPART_URL, &out, 0);
	if (code == CURLUE_OUT_OF_MEMORY) errno = ENOMEM;
	curl_url_cleanup(u);
	return out;
}

/* ---- headers ---- */

static bool named(const char *line, size_t length, const char *name, const char **value, size_t *n)
{
	size_t k = strlen(name);
	if (length <= k || line[k] != ':' || strncasecmp(line, name, k) != 0) return false;
	const char *begin = line + k + 1, *end = line + length;
	while (begin < end && isspace((unsigned char)*begin)) begin++;
	while (end > begin && isspace((unsigned char)end[-1])) end--;
	*value = begin;
	*n = (size_t)(end - begin);
	return true;
}

static bool number(const char *text, size_t length, uint64_t *out)
{
	uint64_t n = 0;
	if (length == 0 || length > 19) return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9') return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*out = n;
	return true;
}

/* Link: <URL>; rel="next" among others. */
static void find_next(ckpt_http_answer *a, const char *value, size_t n)
{
	const char *stop = value + n;
	for (const char *at = value; at < stop && (at = memchr(at, '<', (size_t)(stop - at))); at++) {
		const char *end = memchr(at, '>', (size_t)(stop - at));
		if (!end) break;
		size_t span = 0;
		while (end + span < stop && span < 120 && end[span] != ',' && end[span] != '<') span++;
		char rest[128];
		snprintf(rest, sizeof rest, "%.*s", (int)span, end);
		if ((strstr(rest, "rel=\"next\"") || strstr(rest, "rel=next")) && (size_t)(end - at - 1) < sizeof a->next)
			snprintf(a->next, sizeof a->next, "%.*s", (int)(end - at - 1), at + 1);
	}
}

/* RateLimit: "api";r=0;t=55 */
static unsigned rate_wait(const char *value, size_t n)
{
	char text[128];
	snprintf(text, sizeof text, "%.*s", (int)(n < 120 ? n : 120), value);
	const char *t = strstr(text, ";t=");
	uint64_t seconds;
	if (!t || !number(t + 3, strspn(t + 3, "0123456789"), &seconds)) return 0;
	return seconds < 1000000 ? (unsigned)seconds + 1 : 1000000;
}

static void keep(char *to, size_t size, const char *value, size_t n)
{
	snprintf(to, size, "%.*s", (int)(n < size ? n : size - 1), value);
}

void ckpt_http_read_header(ckpt_http_answer *a, char **location, const char *line, size_t length)
{
	size_t n;
	const char *v;
	uint64_t u;
	if (length > 5 && strncmp(line, "HTTP/", 5) == 0) {
		memset(a, 0, sizeof *a); /* a "100 Continue" may have come before */
		a->length = a->from = a->total = UINT64_MAX;
	} else if (named(line, length, "Content-Length", &v, &n) && number(v, n, &u)) {
		a->length = u;
	} else if (named(line, length, "Content-Range", &v, &n) && n > 6 && !strncasecmp(v, "bytes ", 6)) {
		size_t digits = 0;
		while (6 + digits < n && v[6 + digits] >= '0' && v[6 + digits] <= '9') digits++;
		if (number(v + 6, digits, &u)) a->from = u;
		const char *slash = memchr(v, '/', n);
		if (slash && number(slash + 1, n - (size_t)(slash + 1 - v), &u)) a->total = u;
	} else if (named(line, length, "Content-Encoding", &v, &n)) {
		keep(a->encoding, sizeof a->encoding, v, n);
	} else if (named(line, length, "ETag", &v, &n)) {
		bool weak = n > 2 && strncmp(v, "W/", 2) == 0;
		keep(a->stamp, sizeof a->stamp, v + 2 * weak, n - 2 * weak);
		a->strong = !weak && n > 2 && n < sizeof a->stamp && v[0] == '"' && v[n - 1] == '"';
	} else if (!*a->stamp && named(line, length, "Last-Modified", &v, &n)) {
		keep(a->stamp, sizeof a->stamp, v, n);
	} else if (named(line, length, "X-Repo-Commit", &v, &n)) {
		keep(a->commit, sizeof a->commit, v, n);
	} else if (named(line, length, "X-Error-Code", &v, &n)) {
		keep(a->error_code, sizeof a->error_code, v, n);
	} else if (named(line, length, "X-Error-Message", &v, &n)) {
		keep(a->error_message, sizeof a->error_message, v, n);
	} else if (named(line, length, "Retry-After", &v, &n) && number(v, n, &u)) {
		if (!a->retry_after) a->retry_after = u < 1000000 ? (unsigned)u + 1 : 1000000;
	} else if (named(line, length, "RateLimit", &v, &n)) {
		unsigned wait = rate_wait(v, n);
		if (wait) a->retry_after = wait;
	} else if (named(line, length, "Link", &v, &n)) {
		find_next(a, v, n);
	} else if (named(line, length, "Location", &v, &n) && n < URL_MOST) {
		free(*location);
		*location = strndup(v, n);
		a->starved = !*location;
	}
}

static size_t take_header(char *line, size_t one, size_t count, void *user)
{
	exchange *x = user;
	size_t length = one * count;
	x->header_bytes += length;
	x->came += length;
	x->flooded = x->header_bytes > HEADERS_MOST;
	if (x->flooded) return 0;
	ckpt_http_read_header(x->answer, &x->location, line, length);
	return length;
}

/* ---- the body ---- */

static size_t take_body(char *data, size_t one, size_t count, void *user)
{
	exchange *x = user;
	size_t length = one * count;
	long status = 0;
	x->came += length;
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	x->answer->status = status;
	if (status != 200 && status != 206) {
		/* The page of an error or a redirect is not wanted, but a small one is read so that the connection lives on. */
		x->header_bytes += length;
		return x->header_bytes > HEADERS_MOST ? 0 : length;
	}
	const char *encoding = x->answer->encoding;
	x->encoded = *encoding && strcasecmp(encoding, "identity") != 0;
	if (x->encoded) return 0;
	if (!*x->answer->commit) memcpy(x->answer->commit, x->commit, sizeof x->commit);
	if (x->request->sink(x->request->user, x->answer, data, length)) return length;
	x->stopped = true;
	return 0;
}

/* ---- one exchange ---- */

/* False when libcurl had no memory for a copy of what it is told. */
static bool prepare(exchange *x)
{
	ckpt_hub *hub = x->hub;
	CURL *c = x->easy;
	char agent[128], range[64];
	snprintf(agent, sizeof agent, "ckpt/%s; libcurl/%s", ckpt_version(), curl_version_info(CURLVERSION_NOW)->version);
	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_PRIVATE, x);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* ranges that run beside each other want a connection each */
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, hub->connect);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 512L * 1024);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->trouble);
	bool ok = curl_easy_setopt(c, CURLOPT_URL, x->url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_USERAGENT, agent) == CURLE_OK;
	if (hub->ca_file) ok = ok && curl_easy_setopt(c, CURLOPT_CAINFO, hub->ca_file) == CURLE_OK;
	if (hub->ca_path) ok = ok && curl_easy_setopt(c, CURLOPT_CAPATH, hub->ca_path) == CURLE_OK;
	if (x->request->from || x->request->length) {
		unsigned long long from = x->request->from, length = x->request->length;
		snprintf(range, sizeof range, "%llu-", from);
		if (length) snprintf(range, sizeof range, "%llu-%llu", from, from + length - 1);
		ok = ok && curl_easy_setopt(c, CURLOPT_RANGE, range) == CURLE_OK;
	}
	return ok;
}

static bool add_header(struct curl_slist **list, const char *text)
{
	struct curl_slist *more = curl_slist_append(*list, text);
	if (more) *list = more;
	return more;
}

static void leave(exchange *x)
{
	if (x->added) curl_multi_remove_handle(x->hub->multi, x->easy);
	x->added = false;
	curl_slist_free_all(x->headers);
	x->headers = NULL;
}

/* Asks x->url. */
static bool enter(exchange *x, ckpt_error *err)
{
	ckpt_hub *hub = x->hub;
	char bearer[4200];
	if (!ckpt_http_allowed(hub, x->url, err)) return false;
	bool ok = add_header(&x->headers, "Accept-Encoding: identity");
	*x->answer = (ckpt_http_answer){.length = UINT64_MAX, .from = UINT64_MAX, .total = UINT64_MAX};
	x->header_bytes = 0;
	x->trouble[0] = '\0';
	free(x->location);
	x->location = NULL;
	bool home = *hub->token && ckpt_http_same_origin(x->url, hub->endpoint);
	if (*hub->token && !home && errno == ENOMEM) return ckpt_fail_nomem(err);
	if (home) {
		snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", hub->token);
		ok = ok && add_header(&x->headers, bearer);
		explicit_bzero(bearer, sizeof bearer);
	}
	if (x->request->if_range) {
		char condition[200];
		snprintf(condition, sizeof condition, "If-Range: %s", x->request->if_range);
		ok = ok && add_header(&x->headers, condition);
	}
	if (!ok) return ckpt_fail_nomem(err);
	if (!prepare(x)) return ckpt_fail_nomem(err);
	x->since = now();
	x->marked = x->came;
	x->added = curl_multi_add_handle(hub->multi, x->easy) == CURLM_OK;
	return x->added || ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcurl refuses a transfer");
}

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* On to where the answer sends us. */
static bool follow(exchange *x, ckpt_error *err)
{
	ckpt_hub *hub = x->hub;
	const char *asked = x->request->url;
	errno = 0;
	char *next = x->location && *x->location ? ckpt_http_resolve(x->url, x->location) : NULL;
	bool ok = false;
	if (!next && errno == ENOMEM) return ckpt_fail_nomem(err);
	if (next && !ckpt_http_may_follow(x->url, next)) {
		ckpt_hub_fail(hub, CKPT_HUB_OTHER, err, CKPT_E_UNSUPPORTED, "%.200s: a redirect to this machine is not followed", asked);
	} else if (!next || x->hops == CKPT_HUB_HOPS) {
		ckpt_hub_fail(hub, CKPT_HUB_NETWORK, err, CKPT_E_IO,
		              next ? "%.200s: too many redirects (more than %d)" : "%.200s: a redirect to no usable address", asked,
		              CKPT_HUB_HOPS);
	} else {
		free(x->url);
		x->url = strdup(next);
		x->hops++;
		ok = x->url ? enter(x, err) : ckpt_fail_nomem(err);
	}
	curl_free(next);
	return ok;
}

/* One hop has ended; *complete: there is nowhere further to go. */
static bool finish_hop(exchange *x, CURLcode result, bool *complete, ckpt_error *err)
{
	ckpt_hub *hub = x->hub;
	ckpt_http_answer *a = x->answer;
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &a->status);
	leave(x);
	if (x->stopped) return false;
	if (a->starved) return ckpt_fail_nomem(err);
	if (x->flooded)
		return ckpt_hub_fail(hub, CKPT_HUB_NETWORK, err, CKPT_E_LIMIT, "the server sends more than %d bytes of headers", HEADERS_MOST);
	if (x->encoded)
		return ckpt_hub_fail(hub, CKPT_HUB_CORRUPT, err, CKPT_E_FORMAT, "the server encodes (%s) what was asked for as it is", a->encoding);
	if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE) /* as it will be next time */
		return ckpt_hub_fail(hub, CKPT_HUB_NETWORK, err, CKPT_E_IO, "%.200s is not trusted (certificates: SSL_CERT_FILE, SSL_CERT_DIR): %s",
		                     x->url, *x->trouble ? x->trouble : curl_easy_strerror(result));
	/* The body of an error page may have been given up; its status is what counts. */
	a->cut = result != CURLE_OK && (a->status < 300 || a->status > 599);
	if (a->cut) snprintf(a->trouble, sizeof a->trouble, "%.*s", 250, *x->trouble ? x->trouble : curl_easy_strerror(result));
	if (*a->commit) memcpy(x->commit, a->commit, sizeof x->commit);
	*complete = !is_redirect(a->status);
	if (!*complete) return follow(x, err);
	if (!*a->commit) memcpy(a->commit, x->commit, sizeof x->commit);
	return true;
}

/* ---- exchanges beside each other ---- */

void ckpt_http_end(ckpt_http_exchange *x)
{
	if (!x) return;
	leave(x);
	exchange **at = &x->hub->exchanges;
	while (*at && *at != x) at = &(*at)->next;
	if (*at) *at = x->next;
	if (x->easy) curl_easy_cleanup(x->easy);
	free(x->location);
	free(x->url);
	free(x);
}

ckpt_http_exchange *ckpt_http_begin(ckpt_hub *hub, const ckpt_http_request *request, ckpt_http_answer *answer, ckpt_error *err)
{
	exchange *x = calloc(1, sizeof *x);
	if (x) *x = (exchange){.hub = hub, .request = request, .answer = answer, .easy = curl_easy_init(), .url = strdup(request->url)};
	if (x) {
		x->next = hub->exchanges;
		hub->exchanges = x;
	}
	if (!x || !x->easy || !x->url)
		ckpt_fail_nomem(err);
	else if (enter(x, err))
		return x;
	ckpt_http_end(x);
	return NULL;
}

const char *ckpt_http_url(const ckpt_http_exchange *x)
{
	return x->url;
}

static bool next_finished(ckpt_hub *hub, ckpt_http_exchange **done, ckpt_error *err)
{
	int left;
	bool complete = false;
	for (CURLMsg *m; !complete && (m = curl_multi_info_read(hub->multi, &left));) {
		if (m->msg != CURLMSG_DONE) continue;
		exchange *x = NULL;
		CURLcode result = m->data.result; /* the message goes with the handle */
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
		if (!finish_hop(x, result, &complete, err)) return false;
		if (complete) *done = x;
	}
	return true;
}

/* Whether less than SLOWEST bytes a second have come for as long as is waited; connecting has a limit of its own. */
static bool is_stalled(exchange *x)
{
	curl_off_t connected = 0;
	double t = now();
	curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	if (connected == 0 || x->came - x->marked >= (uint64_t)SLOWEST * (uint64_t)x->hub->stall) {
		x->since = t;
		x->marked = x->came;
	}
	return t - x->since >= (double)x->hub->stall;
}

/* Breaks off one that has stalled, as if its connection had been cut. */
static bool next_stalled(ckpt_hub *hub, ckpt_http_exchange **done, ckpt_error *err)
{
	for (exchange *x = hub->exchanges; x; x = x->next) {
		bool complete = false;
		if (!x->added || !is_stalled(x)) continue;
		snprintf(x->trouble, sizeof x->trouble, "too slow: less than %d bytes a second came for %ld s", SLOWEST, hub->stall);
		if (!finish_hop(x, CURLE_OPERATION_TIMEDOUT, &complete, err)) return false;
		if (complete) *done = x;
		break;
	}
	return true;
}

bool ckpt_http_step(ckpt_hub *hub, int ms, ckpt_http_exchange **done, ckpt_error *err)
{
	int running;
	*done = NULL;
	if (!next_finished(hub, done, err)) return false;
	if (*done) return true;
	if (curl_multi_perform(hub->multi, &running) != CURLM_OK) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcurl fails");
	if (!ckpt_hub_tick(hub, err) || !next_finished(hub, done, err)) return false;
	if (!*done && !next_stalled(hub, done, err)) return false;
	if (!*done) curl_multi_poll(hub->multi, NULL, 0, ms, NULL);
	return true;
}

bool ckpt_http_get(ckpt_hub *hub, const ckpt_http_request *request, ckpt_http_answer *answer, ckpt_error *err)
{
	ckpt_http_exchange *x = ckpt_http_begin(hub, request, answer, err), *done = NULL;
	bool ok = x;
	while (ok && !done) ok = ckpt_http_step(hub, 200, &done, err);
	ckpt_http_end(x);
	return ok;
}

/* ---- retries and words ---- */

bool ckpt_http_may_retry(const ckpt_http_answer *a)
{
	return a->cut || a->status == 408 || a->status == 429 || a->status == 500 || (a->status >= 502 && a->status <= 504);
}

unsigned ckpt_http_pause(ckpt_hub *hub, const ckpt_http_answer *a, unsigned attempt, const char *what)
{
	unsigned long ms = (unsigned long)hub->retry_ms << (attempt < 3 ? attempt : 3);
	unsigned long asked = (unsigned long)a->retry_after * 1000;
	if (asked > ms) ms = asked;
	if (ms > CKPT_HUB_WAIT_MOST * 1000UL) ms = CKPT_HUB_WAIT_MOST * 1000UL;
	if (what && a->cut)
		ckpt_hub_note(hub, "%s: %s; next try in %.1f s", what, a->trouble, (double)ms / 1000);
	else if (what)
		ckpt_hub_note(hub, "%s: the server answers %ld%s; next try in %.1f s", what, a->status,
		              a->status == 429 ? " (too many requests)" : "", (double)ms / 1000);
	return (unsigned)ms;
}

bool ckpt_http_fail(ckpt_hub *hub, const ckpt_http_answer *a, const char *what, ckpt_error *err)
{
	const char *token = *hub->token ? "the token that was given may not read it" : "no token was given (--token, HF_TOKEN)";
	if (a->cut) return ckpt_hub_fail(hub, CKPT_HUB_NETWORK, err, CKPT_E_IO, "%s: %s", what, a->trouble);
	if (!strcmp(a->error_code, "GatedRepo"))
		return ckpt_hub_fail(hub, CKPT_HUB_REFUSED, err, CKPT_E_IO, "%s: access is gated: ask for it at %s/%.*s, %s", what, hub->endpoint,
		                     (int)strcspn(what, "@, "), what,
		                     *hub->token ? "with the account whose token is given here" : "then give the token of that account (--token, HF_TOKEN)");
	if (!strcmp(a->error_code, "RevisionNotFound"))
		return ckpt_hub_fail(hub, CKPT_HUB_ABSENT, err, CKPT_E_NOT_FOUND, "%s: the repository has no such revision", what);
	if (!strcmp(a->error_code, "EntryNotFound"))
		return ckpt_hub_fail(hub, CKPT_HUB_ABSENT, err, CKPT_E_NOT_FOUND, "%s: there is no such file", what);
	if (!strcmp(a->error_code, "RepoNotFound") || a->status == 404)
		return ckpt_hub_fail(hub, CKPT_HUB_MISSING, err, CKPT_E_NOT_FOUND,
		                     "%s: there is no such repository at %s, or it is private and %s", what, hub->endpoint, token);
	if (a->status == 401 || a->status == 403)
		return ckpt_hub_fail(hub, CKPT_HUB_REFUSED, err, CKPT_E_IO, "%s: access is refused (%ld%s%s): it is missing or private, and %s",
		                     what, a->status, *a->error_message ? ", " : "", a->error_message, token);
	if (a->status == 429)
		return ckpt_hub_fail(hub, CKPT_HUB_NETWORK, err, CKPT_E_IO, "%s: the server limits the rate of requests (429): wait some "
		                     "minutes%s", what, *hub->token ? "" : ", or give a token, which allows more");
	return ckpt_hub_fail(hub, CKPT_HUB_NETWORK, err, CKPT_E_IO, "%s: the server answers %ld%s%s", what, a->status,
	                     *a->error_message ? ": " : "", a->error_message);
}

/* ---- small bodies ---- */

typedef struct text_sink {
	ckpt_hub *hub;
	ckpt_buffer *body;
	size_t most;
	ckpt_error *err;
} text_sink;

static bool take_text(void *user, const ckpt_http_answer *answer, const void *data, size_t length)
{
	text_sink *s = user;
	(void)answer;
	if (length > s->most - s->body->length)
		return ckpt_hub_fail(s->hub, CKPT_HUB_NETWORK, s->err, CKPT_E_LIMIT, "the server answers with more than %zu bytes", s->most);
	ckpt_buffer_add(s->body, data, length);
	return ckpt_buffer_ok(s->body, s->err);
}

bool ckpt_http_text(ckpt_hub *hub, const char *url, size_t most, ckpt_buffer *body, ckpt_http_answer *answer,
                    const char *what, ckpt_error *err)
{
	text_sink sink = {hub, body, most, err};
	const ckpt_http_request request = {.url = url, .sink = take_text, .user = &sink};
	for (unsigned attempt = 0;; attempt++) {
		ckpt_buffer_free(body);
		*body = (ckpt_buffer){0};
		if (!ckpt_http_get(hub, &request, answer, err)) return ckpt_error_prefix(err, "%s", what);
		if (!answer->cut && answer->status == 200) return true;
		if (!ckpt_http_may_retry(answer) || hub->hasty || attempt + 1 == CKPT_HUB_TRIES) return ckpt_http_fail(hub, answer, what, err);
		if (!ckpt_hub_wait(hub, ckpt_http_pause(hub, answer, attempt, what), err)) return false;
	}
}
