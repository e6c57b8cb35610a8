# Layers, vocabulary and head of a small model.
ckpt init bert a --set hidden_size=8 --set num_attention_heads=2 --set intermediate_size=12 --set vocab_size=20 \
	--set num_hidden_layers=4 --set max_position_embeddings=6 --head ForMaskedLM --no-sync --quiet
echo '{"the": 1}' >a/vocab.json
ckpt reconfigure a b --layers 3,0-1 --vocab-size 24 --no-sync | sed 's/ in .*//'
ls b
grep -E 'num_hidden_layers|vocab_size' b/config.json
ckpt reconfigure a c --dry-run --set num_hidden_layers=5 --head ForTokenClassification --set num_labels=3
ckpt reconfigure a c --dry-run --set intermediate_size=16 --json | grep redrawn | head -n 2
ckpt reconfigure b c.safetensors --head BertModel --quiet --no-sync
ckpt inspect c.safetensors --type bert | head -n 4
code ckpt reconfigure a c --layers 4
code ckpt reconfigure a c --layers 1,x
code ckpt reconfigure a c --encoder-layers 1
code ckpt reconfigure a c --set num_hidden_layers=0
code ckpt reconfigure a c --reinit nothing
code ckpt reconfigure c.safetensors c
code ckpt reconfigure a b --layers 0
ls
