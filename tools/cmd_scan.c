/* cmd_scan.c -- ckpt scan: what unknown files would do to whoever loads them */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/buffer.h"
#include "../lib/ends_in.h"
#include "../lib/file.h"
#include "../lib/json.h"
#include "../lib/model/node.h"
#include "../lib/scan/scan.h"
#include "tool.h"

struct scan_options {
	bool json, sarif, strict, names;
};

/* One file and what was found in it. */
typedef struct scanned {
	char *path;
	ckpt_scan *scan; /* NULL: it could not be read */
	char *failure;
} scanned;

typedef struct scan_list {
	scanned *items;
	size_t count, capacity, skipped;
} scan_list;

static const char *const verdicts[] = {"clean", "suspicious", "malformed", "dangerous"};
static const char *const severities[] = {"suspicious", "malformed", "dangerous"};

/* ---- which files ---- */

static bool add(scan_list *l, const char *path, ckpt_error *err)
{
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 16;
		scanned *items = reallocarray(l->items, capacity, sizeof *items);
		if (!items) return ckpt_fail_nomem(err);
		l->items = items;
		l->capacity = capacity;
	}
	l->items[l->count] = (scanned){.path = strdup(path)};
	return l->items[l->count].path ? (l->count++, true) : ckpt_fail_nomem(err);
}

/* Files of a folder that somebody might load; documents, pictures and vocabularies are passed over. */
static bool of_interest(const char *name)
{
	static const char *const passed[] = {".md", ".txt", ".py", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".lock", ".gitattributes",
	                                     ".gitignore", ".model", ".yaml", ".yml", ".csv", ".html", ".metadata", ".msgpack"};
	if (ckpt_ends_in(name, ".json")) return strcmp(name, "config.json") == 0 || ckpt_ends_in(name, ".index.json");
	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
		if (ckpt_ends_in(name, passed[i])) return false;
	}
	return name[0] != '.' && strcmp(name, "LICENSE") != 0;
}

/* Whatever its name says: an archive, a pickle or an array. */
static bool looks_loadable(const char *path)
{
	static const char *const starts[] = {"PK\3\4", "\x93NUMPY", "7z\xbc\xaf", "\x80\1", "\x80\2", "\x80\3", "\x80\4", "\x80\5"};
	char head[8] = "";
	ckpt_file *f = ckpt_file_open(path, NULL);
	size_t length = 0;
	bool read = f && ckpt_file_read_some(f, 0, sizeof head, head, &length, NULL);
	ckpt_file_unref(f);
	if (!read) return true; /* then it cannot be passed over either */
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		if (length >= strlen(starts[i]) && memcmp(head, starts[i], strlen(starts[i])) == 0) return true;
	return false;
}

/* The config of a tokenizer and the like, when it names code, under a name that JSON may spell with escapes; or when that cannot
 * be told. */
static bool names_code(const char *path)
{
	ckpt_arena arena = {0};
	if (!ckpt_ends_in(path, "_config.json")) return false;
	ckpt_file *f = ckpt_file_open(path, NULL);
	uint64_t size = f ? ckpt_file_size(f) : 0;
	bool found = !f || size;
	char *text = size && size < 1 << 24 ? malloc((size_t)size) : NULL;
	if (text && ckpt_file_read(f, 0, (size_t)size, text, NULL)) {
		const ckpt_node *root = ckpt_node_parse(&arena, text, (size_t)size, NULL);
		found = root && root->kind == CKPT_NODE_DICT ? ckpt_node_get(root, "auto_map") != NULL
		                                             : memmem(text, (size_t)size, "auto_map", 8) != NULL;
	}
	ckpt_arena_free(&arena);
	free(text);
	ckpt_file_unref(f);
	return found;
}

