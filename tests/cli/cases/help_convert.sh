ckpt help convert
