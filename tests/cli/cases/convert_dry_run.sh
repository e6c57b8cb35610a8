layers m.safetensors 3
ckpt convert --dry-run m.safetensors out.bin
ckpt convert --dry-run --max-shard-size 200B m.safetensors out/
left .
