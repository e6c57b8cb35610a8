/* hub.c -- what the environment says about the Hub, and the connection that follows it */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "inner.h"

static bool is_true(const char *text)
{
	return text && (!strcmp(text, "1") || !strcasecmp(text, "on") || !strcasecmp(text, "yes") || !strcasecmp(text, "true"));
}

/* The first of the variables that is set and not empty. */
static const char *first_of(const char *const *names)
{
	for (; *names; names++) {
		const char *value = getenv(*names);
		if (value && *value) return value;
	}
	return NULL;
}

static long seconds_of(const char *name, long usual)
{
	const char *text = getenv(name);
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;
	return n > 0 && n < 86400 ? n : usual;
}

static const char *home(void)
{
	const char *folder = getenv("HOME");
	return folder && *folder ? folder : ".";
}

/* Appends a path with a leading ~ and $NAME or ${NAME} replaced, as Python's expanduser and expandvars do. */
static void expand(ckpt_buffer *b, const char *text)
{
	if (text[0] == '~' && (text[1] == '/' || !text[1])) {
		ckpt_buffer_str(b, home());
		text++;
	}
	while (*text) {
		static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
		bool braces = text[0] == '$' && text[1] == '{';
		const char *name = text + (braces ? 2 : 1);
		size_t n = text[0] == '$' ? strspn(name, letters) : 0;
		char copy[128];
		if (n == 0 || n >= sizeof copy || (braces && name[n] != '}')) {
			ckpt_buffer_char(b, *text++);
			continue;
		}
		snprintf(copy, sizeof copy, "%.*s", (int)n, name);
		const char *value = getenv(copy);
		const char *next = name + n + braces;
		if (value)
			ckpt_buffer_str(b, value);
		else
			ckpt_buffer_add(b, text, (size_t)(next - text));
		text = next;
	}
}

static char *taken(ckpt_buffer *b)
{
	if (!b->data && !b->failed) ckpt_buffer_str(b, "");
	if (!b->failed) return b->data;
	ckpt_buffer_free(b);
	return NULL;
}

/* HF_HOME > XDG_CACHE_HOME/huggingface > ~/.cache/huggingface. */
static void add_hf_home(ckpt_buffer *b)
{
	const char *set = getenv("HF_HOME"), *xdg = getenv("XDG_CACHE_HOME");
	if (set)
		expand(b, set);
	else if (xdg)
		ckpt_buffer_printf(b, "%s/huggingface", xdg);
	else
		ckpt_buffer_printf(b, "%s/.cache/huggingface", home());
}

static char *find_cache(const char *asked)
{
	ckpt_buffer b = {0};
	const char *set = asked ? asked : getenv("HF_HUB_CACHE");
	if (!set) set = getenv("HUGGINGFACE_HUB_CACHE");
	if (set) {
		expand(&b, set);
	} else {
		add_hf_home(&b);
		ckpt_buffer_str(&b, "/hub");
	}
	while (b.length > 1 && b.data[b.length - 1] == '/') b.data[--b.length] = '\0';
	return taken(&b);
}

/* Without blanks and line ends around it. */
static char *trimmed(const char *text)
{
	while (*text && strchr(" \t\r\n", *text)) text++;
	size_t n = strlen(text);
	while (n && strchr(" \t\r\n", text[n - 1])) n--;
	return strndup(text, n);
}

