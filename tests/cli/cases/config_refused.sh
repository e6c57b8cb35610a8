# What makes no model, or does nothing, is one sentence with key and value, and nothing on standard output.
for set in no_such=1 num_hidden_layers=ten num_hidden_layers=0 num_hidden_layers=2147483648 hidden_size=770 \
	hidden_act=foo is_decoder=1 pad_token_id=40000 =1 num_hidden_layers; do
	code ckpt config bert --set "$set"
done
code ckpt config bart --set num_hidden_layers=3
code ckpt config t5 --set num_hidden_layers=3
code ckpt config qwen2 --set sliding_window=8
code ckpt config gpt2 --set n_layer=1 --set num_hidden_layers=2
code ckpt config vit
code ckpt config no-such-folder
code ckpt config bert --transformers-version new
mkdir empty
code ckpt config empty
for text in '' '{' '[1]' '{"a": NaN}' '{"model_type": "vit"}' '{"model_type": 1}' '{"hidden_size": 8}' \
	'{"model_type": "bert", "hidden_size": 8, "hidden_size": 8}' '{"model_type": "llama", "num_key_value_heads": 5}'; do
	printf '%s' "$text" >config.json
	code ckpt config .
done
