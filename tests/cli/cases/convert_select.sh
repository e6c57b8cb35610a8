layers m.safetensors 3
ckpt convert -q --include '*.w' --exclude head.w --rename '^enc\.layer\.([0-9])/block\1' --rename 'w$/weight' m.safetensors a.safetensors
ckpt inspect a.safetensors