/* --token > HF_TOKEN > HUGGING_FACE_HUB_TOKEN > the file HF_TOKEN_PATH; "" for none. */
static char *find_token(const char *asked)
{
	static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", NULL};
	char text[4096] = "";
	ckpt_buffer path = {0};
	if (asked) return trimmed(asked);
	if (is_true(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return strdup("");
	const char *set = first_of(names);
	if (set) return trimmed(set);
	if (getenv("HF_TOKEN_PATH")) {
		expand(&path, getenv("HF_TOKEN_PATH"));
	} else {
		add_hf_home(&path);
		ckpt_buffer_str(&path, "/token");
	}
	ssize_t n = path.data ? ckpt_hub_read_small(path.data, text, sizeof text - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	ckpt_buffer_free(&path);
	return trimmed(text);
}

static bool token_is_sane(const char *token)
{
	for (; *token; token++)
		if (*token <= 0x20 || *token > 0x7e) return false;
	return true;
}

static bool settle(ckpt_hub *hub, ckpt_error *err)
{
	static const char *const ca_files[] = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", NULL};
	static const char *const ca_paths[] = {"SSL_CERT_DIR", NULL};
	static const char *const endpoints[] = {"HF_ENDPOINT", NULL};
	static const char *const offline[] = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", NULL};
	const char *endpoint = hub->options.endpoint ? hub->options.endpoint : first_of(endpoints);
	const char *file = first_of(ca_files), *folder = first_of(ca_paths);
	hub->cache = find_cache(hub->options.cache_dir);
	hub->endpoint = strdup(endpoint ? endpoint : "https://huggingface.co");
	hub->token = find_token(hub->options.token);
	hub->ca_file = file ? strdup(file) : NULL;
	hub->ca_path = folder ? strdup(folder) : NULL;
	if (!hub->cache || !hub->endpoint || !hub->token || (file && !hub->ca_file) || (folder && !hub->ca_path))
		return ckpt_fail_nomem(err);
	for (size_t n = strlen(hub->endpoint); n && hub->endpoint[n - 1] == '/'; n--) hub->endpoint[n - 1] = '\0';
	hub->offline = is_true(first_of(offline));
	hub->no_links = is_true(getenv("HF_HUB_DISABLE_SYMLINKS"));
	hub->stall = seconds_of("HF_HUB_DOWNLOAD_TIMEOUT", 10);
	hub->connect = seconds_of("HF_HUB_ETAG_TIMEOUT", 10);
	hub->retry_ms = hub->options.retry_ms ? hub->options.retry_ms : 1000;
	if (!*hub->cache) return ckpt_fail(err, CKPT_E_USAGE, "the folder of the cache is empty (HF_HUB_CACHE, HF_HOME)");
	if (!token_is_sane(hub->token))
		return ckpt_fail(err, CKPT_E_USAGE, "the token for the Hub has a blank, a line end or another character that no token has");
	return hub->offline || ckpt_http_allowed(hub, hub->endpoint, err);
}

ckpt_hub *ckpt_hub_new(const ckpt_hub_options *options, ckpt_error *err)
{
	ckpt_hub *hub = calloc(1, sizeof *hub);
	if (!hub) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	if (options) hub->options = *options;
	pthread_mutex_init(&hub->lock, NULL);
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
	if (code == CURLE_OUT_OF_MEMORY || (code == CURLE_OK && (!(hub->multi = curl_multi_init()) || !(hub->easy = curl_easy_init()))))
		ckpt_fail_nomem(err);
	else if (code != CURLE_OK)
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcurl cannot be started");
	else if (settle(hub, err))
		return hub;
	ckpt_hub_free(hub);
	return NULL;
}

void ckpt_hub_free(ckpt_hub *hub)
{
	if (!hub) return;
	if (hub->easy) curl_easy_cleanup(hub->easy);
	if (hub->multi) curl_multi_cleanup(hub->multi);
	pthread_mutex_destroy(&hub->lock);
	if (hub->token) explicit_bzero(hub->token, strlen(hub->token));
	free(hub->cache);
	free(hub->endpoint);
	free(hub->token);
	free(hub->ca_file);
	free(hub->ca_path);
	free(hub);
}

const char *ckpt_hub_endpoint(const ckpt_hub *hub) { return hub->endpoint; }
const char *ckpt_hub_cache(const ckpt_hub *hub) { return hub->cache; }
ckpt_hub_cause ckpt_hub_why(const ckpt_hub *hub) { return hub->why; }
uint64_t ckpt_hub_transferred(const ckpt_hub *hub) { return hub->transferred; }
