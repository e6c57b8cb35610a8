/* targets.c -- what is fuzzed: every reader through the format table, and every parser below it on its own */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../formats/format.h"
#include "../../formats/npy_header.h"
#include "../../formats/pickle_read.h"
#include "../../formats/zip.h"
#include "../../lib/arena.h"
#include "../../lib/hub/inner.h"
#include "../../lib/json.h"
#include "../../lib/limits.h"
#include "../../lib/text/text.h"
#include "../../lib/utf8.h"

/* Low enough that no input makes a run slow or large. */
static const ckpt_limits small_limits = {
	.header_bytes = 1 << 20, .index_bytes = 1 << 20, .pickle_bytes = 1 << 20, .pickle_values = 20000, .tensors = 2000,
	.view_bytes = 1 << 20, .depth = 64, .zip_records = 2000, .inflate_bytes = 1 << 20};

static void must(bool holds, const char *what)
{
	if (holds) return;
	fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

/* A failure has a code and one sentence. */
static void must_be_said(const ckpt_error *err)
{
	must(err->code != CKPT_OK && err->text[0] && !strpbrk(err->text, "\n\r\033"), "a failure is one printable sentence");
}

/* The input as a file in memory; *path is that of the descriptor. */
static int as_file(const uint8_t *data, size_t length, char path[64])
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, data, length) == (ssize_t)length, "the input can be stored");
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* Both ends of each tensor. */
static void touch(const ckpt_checkpoint *cp)
{
	uint8_t bytes[64];
	for (size_t i = 0; i < ckpt_checkpoint_tensor_count(cp) && i < 200; i++) {
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(cp, i);
		uint64_t all = ckpt_tensor_bytes(t);
		size_t n = all < sizeof bytes ? (size_t)all : sizeof bytes;
		ckpt_error err = {0};
		if (!ckpt_tensor_read(t, 0, n, bytes, &err)) must_be_said(&err);
		err = (ckpt_error){0};
		if (!ckpt_tensor_read(t, all - n, n, bytes, &err)) must_be_said(&err);
		must(ckpt_checkpoint_tensor_find(cp, ckpt_tensor_name(t)) == t, "a tensor is found by its name");
	}
}

static ckpt_checkpoint *open_as(const char *path, const char *format)
{
	ckpt_open_options options = {.limits = small_limits, .format = format};
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, &options, &err);
	if (!cp) must_be_said(&err);
	return cp;
}

/* By content, then as each row, whatever it says about the file. */
static void run_open(const uint8_t *data, size_t length)
{
	char path[64];
	int fd = as_file(data, length, path);
	ckpt_checkpoint *cp = open_as(path, NULL);
	if (cp) touch(cp);
	ckpt_checkpoint_free(cp);
	for (size_t i = 0; ckpt_format_row(i); i++) {
		if (!ckpt_format_row(i)->open) continue;
		cp = open_as(path, ckpt_format_row(i)->name);
		if (cp) touch(cp);
		ckpt_checkpoint_free(cp);
	}
	close(fd);
}

static bool fingerprint(const ckpt_checkpoint *cp, char out[65])
{
	size_t n = ckpt_checkpoint_tensor_count(cp);
	char(*hex)[65] = calloc(n + 1, sizeof *hex);
	ckpt_work work = {.threads = 1};
	ckpt_error err = {0};
	bool ok = hex && ckpt_checkpoint_sha256(cp, &work, hex, out, &err);
	if (hex && !ok) must_be_said(&err);
	free(hex);
	return ok;
}

