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
# what lies in folders below is not carried along, which is said; the output is no such folder
mkdir bert/1_Pooling bert/onnx bert/.cache && echo '{}' >bert/1_Pooling/config.json
code ckpt convert bert bert/out/ 2>&1 | quiet_time
code ckpt convert --force bert bert/out/ 2>&1 | quiet_time
left bert/out
