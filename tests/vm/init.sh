#!/bin/busybox sh
# The first process of the virtual machine: file systems, udev as Debian has it, and then orders. Each order is a line on
# the second serial port; what it says comes back, then a line `ended CODE`.
/bin/busybox mount -t proc none /proc
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts
mount -t devpts none /dev/pts
mount -t tmpfs none /run
mount -t tmpfs none /tmp
mkdir -p /run/lock /run/udev
ip link set lo up

/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add
udevadm settle
# When a port comes and goes, by the clock that never steps: the kernel's word, and udev's when it has made its links.
udevadm monitor --kernel --udev --subsystem-match=tty >/run/uevents 2>&1 &

exec 3<>/dev/ttyS1
stty raw -echo <&3
echo "orders, please" >&3
while read -r order <&3; do
  sh -c "$order" >/run/said 2>&1 </dev/null 3<&-
  code=$?
  cat /run/said >&3
  echo "ended $code" >&3
done
