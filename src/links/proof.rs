//! What a peer's claim to an identity is worth.
//!
//! Invariants: what a peer says proves no more than that it was seen; only a key that was shown and is the stored one
//! proves an identity. Looking a key up may block on a disk: it is done beside, at most [`AT_ONCE`] at a time for a link,
//! and whoever asks waits at most [`PATIENCE`]. Whoever cannot be looked up in time stays unproven and may come again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::model::event::MOST_IDENTITIES;
use crate::model::{Identity, Proof, Secret};

/// The key that is kept for an identity. It may block.
pub type Keys = Arc<dyn Fn(&Identity) -> Option<Secret> + Send + Sync>;

const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Proofs {
    keys: Keys,
    room: Arc<Semaphore>,
    patience: Duration,
}

impl Proofs {
    pub fn new(keys: Keys) -> Proofs {
        Proofs { keys, room: Arc::new(Semaphore::new(AT_ONCE)), patience: PATIENCE }
    }

    /// The identities with no more proof than there is.
    pub async fn judge(&self, mut identities: Vec<Identity>, shown: Option<Secret>) -> Vec<Identity> {
        for identity in &mut identities {
            identity.proof = identity.proof.min(Proof::Seen);
        }
        // More than there may be are left out later, and cost no look-up.
        let Some(shown) = shown.filter(|_| (1..=MOST_IDENTITIES).contains(&identities.len())) else {
            return identities;
        };
        match timeout(self.patience, self.proven(identities.clone(), shown)).await {
            Ok(Some(judged)) => judged,
            Ok(None) | Err(_) => {
                tracing::warn!("a device showed a key that could not be looked up in time; it counts as not shown");
                identities
            }
        }
    }

    async fn proven(&self, mut identities: Vec<Identity>, shown: Secret) -> Option<Vec<Identity>> {
        let permit = self.room.clone().acquire_owned().await.ok()?;
        let keys = self.keys.clone();
        let look = spawn_blocking(move || {
            // Held until the look-up has ended, also where nobody waits for it any more.
            let _permit = permit;
            for identity in &mut identities {
                if keys(identity).is_some_and(|stored| stored == shown) {
                    identity.proof = Proof::Key;
                }
            }
            identities
        });
        look.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::model::IdentityKind;

    fn identity(value: &str, proof: Proof) -> Identity {
        Identity::new(IdentityKind::Serial, value, proof).unwrap()
    }

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::new(text.into()))
    }

    fn proofs() -> Proofs {
        Proofs::new(Arc::new(|identity| (identity.value.as_str() == "acme:1").then(|| Secret::new("k1".into()))))
    }

    async fn judged(claimed: Proof, shown: Option<Secret>) -> Vec<Proof> {
        let identities = vec![identity("acme:1", claimed), identity("acme:2", claimed)];
        proofs().judge(identities, shown).await.iter().map(|identity| identity.proof).collect()
    }

    #[tokio::test]
    async fn only_the_stored_key_proves_and_only_the_identity_that_it_is_stored_for() {
        assert_eq!(judged(Proof::Claimed, secret("k1")).await, [Proof::Key, Proof::Claimed]);
        assert_eq!(judged(Proof::Claimed, secret("k2")).await, [Proof::Claimed; 2]);
        assert_eq!(judged(Proof::Claimed, secret("")).await, [Proof::Claimed; 2]);
        assert_eq!(judged(Proof::Claimed, None).await, [Proof::Claimed; 2]);
    }

    #[tokio::test]
    async fn a_peer_that_claims_a_proof_has_at_most_been_seen() {
        assert_eq!(judged(Proof::Certificate, None).await, [Proof::Seen; 2]);
        assert_eq!(judged(Proof::Key, secret("k2")).await, [Proof::Seen; 2]);
    }

    #[tokio::test]
    async fn a_disk_that_stands_still_holds_up_few_threads_and_nobody_for_long() {
        let (begun, (free, held)) = (Arc::new(AtomicUsize::new(0)), std::sync::mpsc::sync_channel::<()>(1));
        let (counted, held) = (begun.clone(), std::sync::Mutex::new(held));
        let proofs = Proofs::new(Arc::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            // Until the test lets go of the other end.
            let _ = held.lock().map(|held| held.recv());
            None
        }));
        let proofs = Proofs { patience: Duration::from_millis(20), ..proofs };
        let ask = || proofs.judge(vec![identity("acme:1", Proof::Claimed)], secret("k1"));
        let asked = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
        assert_eq!(asked.0, [identity("acme:1", Proof::Claimed)]);
        assert_eq!(asked.5, asked.0);
        drop(free);
        assert!(begun.load(Ordering::SeqCst) <= AT_ONCE);
    }
}
