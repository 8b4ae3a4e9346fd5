#!/usr/bin/env bash
# Makes what a virtual machine boots from: Debian's own kernel with its drivers of USB serial adapters, Debian's udev with
# its own rules, and busybox; all of it in memory. From this machine's own mirrors, some 90 MB to fetch, half a minute,
# once; it is there whole or not at all. Needs root.
# Usage: tests/vm/root.sh FOLDER, which then holds `kernel`, `memory` (without the daemon) and `busybox`
set -euo pipefail

folder=${1:?FOLDER}
init=$(dirname "$0")/init.sh
[ "$folder/memory" -nt "$init" ] && [ "$folder/memory" -nt "$0" ] && exit 0

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources() {
  apt-get indextargets --format '$(ORIGIN)|deb $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    sed -n 's/^Debian|//p' | sort -u
}
# Without lists apt does not know whose they are.
[ -n "$(sources)" ] || apt-get update -qq
[ -n "$(sources)" ] || { echo "this machine's apt has no Debian mirror to make a virtual machine from" >&2; exit 1; }

mkdir -p "$folder"
making=$(mktemp -d "$folder/making.XXXXXX")
trap 'rm -rf "$making"' EXIT
tree=$making/tree root=$making/root

# Unpacked, not installed: nothing runs but what init.sh starts. The libraries are those that the daemon is linked with.
packages=base-files,busybox-static,kmod,libc6,libgcc-s1,libsystemd0,linux-image-$(dpkg --print-architecture),udev
sources | mmdebstrap --quiet --variant=extract --include="$packages" "$suite" "$tree" -

kernel=$(basename "$tree"/lib/modules/*)
chroot "$tree" /sbin/depmod "$kernel"
drivers=$(for driver in xhci_pci ftdi_sio; do chroot "$tree" /sbin/modprobe -S "$kernel" --show-depends "$driver"; done |
  awk '/^insmod/ { print $2 }' | sort -u)

# Of the tree what is needed to run a program, and of the drivers those few.
mkdir -p "$root"
tar -C "$tree" --exclude=./boot --exclude=./usr/share --exclude=./var --exclude='*/modules/*/kernel' --exclude='*/hwdb.d' \
  --exclude=./usr/bin/perl* --exclude=./usr/lib/python* --exclude='./dev/*' -c . | tar -C "$root" -x
for driver in $drivers; do install -D -m 644 "$tree$driver" "$root$driver"; done
chroot "$root" /sbin/depmod "$kernel"
install -m 755 "$init" "$root/init"
mkdir -p "$root"/{proc,sys,dev,run,tmp,etc/udev/rules.d}

busybox=$tree/bin/busybox
[ -x "$busybox" ] || busybox=$tree/usr/bin/busybox
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$making/memory"
cp "$tree/boot/vmlinuz-$kernel" "$making/kernel"
cp "$busybox" "$making/busybox"
chmod 644 "$making"/{kernel,memory}
mv "$making/kernel" "$making/busybox" "$folder"
mv "$making/memory" "$folder"
