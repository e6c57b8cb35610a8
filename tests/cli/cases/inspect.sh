two a.safetensors
ckpt inspect a.safetensors
