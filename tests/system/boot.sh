#!/bin/sh
# boot.sh DIR: become systemd, as PID 1 of namespaces that the caller has made, on a copy of this
# machine's root. DIR/layer is laid over the root before anything starts; what is written inside
# lies in the file system mounted at DIR/mnt and is there again at the next boot.
# Nothing that is done inside reaches the machine: every mount is private to these namespaces.
set -eu
dir=$1 root=$1/mnt/root

mount --make-rprivate /
mkdir -p "$dir/mnt/upper" "$dir/mnt/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/mnt/upper,workdir=$dir/mnt/work" "$root"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
if [ ! -e "$dir/laid" ]; then # once: a reboot changes nothing
    rm -f "$root"/etc/systemd/system/*.wants/* # what this machine has enabled is none of ours
    mkdir -p "$root/var/log/journal"
    cp -a "$dir/layer/." "$root/"
    : >"$dir/laid"
fi
while read -r from to; do # directories of the machine that have to be seen inside
    mkdir -p "$root$to"
    mount --bind "$from" "$root$to"
done <"$dir/binds"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys" # the machine's settings are not the box's to set
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ip link set lo up

cd "$root"
pivot_root . mnt
umount -l /mnt
cd /
mount --make-rshared / # a credential is not readable for its service without this
exec env -i container=box PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd systemd.unit=basic.target systemd.mask=systemd-timesyncd.service