/* What can be read and written is the same when it is read again. */
static void run_save(const uint8_t *data, size_t length)
{
	static const char *const formats[] = {"safetensors", "torch", "torch-legacy", "npz"};
	static const char *const suffixes[] = {"safetensors", "pt", "pt", "npz"}; /* an empty archive is npz by its suffix alone */
	char path[64], folder[] = "/tmp/ckpt-fuzz-XXXXXX", out[96], before[65], after[65];
	int fd = as_file(data, length, path);
	ckpt_checkpoint *cp = open_as(path, NULL);
	if (cp && ckpt_checkpoint_tensor_count(cp) < 100 && fingerprint(cp, before) && mkdtemp(folder)) {
		const char *format = formats[length % 4];
		ckpt_save_options options = {.format = format, .no_sync = true};
		ckpt_work work = {.threads = 1};
		ckpt_error err = {0};
		snprintf(out, sizeof out, "%s/x.%s", folder, suffixes[length % 4]);
		if (!ckpt_save(cp, out, &options, &work, &err)) {
			must_be_said(&err);
		} else {
			ckpt_open_options again = {.format = format};
			ckpt_checkpoint *copy = ckpt_open(out, &again, &err);
			must(copy != NULL, "what was written can be read");
			bool whole = ckpt_checkpoint_tensor_count(copy) == ckpt_checkpoint_tensor_count(cp);
			must(fingerprint(copy, after) && (!whole || strcmp(before, after) == 0), "what was written is the same");
			ckpt_checkpoint_free(copy);
			unlink(out);
		}
		must(rmdir(folder) == 0, "nothing is left behind");
	}
	ckpt_checkpoint_free(cp);
	close(fd);
}

/* The stream of torch before 1.6, behind its magic number and version: machine, object, keys, data. */
static void run_legacy(const uint8_t *data, size_t length)
{
	static const uint8_t head[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.', 0x80, 2, 'M', 0xe9, 3, '.'};
	char path[64];
	uint8_t *all = malloc(sizeof head + length);
	must(all != NULL, "there is memory for the input");
	memcpy(all, head, sizeof head);
	if (length) memcpy(all + sizeof head, data, length);
	int fd = as_file(all, sizeof head + length, path);
	ckpt_checkpoint *cp = open_as(path, "torch-legacy");
	if (cp) touch(cp);
	ckpt_checkpoint_free(cp);
	free(all);
	close(fd);
}

/* An index beside two shards that are there. */
static void run_index(const uint8_t *data, size_t length)
{
	static const char shard[] = "\x40\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}             ";
	char folder[] = "/tmp/ckpt-fuzz-XXXXXX", path[96];
	must(mkdtemp(folder) != NULL, "a folder can be made");
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, i == 2 ? "model.safetensors.index.json" : i ? "b.safetensors" : "a.safetensors");
		FILE *f = fopen(path, "wb");
		must(f && fwrite(i == 2 ? data : (const uint8_t *)shard, 1, i == 2 ? length : 8 + 0x40, f) == (i == 2 ? length : 8 + 0x40) &&
		         (i == 2 || fwrite("\0\0\0", 1, 4, f) == 4), "the input can be stored");
		fclose(f);
	}
	ckpt_checkpoint *cp = open_as(path, "sharded");
	if (cp) touch(cp);
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(open_as(folder, NULL));
	unlink(path);
	snprintf(path, sizeof path, "%s/a.safetensors", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/b.safetensors", folder);
	unlink(path);
	must(rmdir(folder) == 0, "nothing is left behind");
}

static ckpt_value *any_persistent(void *user, ckpt_value *id, bool text, ckpt_error *err)
{
	(void)user, (void)text, (void)err;
	return id;
}

static void count_event(void *user, const ckpt_pickle_event *event)
{
	must(event->kind != CKPT_PICKLE_GLOBAL || (event->module && event->name), "a global has a name");
	++*(size_t *)user;
}

static bool pickle_once(const uint8_t *data, size_t length, bool record)
{
	ckpt_arena arena = {0};
	size_t events = 0;
	ckpt_pickle_options options = {.arena = &arena, .limits = ckpt_limits_resolve(&small_limits), .record = "input",
	                               .persistent = any_persistent, .record_event = record ? count_event : NULL, .user = &events};
	ckpt_pickle_result result = {0};
	ckpt_error err = {0};
	bool ok = ckpt_pickle_read(data, length, &options, &result, &err);
	if (!ok) must_be_said(&err);
	must(!ok || (result.root && result.consumed <= length), "a pickle ends inside its bytes");
	ckpt_arena_free(&arena);
	return ok;
}

/* Record mode refuses nothing that the loader takes. */
static void run_pickle(const uint8_t *data, size_t length)
{
	if (pickle_once(data, length, false)) must(pickle_once(data, length, true), "the scanner reads what the loader reads");
	else pickle_once(data, length, true);
}

static void count_fault(void *user, ckpt_zip_fault kind, const ckpt_zip_entry *entry, uint64_t offset, const char *text)
{
	(void)kind, (void)entry, (void)offset;
	must(text && *text, "a fault is a sentence");
	++*(size_t *)user;
}