static bool is_regular(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

enum { DEPTH = 16 };

/* Folders below are followed to a fixed depth, links to folders are not. hidden: what lies there counts by its content alone,
 * since such folders hold the books of other programs. */
static bool add_folder(scan_list *l, const char *folder, int depth, bool hidden, ckpt_error *err)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, NULL, by_name);
	bool ok = n >= 0 || ckpt_fail(err, CKPT_E_IO, "%s: cannot list the folder", folder);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		char *path = NULL;
		struct stat st;
		if (ok && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && asprintf(&path, "%s/%s", folder, name) < 0) {
			path = NULL;
			ok = ckpt_fail_nomem(err);
		}
		if (ok && path && lstat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode) && depth < DEPTH)
				ok = add_folder(l, path, depth + 1, hidden || name[0] == '.', err);
			else if (S_ISDIR(st.st_mode) || (!hidden && (of_interest(name) || names_code(path))) || ((!hidden || is_regular(path)) && looks_loadable(path)))
				ok = add(l, path, err); /* a folder so deep fails as a file, and so is not passed over in silence */
			else
				l->skipped++;
		}
		free(path);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

/* ---- verdicts ---- */

static ckpt_verdict verdict_of(const scanned *s)
{
	return s->scan ? ckpt_scan_verdict(s->scan) : CKPT_MALFORMED;
}

static ckpt_verdict worst_of(const scan_list *l)
{
	ckpt_verdict worst = l->count ? CKPT_CLEAN : CKPT_MALFORMED;
	for (size_t i = 0; i < l->count; i++)
		if (verdict_of(&l->items[i]) > worst) worst = verdict_of(&l->items[i]);
	return worst;
}

static bool complete(const scan_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (!l->items[i].scan || !ckpt_scan_complete(l->items[i].scan)) return false;
	return l->count > 0;
}

static int exit_code(ckpt_verdict v, bool strict)
{
	return v == CKPT_DANGEROUS ? 1 : v == CKPT_MALFORMED ? 2 : v == CKPT_SUSPICIOUS ? strict ? 1 : 3 : 0;
}

/* ---- text ---- */

static void print_finding(const ckpt_scan_finding *f)
{
	printf("  %-10s  %s  ", severities[f->severity], f->id);
	ckpt_text_print(stdout, f->text);
	if (f->record || f->offset != UINT64_MAX) printf("  (");
	if (f->record) ckpt_text_print(stdout, f->record);
	if (f->offset != UINT64_MAX) printf("%soffset %llu", f->record ? ", " : "", (unsigned long long)f->offset);
	if (f->opcode) printf(", %s", f->opcode);
	printf(f->record || f->offset != UINT64_MAX ? ")\n" : "\n");
}

static void print_text(const ckpt_call *call, const scan_list *l)
{
	const struct scan_options *o = call->options;
	for (size_t i = 0; i < l->count; i++) {
		const scanned *s = &l->items[i];
		ckpt_verdict v = verdict_of(s);
		const ckpt_style style = v == CKPT_CLEAN ? CKPT_STYLE_PLAIN : CKPT_STYLE_WARN;
		if (call->quiet && v == CKPT_CLEAN) continue;
		printf("%s%s%s  ", ckpt_style_code(&call->terminal, style), verdicts[v], ckpt_style_code(&call->terminal, CKPT_STYLE_PLAIN));
		ckpt_text_print(stdout, s->path);
		if (s->scan && *ckpt_scan_format(s->scan)) printf("  [%s]", ckpt_scan_format(s->scan));
		printf("\n");
		if (s->failure) {
			printf("  ");
			ckpt_text_print(stdout, s->failure);
			printf("\n");
		}
		for (size_t k = 0; s->scan && k < ckpt_scan_finding_count(s->scan); k++) print_finding(ckpt_scan_finding_at(s->scan, k));
		for (size_t k = 0; o->names && s->scan && k < ckpt_scan_name_count(s->scan); k++) {
			const ckpt_scan_name *n = ckpt_scan_name_at(s->scan, k);
			printf("  known       %s.%s%s\n", n->module, n->name, n->called ? ", called" : "");
		}
	}
	if (call->quiet) return;
	if (l->count == 0) printf("nothing was looked at: no file of interest there\n");
	if (l->skipped) printf("%zu other file%s passed over\n", l->skipped, l->skipped == 1 ? " was" : "s were");
	if (worst_of(l) == CKPT_CLEAN && l->count) printf("nothing harmful was found, which is no proof that there is nothing\n");
}

