/* post.c -- what is put around the tokens: templates, and how to pad */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "tokenizer.h"

static size_t count_of(const ckpt_json *array)
{
	size_t n = 0;
	if (!array || ckpt_json_get_kind(array) != CKPT_JSON_ARRAY) return 0;
	for (const ckpt_json *e = ckpt_json_child(array); e; e = ckpt_json_next(e)) n++;
	return n;
}

static bool add_tokens(ckpt_tokenizer *t, ckpt_part *p, const ckpt_json *special, const char *name, ckpt_error *err)
{
	const ckpt_json *entry = ckpt_json_field(special, name), *ids = ckpt_json_field(entry, "ids"), *tokens = ckpt_json_field(entry, "tokens");
	p->count = count_of(ids);
	if (!entry || !p->count || p->count != count_of(tokens))
		return ckpt_fail(err, CKPT_E_FORMAT, "its special token \"%.80s\" has %zu ids and %zu tokens", name, p->count, count_of(tokens));
	p->ids = ckpt_arena_alloc(&t->arena, p->count * sizeof *p->ids);
	p->tokens = ckpt_arena_alloc(&t->arena, p->count * sizeof *p->tokens);
	if (!p->ids || !p->tokens) return ckpt_fail_nomem(err);
	const ckpt_json *id = ckpt_json_child(ids), *token = ckpt_json_child(tokens);
	for (size_t i = 0; i < p->count; i++, id = ckpt_json_next(id), token = ckpt_json_next(token)) {
		uint64_t number;
		if (!ckpt_json_u64(id, &number) || number > INT32_MAX || ckpt_json_get_kind(token) != CKPT_JSON_STRING)
			return ckpt_fail(err, CKPT_E_FORMAT, "its special token \"%.80s\" has an id or a token that is none", name);
		p->ids[i] = (uint32_t)number;
		p->tokens[i] = ckpt_arena_copy(&t->arena, ckpt_json_string(token), strlen(ckpt_json_string(token)));
		if (!p->tokens[i]) return ckpt_fail_nomem(err);
	}
	return true;
}

static bool read_part(ckpt_tokenizer *t, ckpt_part *p, const ckpt_json *v, const ckpt_json *special, ckpt_error *err)
{
	const ckpt_json *kind = ckpt_json_get_kind(v) == CKPT_JSON_OBJECT ? ckpt_json_child(v) : NULL;
	const char *id = kind ? ckpt_json_field_string(kind, "id") : NULL;
	uint64_t type = 0;
	if (!id || (ckpt_json_field(kind, "type_id") && (!ckpt_json_u64(ckpt_json_field(kind, "type_id"), &type) || type > INT32_MAX)))
		return ckpt_fail(err, CKPT_E_FORMAT, "a part of its template has no id or no type");
	p->type = (uint32_t)type;
	p->sequence = -1;
	if (!strcmp(ckpt_json_key(kind), "SpecialToken")) return add_tokens(t, p, special, id, err);
	if (strcmp(ckpt_json_key(kind), "Sequence") != 0 || (strcmp(id, "A") != 0 && strcmp(id, "B") != 0))
		return ckpt_fail(err, CKPT_E_FORMAT, "a part of its template is neither a special token nor the sequence A or B");
	p->sequence = *id - 'A';
	return true;
}

static bool new_parts(ckpt_tokenizer *t, ckpt_template *x, size_t count, ckpt_error *err)
{
	enum { MOST = 64 }; /* each is looked up among all special tokens */
	if (count > MOST) return ckpt_fail(err, CKPT_E_LIMIT, "a template has %zu parts, at most %d are read", count, MOST);
	if (x->count) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "there are two templates, which ckpt does not know");
	x->parts = ckpt_arena_alloc(&t->arena, (count + 1) * sizeof *x->parts);
	x->count = count;
	return x->parts || ckpt_fail_nomem(err);
}

static bool read_template(ckpt_tokenizer *t, ckpt_template *x, const ckpt_json *v, const ckpt_json *special,
                          ckpt_error *err)
{
	size_t i = 0;
	if (!new_parts(t, x, count_of(v), err)) return false;
	if (!x->count) return true;
	for (const ckpt_json *e = ckpt_json_child(v); e; e = ckpt_json_next(e), i++)
		if (!read_part(t, x->parts + i, e, special, err)) return false;
	return true;
}

/* ["[SEP]", 102] */
static bool read_pair(ckpt_tokenizer *t, ckpt_part *p, const ckpt_json *v, ckpt_error *err)
{
	uint64_t id;
	const ckpt_json *text = v && ckpt_json_get_kind(v) == CKPT_JSON_ARRAY ? ckpt_json_child(v) : NULL;
	const ckpt_json *number = text ? ckpt_json_next(text) : NULL;
	if (!number || ckpt_json_get_kind(text) != CKPT_JSON_STRING || !ckpt_json_u64(number, &id) || id > INT32_MAX)
		return ckpt_fail(err, CKPT_E_FORMAT, "its cls or sep is no [token, id]");
	*p = (ckpt_part){.sequence = -1, .count = 1};
	p->ids = ckpt_arena_alloc(&t->arena, sizeof *p->ids);
	p->tokens = ckpt_arena_alloc(&t->arena, sizeof *p->tokens);
	if (!p->ids || !p->tokens) return ckpt_fail_nomem(err);
	p->ids[0] = (uint32_t)id;
	p->tokens[0] = ckpt_arena_copy(&t->arena, ckpt_json_string(text), strlen(ckpt_json_string(text)));
	return p->tokens[0] || ckpt_fail_nomem(err);
}

