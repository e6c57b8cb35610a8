# Every format has a name, what is done with it, and a summary; the list grows, so only its form is checked.
ckpt help formats | awk '!/^[a-z0-9-]+ +(read )? *(write)? +[^ ]/ && !/^  +[^ ]/ { print "odd: " $0 }'
ckpt help formats | grep -E '^(safetensors|torch|npz) ' | cut -c1-25
