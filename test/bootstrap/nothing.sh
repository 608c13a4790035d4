#!/bin/sh
# A bare machine, in namespaces of mounts and of the network (one-way.ts): the folder of the lost host is an empty one. Arguments: that folder, the vault's address,
# the key, the recovered application's folder. Prints, parted by lines of ===: bootstrap's text, recover's text, what the
# application shows, and how many commands of Lifeboat and seconds it took.
set -eu
lost=$1 address=$2 key=$3 folder=$4 project=$5
mount -t tmpfs -o mode=700 none "$lost"
cd "$HOME"
began=$(date +%s%N)
lifeboat bootstrap "$address" --identity "$key" --trust --quiet >bootstrap.txt
cat bootstrap.txt
echo ===
# The second command is the last line, as it stands. The credentials that the first one was given are gone by then.
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
tail -n 1 bootstrap.txt >second.sh
sh -eu second.sh
ended=$(date +%s%N)
echo ===
"$project/bin/node" "$project/test/bootstrap/open-business.ts" "$folder" ada@harbor.example 'only for this demo'
echo ===
echo "2 commands, $(((ended - began) / 1000000)) ms"
