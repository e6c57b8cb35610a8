layers m.safetensors 3
code ckpt inspect --limit tensors=6 m.safetensors
code ckpt inspect --limit header-bytes=100 m.safetensors
code ckpt inspect -q --limit tensors=7 --limit header-bytes=1MB m.safetensors
