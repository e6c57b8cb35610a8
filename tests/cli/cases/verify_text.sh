# Texts as input of verify: one tokenizer for both models, and a remark where the two differ.
hide() { sed 's/[0-9][0-9.e+-]* of the largest/N of the largest/; s/max abs [0-9.e+-]*/max abs N/; s/in [a-z.0-9]*$/in BLOCK/'; }
words() { printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' hello cool Nice '##r' who "$@"; }
bert m && words >m/vocab.txt
bert n && words >n/vocab.txt
ckpt verify m --text 'hello' --text 'cool' --pair 'who who' | hide
ckpt verify m --text 'hello' --json | grep -o '"tokenizer.*"length":[0-9]*'
ckpt verify m --text 'hello' --against n | hide | tail -n 2
words more >n/vocab.txt
ckpt verify m --text 'hello' --against n | tail -n 1
words | sed 's/cool/warm/' >n/vocab.txt
ckpt verify m --text 'hello' --against n | tail -n 1
words >n/vocab.txt && echo '{"do_lower_case": false}' >n/tokenizer_config.json
ckpt verify m --text 'Cool' --text 'Nice' --against n | tail -n 1
ckpt verify m --text 'hello' --against n | tail -n 1
echo '[' >n/tokenizer.json
ckpt verify m --text 'hello' --against n | tail -n 1
rm n/vocab.txt n/tokenizer.json
ckpt verify m --text 'hello' --against n | tail -n 1
code ckpt verify n --text 'hello'
code ckpt verify m --text 'hello hello hello hello hello hello hello hello hello'
code ckpt verify m --pair hello
code ckpt verify m --text a --text b --pair c --pair d --pair e
