# The verdict in words; how much precision is lost differs from machine to machine.
hide() { sed 's/[0-9][0-9.e+-]* of the largest/N of the largest/; s/max abs [0-9.e+-]*/max abs N/; s/relative [0-9.e+-]*/relative N/; s/cosine [0-9.]*/cosine N/; s/in [a-z.0-9]*$/in BLOCK/'; }
bert m
ckpt verify m | hide
ckpt convert -q m/model.safetensors alone.bin --rename '^/bert.'
ckpt verify m --against alone.bin --per-layer | hide
code ckpt verify alone.bin --config m --json | sed -n '1,2p;$p' | cut -c1-60
ckpt convert -q --dtype bf16 m half/
ckpt verify half --against m | hide
bert other --seed 7
code ckpt verify m --against other | hide
code ckpt verify m --class ForMaskedLM | hide
ckpt forward m --input-ids '[[3,4,5]]' -o out.safetensors -q >/dev/null
ckpt verify m --input-ids '[[3,4,5]]' --expect out.safetensors | hide
code ckpt verify other --input-ids '[[3,4,5]]' --expect out.safetensors --per-layer | hide | grep -v 'f32 against'
code ckpt verify m --expect published
code ckpt verify m --expect published:nobody
code ckpt verify m --expect nowhere.json
printf '{"logits": [[1,2],[3]]}' >ragged.json
code ckpt verify m --expect ragged.json
printf '{"cases": []}' >empty.json
code ckpt verify m --expect empty.json
code ckpt verify m --attention-mask '[1]'
code ckpt verify nowhere
code ckpt verify m --against nowhere
