#!/bin/sh
# Generalizes a fresh root tree ($1), as waagent's deprovisioning would; run by mmdebstrap as its last hook.
set -eu
root=$1
files=$(dirname "$0")

cp --recursive --no-preserve=all "$files/etc" "$root/"
chroot "$root" systemctl --quiet enable systemd-networkd
# made here once: the kernel package was told not to ($INITRD), later packages would have made it again
unset INITRD
for modules in "$root"/lib/modules/*; do
	version=$(basename "$modules")
	chroot "$root" update-initramfs -c -k "$version"
	chroot "$root" linux-update-symlinks install "$version" "/boot/vmlinuz-$version"
done

rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/lib/systemd/random-seed "$root"/var/lib/dbus/machine-id
rm -f "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$root"/etc/apt/apt.conf.d/99mmdebstrap
rm -f "$root"/etc/resolv.conf
ln -s ../run/systemd/resolve/stub-resolv.conf "$root"/etc/resolv.conf
: > "$root"/etc/machine-id
# mmdebstrap has put this host's own name there
rm -f "$root"/etc/hostname
echo localhost > "$root"/etc/hostname
chmod 644 "$root"/etc/hostname
