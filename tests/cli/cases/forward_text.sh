tiny() { ckpt init -q bert "$1" --head "$2" -s hidden_size=8 -s num_hidden_layers=1 -s num_attention_heads=2 -s intermediate_size=8 \
	-s max_position_embeddings=16 -s vocab_size=12 -s initializer_range=1; }
words() { printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' hello cool nice ! . '##r' who >"$1/vocab.txt"; }
tiny base Model && words base
ckpt forward base --text 'Hello!' --text 'Cool. Nicer'
# the same ids by hand give the same
ckpt forward base --text 'Hello!' -o a.npz >/dev/null && ckpt forward base --input-ids '[[2,5,8,3]]' -o b.npz >/dev/null && ckpt diff a.npz b.npz
tiny masks ForMaskedLM && words masks
ckpt forward masks --text 'hello [MASK] nice [MASK]' | tail -n 3
ckpt forward masks --text '[MASK]!' --json | tail -n 2
tiny labels ForSequenceClassification && words labels
ckpt forward labels --text 'nice' | tail -n 2
tiny answers ForQuestionAnswering && words answers
ckpt forward answers --text 'who' --pair 'hello cool nice.' | sed -n '/row/p'
ckpt forward answers --text 'who' --pair 'hello cool nice.' --json | tail -n 2
ckpt verify answers --text 'who' --pair 'hello' | sed -n '/verdict/p'
# words behind words: no cache in BERT, a cache in GPT-2, an encoder in front in T5
tiny decoder LMHeadModel && words decoder
ckpt forward decoder --text 'hello' | tail -n 2
rm decoder/generation_config.json # no end token: neither file names one
ckpt forward decoder --text 'hello' | tail -n 2
ckpt init -q gpt2 gpt2 --head LMHeadModel -s n_embd=8 -s n_layer=2 -s n_head=2 -s n_positions=12 -s vocab_size=12 -s initializer_range=1 \
	-s eos_token_id=11 && words gpt2
ckpt forward gpt2 --text 'cool' --text 'hello nice' --generate 4 >out && sed -n '/goes on/p' out
ckpt forward gpt2 --text 'cool' --text 'hello nice' --generate 4 --no-cache | cmp - out
ckpt forward gpt2 --text 'nice nice' --generate 30 --json | sed -n 's/,"margin.*cache_bytes/ ... cache_bytes/p'
printf '{"eos_token_id":[99,%s],"num_beams":4,"suppress_tokens":[1]}' "$(sed -n 's/row 0 goes on: \([0-9]*\).*/\1/p' out)" >gpt2/generation_config.json
ckpt forward gpt2 --text 'cool' --generate 4 | sed -n '/goes on/p'
ckpt forward gpt2 --input-ids '[[2,6,3]]' --generate 2 -q | sed -n '/goes on/p'
ckpt init -q t5 t5 --head ForConditionalGeneration -s d_model=8 -s num_layers=1 -s num_heads=2 -s d_kv=4 -s d_ff=8 -s vocab_size=12 && words t5
ckpt forward t5 --text 'hello' --text 'nice cool' --generate 3 >out && sed -n '/goes on/p' out
ckpt forward t5 --text 'hello' --text 'nice cool' --generate 3 --no-cache | cmp - out
ckpt forward t5 --input-ids '[[2,5,3]]' --generate 3 | sed -n '/goes on/p'
