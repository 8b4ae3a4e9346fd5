//! Upstreams: those far away who are told what happened here, and who ask and command over the same session.
//!
//! [`delivery`] says what of the journal goes next, and how far it has arrived; [`way`] is how bytes get to a broker.
//! Invariant: nothing here changes the state; what is asked goes into the loop as from any other door.

pub mod delivery;
pub mod way;
