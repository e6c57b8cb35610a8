two a.safetensors
ckpt convert --check a.safetensors b.bin | quiet_time
ckpt convert --check --dtype bf16 a.safetensors c.safetensors | quiet_time
