#!/bin/bash
# virt-customize.sh FOLDER SOURCE PAGE COMMANDS: the job as virt-customize does it, and a fixed VHD of its disk.
set -eu
cd "$1"
qemu-img create -q -f qcow2 -F qcow2 -b "$2" image.qcow2
virt-customize -q -a image.qcow2 --memsize 2048 --smp 2 --copy-in "$3:/tmp" --run-command "$4"
qemu-img convert -f qcow2 -O vpc -o subformat=fixed,force_size=on image.qcow2 image.vhd
