#!/usr/bin/env bash
# Installs what is missing, and says what and why before it does. What is there is left alone and not spoken of.
# Usage: tests/tools.sh [compiler] [deny] [mutants] [nightly] [fuzz] [filesystems] [prometheus] [box] [pages] [python] [modbus] [mqtt] [machine]
set -euo pipefail

here() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }
say() { printf 'tools: %s\n' "$*" >&2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# apt COMMAND PACKAGES WHY: fails only where it says so, for most of the project runs without most of the tools.
apt() {
  here "$1" && return 0
  say "installing $2 with apt: $3"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || return 1
  # shellcheck disable=SC2086 # several packages
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $2 >&2
}

# crate NAME VERSION WHY
crate() {
  [ "$(cargo "${1#cargo-}" --version 2>/dev/null | grep -o '[0-9][0-9.]*' | head -n 1)" = "$2" ] && return 0
  say "building $1 $2 with cargo install (some minutes, once): $3"
  cargo install --locked --quiet "$1" --version "$2"
}

compiler() {
  here cargo || { say "cargo is missing: install Rust 1.90 or newer from https://rustup.rs"; exit 1; }
  apt cc "gcc libc6-dev" "zstd, a library in C, is compiled into the store"
  apt pkg-config "pkg-config" "finds libsystemd for the compiler"
  [ -e /usr/include/systemd/sd-daemon.h ] || apt systemd-headers "libsystemd-dev" "the daemon speaks with systemd through its library"
}

deny() { crate cargo-deny 0.20.2 "checks licences, sources and banned crates" || say "no cargo-deny: that step will be skipped"; }
mutants() { crate cargo-mutants 27.1.0 "breaks the code to see whether a test notices"; }
fuzz() { crate cargo-fuzz 0.13.2 "drives libFuzzer"; }

nightly() {
  here rustup || { say "make fuzz needs rustup, for libFuzzer needs a nightly compiler; make test runs the same bodies without"; exit 1; }
  rustup run nightly rustc --version >/dev/null 2>&1 && return 0
  say "installing the nightly compiler with rustup: libFuzzer needs it"
  rustup toolchain install nightly --profile minimal
}

filesystems() {
  apt mkfs.ext4 e2fsprogs "tests of power loss and of bytes written make a small file system in a file" || say "no mkfs.ext4: those tests will be skipped"
  apt eatmydata "eatmydata" "a disk that only claims to sync shows that the test of power loss would notice" || say "no eatmydata: that test will be skipped"
  apt losetup "mount util-linux" "the same tests mount it" || say "no losetup: those tests will be skipped"
}

prometheus() {
  /usr/bin/python3 -c 'import prometheus_client.parser' 2>/dev/null && return 0
  apt prometheus-parser "python3 python3-prometheus-client" "Prometheus' own parser reads what the gateway tells of itself" || say "no parser of Prometheus: that test will be skipped"
}

# The box is a test's own: a machine that cannot make it says so here, and those tests say SKIP.
box() {
  apt systemd-nspawn systemd-container "tests of the daemon as a service boot real systemd in a box" || { say "no systemd-nspawn: those tests will be skipped"; return 0; }
  apt mmdebstrap mmdebstrap "makes the root that the box boots from, out of this machine's own Debian mirrors" || { say "no mmdebstrap: those tests will be skipped"; return 0; }
  [ -e target/box/debian/usr ] && return 0
  say "making the root of the box in target/box, once, of some 200 MB"
  as_root tests/box/root.sh "$PWD/target/box/debian" >&2 || say "the root could not be made: those tests will be skipped"
}

# Emulated whole, so it needs no help of the processor; only making it needs root.
machine() {
  apt qemu-system-x86_64 "qemu-system-x86 seabios" "tests with a real kernel and udev boot a virtual machine" || { say "no qemu: those tests will be skipped"; return 0; }
  apt mmdebstrap mmdebstrap "unpacks what the virtual machine boots, out of this machine's own Debian mirrors" || { say "no mmdebstrap: those tests will be skipped"; return 0; }
  [ -e target/vm/memory ] || say "making what the virtual machine boots in target/vm, once; some 90 MB are fetched"
  as_root tests/vm/root.sh "$PWD/target/vm" >&2 || say "it could not be made: those tests will be skipped"
}

pages() {
  apt groff "groff" "a test renders the man pages and looks for warnings" || say "no groff: that test will be skipped"
  apt man "man-db" "man reads the pages that were made" || say "no man: read the pages with groff"
  apt tmux "tmux" "a session in a real terminal is compared with what it should look like" || say "no tmux: that test will be skipped"
}

# The peers of the tests of Modbus; each test says which it lacks. tshark is the largest: some 130 MB on disk.
modbus() {
  pkg-config --exists libmodbus 2>/dev/null || apt libmodbus libmodbus-dev "the Modbus server of the tests is made with a library of another hand" || say "no libmodbus: those tests will be skipped"
  apt mbpoll mbpoll "reads the same registers with a stranger's eye" || say "no mbpoll: those tests will be skipped"
  apt tshark tshark "reads the frames that were written down" || say "no tshark: that test will be skipped"
}

# Its service is of no use here: the tests start their own.
mqtt() {
  apt mosquitto mosquitto "the broker that ways to upstreams lead to in tests" || say "no mosquitto: those tests will be skipped"
}

# What strangers read and ask the API with, of the versions in tests/requirements.txt.
python() {
  local place=target/python
  cmp -s tests/requirements.txt $place/requirements.txt && return 0
  say "making $place with pip: schemathesis asks the daemon all that its OpenAPI document allows, and more; pymodbus is a second Modbus server; others' hands read what goes upstream"
  /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null || apt python3-venv "python3 python3-venv" "pip needs an environment of its own" || true
  rm -rf $place
  { /usr/bin/python3 -m venv $place || python3 -m venv $place; } >&2 &&
    $place/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt >&2 &&
    cp tests/requirements.txt $place/ || say "schemathesis, pymodbus and the readers of SenML could not be installed: those tests will be skipped"
}

for tool in "$@"; do "$tool"; done
