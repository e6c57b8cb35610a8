# what every head gives: names and shapes; and what it refuses
tiny() {
	type=$1 head=$2
	shift 2
	ckpt init -q "$type" "$type-$head" --head "$head" --set vocab_size=20 "$@" >/dev/null
}
narrow='--set hidden_size=8 --set num_attention_heads=2 --set num_hidden_layers=2 --set intermediate_size=12 --set initializer_range=0.5'
shapes() {
	ckpt forward "$@" -o out.safetensors -f >/dev/null && ckpt inspect out.safetensors --json | sed -n 's/.*"name": "\([^"]*\)".*"shape": \(\[[^]]*\]\).*/\1 \2/p'
}
for type in llama mistral qwen2; do
	for head in ForSequenceClassification ForTokenClassification ForQuestionAnswering; do
		tiny $type $head $narrow --set num_key_value_heads=1 --set pad_token_id=0
		echo "$type $head" && shapes $type-$head --input-ids '[[3,5,4],[3,7,4]]'
	done
done
tiny gpt2 ForSequenceClassification --set n_embd=8 --set n_layer=2 --set n_head=2 --set pad_token_id=0 --set initializer_range=0.5
tiny gpt2 ForTokenClassification --set n_embd=8 --set n_layer=2 --set n_head=2
tiny opt ForSequenceClassification --set hidden_size=8 --set num_attention_heads=2 --set num_hidden_layers=2 --set ffn_dim=12 --set word_embed_proj_dim=8
for model in gpt2-ForSequenceClassification gpt2-ForTokenClassification opt-ForSequenceClassification; do
	echo $model && shapes $model --input-ids '[[3,5,4],[3,7,4]]'
done
# the last token that is no padding decides
for type in gpt2 llama; do
	ckpt forward $type-ForSequenceClassification --input-ids '[[3,5,4]]' --precision f64 -o alone.npy -f >/dev/null
	ckpt forward $type-ForSequenceClassification --input-ids '[[3,5,4,0,0]]' --precision f64 -o padded.npy -f >/dev/null
	cmp -s alone.npy padded.npy && echo "$type: padding changes nothing"
done
ckpt init -q gpt2 two --head ForSequenceClassification --set vocab_size=20 --set n_embd=8 --set n_layer=1 --set n_head=2 >/dev/null
code ckpt forward two --input-ids '[[3,5,4],[3,7,4]]'
code shapes two --input-ids '[[3,5,4]]'
# a window of one token: earlier ones are not seen
for type in mistral qwen2; do
	more=
	[ $type = mistral ] || more='--set use_sliding_window=true --set max_window_layers=0'
	ckpt init -q $type $type-window $narrow --set vocab_size=20 --set num_key_value_heads=1 --set sliding_window=1 $more >/dev/null
	for ids in '[[3,5,4]]' '[[9,8,4]]'; do
		ckpt forward $type-window --input-ids "$ids" --precision f64 -o "$ids.npz" -f >/dev/null && ckpt cat "$ids.npz" last_hidden_state --slice 0,2 >"$ids.txt"
	done
	cmp -s '[[3,5,4]].txt' '[[9,8,4]].txt' && echo "$type: a window of one sees itself alone"
done
t5='--set d_model=8 --set num_layers=1 --set num_heads=2 --set d_kv=4 --set d_ff=12'
for head in ForSequenceClassification ForQuestionAnswering; do
	tiny t5 $head $t5
	echo "t5 $head" && shapes t5-$head --input-ids '[[3,5,1],[3,7,1]]'
	tiny bart $head --set d_model=8 --set encoder_layers=1 --set decoder_layers=1 --set encoder_attention_heads=2 --set decoder_attention_heads=2 \
		--set encoder_ffn_dim=12 --set decoder_ffn_dim=12 --set max_position_embeddings=40
	echo "bart $head" && shapes bart-$head --input-ids '[[3,5,2],[3,7,2]]'
done
code ckpt forward t5-ForSequenceClassification --input-ids '[[3,5,1],[3,1,1]]'
code ckpt forward t5-ForSequenceClassification --input-ids '[[3,5,6]]'
code ckpt forward t5-ForSequenceClassification --input-ids '[[3,5,1]]' --decoder-input-ids '[[0,3]]'
code ckpt forward t5-ForQuestionAnswering --input-ids '[[3,5,1]]' --decoder-input-ids '[[0,3]]'
tiny t5 EncoderModel $t5
code ckpt forward t5-EncoderModel --input-ids '[[3,5,1]]' --decoder-input-ids '[[0,3]]'
# far apart: buckets of distances that grow
shapes t5-EncoderModel --input-ids "[[$(awk 'BEGIN { for (i = 0; i < 200; i++) printf i ? ",%d" : "%d", 2 + i % 18 }')]]"
# what has no forward pass says so
ckpt init -q llama rope $narrow --set vocab_size=20 --set num_key_value_heads=1 --set 'rope_scaling={"rope_type":"yarn","factor":4.0}' >/dev/null
code ckpt forward rope --input-ids '[[3,5,4]]'
