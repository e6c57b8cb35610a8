small m.safetensors
small m.bin
printf '\200\002cos\nsystem\nX\002\000\000\000idq\000\205R.' > evil.bin
printf 'not a checkpoint\n' > words.txt
for file in m.safetensors m.bin evil.bin words.txt; do
	ckpt scan $file
	echo "exit $?"
done
ckpt scan --json evil.bin | sed -n '2,3p; s/.*"module": "\([^"]*\)", "name": "\([^"]*\)", "called": \([a-z]*\).*/\1.\2 \3/p'
ckpt scan --sarif evil.bin | grep -c CKPT-P001
mkdir model && cp m.safetensors evil.bin model/ && echo text > model/README.md
ckpt scan --quiet model
echo "exit $?"
ckpt scan --json --sarif m.bin
echo "exit $?"
# a name does not hide what a file is, and a folder that is passed over is said
mkdir -p other && cp evil.bin other/notes.txt && echo text > other/README.md
ckpt scan other
echo "exit $?"
ckpt scan --strict other/notes.txt >/dev/null
echo "strict $?"
# nor does a hidden folder hide it, whose other files are passed over
mkdir -p mixed/.git/objects && cp m.safetensors mixed && cp evil.bin mixed/.git/objects/0a && echo text >mixed/.git/HEAD
ckpt scan mixed
echo "exit $?"
# code that the config of a tokenizer names
mkdir -p words && cp m.safetensors words && echo '{"auto_map": {"AutoTokenizer": ["x.Y", null]}}' >words/tokenizer_config.json
echo '{"eos_token": "</s>"}' >words/special_config.json
printf '{"auto\\u005fmap": {"AutoProcessor": "x.Y"}}' >words/spelt_config.json
truncate -s 16M words/vast_config.json # too large to be told
ckpt scan words
echo "exit $?"
mkdir -p none && echo text > none/README.md
ckpt scan none
echo "exit $?"
ckpt scan --sarif missing.bin 'other/notes.txt' | sed -n '/"rules"/p; /CKPT-P012/p; /"ruleId"/p'
# it looks by content, at the whole: there is nothing to choose
code ckpt scan --root model m.bin
code ckpt scan --format torch m.bin