/* ---- JSON ---- */

static void member(ckpt_buffer *b, const char *key, const char *text)
{
	ckpt_buffer_printf(b, "\"%s\": ", key);
	if (text)
		ckpt_json_write_string(b, text, strlen(text), false);
	else
		ckpt_buffer_str(b, "null");
}

static void finding_json(ckpt_buffer *b, const scanned *s, const ckpt_scan_finding *f)
{
	ckpt_buffer_str(b, "{");
	member(b, "id", f->id);
	ckpt_buffer_str(b, ", ");
	member(b, "severity", severities[f->severity]);
	ckpt_buffer_str(b, ", ");
	member(b, "path", s->path);
	ckpt_buffer_str(b, ", ");
	member(b, "record", f->record);
	if (f->offset == UINT64_MAX)
		ckpt_buffer_str(b, ", \"offset\": null, ");
	else
		ckpt_buffer_printf(b, ", \"offset\": %llu, ", (unsigned long long)f->offset);
	member(b, "opcode", f->opcode);
	ckpt_buffer_str(b, ", ");
	member(b, "module", f->module);
	ckpt_buffer_str(b, ", ");
	member(b, "name", f->name);
	ckpt_buffer_printf(b, ", \"called\": %s, ", f->called ? "true" : "false");
	member(b, "message", f->text);
	ckpt_buffer_str(b, "}");
}

/* The findings of one file or, with s NULL, of all. */
static void findings_json(ckpt_buffer *b, const scan_list *l, const scanned *s)
{
	bool first = true;
	ckpt_buffer_str(b, "[");
	for (size_t i = 0; i < l->count; i++) {
		const scanned *one = &l->items[i];
		if (s && one != s) continue;
		for (size_t k = 0; one->scan && k < ckpt_scan_finding_count(one->scan); k++) {
			ckpt_buffer_str(b, first ? "\n    " : ",\n    ");
			finding_json(b, one, ckpt_scan_finding_at(one->scan, k));
			first = false;
		}
	}
	ckpt_buffer_str(b, first ? "]" : "\n  ]");
}

static void names_json(ckpt_buffer *b, const scanned *s)
{
	ckpt_buffer_str(b, "[");
	for (size_t k = 0; s->scan && k < ckpt_scan_name_count(s->scan); k++) {
		const ckpt_scan_name *n = ckpt_scan_name_at(s->scan, k);
		ckpt_buffer_str(b, k ? ", {" : "{");
		member(b, "module", n->module);
		ckpt_buffer_str(b, ", ");
		member(b, "name", n->name);
		ckpt_buffer_printf(b, ", \"called\": %s}", n->called ? "true" : "false");
	}
	ckpt_buffer_str(b, "]");
}

static void json(ckpt_buffer *b, const scan_list *l)
{
	ckpt_buffer_printf(b, "{\n  \"verdict\": \"%s\",\n  \"complete\": %s,\n  \"findings\": ", verdicts[worst_of(l)],
	                   complete(l) ? "true" : "false");
	findings_json(b, l, NULL);
	ckpt_buffer_str(b, ",\n  \"files\": [");
	for (size_t i = 0; i < l->count; i++) {
		const scanned *s = &l->items[i];
		ckpt_buffer_str(b, i ? ",\n    {" : "\n    {");
		member(b, "path", s->path);
		ckpt_buffer_printf(b, ", \"verdict\": \"%s\", \"complete\": %s, ", verdicts[verdict_of(s)],
		                   s->scan && ckpt_scan_complete(s->scan) ? "true" : "false");
		member(b, "format", s->scan && *ckpt_scan_format(s->scan) ? ckpt_scan_format(s->scan) : NULL);
		ckpt_buffer_str(b, ", ");
		member(b, "sha256", s->scan ? ckpt_scan_sha256(s->scan) : NULL);
		ckpt_buffer_str(b, ", ");
		member(b, "error", s->failure);
		ckpt_buffer_str(b, ", \"known_names\": ");
		names_json(b, s);
		ckpt_buffer_str(b, "}");
	}
	ckpt_buffer_str(b, l->count ? "\n  ]\n}\n" : "]\n}\n");
}

