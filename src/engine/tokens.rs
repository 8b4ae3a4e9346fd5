//! Tokens: who may come in from afar, as what. Given and taken back by an administrator of the whole gateway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Reach;
use crate::model::operation::GatewayKind;
use crate::model::token::{Grant, LONGEST_TOKEN, Token};
use crate::model::*;
use crate::nearest::nearest;
use crate::selector::Selector;

use super::Engine;
use super::step::Step;
use super::timers::{SOONEST, Timer};

/// Names that tell of somebody else.
const TAKEN: [&str; 3] = ["gateway", "settings", "policy"];
/// A clock may be set: it is looked again so soon at the latest.
const LOOK_AGAIN: Duration = Duration::from_secs(86_400);
/// Whoever is on the spot is called so.
const LOCAL: &str = "local-";

#[derive(Default)]
pub struct Tokens(BTreeMap<Name, Arc<Token>>);

impl Tokens {
    pub fn load(tokens: Vec<Arc<Token>>) -> Tokens {
        Tokens(tokens.into_iter().map(|token| (token.name.clone(), token)).collect())
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.0.values()
    }
}

impl Engine {
    pub(super) fn give(&mut self, now: &Now, by: &Principal, grant: Grant, step: &mut Step) -> Result<Reply, Refusal> {
        may_grant(by)?;
        let token = self.token(now, by, grant)?;
        self.make_room(now, step)?;
        let token = Arc::new(token);
        step.changes.push(Change::Token(token.clone()));
        self.tokens.0.insert(token.name.clone(), token);
        self.touched.tokens = true;
        self.watch_tokens(now);
        Ok(Reply::Done)
    }

    /// One that is over goes for good: a clock that is set back makes it good no more.
    pub(super) fn tokens_due(&mut self, now: &Now, step: &mut Step) {
        self.forget_over(now, step);
        self.watch_tokens(now);
    }

    pub(super) fn watch_tokens(&mut self, now: &Now) {
        let ends = self.tokens.0.values().filter_map(|token| token.expires);
        let left = ends.map(|end| Duration::from_millis(end.0.saturating_sub(now.wall.0))).min();
        if let Some(left) = left {
            self.timers.set(now.mono + left.clamp(SOONEST, LOOK_AGAIN), Timer::Tokens);
        }
    }

    fn forget_over(&mut self, now: &Now, step: &mut Step) {
        let over = self.tokens.0.values().filter(|token| !token.is_good(now) && now.quality != ClockQuality::Unset);
        let over: Vec<Name> = over.map(|token| token.name.clone()).collect();
        over.into_iter().for_each(|name| self.take_back(name, step));
    }

    fn token(&self, now: &Now, by: &Principal, grant: Grant) -> Result<Token, Refusal> {
        let Grant { name, role, of, shows, mark, seconds } = grant;
        if TAKEN.contains(&name.as_str()) || name.as_str().starts_with(LOCAL) {
            return Err(Refusal::BadArgument(format!("{name} tells of the gateway itself; take another name")));
        }
        if self.tokens.0.get(&name).is_some_and(|token| token.is_good(now)) {
            return Err(Refusal::BadArgument(format!(
                "there is a token {name}; revoke it first, or take another name"
            )));
        }
        if let Some(other) = self.tokens.0.values().find(|token| token.mark == mark && token.name != name) {
            return Err(Refusal::BadArgument(format!("{} shows the same already", other.name)));
        }
        let scope = match of {
            None => Scope::All,
            Some(text) => Scope::For(readable(text)?),
        };
        let expires = seconds.map(|seconds| end(now, seconds)).transpose()?;
        Ok(Token { name, role, scope, shows, mark, made: *now, by: by.name.clone(), expires })
    }

    /// Those that are good no more go first.
    fn make_room(&mut self, now: &Now, step: &mut Step) -> Result<(), Refusal> {
        self.forget_over(now, step);
        match self.tokens.0.len() < self.settings.most_tokens {
            true => Ok(()),
            false => Err(Refusal::Busy(format!(
                "there are {} tokens already (limits.tokens); revoke one that nobody needs",
                self.tokens.0.len()
            ))),
        }
    }

    fn take_back(&mut self, name: Name, step: &mut Step) {
        self.tokens.0.remove(&name);
        self.touched.tokens = true;
        step.changes.push(Change::ForgetToken(name));
    }

