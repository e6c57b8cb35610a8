# A tokenizer beside a model: ids, what inspect says of it, tokens that lose their row, and a file of sentencepiece alone.
ckpt init bert a --set hidden_size=8 --set num_attention_heads=2 --set intermediate_size=12 --set vocab_size=6 \
	--set num_hidden_layers=1 --set max_position_embeddings=6 --no-sync --quiet
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\n##s\n!\n' >a/vocab.txt
ckpt tokenize a 'Hellos!' 'hello you' --padding
ckpt inspect a | tail -n 1
ckpt inspect a --json 2>/dev/null | grep '"tokenizer"'
ckpt reconfigure a b --vocab-size 4 --no-sync >/dev/null
printf 'hello\377' >text
code ckpt tokenize a @text
mkdir c
printf 'x' >c/spiece.model
code ckpt tokenize c hello
