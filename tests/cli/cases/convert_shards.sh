layers m.safetensors 3
ckpt convert --check --max-shard-size 200B m.safetensors out/ | quiet_time
left out
same m.safetensors out
ckpt convert -q out back.safetensors
same m.safetensors back.safetensors
