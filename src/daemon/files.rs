//! Where the settings come from, which of them run, and what watches over them.
//!
//! What runs is what lies in the last good copy, with the versions of the store over it. Only where the copy cannot be
//! written is it held in memory, so that nobody is told of settings that do not hold.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::Instant;

use crate::config::flat::{self, at_next_start};
use crate::config::{Inputs, kept, layers, probation};
use crate::model::layer::{Layer, OnProbation, Versions};
use crate::model::setting::Flat;
use crate::store::Snapshots;

pub struct Files {
    pub main: PathBuf,
    pub copy: PathBuf,
    pub probation: PathBuf,
    pub snapshots: Snapshots,
    /// What is on probation, and until when.
    pub watched: Option<(OnProbation, Instant)>,
    /// The last change, until the disk has taken it.
    pub unsettled: Option<oneshot::Receiver<()>>,
    /// Versions that the start left out. They do not hold until settings are taken over with them.
    pub left_out: BTreeSet<u64>,
    /// What runs, where the copy cannot be written.
    unkept: Option<Inputs>,
    /// What the parts that are made once were made by.
    made_by: Flat,
}

impl Files {
    pub fn new(main: PathBuf, store: &std::path::Path, snapshots: Snapshots) -> Files {
        let (copy, probation) = (kept::place(store), probation::place(store));
        Files {
            main,
            copy,
            probation,
            snapshots,
            watched: None,
            unsettled: None,
            left_out: BTreeSet::new(),
            unkept: None,
            made_by: Flat::new(),
        }
    }

    pub fn watch(&mut self, of: Option<OnProbation>) {
        self.watched = of.map(|of| (of.clone(), Instant::now() + Duration::from_secs(of.within)));
    }

    /// The daemon was made by these.
    pub fn begin(&mut self, inputs: Inputs, made_by: Flat) {
        self.made_by = made_by;
        self.keep(inputs);
    }

    /// These run now.
    pub fn keep(&mut self, inputs: Inputs) {
        self.unkept = match kept::write(&self.copy, &inputs) {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, copy = %self.copy.display(), "the last good copy of the settings cannot be written");
                Some(inputs)
            }
        };
    }

    pub fn layers(&self) -> Result<Vec<Layer>, String> {
        let (layers, damaged) = self.snapshots.layers().map_err(|error| error.to_string())?;
        if !damaged.is_empty() {
            tracing::error!(?damaged, "versions of the settings are damaged and left out");
        }
        Ok(layers)
    }

    pub fn versions(&self) -> Result<Versions, String> {
        let probation = self.watched.as_ref().map(|(of, _)| of.clone());
        Ok(Versions { layers: self.layers()?, probation, left_out: self.left_out.iter().copied().collect() })
    }

    /// A change rests on the one before.
    pub fn is_settled(&mut self) -> Result<(), String> {
        match self.unsettled.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => {
                Err("the disk has not yet taken the last change; `dmgw status` tells why, come back when it has".into())
            }
            _ => {
                self.unsettled = None;
                Ok(())
            }
        }
    }

    /// The files as they lie there.
    pub fn gather(&self) -> Result<Inputs, String> {
        let gathered = Inputs::gather(&self.main, std::env::vars()).map_err(|error| error.to_string())?;
        // The start has told of them, and nobody can change them while the daemon runs.
        let meant = gathered.meant.iter().copied().collect();
        Ok(gathered.without(&meant))
    }

    /// The texts that run. What somebody wrote into the files since then is not among them.
    pub fn texts(&self) -> Result<Inputs, String> {
        let copy = || kept::read(&self.copy, std::env::vars());
        self.unkept.clone().map_or_else(copy, Ok).map_err(|error: io::Error| {
            let copy = self.copy.display();
            format!("what runs cannot be told, for its copy {copy} cannot be read: {error}; a reload makes a new one")
        })
    }

    /// What runs: a version that a start left out is not in it, and what was made at the start is as it was then.
    pub fn running(&self) -> Result<Flat, String> {
        Ok(self.running_of(self.texts()?, self.layers()?))
    }

    /// The same of the texts that run and all versions.
    pub fn running_of(&self, texts: Inputs, mut layers: Vec<Layer>) -> Flat {
        layers.retain(|layer| !self.left_out.contains(&layer.version));
        let mut running = flat::of(&texts.with_layers(&layers));
        running.retain(|key, _| !at_next_start(key) || self.made_by.contains_key(key));
        for (key, made_by) in &self.made_by {
            // One that says the same may stand in another line by now.
            let there = running.entry(key.clone()).or_insert_with(|| made_by.clone());
            if there.value != made_by.value {
                *there = made_by.clone();
            }
        }
        running
    }

    /// The texts that run with all versions up to that one over them.
    pub fn at_version(&self, layers: &[Layer], version: u64) -> Result<Flat, String> {
        if version != 0 && !layers.iter().any(|layer| layer.version == version) {
            return Err(layers::no_version(layers, version));
        }
        let upto = layers.partition_point(|layer| layer.version <= version);
        let inputs = self.texts()?.with_layers(&layers[..upto]);
        Ok(flat::of(&inputs))
    }
}