static void zip_once(ckpt_file *f, bool faults)
{
	size_t count = 0;
	ckpt_zip_options options = {.limits = ckpt_limits_resolve(&small_limits), .fault = faults ? count_fault : NULL, .user = &count};
	ckpt_error err = {0};
	ckpt_zip *z = ckpt_zip_open(f, &options, &err);
	if (!z) must_be_said(&err);
	for (size_t i = 0; z && i < ckpt_zip_count(z) && i < 200; i++) {
		ckpt_zip_bytes bytes = {0};
		const ckpt_zip_entry *e = ckpt_zip_at(z, i);
		if (faults && e->faulty) continue;
		err = (ckpt_error){0};
		if (ckpt_zip_load(z, e, 1 << 20, "pickle-bytes", &bytes, &err)) {
			volatile uint8_t last = bytes.length ? bytes.data[bytes.length - 1] : 0;
			(void)last;
			must(ckpt_zip_bytes_check(&bytes, NULL), "the file is still there");
		} else {
			must_be_said(&err);
		}
		ckpt_zip_bytes_free(&bytes);
	}
	ckpt_zip_free(z);
}

static void run_zip(const uint8_t *data, size_t length)
{
	char path[64];
	int fd = as_file(data, length, path);
	ckpt_error err = {0};
	ckpt_file *f = ckpt_file_open(path, &err);
	must(f != NULL, "a file opens");
	zip_once(f, false);
	zip_once(f, true);
	ckpt_file_unref(f);
	close(fd);
}

static bool see_member(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	must(key && value && length > 0, "a member has a key and a value");
	ckpt_json *v = ckpt_json_parse(value, length, small_limits.depth, err);
	ckpt_json_free(v); /* NULL when a key occurs twice inside: the caller of such a value finds it */
	++*(size_t *)user;
	return v != NULL;
}

/* Both readings of an object agree. */
static void run_json(const uint8_t *data, size_t length)
{
	ckpt_error err = {0}, err2 = {0};
	size_t members = 0, children = 0;
	ckpt_json *root = ckpt_json_parse((const char *)data, length, small_limits.depth, &err);
	if (!root) must_be_said(&err);
	bool each = ckpt_json_each_member((const char *)data, length, small_limits.depth, see_member, &members, &err2);
	if (!each) must_be_said(&err2);
	if (root && ckpt_json_get_kind(root) == CKPT_JSON_OBJECT) {
		for (const ckpt_json *c = ckpt_json_child(root); c; c = ckpt_json_next(c)) children++;
		must(each && members == children, "both readings of an object agree");
	}
	ckpt_json_free(root);
}

static void run_npy(const uint8_t *data, size_t length)
{
	uint64_t head = 0;
	ckpt_npy_header h;
	ckpt_error err = {0};
	size_t got = length < CKPT_NPY_PREFIX ? length : CKPT_NPY_PREFIX;
	if (!ckpt_npy_header_length(data, got, length, 1 << 20, &head, &err)) {
		must_be_said(&err);
		return;
	}
	must(head <= length, "a header ends inside its file");
	if (!ckpt_npy_header_parse(data, (size_t)head, length, &h, &err)) must_be_said(&err);
	else must(h.length + h.bytes == length && h.rank <= CKPT_MAX_RANK, "header and data are the file");
}

/* A config that is printed reads back, and prints the same. */
static void run_config(const uint8_t *data, size_t length)
{
	ckpt_error err = {0};
	ckpt_config *config = ckpt_config_parse((const char *)data, length, &err), *again = NULL;
	char *first = NULL;
	if (!config) {
		must_be_said(&err);
		return;
	}
	const char *text = ckpt_config_type(config) ? ckpt_config_json(config, NULL, &err) : NULL;
	if (text && (first = strdup(text))) {
		again = ckpt_config_parse(first, strlen(first), &err);
		must(again != NULL, "a printed config can be read");
		text = ckpt_config_json(again, NULL, &err);
		must(text && strcmp(text, first) == 0, "a config prints the same again");
	}
	free(first);
	ckpt_config_free(again);
	ckpt_config_free(config);
}

