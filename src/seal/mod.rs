//! Secrets at rest: whoever gets hold of a file, or of a copy of the disk without its key, does not read them.
//!
//! A [`Seal`] closes a [`Secret`](crate::model::Secret) into a [`Sealed`] text and opens it again. Its key is a credential
//! of systemd or a file beside the store ([`Seal::of_gateway`]). [`OwnKey`] is what the gateway proves itself with, and a
//! [`SecretSource`] is how settings name a secret. An [`Envelope`] is a text with a signature around it.
//!
//! Invariants: no secret and no key is printed, by `Debug` neither; what holds one is wiped when dropped, except inside
//! of ring while it computes. A key file that others may read is refused, and one that cannot be used is never replaced
//! by itself: only the key tells what else would be lost with it.

mod envelope;
mod file;
mod key;
mod memory;
mod own;
mod sealed;
mod signer;
mod source;

pub use envelope::{BadSignature, Envelope, NoKey, PublicKey};
pub use file::FileError;
pub use key::{CREDENTIALS_OF_UNIT, KEY_FILE, KeyError, credentials};
pub use memory::guard_memory;
pub use own::{OwnError, OwnKey};
pub use sealed::{LONGEST_SECRET, Seal, SealError, Sealed};
pub use source::{IN_SETTINGS, SecretError, SecretSource};

use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
