#!/bin/sh
# A command of the program about a folder of pictures, as an array of Slurm jobs:
#
#     sbatch --array=1-16 examples/clusters/slurm.sh contributions net.onnx photos
#     sbatch --dependency=afterok:JOB examples/clusters/slurm.sh merge contributions photos
#
# A task that is killed or requeued goes on where it was: pieces that are whole are kept.
#SBATCH --cpus-per-task=2
#SBATCH --mem-per-cpu=1G
#SBATCH --requeue
set -eu

# As many threads as Slurm gave, not as many as the node has.
export RAYON_NUM_THREADS="${SLURM_CPUS_PER_TASK:-2}"

if [ "$1" = merge ]; then
    exec linearscope merge out/"$(basename "$3")"/"$2".part-*
fi
command=$1 model=$2 pictures=$3
shift 3
exec linearscope "$command" "$model" --input "$pictures" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" "$@"
