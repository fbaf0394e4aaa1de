"""Disks on this host: qemu-img, layers, partitions and file systems, the VHD footer, inspection."""
