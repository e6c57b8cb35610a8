# Ids back to text, in each way that they may be written; what is no id.
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\n!\ncafe\n' >vocab.txt
ckpt detokenize . '2 5 6 7 8 3' '2,5,3' '[2, 5, 3, 0]'
ckpt detokenize . '2 5 6 7 8 3' '' --no-special-tokens
ckpt detokenize . '2 5 6 7 8 3' '5' --json
ckpt tokenize . 'Hello worlds!' 'cafe' >ids
ckpt detokenize . @ids --no-special-tokens
ckpt detokenize . - 5 --json <ids
printf '' | ckpt detokenize . - --json
code ckpt detokenize . 10
code ckpt detokenize . '5 x'
code ckpt detokenize . 4294967296
code ckpt detokenize . @nothing
code ckpt detokenize .
