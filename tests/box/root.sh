#!/usr/bin/env bash
# Makes the root that a box boots from: this machine's own Debian, from its own mirrors, with systemd and nothing that the
# daemon does not need. About 20 seconds, once; it is there whole or not at all. Needs root.
# Usage: tests/box/root.sh FOLDER
set -euo pipefail

root=${1:?FOLDER}
if [ -e "$root/usr/bin/systemctl" ] || [ -e "$root/bin/systemctl" ]; then exit 0; fi

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources() {
  apt-get indextargets --format '$(ORIGIN)|deb $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    sed -n 's/^Debian|//p' | sort -u
}
# Without lists apt does not know whose they are.
[ -n "$(sources)" ] || apt-get update -qq
[ -n "$(sources)" ] || { echo "this machine's apt has no Debian mirror to make a box from" >&2; exit 1; }

mkdir -p "$(dirname "$root")"
making=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$making"' EXIT
sources | mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv "$suite" "$making" -
rm -rf "$root"
chmod 755 "$making"
mv "$making" "$root"
