layers m.safetensors 1
code ckpt convert --rename abc m.safetensors a.safetensors
code ckpt convert --rename 's/enc/dec/' m.safetensors a.safetensors
code ckpt convert --rename '(/x' m.safetensors a.safetensors
code ckpt convert --rename '.*/x' m.safetensors a.safetensors
code ckpt convert -n --rename 'nothing/x' m.safetensors a.safetensors
code ckpt convert -n --rename 'enc/a\/b' m.safetensors a.safetensors
code ckpt convert --include nothing m.safetensors a.safetensors
left .
