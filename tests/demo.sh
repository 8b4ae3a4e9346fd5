#!/bin/sh
# Shows the gateway at work on a plant of made-up devices: what it finds, reads, does and remembers. Under a minute, no
# root needed, nothing is left behind. Usage: tests/demo.sh [PATH/TO/dmgw]
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
bin=${1:-$here/target/quick/dmgw}
export DMGW_PROFILES="$here/config/profiles"
dir=$(mktemp -d "${TMPDIR:-/tmp}/dmgw-demo.XXXXXX")
plant= daemon=

leave() {
    status=$?
    for pid in $daemon $plant; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    [ "$status" -eq 0 ] || { echo "--- the demonstration failed; the daemon's log:"; cat "$dir/daemon.log" 2>/dev/null; }
    rm -rf "$dir"
}
trap leave EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

# Shows a command as a person would type it, and what it answers.
run() {
    printf '$ dmgw %s\n' "$*"
    "$bin" --config "$dir/dmgw.toml" "$@" 2>&1
}

# until_true SECONDS WHAT COMMAND: looks again and again, never longer than so many seconds.
until_true() {
    tries=$(($1 * 10)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "waited in vain: $what" >&2; exit 1; }
        sleep 0.1
    done
}

# has TEXT COMMAND…: what the daemon answers holds the text.
has() {
    text=$1
    shift
    "$bin" --config "$dir/dmgw.toml" "$@" --json | grep -q "$text"
}

# at LINK ADDRESS: the id of who is there.
at() { "$bin" --config "$dir/dmgw.toml" device list --json | tr -d ' \n' | tr '{' '\n' | grep "\"link\":\"$1\"" | grep "\"address\":\"$2\"" | sed 's/.*"id":"\([^"]*\)".*/\1/'; }

# A device's connectivity, as the daemon says it.
is() { has "\"connectivity\": \"$2\"" device show "$1"; }

# The plant's paths, too, belong into the folder of this demonstration; and what goes silent in it does so soon.
sed -e "s|/tmp/dmgw-demo/|$dir/|" -e 's|^at = "20s"|at = "9s"|' -e 's|^lasts = "20s"|lasts = "8s"|' \
    "$here/config/demo/plant.toml" >"$dir/plant.toml"

say "A plant starts, as a process of its own: twelve made-up devices, and four on two buses of Modbus, TCP and serial"
"$(dirname "$bin")/dmgw-plant" "$dir/plant.toml" >"$dir/plant.log" 2>&1 &
plant=$!
until_true 10 "the plant listens" test -S "$dir/plant.sock"
until_true 10 "its buses are there" grep -q "^panel " "$dir/plant.log"
panel=$(sed -n 's/^panel //p' "$dir/plant.log")
sed -e "s|@DIR@|$dir|g" -e "s|@PANEL@|$panel|" "$here/config/demo/demo.toml" >"$dir/dmgw.toml"

say "Profiles say what kinds of devices mean; each is tried on its example, without a device"
run profile list
run profile test acme-meter

say "The gateway starts, and looks at what hangs on its links"
"$bin" run --config "$dir/dmgw.toml" 2>"$dir/daemon.log" &
daemon=$!
until_true 10 "the gateway answers" "$bin" --config "$dir/dmgw.toml" status
until_true 20 "all sixteen devices are there" has '"up": 16' status
until_true 20 "the meter was read" has '"quality": "good"' device show meter-1
run status

say "It found these by itself, and reads them by plan; others speak unasked"
run device list
run device show meter-1

say "Units of Modbus are found by a look at each address, and recognised by what they say or show"
until_true 20 "the meter on the serial line was read" has '"point": "energy.0.import"' device show "$(at line 1)"
run link list
run device show "$(at panel 3)"
run device show "$(at line 1)"

say "A relay on the serial line is switched, and read back"
run write board relay.1.on true
run read board relay.1.on relay.3.on

say "A command: accepted once it is on disk, then sent, then its end is on disk too"
run write relay-1 relay.1.on true
run read meter-1 phase.1.power

say "The same id asked twice is carried out once"
run write relay-1 relay.1.delay 2.5 --id demo-delay
run write relay-1 relay.1.delay 2.5 --id demo-delay

say "What cannot be is refused, and what was meant is named"
run command ask realy-1 probe || true
run write relay-1 relay.1.delay 900 || true
run command ask relay-1 lock || true

say "Several at once, each with its own result"
run read meter-1,meter-2,meter-3 phase.1.power

say "One is kept off for a while: it is not read, takes no commands, and a restart changes nothing about that"
run command ask relay-2 block 1h
run write relay-2 relay.1.on true || true
run command ask relay-2 unblock

say "What cannot be undone must be asked twice"
run command ask relay-1 factory-reset || true

say "One is made known before it is ever seen"
run device register serial:acme:M9 --name spare --group spares
run device show spare

say "The plant takes away meter-2, and the meter on the serial line; the gateway notices, and that they are back"
meter=$(at line 1)
until_true 25 "meter-2 goes silent" is meter-2 silent
until_true 25 "the meter on the serial line goes silent" is "$meter" silent
run device list --state silent
run device show meter-2
until_true 25 "meter-2 comes back" is meter-2 up
until_true 25 "the meter on the serial line comes back" is "$meter" up

say "Logs of their comings and goings"
run device log meter-2
run device log "$meter"

say "What happened is in the journal, until whoever should have it has acknowledged it"
run journal show vital
run journal show events
run journal show telemetry --limit 5

say "Both stop; the gateway within five seconds, and with nothing lost"
kill "$daemon"
wait "$daemon"
daemon=
kill "$plant"
wait "$plant"
plant=
grep -h " stopp" "$dir/daemon.log" || true
echo "The plant's own record of what it emitted and was told has $(wc -l <"$dir/record.jsonl") lines."

say "By hand"
cat <<'END'
Copy config/demo/demo.toml with a folder of yours in place of @DIR@ and that folder's plant.sock as its socket, and
config/demo/plant.toml with the same one; then in three terminals:
  dmgw-plant plant.toml                 (says where its bus "panel" is: that goes in place of @PANEL@)
  dmgw run --config demo.toml
  dmgw --config demo.toml status        (dmgw --help shows the rest)
END
