//! One function decides what a principal may do, for every door: [`Reach::may`]; and its twin for what is asked of the
//! gateway itself, [`Reach::may_gateway`].
//!
//! A principal has a role and a scope. What its role does not allow is refused. What its scope does not hold is not there
//! for it: it is answered like what does not exist, so that nobody learns by asking. A scope is a selector; where a fact
//! that it needs is missing, the device is not within.

use crate::model::device::DeviceNow;
use crate::model::operation::GatewayKind;
use crate::model::{Name, OperationKind, Principal, Role, Scope};
use crate::selector::Selector;

/// What a principal reaches, ready to be asked about many devices.
#[derive(Clone, Debug)]
pub struct Reach {
    name: Name,
    role: Role,
    within: Within,
}

#[derive(Clone, Debug)]
enum Within {
    All,
    Those(Selector),
    /// Its scope cannot be read.
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    Yes,
    /// It takes a higher role, or one for the whole gateway.
    No,
    /// It is not there for this principal.
    Unseen,
}

/// The role that an operation takes.
pub fn role_for(kind: OperationKind) -> Role {
    use OperationKind::*;
    match kind {
        Read | ReportPolicyGet | SoftwareList | ConnectionLog | ConnectivityGet => Role::Viewer,
        Write | Observe | ReportPolicySet | Restart | Activate | Deactivate | PowerMode | Diagnose | SelfTest
        | SetClock | TriggerConnect | Probe | Locate | Maintenance | Desire => Role::Operator,
        // Files may hold what nobody but an administrator should see.
        FileGet | FilePut | FactoryReset | Lock | Erase | Update | FallBack | ConnectivitySet | Block | Unblock
        | Accept | Refuse | Quarantine | Release | Replace | Merge | Split | Retire | Rename | Group | Describe
        | Profile => Role::Administrator,
    }
}

/// The role that something asked of the gateway takes, and whether only for those whose scope is everything.
pub fn gateway_needs(kind: GatewayKind) -> (Role, bool) {
    match kind {
        GatewayKind::Look => (Role::Viewer, false),
        GatewayKind::Survey => (Role::Viewer, true),
        GatewayKind::Settle => (Role::Operator, false),
        GatewayKind::Discover | GatewayKind::ShowSettings => (Role::Operator, true),
        GatewayKind::Register | GatewayKind::Acknowledge | GatewayKind::Configure | GatewayKind::Grant => {
            (Role::Administrator, true)
        }
        GatewayKind::SetLog => (Role::Administrator, true),
        // Of a link: see `may_on`.
        GatewayKind::TraceLink | GatewayKind::RawRead | GatewayKind::ReleaseLink => (Role::Operator, false),
        // No profile bounds what is written so, and no lock on the spot holds it up.
        GatewayKind::RawWrite => (Role::Administrator, false),
    }
}

impl Reach {
    pub fn of(principal: &Principal) -> Reach {
        let within = match &principal.scope {
            Scope::All => Within::All,
            // It was read when it was given; a text that is no selector any more holds for nobody.
            Scope::For(text) => Selector::parse(text).map_or(Within::Nobody, Within::Those),
        };
        Reach { name: principal.name.clone(), role: principal.role, within }
    }

    pub fn is_whole(&self) -> bool {
        matches!(self.within, Within::All)
    }

    pub fn sees(&self, target: &DeviceNow) -> bool {
        match &self.within {
            Within::All => true,
            Within::Those(selector) => selector.fits(target),
            Within::Nobody => false,
        }
    }

    pub fn may(&self, kind: OperationKind, target: &DeviceNow) -> May {
        match (self.sees(target), self.role >= role_for(kind)) {
            (false, _) => May::Unseen,
            (true, false) => May::No,
            (true, true) => May::Yes,
        }
    }

    pub fn may_gateway(&self, kind: GatewayKind) -> bool {
        let (role, whole) = gateway_needs(kind);
        self.role >= role && (!whole || self.is_whole())
    }

    /// Of what is asked of a whole link: its wire tells of all its devices, and to lend its port takes all of them away. So
    /// each device that it has, or may ever have, must be in scope.
    pub fn may_on(&self, kind: GatewayKind, link: &Name) -> bool {
        self.may_gateway(kind) && self.covers(link)
    }

    pub fn covers(&self, link: &Name) -> bool {
        match &self.within {
            Within::All => true,
            Within::Those(selector) => selector.holds_on(link),
            Within::Nobody => false,
        }
    }

    /// To say what a reader of the journal has: a reader says it for itself.
    pub fn may_acknowledge(&self, reader: &Name) -> bool {
        (self.name == *reader && self.is_whole()) || self.may_gateway(GatewayKind::Acknowledge)
    }

