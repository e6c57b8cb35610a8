# The examples in --help and the manual pages do what they say.
mkdir -p .local/share/bash-completion/completions
small pytorch_model.bin
ckpt convert -q pytorch_model.bin model.safetensors
mkdir bert && cp model.safetensors bert && printf '{"model_type":"bert"}' >bert/config.json
ckpt help --examples | while read -r line; do
	case $line in 'ckpt inspect'* | 'ckpt convert'* | 'ckpt help'* | 'ckpt cat'*) ;; *) continue ;; esac
	HOME=$PWD sh -c "$line" >out 2>err || { echo "$line: $?"; cat err; }
done
