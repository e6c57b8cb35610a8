cp "$CLI/fixtures/tied.pt" .
ckpt inspect --stats tied.pt
ckpt inspect --stats --json tied.pt | grep stats
ckpt inspect --stats --hash --threads 2 tied.pt | tail -n 1
