//! What holds secrets in memory shows it to nobody else.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// To be called before the first secret is in memory: from then on the process leaves no core file, and no other process
/// of the same user may look into it. Root still may.
pub fn guard_memory() -> nix::Result<()> {
    // Either alone would do for core files; where one is forbidden, the other is still tried.
    let core = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    prctl::set_dumpable(false).and(core)
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::getrlimit;

    use super::*;

    #[test]
    fn a_guarded_process_cannot_be_dumped() {
        guard_memory().unwrap();
        assert_eq!((prctl::get_dumpable(), getrlimit(Resource::RLIMIT_CORE)), (Ok(false), Ok((0, 0))));
    }
}
