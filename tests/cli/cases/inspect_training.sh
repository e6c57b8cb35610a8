ckpt inspect "$CLI/fixtures/train.pt" | sed 's,^path .*,path,'
