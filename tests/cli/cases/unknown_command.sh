code ckpt inspcet x
code ckpt frobnicate
code ckpt --frobnicate
code ckpt ''
two model.safetensors
code ckpt model.safetensors
