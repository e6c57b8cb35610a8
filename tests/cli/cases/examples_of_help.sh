# The examples in --help and the manual pages do what they say; each runs in a folder of its own.
mkdir -p ready/bert ready/.local/share/bash-completion/completions
zeros ready/model.safetensors '{"bert.embeddings.weight":{"dtype":"F32","shape":[8,8],"data_offsets":[0,256]},"pooler.dense.weight":{"dtype":"F32","shape":[8,8],"data_offsets":[256,512]},"pooler.dense.bias":{"dtype":"F32","shape":[8],"data_offsets":[512,544]},"bert.position_ids":{"dtype":"I64","shape":[1],"data_offsets":[544,552]}}' 552
ckpt convert -q --exclude 'pooler*' ready/model.safetensors ready/pytorch_model.bin
ckpt convert -q --include 'pooler*' ready/model.safetensors ready/bert/model.safetensors
printf '{"model_type":"bert"}' >ready/bert/config.json
bert ready/model
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' hello who is it ! >ready/model/vocab.txt
ckpt convert -q ready/model/model.safetensors ready/model.bin
ckpt help --examples | while read -r line; do
	case $line in *.npz) ckpt help formats | grep -q npz || continue ;; esac
	case $line in 'ckpt inspect'* | 'ckpt convert'* | 'ckpt help'* | 'ckpt cat'* | 'ckpt config'* | 'ckpt forward'* | 'ckpt diff'* | 'ckpt verify'*) ;; *) continue ;; esac
	cp -r ready now
	(cd now && HOME=$PWD sh -c "$line") >out 2>err || case $?/$line in
		1/'ckpt diff'*) ;; # an answer
		*) echo "$line fails"; cat err ;;
	esac
	rm -r now
done
