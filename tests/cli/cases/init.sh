# A small random model in a folder: what is written, what inspect makes of it, and the same values for the same seed.
tiny="--set hidden_size=8 --set num_attention_heads=2 --set intermediate_size=12 --set vocab_size=20 --no-sync"
ckpt init bert a $tiny --set num_hidden_layers=2 --set max_position_embeddings=6 --quiet
ls a
ckpt inspect a | grep -vE 'encoder\.'
ckpt init a b.bin --head ForMaskedLM --no-sync | sed 's/ in .*//'
ckpt inspect b.bin | grep -E 'alias|decoder'
fingerprint() { ckpt inspect --hash "$1" | sed -n 's/^fingerprint *//p'; }
ckpt init a c --max-shard-size 3kB --threads 1 --no-sync --quiet
ls c
[ "$(fingerprint a)" = "$(fingerprint c)" ] && echo the same
ckpt init a d --seed 1 --no-sync --quiet
[ "$(fingerprint a)" = "$(fingerprint d)" ] || echo another
ckpt init bart e $tiny --set d_model=8 2>&1
code ckpt init a a
code ckpt init bert f --head ForImages
code ckpt init bert f --dtype f8_e4m3
ls
