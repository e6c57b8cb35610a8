# The cache of the Hub, without a network: list, verify, and removal that must be agreed to.
export HF_HUB_CACHE=$PWD/hub HF_HUB_OFFLINE=1
unset HF_ENDPOINT HF_TOKEN
blob=ce013625030ba8dba906f756967f9e9ca394464a
commit=0123456789abcdef0123456789abcdef01234567
ckpt cache ls; echo "$?"
mkdir -p hub/models--org--m/blobs hub/models--org--m/refs hub/models--org--m/snapshots/$commit
printf 'hello\n' >hub/models--org--m/blobs/$blob
printf $commit >hub/models--org--m/refs/main
ln -s ../../blobs/$blob hub/models--org--m/snapshots/$commit/config.json
ckpt cache ls; echo "$?"
ckpt cache verify; echo "$?"
printf 'hellO\n' >hub/models--org--m/blobs/$blob
ckpt cache verify org/m; echo "$?"
ckpt cache rm org/m </dev/null; echo "$?"
ckpt cache rm org/other --yes 2>&1 | sed 's/the cache .* has/the cache has/'
ckpt cache rm org/m --yes; echo "$?"
ls hub
ckpt cache empty; echo "$?"
ckpt cache empty org/m; echo "$?"