static const char *level(ckpt_severity severity)
{
	return severity == CKPT_SEVERITY_SUSPICIOUS ? "warning" : "error";
}

/* A path as a URI reference: what URIs give a meaning of its own, and all that is not ASCII, as %XX. */
static void uri(ckpt_buffer *b, const char *path)
{
	ckpt_buffer_str(b, "\"uri\": \"");
	if (path[0] == '/') ckpt_buffer_str(b, "file://");
	for (const unsigned char *c = (const unsigned char *)path; *c; c++)
		if ((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || strchr("-._~/", *c))
			ckpt_buffer_printf(b, "%c", *c);
		else
			ckpt_buffer_printf(b, "%%%02X", *c);
	ckpt_buffer_str(b, "\"");
}

static void sarif_result(ckpt_buffer *b, const char *rule, const char *how_bad, const char *text, const char *path)
{
	ckpt_buffer_str(b, "{");
	member(b, "ruleId", rule);
	ckpt_buffer_str(b, ", ");
	member(b, "level", how_bad);
	ckpt_buffer_str(b, ", \"message\": {");
	member(b, "text", text);
	ckpt_buffer_str(b, "}, \"locations\": [{\"physicalLocation\": {\"artifactLocation\": {");
	uri(b, path);
	ckpt_buffer_str(b, "}");
}

static void sarif_rules(ckpt_buffer *b)
{
	for (int i = 0; i < CKPT_FOUND_KINDS; i++) {
		const ckpt_finding_info *info = ckpt_finding_get((ckpt_finding_kind)i);
		ckpt_buffer_str(b, i ? ",\n      {" : "\n      {");
		member(b, "id", info->id);
		ckpt_buffer_str(b, ", \"shortDescription\": {");
		member(b, "text", info->title);
		ckpt_buffer_str(b, "}, \"fullDescription\": {");
		member(b, "text", info->meaning);
		ckpt_buffer_str(b, "}, \"defaultConfiguration\": {");
		member(b, "level", level(info->severity));
		ckpt_buffer_str(b, "}}");
	}
}

/* SARIF 2.1.0 (OASIS): one run, the kinds of findings as its rules, a result a finding. */
static void sarif(ckpt_buffer *b, const scan_list *l)
{
	bool first = true;
	ckpt_buffer_printf(b,
	                   "{\n  \"version\": \"2.1.0\",\n  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n"
	                   "  \"runs\": [{\n    \"tool\": {\"driver\": {\"name\": \"ckpt scan\", \"version\": \"%s\", \"rules\": [",
	                   ckpt_version());
	sarif_rules(b);
	ckpt_buffer_str(b, "]}},\n    \"results\": [");
	for (size_t i = 0; i < l->count; i++) {
		const scanned *s = &l->items[i];
		for (size_t k = 0; s->scan && k < ckpt_scan_finding_count(s->scan); k++) {
			const ckpt_scan_finding *f = ckpt_scan_finding_at(s->scan, k);
			ckpt_buffer_str(b, first ? "\n      " : ",\n      ");
			sarif_result(b, f->id, level(f->severity), f->text, s->path);
			if (f->offset != UINT64_MAX && f->offset <= INT64_MAX)
				ckpt_buffer_printf(b, ", \"region\": {\"byteOffset\": %llu}", (unsigned long long)f->offset);
			ckpt_buffer_str(b, "}");
			if (f->record) {
				ckpt_buffer_str(b, ", \"logicalLocations\": [{");
				member(b, "name", f->record);
				ckpt_buffer_str(b, "}]");
			}
			ckpt_buffer_str(b, "}]}");
			first = false;
		}
		if (!s->failure) continue;
		ckpt_buffer_str(b, first ? "\n      " : ",\n      ");
		sarif_result(b, ckpt_finding_get(CKPT_FOUND_NOT_LOOKED_AT)->id, "error", s->failure, s->path);
		ckpt_buffer_str(b, "}}]}");
		first = false;
	}
	ckpt_buffer_str(b, "]\n  }]\n}\n");
}

/* ---- the command ---- */

static bool collect(const ckpt_call *call, scan_list *l, ckpt_error *err)
{
	for (size_t i = 0; i < call->argument_count; i++) {
		struct stat st;
		const char *path = call->arguments[i];
		bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
		if (!(folder ? add_folder(l, path, 0, false, err) : add(l, path, err))) return false;
	}
	for (size_t i = 0; i < l->count; i++) {
		ckpt_error one = {0};
		l->items[i].scan = ckpt_scan_file(l->items[i].path, &call->open.limits, &one);
		if (!l->items[i].scan && !(l->items[i].failure = strdup(one.text))) return ckpt_fail_nomem(err);
	}
	return true;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const struct scan_options *o = call->options;
	scan_list l = {0};
	ckpt_buffer b = {0};
	int code = CKPT_EXIT_BY_ERROR;
	if (o->json && o->sarif) {
		ckpt_fail(err, CKPT_E_USAGE, "--json and --sarif exclude each other");
		goto done;
	}
	if (!collect(call, &l, err)) goto done;
	if (o->json)
		json(&b, &l);
	else if (o->sarif)
		sarif(&b, &l);
	else
		print_text(call, &l);
	if (!ckpt_buffer_ok(&b, err)) goto done;
	if (b.length) fwrite(b.data, 1, b.length, stdout);
	code = exit_code(worst_of(&l), o->strict);
done:
	for (size_t i = 0; i < l.count; i++) {
		ckpt_scan_free(l.items[i].scan);
		free(l.items[i].failure);
		free(l.items[i].path);
	}
	free(l.items);
	ckpt_buffer_free(&b);
	return code;
}

static const char *const synopsis[] = {"PATH... [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Looks at files that one does not trust yet: what they are by their content, every name that a pickle in them imports and whether "
	       "it is called, records and bytes that do not belong there, and everything that the readers refuse. Nothing is executed. In a "
	       "folder, the files that somebody might load are looked at, those in folders below too; in hidden ones what their content "
	       "shows to be an archive, a pickle or an array. Of a model on the Hub (org/name) all files are fetched and looked at, whichever a "
	       "loader would choose."},
	{NULL, "The verdict is the worst finding: `clean`; `suspicious` (names that are not known to be harmless, odd places); `malformed` (no "
	       "loader should take it, or a part could not be looked at); `dangerous` (loading it can run code, reach files or the network). "
	       "What could not be looked at is never clean, and clean is no proof."},
	{"JSON", "`--json` prints an object with `verdict`, `complete` (was everything looked at), `findings` and `files`. A finding has `id` "
	         "(stable), `severity`, `path`, `record`, `offset`, `opcode`, `module`, `name`, `called` and `message`; a file has `path`, `verdict`, "
	         "`complete`, `format`, `sha256`, `error` and `known_names`."},
	{"FINDINGS", " CKPT-P001  dangerous   dangerous call\n"
	             "            loading it calls a function that can run code, reach files or\n"
	             "            the network\n"
	             " CKPT-P002  dangerous   dangerous name\n"
	             "            loading it imports such a function, without a call that can be\n"
	             "            seen\n"
	             " CKPT-P003  dangerous   computed name\n"
	             "            it imports a name that only running it would tell\n"
	             " CKPT-P004  suspicious  unknown name\n"
	             "            it imports a name that is not known to be harmless\n"
	             " CKPT-P005  suspicious  computed call\n"
	             "            it calls the result of another call\n"
	             " CKPT-P006  suspicious  result thrown away\n"
	             "            it makes a call whose result nobody uses\n"
	             " CKPT-P007  suspicious  extension code\n"
	             "            it refers to a name by a number that only the loading program\n"
	             "            knows\n"
	             " CKPT-P008  suspicious  odd persistent id\n"
	             "            it refers to something outside of itself that is no storage\n"
	             " CKPT-P009  malformed   broken pickle\n"
	             "            a pickle cannot be followed to its end; what stands before the\n"
	             "            fault would still be executed\n"
	             " CKPT-P010  suspicious  data behind the end\n"
	             "            bytes follow the end of a pickle or of the file's last part\n"
	             " CKPT-P011  suspicious  pickle in odd place\n"
	             "            a pickle stands where data should be\n"
	             " CKPT-P012  suspicious  odd name\n"
	             "            an imported name has characters that deceive readers\n"
	             " CKPT-Z001  malformed   faulty archive\n"
	             "            programs can read the archive in different ways\n"
	             " CKPT-Z002  suspicious  unaccounted bytes\n"
	             "            the archive holds bytes that its directory does not list\n"
	             " CKPT-Z003  malformed   wrong CRC\n"
	             "            a record differs from its checksum\n"
	             " CKPT-Z004  suspicious  record of no use\n"
	             "            the archive holds a record that no checkpoint of its kind has\n"
	             " CKPT-N001  suspicious  array of objects\n"
	             "            a numpy array of objects is a pickle, which\n"
	             "            numpy.load(allow_pickle=True) executes\n"
	             " CKPT-F001  malformed   malformed file\n"
	             "            the file breaks the rules of its format\n"
	             " CKPT-F002  malformed   not looked at\n"
	             "            the content is nothing that ckpt can judge\n"
	             " CKPT-F003  malformed   limit reached\n"
	             "            the file asks for more than a limit allows, so not all of it was\n"
	             "            looked at\n"
	             " CKPT-C001  suspicious  custom code\n"
	             "            the config names Python code of its own, which\n"
	             "            trust_remote_code=True executes\n"
	             " CKPT-C002  malformed   bad config\n"
	             "            the config makes no model"},
	{0},
};

