bert m
ckpt forward m --input-ids '[[3,5,4],[3,7,4]]'
# the same from files, with all the other inputs
printf '[[1,1,0],\n [1,1,1]]' >mask.json
ckpt forward m --input-ids '[[3,5,4],[3,7,4]]' --attention-mask @mask.json --token-type-ids '[[0,1,1],[0,0,1]]' \
	--position-ids '[5,6,7]' --json -o out.safetensors --output-hidden-states
ckpt cat out.safetensors pooler_output
ckpt forward m --input-ids '[3,5,4]' --precision f64 -o out.npy
ckpt cat out.npy --slice 0,1
# what a tokenizer gives; of many outputs the main one
printf '{"input_ids": [[3,5,4]], "attention_mask": [[1,1,1]], "length": [3]}' >encoded.json
ckpt forward m --input-ids @encoded.json --attention-mask @encoded.json --output-hidden-states --precision f64 -o main.npy
cmp main.npy out.npy && echo 'the same'
# weights alone, with the config beside them or named
cp m/model.safetensors alone.safetensors
ckpt forward alone.safetensors --config m --input-ids '[3,5,4]' --json | head -n 3 | cut -c1-60
ckpt convert -q m/model.safetensors m/model.bin && rm m/model.safetensors
ckpt forward m/model.bin --input-ids '[3,5,4]' -o again.npy -f
cmp again.npy out.npy >/dev/null || echo 'f32 is not f64'
