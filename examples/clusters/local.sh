#!/bin/sh
# A command of the program about a folder of pictures, on one machine by several processes of one thread each:
#
#     examples/clusters/local.sh 8 contributions net.onnx photos
#
# The same on several machines that see the same files, by GNU parallel:
#
#     seq 8 | parallel --sshloginfile hosts --workdir "$PWD" linearscope contributions net.onnx --input photos --shard {}/8
#     linearscope merge out/photos/contributions.part-*
#
# Run again after a crash it computes what is missing, and nothing else.
set -eu
processes=$1 command=$2 model=$3 pictures=$4
shift 4
export RAYON_NUM_THREADS=1
seq "$processes" | xargs -P "$processes" -I{} \
    linearscope "$command" "$model" --input "$pictures" --shard "{}/$processes" "$@"
exec linearscope merge out/"$(basename "$pictures")"/"$command".part-*
