layers m.safetensors 12
ckpt inspect --tree m.safetensors
