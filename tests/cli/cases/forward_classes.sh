# Heads on decoders, and behind an encoder: what they depend on, and what they do not; values are those of other suites.
small() {
	case $1 in
	gpt2) sizes='-s n_embd=8 -s n_layer=1 -s n_head=2 -s n_positions=16' ;;
	t5) sizes='-s d_model=8 -s num_layers=1 -s num_decoder_layers=1 -s num_heads=2 -s d_kv=4 -s d_ff=8' ;;
	bart) sizes='-s d_model=8 -s encoder_layers=1 -s decoder_layers=1 -s encoder_attention_heads=2 -s decoder_attention_heads=2
		-s encoder_ffn_dim=8 -s decoder_ffn_dim=8 -s max_position_embeddings=16' ;;
	opt) sizes='-s hidden_size=8 -s num_hidden_layers=1 -s num_attention_heads=2 -s ffn_dim=8 -s max_position_embeddings=16 -s word_embed_proj_dim=8' ;;
	*) sizes='-s hidden_size=8 -s num_hidden_layers=1 -s num_attention_heads=2 -s num_key_value_heads=1 -s intermediate_size=8
		-s max_position_embeddings=16' ;;
	esac
	small_type=$1 small_head=$2
	shift 2
	ckpt init -q --force $small_type m --head $small_head $sizes -s vocab_size=12 "$@"
}
alike() { # IDS IDS: are the logits the same?
	ckpt forward m --input-ids "$1" -q -f -o a.npz >/dev/null && ckpt forward m --input-ids "$2" -q -f -o b.npz >/dev/null || return
	ckpt cat a.npz logits >a
	ckpt cat b.npz logits >b
	cmp -s a b && echo the same || echo others
}
shapes() { ckpt forward m "$@" -f -o a.npz | grep '\['; }

# a text is classified at its last token that is no padding
for type in gpt2 llama mistral qwen2 opt; do
	echo $type
	small $type ForSequenceClassification -s pad_token_id=1 -s num_labels=3
	alike '[[5,6,7,1,1]]' '[[5,6,7]]'
	alike '[[5,6,7,8,1]]' '[[5,6,7]]'
	[ $type = opt ] || { small $type ForTokenClassification -s num_labels=3 && shapes --input-ids '[[5,6,7]]'; }
	small $type ForQuestionAnswering && shapes --input-ids '[[5,6,7]]'
done
small llama Model && shapes --input-ids '[[5,6,7]]'
small gpt2 ForSequenceClassification -s pad_token_id=null
code ckpt forward m --input-ids '[[5,6],[6,5]]'
# behind a window of two keys the last word knows nothing of the first; without one it does
for window in 'mistral -s sliding_window=2' 'mistral -s sliding_window=null' 'qwen2 -s sliding_window=2 -s use_sliding_window=true -s max_window_layers=0'; do
	set -- $window
	type=$1
	shift
	small $type ForSequenceClassification -s pad_token_id=1 "$@"
	alike '[[5,6,7,8]]' '[[9,6,7,8]]'
done
# behind an encoder a text is classified at its end token
for type in bart t5; do
	echo $type
	small $type ForSequenceClassification -s eos_token_id=2 -s num_labels=3
	shapes --input-ids '[[5,6,2],[5,2,1]]'
	code ckpt forward m --input-ids '[[5,6,7]]'
	code ckpt forward m --input-ids '[[5,6,2],[5,2,2]]'
	code ckpt forward m --input-ids '[[5,6,2]]' --decoder-input-ids '[[3,4]]'
	small $type ForQuestionAnswering && shapes --input-ids '[[5,6,2]]'
	code ckpt forward m --input-ids '[[5,6,2]]' --decoder-input-ids '[[3,4]]'
done
small t5 Model && shapes --input-ids '[[3,4,5,6,7,8,9,3,4,5,6,7,8,9,3,4,5,6,7,8,9,3,4]]' --decoder-input-ids '[[0,5]]'
code ckpt forward m --input-ids '[[5,6]]'
small t5 EncoderModel && shapes --input-ids '[[5,6]]'
code ckpt forward m --input-ids '[[5,6]]' --decoder-input-ids '[[0]]'
small bart ForCausalLM && shapes --input-ids '[[5,6]]'
code ckpt forward m --input-ids '[[5,6]]' --decoder-input-ids '[[0]]'
# no forward pass
small llama ForCausalLM -s 'rope_parameters={"rope_type":"yarn","rope_theta":10000.0,"factor":4.0}'
code ckpt forward m --input-ids '[[5,6]]'
ckpt init -q --force gpt2 m --head DoubleHeadsModel -s n_embd=8 -s n_layer=1 -s n_head=2 -s n_positions=16 -s vocab_size=12
code ckpt forward m --input-ids '[[5,6]]'
small gpt2 Model -s add_cross_attention=true
code ckpt forward m --input-ids '[[5,6]]'
# three outputs make no answer, and eight bits no weight
bert q --head ForQuestionAnswering --set num_labels=3
code ckpt forward q --input-ids '[[5,6,7]]'
small llama Model && ckpt convert -q --dtype f8_e4m3 m n/
code ckpt forward n --input-ids '[[5,6,7]]'