    /// To hear what became of a command that has ended, where its device is not known any more or it was for many.
    pub fn may_recall(&self, by: &Name) -> bool {
        self.name == *by || (self.role >= Role::Administrator && self.is_whole())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::*;

    fn device(link: &str, id: &str) -> DeviceNow {
        let place = device::Place { link: Name::new(link).unwrap(), address: Address::new("1").unwrap() };
        let id = DeviceId::new(id).unwrap();
        let device = Device { place: Some(place), ..Device::new(DeviceNo(0), id, LifeCycle::Managed, &Now::default()) };
        DeviceNow::new(Arc::new(device), Arc::default())
    }

    fn reach(role: Role, scope: &str) -> Reach {
        let scope = if scope == "all" { Scope::All } else { Scope::For(scope.into()) };
        let name = Name::new("p").unwrap();
        Reach::of(&Principal { role, scope, name, ..Principal::local_root() })
    }

    #[test]
    fn each_role_may_what_the_lower_ones_may_and_no_role_less() {
        let target = device("a", "urn:x");
        for kind in OperationKind::ALL {
            let allowed: Vec<bool> = Role::ALL.map(|role| reach(role, "all").may(*kind, &target) == May::Yes).into();
            assert!(allowed.is_sorted(), "{kind}: {allowed:?}");
            assert!(allowed[2], "an administrator may {kind}");
        }
        for kind in GatewayKind::ALL {
            let allowed: Vec<bool> = Role::ALL.map(|role| reach(role, "all").may_gateway(*kind)).into();
            assert!(allowed.is_sorted() && allowed[2], "{kind}: {allowed:?}");
        }
    }

    #[test]
    fn a_viewer_changes_nothing_and_an_operator_admits_nobody() {
        let target = device("a", "urn:x");
        for kind in OperationKind::ALL.iter().filter(|kind| !kind.only_reads()) {
            assert_eq!(reach(Role::Viewer, "all").may(*kind, &target), May::No, "{kind}");
        }
        for kind in [OperationKind::Accept, OperationKind::Erase, OperationKind::FileGet, OperationKind::Block] {
            assert_eq!(reach(Role::Operator, "all").may(kind, &target), May::No, "{kind}");
        }
        assert_eq!(reach(Role::Operator, "all").may(OperationKind::Write, &target), May::Yes);
    }

    #[test]
    fn what_a_scope_does_not_hold_is_not_there() {
        let target = device("a", "urn:x");
        let on = |scope| reach(Role::Administrator, scope).may(OperationKind::Read, &target);
        assert_eq!((on("link == \"a\""), on("link == \"b\"")), (May::Yes, May::Unseen));
        assert_eq!((on("id in [\"urn:x\"]"), on("id in [\"urn:y\"]")), (May::Yes, May::Unseen));
        // Whatever its role: what is out of scope tells nothing, not even that.
        assert_eq!(reach(Role::Viewer, "link == \"b\"").may(OperationKind::Erase, &target), May::Unseen);
        // A fact that is missing, and a text that is no selector.
        assert_eq!((on("label.floor == \"1\""), on("link ==")), (May::Unseen, May::Unseen));
    }

    #[test]
    fn what_is_of_the_whole_gateway_is_for_those_whose_scope_is_everything() {
        let whole = GatewayKind::ALL.iter().filter(|kind| gateway_needs(**kind).1);
        for kind in whole {
            assert!(!reach(Role::Administrator, "link == \"a\"").may_gateway(*kind), "{kind}");
        }
        assert!(reach(Role::Viewer, "link == \"a\"").may_gateway(GatewayKind::Look));
        assert!(!reach(Role::Operator, "all").may_gateway(GatewayKind::Configure));
    }

    #[test]
    fn what_is_asked_of_a_link_takes_all_its_devices_in_scope_and_the_role() {
        let link = Name::new("a").unwrap();
        let may = |role, scope, kind| reach(role, scope).may_on(kind, &link);
        for scope in ["all", "link == \"a\""] {
            assert!(may(Role::Operator, scope, GatewayKind::TraceLink), "{scope}");
            assert!(!may(Role::Viewer, scope, GatewayKind::TraceLink), "{scope}");
            assert!(!may(Role::Operator, scope, GatewayKind::RawWrite), "{scope}");
            assert!(may(Role::Administrator, scope, GatewayKind::RawWrite), "{scope}");
        }
        for scope in ["link == \"b\"", "link == \"a\" && !(id == \"urn:x\")", "life == \"managed\"", "link =="] {
            assert!(!may(Role::Administrator, scope, GatewayKind::ReleaseLink), "{scope}");
        }
    }

    #[test]
    fn a_reader_says_for_itself_what_it_has() {
        let (me, other) = (Name::new("p").unwrap(), Name::new("q").unwrap());
        let viewer = reach(Role::Viewer, "all");
        assert!(viewer.may_acknowledge(&me) && !viewer.may_acknowledge(&other));
        assert!(!reach(Role::Viewer, "link == \"a\"").may_acknowledge(&me));
        assert!(reach(Role::Administrator, "all").may_acknowledge(&other));
    }

    #[test]
    fn a_command_is_recalled_by_who_asked_it_or_who_may_all() {
        let (me, other) = (Name::new("p").unwrap(), Name::new("q").unwrap());
        assert!(reach(Role::Viewer, "link == \"a\"").may_recall(&me));
        assert!(reach(Role::Administrator, "all").may_recall(&other));
        assert!(!reach(Role::Operator, "all").may_recall(&other));
        assert!(!reach(Role::Administrator, "link == \"a\"").may_recall(&other));
    }
}
