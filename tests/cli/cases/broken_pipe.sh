# Who stops reading hears nothing more: no message, and the code of a process that SIGPIPE ended.
layers m.safetensors 3000
{ ckpt inspect m.safetensors; echo "$?" >code; } | head -n 1
cat code
{ ckpt inspect --json --hash m.safetensors; echo "$?" >code; } | head -n 1
cat code
