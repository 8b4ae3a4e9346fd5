#!/usr/bin/env bash
# Boots real systemd in a box: processes, mounts, names, control groups (version 2) and network of its own; what it writes
# is in memory and gone with it. Becomes systemd-nspawn: whoever ends that process, ends the box. Needs root.
# Usage: tests/box/boot.sh ROOT NAME [ARGUMENTS OF systemd-nspawn …]
set -euo pipefail

if [ "${BOX_INSIDE:-}" != 1 ]; then
  # Mounts of the box stay in it.
  BOX_INSIDE=1 exec unshare --mount --propagation private -- "$0" "$@"
fi

root=$1 name=$2
shift 2
# The machine may have control groups of version 1 only; systemd in the box wants version 2 for itself.
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# A layer over the root, so that every box is fresh and many share one.
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/written /mnt/work /mnt/system
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/written,workdir=/mnt/work" overlay /mnt/system
exec systemd-nspawn --quiet --directory=/mnt/system --boot --machine="$name" --register=no --keep-unit \
  --console=pipe --private-network --link-journal=no --notify-ready=yes "$@"
