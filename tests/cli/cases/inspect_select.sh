layers m.safetensors 3
ckpt inspect --include '*.bias' --include 'head*' --exclude '*.1.*' m.safetensors
ckpt inspect --include nothing m.safetensors
