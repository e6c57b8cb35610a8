code ckpt inspect nowhere.safetensors
mkdir folder
code ckpt inspect folder
code ckpt inspect ''
mkfifo pipe
code ckpt inspect pipe
code ckpt inspect /dev/zero
