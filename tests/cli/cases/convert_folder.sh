mkdir bert
layers bert/model.safetensors 2
printf '{"model_type":"bert"}' >bert/config.json
printf 'a\nb\n' >bert/vocab.txt
ckpt convert bert out | quiet_time
left out
same bert out
cmp bert/config.json out/config.json
cmp bert/vocab.txt out/vocab.txt
ckpt convert --to torch bert out2/ | quiet_time
left out2
code ckpt convert bert out
code ckpt convert -q --force bert out
