two a.safetensors
ckpt convert -q --metadata 'who=me=you' --metadata format=x --metadata empty= a.safetensors b.safetensors
ckpt inspect b.safetensors | grep =
