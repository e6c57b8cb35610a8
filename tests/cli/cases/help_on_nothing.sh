# exits: 2
ckpt help convrt
