# A signal in the middle of the work ends it with 128 + its number and leaves nothing behind. Under nohup SIGHUP is ignored,
# which a shell cannot undo.
zeros a.safetensors '{"w":{"dtype":"F32","shape":[400,1000,1000],"data_offsets":[0,1600000000]}}' 1600000000
for signal in TERM HUP; do
	env --default-signal=$signal ckpt convert -q --no-sync --threads 1 --dtype f64 a.safetensors b.safetensors &
	sleep 0.2
	kill -$signal $!
	wait $!
	echo "$signal: $?"
	left .
done
