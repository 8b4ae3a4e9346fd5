//! What is true now, in memory, for readers: devices, commands, health. The loop publishes it after each batch.
//!
//! Invariants: only the loop writes. A reader never holds the loop up: it takes a shared pointer and reads from that. What
//! did not change is not stored again: one pointer a device, one map for each of 64 shards of commands. Nothing here
//! grows beyond what the engine holds. No task and no channel of its own, but one watch counter: it goes up whenever a
//! command changed, so that whoever waits for the end of a command sleeps until then.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::access::Reach;
use crate::model::device::DeviceNow;
use crate::model::token::{Mark, Token};
use crate::model::{
    Attempt, Command, CommandId, CommandNo, CommandState, DeviceId, DeviceNo, Mono, Name, Now, Principal, Wall,
};
use crate::nearest;
use crate::profile::Shaped;

const SHARDS: usize = 64;

type Slot = Arc<ArcSwap<DeviceNow>>;

/// A command that has ended is looked up in the store: its result is for who asks, not for memory.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    Open(Arc<Command>),
    Ended(CommandNo),
}

pub struct View {
    /// In ascending order of their numbers.
    devices: ArcSwap<Vec<(DeviceNo, Slot)>>,
    by_id: Shards<DeviceId, Slot>,
    commands: Shards<CommandId, Known>,
    attempts: ArcSwap<Vec<Attempt>>,
    tokens: ArcSwap<BTreeMap<Mark, Arc<TokenNow>>>,
    health: ArcSwap<Health>,
    /// Groups that rest on a selector, with its text.
    groups: ArcSwap<BTreeMap<Name, String>>,
    /// Kinds of devices, to tell why one is of its kind.
    profiles: ArcSwap<BTreeMap<Name, Arc<Shaped>>>,
    ended: watch::Sender<u64>,
    /// The daemon stops: nobody need wait any longer.
    released: AtomicBool,
}

/// A map in parts, each replaced as a whole: changing one entry copies a 64th.
struct Shards<K, V>(Vec<ArcSwap<BTreeMap<K, V>>>);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    pub now: Now,
    /// Why nothing can be written at the moment.
    pub degraded: Option<String>,
    /// What is wrong with the settings files: they are used in part, or not at all.
    pub settings: Option<String>,
    pub links: Vec<LinkNow>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LinkNow {
    pub name: Name,
    pub driver: &'static str,
    pub state: LinkState,
    pub since: Mono,
    /// Why it cannot read all that it should as often as it should.
    pub strained: Option<String>,
    /// Readings and sightings that made no sense or had no room.
    pub rejected: u64,
    /// Orders that found too many others waiting.
    pub dropped: u64,
    /// Readings that it told of, and reads that were not answered.
    pub heard: u64,
    pub missed: u64,
    /// Orders that wait for their turn, commands not counted.
    pub waiting: u64,
    /// Orders that it could be given now, of as many as it takes.
    pub credits: (u16, u16),
}

/// One that lets somebody in.
pub struct TokenNow {
    pub token: Arc<Token>,
    pub principal: Principal,
    pub reach: Reach,
    /// When it was shown last, by the wall clock in milliseconds; 0: not since the start.
    used: AtomicU64,
}

impl TokenNow {
    fn of(token: Arc<Token>) -> TokenNow {
        let principal = Principal {
            name: token.name.clone(),
            role: token.role,
            scope: token.scope.clone(),
            local: false,
            from: None,
        };
        let reach = Reach::of(&principal);
        TokenNow { token, principal, reach, used: AtomicU64::new(0) }
    }

    pub fn was_used(&self, now: Wall) {
        self.used.store(now.0, Ordering::Relaxed);
    }