/* BERT: cls A sep, cls A sep B sep with types 0 and 1; RoBERTa: cls A sep, cls A sep sep B sep, all types 0. */
static bool read_around(ckpt_tokenizer *t, const ckpt_json *v, bool roberta, ckpt_error *err)
{
	ckpt_part cls, sep, text = {.sequence = 0}, second = {.sequence = 1, .type = !roberta}, last;
	if (!read_pair(t, &cls, ckpt_json_field(v, "cls"), err) || !read_pair(t, &sep, ckpt_json_field(v, "sep"), err)) return false;
	if (!new_parts(t, &t->single, 3, err) || !new_parts(t, &t->pair, roberta ? 6 : 5, err)) return false;
	last = sep;
	last.type = !roberta;
	ckpt_part *p = t->single.parts;
	p[0] = cls, p[1] = text, p[2] = sep;
	p = t->pair.parts;
	*p++ = cls, *p++ = text, *p++ = sep;
	if (roberta) *p++ = sep;
	*p++ = second, *p = last;
	return true;
}

static bool read_one(ckpt_tokenizer *t, const ckpt_json *v, ckpt_error *err)
{
	const char *type = ckpt_json_field_string(v, "type");
	const ckpt_json *trim = ckpt_json_field(v, "trim_offsets"), *prefix = ckpt_json_field(v, "add_prefix_space");
	if (!type) return ckpt_fail(err, CKPT_E_FORMAT, "the post_processor is no object with a type");
	if (!strcmp(type, "TemplateProcessing"))
		return (read_template(t, &t->single, ckpt_json_field(v, "single"), ckpt_json_field(v, "special_tokens"), err) &&
		        read_template(t, &t->pair, ckpt_json_field(v, "pair"), ckpt_json_field(v, "special_tokens"), err)) ||
		       ckpt_error_prefix(err, "the post_processor TemplateProcessing");
	if (!strcmp(type, "BertProcessing")) return read_around(t, v, false, err) || ckpt_error_prefix(err, "the post_processor BertProcessing");
	bool roberta = !strcmp(type, "RobertaProcessing");
	if (!roberta && strcmp(type, "ByteLevel") != 0)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the post_processor \"%.60s\" is of a kind that ckpt does not know", type);
	t->trim = !trim || ckpt_json_is_true(trim);
	t->trim_prefix = !prefix || ckpt_json_is_true(prefix);
	return !roberta || read_around(t, v, true, err) || ckpt_error_prefix(err, "the post_processor RobertaProcessing");
}

bool ckpt_post_read(ckpt_tokenizer *t, const ckpt_json *v, ckpt_error *err)
{
	if (!v || ckpt_json_get_kind(v) == CKPT_JSON_NULL) return true;
	const char *type = ckpt_json_field_string(v, "type");
	if (!type || strcmp(type, "Sequence") != 0) return read_one(t, v, err);
	const ckpt_json *parts = ckpt_json_field(v, "processors");
	if (!parts || ckpt_json_get_kind(parts) != CKPT_JSON_ARRAY)
		return ckpt_fail(err, CKPT_E_FORMAT, "the post_processor Sequence has no array of processors");
	for (const ckpt_json *e = ckpt_json_child(parts); e; e = ckpt_json_next(e))
		if (!read_one(t, e, err)) return false;
	return true;
}

size_t ckpt_post_count(const ckpt_tokenizer *t, bool pair)
{
	const ckpt_template *x = pair ? &t->pair : &t->single;
	size_t n = 0;
	for (size_t i = 0; i < x->count; i++)
		if (x->parts[i].sequence < 0) n += x->parts[i].count;
	return n;
}

/* Of `truncation`, the side: the length is what the caller says. */
void ckpt_truncation_read(ckpt_tokenizer *t, const ckpt_json *v)
{
	const char *direction = ckpt_json_field_string(v, "direction");
	t->cut_left = direction && !strcmp(direction, "Left");
}

/* `padding` of the file, else the token that usually is for padding. */
bool ckpt_padding_read(ckpt_tokenizer *t, const ckpt_json *v, ckpt_error *err)
{
	static const char *const usual[] = {"[PAD]", "<pad>", "<|endoftext|>"};
	uint64_t type = 0;
	const char *token = ckpt_json_field_string(v, "pad_token"), *direction = ckpt_json_field_string(v, "direction");
	const ckpt_json *type_id = ckpt_json_field(v, "pad_type_id");
	if (type_id && (!ckpt_json_u64(type_id, &type) || type > INT32_MAX))
		return ckpt_fail(err, CKPT_E_FORMAT, "pad_type_id is no whole number");
	t->pad_type = (uint32_t)type;
	t->pad_left = direction && !strcmp(direction, "Left");
	for (size_t i = 0; i < 3 && !token; i++)
		if (ckpt_tokenizer_find(t, usual[i], &t->pad_id)) token = usual[i];
	if (!token || !ckpt_tokenizer_find(t, token, &t->pad_id)) return true;
	t->pad_token = t->model.strings[t->pad_id];
	t->can_pad = true;
	return true;
}
