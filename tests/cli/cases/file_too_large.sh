# a limit on the size of files is a failed write: one sentence, and nothing stays
zeros big.safetensors '{"w":{"dtype":"F32","shape":[100000],"data_offsets":[0,400000]}}' 400000
mkdir out && echo old >out/old.npz
for to in x.safetensors x.pt x.npz x.npy; do
	(ulimit -f 100 && code ckpt convert -q big.safetensors out/$to)
done
(ulimit -f 100 && code ckpt convert -q --to torch-legacy big.safetensors out/x.bin)
(ulimit -f 100 && code ckpt convert -q --force big.safetensors out/old.npz)
(ulimit -f 100 && code ckpt convert -q --max-shard-size 1MB big.safetensors out/shards)
(ulimit -f 100 && code ckpt init -q gpt2 out/model --set n_embd=64 --set n_layer=2 --set n_head=2 --set vocab_size=3000)
left out
cat out/old.npz
