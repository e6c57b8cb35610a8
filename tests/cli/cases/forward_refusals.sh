bert m
code ckpt forward m
code ckpt forward m --input-ids ''
code ckpt forward m --input-ids '[]'
code ckpt forward m --input-ids '[[]]'
code ckpt forward m --input-ids '{"a":1}'
code ckpt forward m --input-ids '[[1,2],[3]]'
code ckpt forward m --input-ids '[[1,2],3]'
code ckpt forward m --input-ids '[[1,2.5]]'
code ckpt forward m --input-ids '[1,"two"]'
code ckpt forward m --input-ids '[[[1]]]'
code ckpt forward m --input-ids '[9223372036854775808]'
code ckpt forward m --input-ids '[1,20]'
code ckpt forward m --input-ids '[1,-1]'
code ckpt forward m --input-ids '[1,2,3,4,5,6,7,8,9,10,11]'
code ckpt forward m --input-ids '[1,2]' --attention-mask '[1]'
code ckpt forward m --input-ids '[1,2]' --attention-mask '[1,7]'
code ckpt forward m --input-ids '[1,2]' --token-type-ids '[0,2]'
code ckpt forward m --input-ids '[1,2]' --position-ids '[0,10]'
code ckpt forward m --input-ids '[1,2]' --decoder-input-ids '[1,2]'
code ckpt forward m --input-ids '[1,2]' --decoder-attention-mask '[1,2]'
code ckpt forward m --input-ids @nowhere.json
code ckpt forward m --input-ids @m/model.safetensors
printf '' >nothing.json
code ckpt forward m --input-ids @nothing.json
printf '[[1,2],[3,4]' >open.json
code ckpt forward m --input-ids @open.json
code ckpt forward m --input-ids '[1,2]' --class ForNothing
code ckpt forward m --input-ids '[1,2]' --class BertForMaskedLM -q
code ckpt forward m --input-ids '[1,2]' --precision f16
cp m/model.safetensors alone.safetensors
code ckpt forward alone.safetensors --input-ids '[1,2]'
printf '{"model_type":"unheard-of"}' >config.json
code ckpt forward alone.safetensors --input-ids '[1,2]'
code ckpt forward m --input-ids '[1,2]' -o m