    pub fn used(&self) -> Option<Wall> {
        Some(Wall(self.used.load(Ordering::Relaxed))).filter(|used| used.0 > 0)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum LinkState {
    Starting,
    Up,
    Down(String),
}

/// Why a word names no device.
#[derive(Debug, PartialEq)]
pub enum NoDevice {
    /// The id that was probably meant.
    Unknown(Option<DeviceId>),
    /// Some of those that it could be.
    Several(Vec<DeviceId>),
}

impl<K: Ord + Clone + Hash, V: Clone> Shards<K, V> {
    fn new() -> Shards<K, V> {
        Shards((0..SHARDS).map(|_| ArcSwap::from_pointee(BTreeMap::new())).collect())
    }

    fn place(key: &K) -> usize {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        (hasher.finish() % SHARDS as u64) as usize
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0[Self::place(key)].load().get(key).cloned()
    }

    /// Each shard that is touched is copied once, however many of its entries change.
    fn change(&self, changes: impl IntoIterator<Item = (K, Option<V>)>) {
        let mut touched: BTreeMap<usize, BTreeMap<K, V>> = BTreeMap::new();
        for (key, value) in changes {
            let place = Self::place(&key);
            let map = touched.entry(place).or_insert_with(|| BTreeMap::clone(&self.0[place].load()));
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        for (place, map) in touched {
            self.0[place].store(Arc::new(map));
        }
    }
}

impl Default for View {
    fn default() -> View {
        View {
            devices: ArcSwap::default(),
            by_id: Shards::new(),
            commands: Shards::new(),
            attempts: ArcSwap::default(),
            tokens: ArcSwap::default(),
            health: ArcSwap::default(),
            groups: ArcSwap::default(),
            profiles: ArcSwap::default(),
            ended: watch::Sender::new(0),
            released: AtomicBool::new(false),
        }
    }
}

/// For the loop.
impl View {
    pub fn publish_devices(&self, changed: impl IntoIterator<Item = Arc<DeviceNow>>) {
        let known = self.devices.load();
        let mut new: BTreeMap<DeviceNo, Slot> = BTreeMap::new();
        for device in changed {
            let no = device.device.no;
            match slot(&known, no).or_else(|| new.get(&no)) {
                Some(slot) => slot.store(device),
                None => {
                    new.insert(no, Arc::new(ArcSwap::new(device)));
                }
            }
        }
        if !new.is_empty() {
            self.append(&known, new);
        }
    }

    fn append(&self, known: &[(DeviceNo, Slot)], new: BTreeMap<DeviceNo, Slot>) {
        self.by_id.change(new.values().map(|slot| (slot.load().device.id.clone(), Some(slot.clone()))));
        let mut all = known.to_vec();
        all.extend(new);
        // Numbers ascend, so this finds the list in order but for a slip of the engine.
        all.sort_by_key(|(no, _)| *no);
        self.devices.store(Arc::new(all));
    }

    /// Those that are no more. Whoever holds one still reads it as it was.
    pub fn forget_devices(&self, gone: &[DeviceNo]) {
        let known = self.devices.load();
        let ids: Vec<DeviceId> =
            gone.iter().filter_map(|no| slot(&known, *no)).map(|slot| slot.load().device.id.clone()).collect();
        if ids.is_empty() {
            return;
        }
        self.by_id.change(ids.into_iter().map(|id| (id, None)));
        let gone: BTreeSet<DeviceNo> = gone.iter().copied().collect();
        let left = known.iter().filter(|(no, _)| !gone.contains(no)).cloned().collect();
        self.devices.store(Arc::new(left));
    }

    pub fn publish_profiles(&self, profiles: BTreeMap<Name, Arc<Shaped>>) {
        self.profiles.store(Arc::new(profiles));
    }

    pub fn publish_groups(&self, groups: BTreeMap<Name, String>) {
        self.groups.store(Arc::new(groups));
    }

    pub fn publish_attempts(&self, attempts: Vec<Attempt>) {
        self.attempts.store(Arc::new(attempts));
    }

    pub fn publish_tokens<'a>(&self, tokens: impl Iterator<Item = &'a Arc<Token>>) {
        let before = self.tokens.load();
        let now = tokens.map(|token| match before.get(&token.mark) {
            Some(known) if known.token == *token => (token.mark, known.clone()),
            _ => (token.mark, Arc::new(TokenNow::of(token.clone()))),
        });
        self.tokens.store(Arc::new(now.collect()));
    }

    /// Those that had ended before the start.
    pub fn publish_ended(&self, ended: Vec<(CommandId, CommandNo)>) {
        self.commands.change(ended.into_iter().map(|(id, no)| (id, Some(Known::Ended(no)))));
    }

    pub fn publish_commands(&self, changed: Vec<Arc<Command>>, forgotten: Vec<CommandId>) {
        if changed.is_empty() && forgotten.is_empty() {
            return;
        }
        let known = |command: Arc<Command>| match command.state.is_open() {
            true => Known::Open(command),
            false => Known::Ended(command.no),
        };
        let changed = changed.into_iter().map(|command| (command.id.clone(), Some(known(command))));
        self.commands.change(changed.chain(forgotten.into_iter().map(|id| (id, None))));
        self.ended.send_modify(|count| *count += 1);
    }

    /// Whoever waits for the end of a command is told now how far it is.
    pub fn release_waiters(&self) {
        self.released.store(true, Ordering::Release);
        self.ended.send_modify(|count| *count += 1);
    }

    pub fn publish_health(&self, health: Health) {
        self.health.store(Arc::new(health));
    }
}

fn slot(all: &[(DeviceNo, Slot)], no: DeviceNo) -> Option<&Slot> {
    all.binary_search_by_key(&no, |(no, _)| *no).ok().and_then(|at| all.get(at)).map(|(_, slot)| slot)
}

/// For readers.
impl View {
    pub fn profiles(&self) -> Arc<BTreeMap<Name, Arc<Shaped>>> {
        self.profiles.load_full()
    }

    pub fn groups(&self) -> Arc<BTreeMap<Name, String>> {
        self.groups.load_full()
    }

    pub fn health(&self) -> Arc<Health> {
        self.health.load_full()
    }

    pub fn device(&self, id: &DeviceId) -> Option<Arc<DeviceNow>> {
        self.by_id.get(id).map(|slot| slot.load_full())
    }

    pub fn numbered(&self, no: DeviceNo) -> Option<Arc<DeviceNow>> {
        slot(&self.devices.load(), no).map(|slot| slot.load_full())
    }

    /// Up to `limit` devices with numbers above `after`, ascending.
    pub fn devices(&self, after: Option<DeviceNo>, limit: usize) -> Vec<Arc<DeviceNow>> {
        self.devices_that(|_| true, after, limit)
    }

    /// Of those only the ones that fit.
    pub fn devices_that(
        &self,
        fits: impl Fn(&DeviceNow) -> bool,
        after: Option<DeviceNo>,
        limit: usize,
    ) -> Vec<Arc<DeviceNow>> {
        let all = self.devices.load();
        let from = after.map_or(0, |after| all.partition_point(|(no, _)| *no <= after));
        let fitting = all.iter().skip(from).map(|(_, slot)| slot.load_full()).filter(|device| fits(device));
        fitting.take(limit).collect()
    }

    /// One after the other, without a list of them.
    pub fn each_device(&self, mut look: impl FnMut(&DeviceNow)) {
        self.devices.load().iter().for_each(|(_, slot)| look(&slot.load()));
    }

    /// Who was turned away.
    pub fn attempts(&self) -> Arc<Vec<Attempt>> {
        self.attempts.load_full()
    }

    /// Whoever shows what has this mark.
    pub fn token(&self, mark: &Mark) -> Option<Arc<TokenNow>> {
        self.tokens.load().get(mark).cloned()
    }

    pub fn tokens(&self) -> Arc<BTreeMap<Mark, Arc<TokenNow>>> {
        self.tokens.load_full()
    }

    pub fn command(&self, id: &CommandId) -> Option<Known> {
        self.commands.get(id)
    }

    /// In the order in which they were asked.
    pub fn open_commands(&self) -> Vec<Arc<Command>> {
        let mut open = Vec::new();
        for shard in &self.commands.0 {
            open.extend(shard.load().values().filter_map(|known| match known {
                Known::Open(command) => Some(command.clone()),
                Known::Ended(_) => None,
            }));
        }
        open.sort_by_key(|command| command.no);
        open
    }

    /// Commands that wait, and those that are out.
    pub fn count_open(&self) -> (u64, u64) {
        let (mut queued, mut sent) = (0, 0);
        for shard in &self.commands.0 {
            for known in shard.load().values() {
                match known {
                    Known::Open(command) if command.state == CommandState::Sent => sent += 1,
                    Known::Open(_) => queued += 1,
                    Known::Ended(_) => {}
                }
            }
        }
        (queued, sent)
    }

    pub fn count_commands(&self) -> usize {
        self.commands.0.iter().map(|shard| shard.load().len()).sum()
    }

    /// The command as it stands when it ends, or when the time is over.
    pub async fn ended(&self, id: &CommandId, within: Duration) -> Option<Known> {
        let mut changes = self.ended.subscribe();
        let end = tokio::time::sleep(within);
        tokio::pin!(end);
        loop {
            let command = self.command(id)?;
            if matches!(command, Known::Ended(_)) || self.released.load(Ordering::Acquire) {
                return Some(command);
            }
            tokio::select! {
                // Cancel safe: a change that is missed here is found by the look above.
                changed = changes.changed() => if changed.is_err() { return Some(command) },
                () = &mut end => return self.command(id),
            }
        }
    }

    /// As people name a device: id, number, name, address, identity, or a part of the id that only one has. Those that
    /// whoever asks does not see are not there.
    pub fn find(&self, word: &str, reach: &Reach) -> Result<Arc<DeviceNow>, NoDevice> {
        let by_id = DeviceId::new(word).ok().and_then(|id| self.device(&id));
        let exact = by_id.or_else(|| word.parse().ok().and_then(|no| self.numbered(DeviceNo(no))));
        if let Some(device) = exact.filter(|device| reach.sees(device)) {
            return Ok(device);
        }
        let all = self.devices_that(|device| reach.sees(device), None, usize::MAX);
        let named = |device: &&Arc<DeviceNow>| device.device.name.as_ref().is_some_and(|name| name.as_str() == word);
        let placed = |known: &&Arc<DeviceNow>| known.device.is_at().is_some_and(|place| place.address.as_str() == word);
        let same: Vec<_> = all.iter().filter(named).take(5).collect();
        if same.len() > 1 {
            return Err(NoDevice::Several(same.into_iter().map(|device| device.device.id.clone()).collect()));
        }
        let known = |of: &&Arc<DeviceNow>| of.device.identities.iter().any(|known| known.value.as_str() == word);
        let one = same.first().copied().or_else(|| only(all.iter().filter(placed)));
        if let Some(device) = one.or_else(|| only(all.iter().filter(known))) {
            return Ok(device.clone());
        }
        find_by_part(&all, word)
    }
}

/// Two links may have the same address.
fn only<T>(mut of: impl Iterator<Item = T>) -> Option<T> {
    let first = of.next();
    if of.next().is_some() { None } else { first }
}

/// Of several that hold the part, one that ends in it after a separator is the one: `meter-1` is not `meter-10`.
fn find_by_part(all: &[Arc<DeviceNow>], word: &str) -> Result<Arc<DeviceNow>, NoDevice> {
    let holds: Vec<&Arc<DeviceNow>> = all.iter().filter(|device| device.device.id.as_str().contains(word)).collect();
    let ends = |device: &&&Arc<DeviceNow>| {
        let before = device.device.id.as_str().strip_suffix(word);
        before.is_some_and(|before| before.ends_with([':', '/']))
    };
    let ending: Vec<&Arc<DeviceNow>> = holds.iter().filter(ends).copied().collect();
    match (&holds[..], &ending[..]) {
        ([one], _) | (_, [one]) => Ok((*one).clone()),
        ([], _) => Err(NoDevice::Unknown(nearest_id(all, word))),
        _ => Err(NoDevice::Several(holds.iter().take(5).map(|device| device.device.id.clone()).collect())),
    }
}

/// By the whole id, its last part or the address: whichever is near to the word.
fn nearest_id(all: &[Arc<DeviceNow>], word: &str) -> Option<DeviceId> {
    let last = |id: &str| -> usize { id.rfind([':', '/']).map_or(0, |at| at + 1) };
    let spellings = |device: &Arc<DeviceNow>| {
        let id = device.device.id.as_str();
        let address = device.device.place.as_ref().map_or_else(String::new, |place| place.address.to_string());
        [id.to_owned(), id[last(id)..].to_owned(), address]
    };
    let all: Vec<(DeviceId, [String; 3])> =
        all.iter().map(|device| (device.device.id.clone(), spellings(device))).collect();
    let near = nearest::nearest(word, all.iter().flat_map(|(_, words)| words).map(String::as_str))?;
    all.iter().find(|(_, words)| words.iter().any(|spelling| spelling == near)).map(|(id, _)| id.clone())
}

#[cfg(test)]
mod tests;
