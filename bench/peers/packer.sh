#!/bin/bash
# packer.sh FOLDER: the job as Packer does it (FOLDER/job.json), and its raw disk as a fixed VHD.
set -eu
cd "$1"
export CHECKPOINT_DISABLE=1 PACKER_CACHE_DIR=$PWD/cache PACKER_CONFIG_DIR=$PWD
packer build -color=false job.json
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on made/image.raw image.vhd