/* Tensors of any name and shape against the architectures. */
static void run_model(const uint8_t *data, size_t length)
{
	char path[64];
	int fd = as_file(data, length, path);
	ckpt_checkpoint *cp = open_as(path, NULL);
	if (cp) {
		ckpt_model_options options = {.guess = true};
		ckpt_error err = {0};
		ckpt_model *model = ckpt_model_open(cp, &options, &err);
		if (!model) must_be_said(&err);
		else must(ckpt_model_report(model, true, &err) != NULL, "a model has a report");
		ckpt_model_free(model);
	}
	ckpt_checkpoint_free(cp);
	close(fd);
}

/* A clean verdict needs a whole look. */
static void run_scan(const uint8_t *data, size_t length)
{
	char path[64];
	int fd = as_file(data, length, path);
	ckpt_error err = {0};
	ckpt_scan *scan = ckpt_scan_file(path, &small_limits, &err);
	if (!scan) must_be_said(&err);
	else must(ckpt_scan_verdict(scan) != CKPT_CLEAN || ckpt_scan_complete(scan), "clean is never said of what was not read");
	ckpt_scan_free(scan);
	close(fd);
}

/* What a server may say: lines of a head, a list of files, and where a redirect leads. */
static void run_hub(const uint8_t *data, size_t length)
{
	static const char base[] = "https://hub.example/org/name/resolve/main/x";
	const ckpt_hub_options options = {.cache_dir = "/nowhere", .endpoint = "https://hub.example", .token = "t"};
	ckpt_http_answer answer = {0};
	ckpt_hub_listing listing = {0};
	ckpt_error err = {0};
	char *location = NULL;
	for (size_t at = 0, n; at < length; at += n) {
		const uint8_t *end = memchr(data + at, '\n', length - at);
		n = end ? (size_t)(end - data) - at + 1 : length - at;
		ckpt_http_read_header(&answer, &location, (const char *)data + at, n);
	}
	must(answer.retry_after <= 1000001, "a wait is bounded");
	ckpt_hub *hub = location ? ckpt_hub_new(&options, &err) : NULL;
	char *next = hub ? ckpt_http_resolve(base, location) : NULL;
	if (next && ckpt_http_allowed(hub, next, &err)) {
		must(!strncmp(next, "https://", 8) || !strncmp(next, "http://localhost", 16) || !strncmp(next, "http://127.", 11) ||
		         !strncmp(next, "http://[::1]", 12), "only https leaves this machine");
		must(!ckpt_http_same_origin(next, base) || !strncmp(next, "https://hub.example", 19), "a token goes to its origin");
	} else if (next) {
		must_be_said(&err);
	}
	curl_free(next);
	ckpt_hub_free(hub);
	free(location);
	err = (ckpt_error){0};
	if (!ckpt_hub_list_page(&listing, (const char *)data, length, &err)) must_be_said(&err);
	for (size_t i = 0; i < listing.count; i++) {
		const char *path = listing.entries[i].path;
		must(*path && *path != '/' && strncmp(path, "../", 3) && !strstr(path, "/../"), "a listed name stays inside");
		must(ckpt_hub_is_hash(listing.entries[i].hash), "a listed hash is one");
	}
	ckpt_hub_listing_free(&listing);
}

/* What an encoder makes of a text: tokens that the tokenizer has, spans in the text, and back again. */
static void encode_with(const ckpt_tokenizer *t, const char *text, size_t length, bool same)
{
	ckpt_error err = {0};
	ckpt_encoding got = {0};
	ckpt_buffer back = {0};
	ckpt_encoder *e = ckpt_encoder_new(t, &err);
	must(e != NULL, "there is memory for an encoder");
	bool good = ckpt_encode(e, text, length, NULL, 0, &(ckpt_encode_options){.no_special = true}, &got, &err);
	if (!good) must_be_said(&err);
	must(good || !same, "every valid text has ids");
	uint32_t *ids = calloc(got.count + 1, sizeof *ids);
	must(ids != NULL, "there is memory for ids");
	for (size_t i = 0; good && i < got.count; i++) {
		ids[i] = got.items[i].id;
		must(ckpt_tokenizer_token(t, ids[i]) != NULL, "every id is in the vocabulary");
		must(got.items[i].from <= got.items[i].to && got.items[i].to <= length, "every span is in the text");
	}
	err = (ckpt_error){0};
	if (good && !ckpt_decode(e, ids, got.count, false, &back, &err)) must_be_said(&err);
	if (same) must(back.length == length && (!length || !memcmp(back.data, text, length)), "byte-level tokens give the text back");
	free(ids);
	ckpt_buffer_free(&back);
	ckpt_encoding_free(&got);
	ckpt_encoder_free(e);
}

