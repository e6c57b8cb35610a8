# The config of a type, of a file, with changes.
ckpt config bert
ckpt config gpt2 --set num_hidden_layers=2 --set n_inner=None | grep -E '"n_(layer|inner)"'
ckpt config bert --set num_labels=3 --set layer_norm_eps=1e-5 --transformers-version 4.31.0 | grep -vE 'size|dropout|hidden'
printf '{"model_type": "llama", "rope_theta": 5e5, "torch_dtype": "float16", "mine": [1, {}]}' >config.json
ckpt config . | grep -A 3 -E '"(dtype|mine|rope_parameters)"'
# Without model_type the tensors decide, or --type does.
ckpt init bert m --head ForMaskedLM --no-sync --quiet --set hidden_size=8 --set num_attention_heads=2 \
	--set intermediate_size=12 --set vocab_size=20 --set num_hidden_layers=1 --set max_position_embeddings=6
sed -i /model_type/d m/config.json
ckpt config m | grep model_type
ckpt inspect m | grep -E '^(model|note) '
code ckpt config m --type gpt2 | grep -E 'model_type|\['
ckpt init m n --head BertModel --no-sync --quiet
sed -i /model_type/d n/config.json
code ckpt config n
ckpt inspect n | grep -E '^(model|note) '
code ckpt config n --type roberta --set pad_token_id=0 | grep -E 'model_type|\['
code ckpt config bert --type bert | tail -n 1
