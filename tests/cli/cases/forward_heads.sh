# What each head says to texts. Values go to a file: what is looked at are the words.
tiny() { ckpt init -q "$1" "$2" --head "$3" -s hidden_size=8 -s num_hidden_layers=1 -s num_attention_heads=2 -s intermediate_size=8 \
	-s max_position_embeddings=16 -s vocab_size=20 -s initializer_range=1 ${4-} && words "$2"; }
words() { printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' hello cool nice ! . '##r' who 日 本 ⌚ ש न '##म' >"$1/vocab.txt"; }
short() { sed 's/\("score":-*[0-9]*\.[0-9]\{3\}\)[0-9]*/\1/g'; } # the last digits differ from machine to machine
says() { ckpt forward "$@" -f -o out.npz | sed -n '/^row [0-9]*: \[CLS/d; /^row/,$p; /^choice/p; /tokenizer/p'; }
# several labels that exclude each other, that do not, one label, a number
tiny bert several ForSequenceClassification '-s num_labels=3' && says several --text hello
tiny bert multi ForSequenceClassification '-s num_labels=6 -s problem_type=multi_label_classification' && says multi --text hello
tiny bert one ForSequenceClassification '-s num_labels=1' && says one --text hello
tiny bert number ForSequenceClassification '-s num_labels=1 -s problem_type=regression' && says number --text hello --text cool
ckpt forward number --text hello --json | grep -E "labels|masks" | short
# a label a token, on lines as wide as they look
tiny bert tokens ForTokenClassification '-s num_labels=3' && says tokens --text '日本 ⌚ ש नम' --text hello
ckpt forward tokens --input-ids '[[2,5,3]]' -f -o out.npz
ckpt forward tokens --text hello --json | grep -E "labels|masks" | short
tiny bert lone ForTokenClassification '-s num_labels=1' && ckpt forward lone --input-ids '[[2,5,3]]' | head -n 1
# one text and another
tiny bert next ForNextSentencePrediction && says next --text hello --pair cool --text hello --pair nice
tiny bert choice ForMultipleChoice && says choice --text hello --pair cool --pair nice --pair who
ckpt forward choice --text hello --pair cool --pair nice --json | grep -E "labels|masks" | short
tiny bert answer ForQuestionAnswering && says answer --text who --text hello --pair 'cool nice'
# what they learned from
tiny bert both ForPreTraining && says both --text 'hello [MASK]' --pair cool --text hello --pair nice
tiny albert order ForPreTraining '-s embedding_size=4' && says order --text hello --pair cool
tiny electra changed ForPreTraining '-s embedding_size=4' && says changed --text 'hello nice'
# masks, and where there are none
tiny bert masks ForMaskedLM && says masks --text hello --text '[MASK] [MASK]'
ckpt forward masks --text hello --json | grep -E "labels|masks" | short
ckpt forward masks --text '' -f -o out.npz
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' hello >masks/vocab.txt && says masks --text hello
# refused
code ckpt forward masks --text a --text b --text c --pair d --pair e
code ckpt forward masks --text 'hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello'
code ckpt forward masks --input-ids '[[2,3]]' --position-ids '[[0,1]]' --generate 3
tiny bert decoder LMHeadModel '-s is_decoder=true'
code ckpt forward decoder --input-ids '[[2,3]]' --position-ids '[[0,1]]' --generate 3
code ckpt forward decoder --input-ids '[[2,3]]' --attention-mask '[[0,0]]' --generate 3
ckpt forward decoder --text hello --pair cool --generate 3 -f -o out.npz | tail -n 2
ckpt init -q t5 t5 --head ForConditionalGeneration -s d_model=8 -s num_layers=1 -s num_heads=2 -s d_kv=4 -s d_ff=8 -s vocab_size=12
code ckpt forward t5 --input-ids '[[2,5,3]]' --decoder-input-ids '[[0]]' --generate 3
