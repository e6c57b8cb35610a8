# exits: 2
ckpt
