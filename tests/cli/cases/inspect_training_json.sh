ckpt inspect --json "$CLI/fixtures/train.pt" | sed 1,2d
