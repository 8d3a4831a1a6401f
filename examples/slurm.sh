#!/usr/bin/env bash
# A run in 16 parts, each on one GPU:   sbatch examples/slurm.sh
# A part that was cut off is put back into the queue, and goes on where it was.
#SBATCH --job-name=imagic-lora
#SBATCH --array=0-15
#SBATCH --gpus=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --output=imagic-%A-%a.log
set -euo pipefail

# The model was fetched before, to a place that every node sees.
export HF_HOME="${HF_HOME:-$HOME/.cache/huggingface}" HF_HUB_OFFLINE=1

srun imagic-lora run jobs.jsonl -o out --model sd15 --shard "$SLURM_ARRAY_TASK_ID/16"
