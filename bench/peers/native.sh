#!/bin/bash
# native.sh FOLDER DISK OFFSET SIZE PAGE COMMANDS: the same commands in a plain chroot, with nothing around them.
# OFFSET and SIZE are those of the root partition, in bytes. Mounts are of this process alone and go with it.
set -eu
if [ -z "${OWN_MOUNTS:-}" ]; then
	OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
fi
cd "$1"
qemu-img convert -f qcow2 -O raw "$2" image.raw
mkdir root
mount -o "loop,offset=$3,sizelimit=$4,discard" image.raw root
mount -t proc proc root/proc
mount -t sysfs -o ro sysfs root/sys
mount --rbind /dev root/dev
mount -t tmpfs tmpfs root/run
mkdir -p root/run/systemd/resolve
cp /etc/resolv.conf root/run/systemd/resolve/stub-resolv.conf
printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d # no service is started in a chroot
chmod 755 root/usr/sbin/policy-rc.d
cp "$5" root/tmp/page.html
inside() {
	chroot root /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 sh -ec "$1"
}
inside "$6"
rm root/usr/sbin/policy-rc.d root/tmp/page.html
inside 'waagent -force -deprovision+user; cloud-init clean; : >/etc/machine-id'
umount root/run root/proc root/sys
umount --recursive root/dev
fstrim root
umount root
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on image.raw image.vhd
