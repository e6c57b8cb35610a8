code ckpt inspect nowhere.safetensors
mkdir folder
code ckpt inspect folder
code ckpt inspect ''
mkfifo pipe
code ckpt inspect pipe
code ckpt inspect /dev/zero
# what is there, a config, is looked at
mkdir configs && echo '{"model_type": "bert", "hidden_size": 7, "num_attention_heads": 2}' >configs/config.json
code ckpt inspect configs
echo '{"model_type": "bert", }' >configs/config.json
code ckpt inspect configs
echo '{"model_type": "bert"}' >configs/config.json
code ckpt inspect configs
