bert m
ckpt forward m --input-ids '[[3,5,4]]' --time -o a.npy -q | sed 's/[0-9.]* s\b/N s/; s/[0-9]* tokens.s/N tokens\/s/; s/[0-9.]* %/N %/; s/  */ /g' | grep -v '^other'
ckpt forward m --input-ids '[[3,5,4]]' --repeat 3 -o b.npy -q | sed -n 's/[0-9.]* s (median of 3, [0-9.]* to [0-9.]*), 3 tokens, [0-9]* tokens.s/as it should be/p'
ckpt forward m --input-ids '[[3,5,4]]' --repeat 3 -o c.npy -q --json | tr ',{' '\n\n' | sed -n 's/:[0-9.]*}*$//; /^"\(seconds\|min\|median\|max\|passes\|tokens.*\)"/p'
