# A tokenizer beside a model: ids, what inspect says of it, tokens that lose their row, and a file of sentencepiece alone.
ckpt init bert a --set hidden_size=8 --set num_attention_heads=2 --set intermediate_size=12 --set vocab_size=6 \
	--set num_hidden_layers=1 --set max_position_embeddings=6 --no-sync --quiet
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\n##s\n!\n' >a/vocab.txt
ckpt tokenize a 'Hellos!' 'hello you' --padding
ckpt inspect a | tail -n 1
ckpt inspect a --json 2>/dev/null | grep '"tokenizer"'
ckpt reconfigure a b --vocab-size 4 --no-sync >/dev/null
# the size may come from --set; ids may have holes; a token that never had a row loses none
ckpt reconfigure a b --set vocab_size=5 --no-sync --force >/dev/null
ckpt reconfigure a b --vocab-size 6 --pad-to-multiple-of 4 --no-sync --force >/dev/null
printf '%s' '{"added_tokens":[{"id":5,"content":"<x>","special":true},{"id":9,"content":"<y>","special":true}],
	"model":{"type":"WordLevel","vocab":{"a":0,"b":3,"[UNK]":1},"unk_token":"[UNK]"}}' >a/tokenizer.json
ckpt inspect a | tail -n 1
ckpt reconfigure a b --vocab-size 2 --no-sync --force >/dev/null
rm a/tokenizer.json
printf '{"<new>":5,"<far>":9}' >a/added_tokens.json
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\n' >a/vocab.txt
ckpt inspect a | tail -n 1
ckpt reconfigure a b --vocab-size 5 --no-sync --force >/dev/null
code ckpt forward a --text 'hello <far>'
printf 'hello\377' >text
code ckpt tokenize a @text
mkdir c
printf 'x' >c/spiece.model
code ckpt tokenize c hello
