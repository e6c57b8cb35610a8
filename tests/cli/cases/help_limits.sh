ckpt help limits
