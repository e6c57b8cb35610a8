# The config of a type, of a file, with changes.
ckpt config bert
ckpt config gpt2 --set num_hidden_layers=2 --set n_inner=None | grep -E '"n_(layer|inner)"'
ckpt config bert --set num_labels=3 --set layer_norm_eps=1e-5 --transformers-version 4.31.0 | grep -vE 'size|dropout|hidden'
printf '{"model_type": "llama", "rope_theta": 5e5, "torch_dtype": "float16", "mine": [1, {}]}' >config.json
ckpt config . | grep -A 3 -E '"(dtype|mine|rope_parameters)"'
