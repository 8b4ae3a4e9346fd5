//! Upstreams: those far away who are told what happened here, and who ask and command over the same session.
//!
//! [`delivery`] says what of the journal goes next, and how far it has arrived; [`native`] is what is said, `dmgw/1`, as plain data;
//! [`mqtt`] the client of a broker as a pure machine; [`way`] how bytes get to a broker.
//! [`asking`] is how what came over one is carried out: by a function that the daemon hands over.
//!
//! Invariant: nothing here changes the state; what is asked goes into the loop as from any other door.

pub mod asking;
pub mod delivery;
pub mod mqtt;
pub mod native;
pub mod way;
