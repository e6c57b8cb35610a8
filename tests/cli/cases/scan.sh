# What unknown files would do: names with their place, verdicts as exit codes, JSON.
printf '\200\002cos\nsystem\nX\002\000\000\000idq\000\205R.' > evil.bin
printf 'not a checkpoint\n' > words.txt
ckpt scan m.safetensors m.bin
echo "exit $?"
ckpt scan evil.bin
echo "exit $?"
ckpt scan words.txt
echo "exit $?"
ckpt scan --json evil.bin | sed -n '2,3p; s/.*"module": "\([^"]*\)", "name": "\([^"]*\)", "called": \([a-z]*\).*/\1.\2 \3/p'
ckpt scan --sarif evil.bin | grep -c CKPT-P001
mkdir model && cp m.safetensors evil.bin model/ && echo text > model/README.md
ckpt scan --quiet model
echo "exit $?"