    pub(super) fn revoke(&mut self, by: &Principal, name: Name, step: &mut Step) -> Result<Reply, Refusal> {
        may_grant(by)?;
        if !self.tokens.0.contains_key(&name) {
            let near = nearest(name.as_str(), self.tokens.0.keys().map(Name::as_str));
            let meant = near.map_or_else(String::new, |near| format!("; {near} was meant?"));
            return Err(Refusal::NotFound(format!("there is no token {name}{meant}")));
        }
        self.take_back(name, step);
        Ok(Reply::Done)
    }

    pub fn tokens(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.tokens.all()
    }
}

fn may_grant(by: &Principal) -> Result<(), Refusal> {
    match Reach::of(by).may_gateway(GatewayKind::Grant) {
        true => Ok(()),
        false => Err(Refusal::NotAllowed(format!("{} may not give tokens out or take them back", by.name))),
    }
}

fn readable(text: String) -> Result<String, Refusal> {
    match Selector::parse(&text) {
        Ok(_) => Ok(text),
        Err(bad) => Err(Refusal::BadArgument(bad.told(&text))),
    }
}

fn end(now: &Now, seconds: u64) -> Result<Wall, Refusal> {
    if now.quality == ClockQuality::Unset {
        return Err(Refusal::Busy("the clock of the gateway is not set, so no end can be judged".into()));
    }
    if seconds == 0 || seconds > LONGEST_TOKEN {
        return Err(Refusal::BadArgument(format!(
            "a token is good for 1 to {LONGEST_TOKEN} seconds, or without an end"
        )));
    }
    Ok(now.wall + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Settings;
    use crate::model::token::{Mark, Shows};

    fn engine(most: usize) -> Engine {
        let settings = Settings { most_tokens: most, ..Settings::default() };
        Engine::load(settings, State::default(), &Now::default()).0
    }

    fn at(seconds: u64) -> Now {
        Now { wall: Wall(seconds * 1_000), quality: ClockQuality::Set, ..Now::default() }
    }

    fn grant(name: &str, seconds: Option<u64>) -> Grant {
        let mut mark = Mark([0; 32]);
        mark.0.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
        let name = Name::new(name).unwrap();
        Grant { name, role: Role::Viewer, of: None, shows: Shows::Secret, mark, seconds }
    }

    fn ask(engine: &mut Engine, now: Now, by: Principal, ask: Ask) -> (Reply, Vec<Change>) {
        let step = engine.handle(&now, Event::Ask { to: 1, by, ask });
        let reply = step.orders.into_iter().find_map(|order| match order {
            Order::Reply { reply, .. } => Some(reply),
            _ => None,
        });
        (reply.unwrap(), step.changes)
    }

    fn root(engine: &mut Engine, now: Now, of: Ask) -> Reply {
        ask(engine, now, Principal::local_root(), of).0
    }

    fn refused(reply: Reply) -> String {
        match reply {
            Reply::Refused(refusal) => refusal.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_token_is_on_disk_and_known_and_taken_back_it_is_not() {
        let mut engine = engine(9);
        let (reply, changes) = ask(&mut engine, at(1), Principal::local_root(), Ask::Grant(grant("ann", Some(60))));
        assert_eq!(reply, Reply::Done);
        let Some(Change::Token(token)) = changes.first() else { panic!("{changes:?}") };
        assert_eq!((token.expires, token.by.as_str()), (Some(Wall(61_000)), "local-root"));
        assert!(engine.touched().tokens && engine.tokens().count() == 1);
        let ann = || Ask::Revoke { token: Name::new("ann").unwrap() };
        assert_eq!(root(&mut engine, at(2), ann()), Reply::Done);
        assert!(engine.touched().tokens && engine.tokens().count() == 0);
        assert!(refused(root(&mut engine, at(2), ann())).contains("there is no token ann"));
    }

    #[test]
    fn only_who_may_all_gives_tokens() {
        let by = |role, scope| Principal { role, scope, ..Principal::local_root() };
        for (role, scope) in [(Role::Operator, Scope::All), (Role::Administrator, Scope::For("link == \"a\"".into()))] {
            let mut engine = engine(9);
            let (reply, _) = ask(&mut engine, at(1), by(role, scope.clone()), Ask::Grant(grant("eve", None)));
            assert!(refused(reply).contains("may not give"));
            let revoke = Ask::Revoke { token: Name::new("eve").unwrap() };
            assert!(refused(ask(&mut engine, at(1), by(role, scope), revoke).0).contains("may not"));
            assert_eq!(engine.tokens().count(), 0);
        }
    }

    #[test]
    fn a_name_tells_of_one_and_a_secret_too() {
        let mut engine = engine(9);
        for name in ["gateway", "local-root", "local-ann"] {
            assert!(refused(root(&mut engine, at(1), Ask::Grant(grant(name, None)))).contains("another name"));
        }
        root(&mut engine, at(1), Ask::Grant(grant("ann", Some(60))));
        assert!(refused(root(&mut engine, at(2), Ask::Grant(grant("ann", None)))).contains("there is a token ann"));
        let same = Grant { name: Name::new("bob").unwrap(), ..grant("ann", None) };
        assert!(refused(root(&mut engine, at(2), Ask::Grant(same))).contains("ann shows the same"));
        // Over, it keeps nobody from its name.
        assert_eq!(root(&mut engine, at(99), Ask::Grant(grant("ann", None))), Reply::Done);
    }

    #[test]
    fn there_are_so_many_and_those_that_are_over_make_room() {
        let mut engine = engine(2);
        root(&mut engine, at(1), Ask::Grant(grant("a", Some(10))));
        root(&mut engine, at(1), Ask::Grant(grant("b", None)));
        assert!(refused(root(&mut engine, at(2), Ask::Grant(grant("c", None)))).contains("limits.tokens"));
        assert_eq!(root(&mut engine, at(11), Ask::Grant(grant("c", None))), Reply::Done);
        let names: Vec<&str> = engine.tokens().map(|token| token.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn one_that_is_over_is_forgotten_and_does_not_come_back_with_the_clock() {
        let mut engine = engine(9);
        root(&mut engine, at(100), Ask::Grant(grant("a", Some(10))));
        assert_eq!(engine.wake_at(), Some(Mono(10_000)));
        let unset = Now { quality: ClockQuality::Unset, mono: Mono(10_000), ..at(110) };
        assert!(engine.handle(&unset, Event::Wake).changes.is_empty(), "nobody knows what time it is");
        let later = Now { mono: Mono(11_000), ..at(111) };
        let changes = engine.handle(&later, Event::Wake).changes;
        assert!(matches!(&changes[..], [Change::ForgetToken(_)]), "{changes:?}");
        assert!(engine.touched().tokens && engine.tokens().count() == 0 && engine.wake_at().is_none());
        // After a restart it is looked for, too.
        let kept = State { tokens: vec![token(Some(Wall(5_000)))], ..State::default() };
        let mut engine = Engine::load(Settings::default(), kept, &at(6)).0;
        let changes = engine.handle(&Now { mono: Mono(1_000), ..at(7) }, Event::Wake).changes;
        assert!(matches!(&changes[..], [Change::ForgetToken(_)]), "{changes:?}");
    }

    fn token(expires: Option<Wall>) -> Arc<Token> {
        let (name, mark) = (Name::new("old").unwrap(), Mark([7; 32]));
        let (role, scope, shows) = (Role::Viewer, Scope::All, Shows::Secret);
        Token { by: name.clone(), name, role, scope, shows, mark, made: Now::default(), expires }.into()
    }

    #[test]
    fn what_cannot_be_judged_or_read_is_refused() {
        let mut engine = engine(9);
        let unset = Now { quality: ClockQuality::Unset, ..at(1) };
        assert!(refused(root(&mut engine, unset, Ask::Grant(grant("a", Some(9))))).contains("clock"));
        assert_eq!(root(&mut engine, unset, Ask::Grant(grant("a", None))), Reply::Done);
        let bad = Grant { of: Some("link = \"a\"".into()), ..grant("b", None) };
        assert!(!refused(root(&mut engine, at(1), Ask::Grant(bad))).is_empty());
        for seconds in [0, LONGEST_TOKEN + 1] {
            assert!(refused(root(&mut engine, at(1), Ask::Grant(grant("c", Some(seconds))))).contains("good for"));
        }
    }
}
