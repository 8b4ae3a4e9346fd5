//! The script for bash. Ours, because bash parts words at colons, and ids of devices are full of them: it puts what was
//! parted together again, and takes off each answer what bash would put before it once more.
//!
//! Answers are quoted: what a device calls itself must not become a part of the line that does something.

use std::ffi::OsString;
use std::io::{Error, Write};
use std::path::Path;

use clap_complete::env::{self, EnvCompleter};

const SCRIPT: &str = r#"_dmgw() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() part current prefix i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        part=${COMP_WORDS[i]}
        if [[ $i -eq 0 || $rest == [[:space:]]* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            [[ $i -lt COMP_CWORD ]] || part=$rest
            words+=("$part")
        else
            [[ $i -lt COMP_CWORD ]] || part=$rest
            words[${#words[@]} - 1]+=$part
        fi
        rest=${rest#"$part"}
    done
    current=${words[${#words[@]} - 1]}
    COMPREPLY=()
    [[ $current != [\'\"]* ]] || return 0
    mapfile -t COMPREPLY < <(VARIABLE=bash _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) \
        COMPLETER -- "${words[@]}" 2>/dev/null)
    prefix=${current%"${current##*[:=]}"}
    for i in "${!COMPREPLY[@]}"; do
        part=${COMPREPLY[i]#"$prefix"}
        [[ $part != *[!a-zA-Z0-9_@%+=:,./-]* ]] || printf -v part %q "$part"
        COMPREPLY[i]=$part
    done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:/.] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}
complete -o bashdefault -F _dmgw BIN"#;

pub struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        var: &str,
        _name: &str,
        bin: &str,
        completer: &str,
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        let script = SCRIPT.replace("VARIABLE", var).replace("COMPLETER", completer).replace("BIN", bin);
        writeln!(to, "{script}")
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        env::Bash.write_complete(command, words, folder, to)
    }
}
