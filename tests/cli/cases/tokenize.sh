# Ids, tables and JSON of texts, pairs, lines; what is cut, padded and refused.
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\n!\ncafe\n' >vocab.txt
ckpt tokenize . 'Hello worlds!' '' 'unheard [MASK]'
ckpt tokenize . 'Café worlds!' --offsets
ckpt tokenize . 'Hello' 'worlds!' --pair 'Hello world' --offsets
ckpt tokenize . 'Hello worlds!' --no-special-tokens
ckpt tokenize . 'hello world hello world' --max-length 4
ckpt tokenize . 'hello world hello' --pair 'world world' --max-length 6
ckpt tokenize . 'hello world hello' --max-length 2 --no-special-tokens
ckpt tokenize . 'Hello' 'Hello worlds!' --padding
ckpt tokenize . 'Café' 'Hello worlds!' --padding --json
ckpt tokenize . 'café' --pair 'world' --json
ckpt tokenize . '' --json --no-special-tokens
printf 'hello\r\nworlds\n\nhello' >lines
ckpt tokenize . @lines
ckpt tokenize . - hello <lines --json
printf '' | ckpt tokenize . - --json
printf 'hello\nworld\303(\n' >bad
code ckpt tokenize . @bad
code ckpt tokenize . "$(printf 'a\377')"
code ckpt tokenize . hello --pair "$(printf '\355\240\200')"
code ckpt tokenize . @nothing
code ckpt tokenize . hello --max-length 1
code ckpt tokenize . hello --max-length 0
code ckpt tokenize .
code ckpt tokenize nowhere hello
