bert m
ckpt forward m --text hello
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' hello >m/vocab.txt
for options in '--text hello --input-ids [[1]]' '--text hello --attention-mask [[1]]' '--pair hello' '' '--text hello --generate 2' \
	'--text hello --generate 0'; do
	ckpt forward m $options >/dev/null || echo "exit $?"
done
ckpt forward m --text "$(printf 'hello \377')" || echo "exit $?"
printf '%s' '{"model":{"type":"WordLevel","vocab":{"hello":0,"[UNK]":1},"unk_token":"[UNK]"}}' >m/tokenizer.json
ckpt forward m --text hello --text '' || echo "exit $?"
ckpt verify m --text hello --input-ids '[[1]]' || echo "exit $?"
ckpt init -q gpt2 g --head LMHeadModel -s n_embd=8 -s n_layer=2 -s n_head=2 -s n_positions=32 -s vocab_size=12
ckpt forward g --input-ids '[[1,2]]' --generate 9 --limit cache-bytes=1000 || echo "exit $?"
echo '[' >g/generation_config.json
ckpt forward g --input-ids '[[1,2]]' --generate 9 || echo "exit $?"
