two a.safetensors
ckpt inspect --json a.safetensors