#define FIELD(name) offsetof(struct scan_options, name)
static const ckpt_option options[] = {
	{"json", 0, CKPT_OPTION_FLAG, FIELD(json), NULL, "print the findings as JSON", 0, 0},
	{"sarif", 0, CKPT_OPTION_FLAG, FIELD(sarif), NULL, "print the findings as SARIF 2.1.0", 0, 0},
	{"strict", 0, CKPT_OPTION_FLAG, FIELD(strict), NULL, "let suspicious files count as dangerous", 0, 0},
	{"names", 0, CKPT_OPTION_FLAG, FIELD(names), NULL, "list the harmless names that pickles import too", 0, 0},
	{0},
};

static const ckpt_exit_code exits[] = {
	{0, "all files are clean"},
	{1, "a file is dangerous (with --strict: or suspicious)"},
	{2, "a file is malformed or could not be looked at, or nothing was looked at; or the command line is wrong"},
	{3, "a file is suspicious, none is worse"},
	{0, NULL},
};

const ckpt_tool ckpt_tool_scan = {
	.name = "scan",
	.summary = "tell what unknown files would do to whoever loads them",
	.synopsis = synopsis,
	.description = description,
	.options = options,
	.options_size = sizeof(struct scan_options),
	.uses = CKPT_USES_LIMITS,
	.models = CKPT_MODELS_ALL | CKPT_MODELS_WHOLE,
	.arguments_min = 1,
	.arguments_max = SIZE_MAX,
	.exits = exits,
	.run = run,
};