static void run_tokenizer(const uint8_t *data, size_t length)
{
	static const char text[] = "Hello, w\xc3\xb6rld! e\xcc\x81 42 [MASK] <s> \xe4\xbd\xa0\xe5\xa5\xbd  \xe2\x96\x81x";
	ckpt_error err = {0};
	ckpt_tokenizer *t = ckpt_tokenizer_read((const char *)data, length, &err);
	if (!t) must_be_said(&err);
	else encode_with(t, text, sizeof text - 1, false);
	ckpt_tokenizer_free(t);
}

/* The character that stands for a byte: printable ones of Latin-1 for themselves, the others in turn from U+0100. */
static uint32_t byte_char(unsigned byte)
{
	uint32_t next = 0x100;
	for (unsigned b = 0;; b++) {
		bool own = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
		if (b == byte) return own ? b : next;
		next += !own;
	}
}

/* GPT-2's steps over a vocabulary of all bytes and a few merges. */
static ckpt_tokenizer *all_bytes(void)
{
	ckpt_buffer b = {0};
	ckpt_error err = {0};
	ckpt_buffer_str(&b, "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"},"
	                    "\"model\":{\"type\":\"BPE\",\"vocab\":{");
	for (unsigned i = 0; i < 256; i++) {
		char c[4];
		ckpt_json_write_string(&b, c, ckpt_utf8_encode(byte_char(i), c), false);
		ckpt_buffer_printf(&b, ":%u,", i);
	}
	ckpt_buffer_str(&b, "\"he\":256,\"ll\":257,\"hell\":258,\"aa\":259,\"aaaa\":260},\"merges\":[\"h e\",\"l l\",\"he ll\",\"a a\",\"aa aa\"]}}");
	ckpt_tokenizer *t = ckpt_buffer_ok(&b, &err) ? ckpt_tokenizer_read(b.data, b.length, &err) : NULL;
	must(t != NULL, "a vocabulary of all bytes can be read");
	ckpt_buffer_free(&b);
	return t;
}

static void run_text(const uint8_t *data, size_t length)
{
	static const char *const others[] = {
		"{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\"},"
		"\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\",\"vocab\":{\"u\":0,\"a\":1,\"##a\":2,\"##b\":3}}}",
		"{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Nmt\"},{\"type\":\"NFKC\"},{\"type\":\"Lowercase\"}]},"
		"\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"},\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"_\"},"
		"\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"u\",0],[\"_\",-2],[\"a\",-3],[\"ab\",-3.5]]}}"};
	const char *text = (const char *)data;
	bool valid = ckpt_utf8_check(text, length) == SIZE_MAX;
	ckpt_tokenizer *t = all_bytes();
	encode_with(t, text, length, valid);
	ckpt_tokenizer_free(t);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		ckpt_error err = {0};
		t = ckpt_tokenizer_read(others[i], strlen(others[i]), &err);
		must(t != NULL, "a small tokenizer can be read");
		encode_with(t, text, length, false);
		ckpt_tokenizer_free(t);
	}
}

const fuzz_target fuzz_targets[] = {
	{"open", FUZZ_FILE, run_open},   {"save", FUZZ_FILE, run_save},     {"scan", FUZZ_FILE, run_scan},
	{"zip", FUZZ_FILE, run_zip},     {"pickle", FUZZ_PICKLE, run_pickle}, {"json", FUZZ_PLAIN, run_json},
	{"npy", FUZZ_NPY, run_npy},    {"config", FUZZ_PLAIN, run_config}, {"index", FUZZ_PLAIN, run_index},
	{"model", FUZZ_FILE, run_model}, {"hub", FUZZ_PLAIN, run_hub},      {"tokenizer", FUZZ_PLAIN, run_tokenizer}, {"text", FUZZ_PLAIN, run_text},
	{"legacy", FUZZ_PICKLE, run_legacy},
	{0}};

const fuzz_target *fuzz_find(const char *name)
{
	for (const fuzz_target *t = fuzz_targets; t->name; t++)
		if (strcmp(t->name, name) == 0) return t;
	return NULL;
}
