//! One function decides what a principal may do, for every door.

use super::device::Device;
use super::name::Name;
use super::operation::OperationKind;
use super::principal::{Principal, Role, Scope};

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

pub fn may(principal: &Principal, kind: OperationKind, target: &Device) -> bool {
    principal.role >= role_for(kind) && within(&principal.scope, target)
}

/// To have a link look for devices.
pub fn may_discover(principal: &Principal, link: &Name) -> bool {
    let within = match &principal.scope {
        Scope::All => true,
        Scope::Links(links) => links.contains(link),
        Scope::Devices(_) => false,
    };
    principal.role >= Role::Operator && within
}

/// To change the settings of the gateway.
pub fn may_configure(principal: &Principal) -> bool {
    principal.role >= Role::Administrator && principal.scope == Scope::All
}

/// To make a device known, on this link or on none yet.
pub fn may_register(principal: &Principal, link: Option<&Name>) -> bool {
    let within = match &principal.scope {
        Scope::All => true,
        Scope::Links(links) => link.is_some_and(|link| links.contains(link)),
        Scope::Devices(_) => false,
    };
    principal.role >= Role::Administrator && within
}

/// To hear what became of a command that has ended, where its device is not known any more or it was for many.
pub fn may_recall(principal: &Principal, by: &Name) -> bool {
    principal.name == *by || (principal.role >= Role::Administrator && principal.scope == Scope::All)
}

fn within(scope: &Scope, target: &Device) -> bool {
    match scope {
        Scope::All => true,
        Scope::Links(links) => target.place.as_ref().is_some_and(|place| links.contains(&place.link)),
        Scope::Devices(ids) => ids.contains(&target.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::*;

    fn device(link: &str, id: &str) -> Device {
        let place = device::Place { link: Name::new(link).unwrap(), address: Address::new("1").unwrap() };
        let id = DeviceId::new(id).unwrap();
        Device { place: Some(place), ..Device::new(DeviceNo(0), id, LifeCycle::Managed, &Now::default()) }
    }

    fn principal(role: Role, scope: Scope) -> Principal {
        Principal { name: Name::new("p").unwrap(), role, scope, local: false }
    }

    #[test]
    fn each_role_may_what_the_lower_ones_may_and_no_role_less() {
        let target = device("a", "urn:x");
        for kind in OperationKind::ALL {
            let allowed: Vec<bool> = [Role::Viewer, Role::Operator, Role::Administrator]
                .map(|role| may(&principal(role, Scope::All), *kind, &target))
                .into();
            assert!(allowed.is_sorted(), "{kind}: {allowed:?}");
            assert!(allowed[2], "an administrator may {kind}");
        }
    }

    #[test]
    fn a_viewer_changes_nothing_and_an_operator_admits_nobody() {
        let target = device("a", "urn:x");
        for kind in OperationKind::ALL.iter().filter(|kind| !kind.only_reads()) {
            assert!(!may(&principal(Role::Viewer, Scope::All), *kind, &target), "{kind}");
        }
        for kind in [OperationKind::Accept, OperationKind::Erase, OperationKind::FileGet, OperationKind::Block] {
            assert!(!may(&principal(Role::Operator, Scope::All), kind, &target), "{kind}");
        }
        assert!(may(&principal(Role::Operator, Scope::All), OperationKind::Write, &target));
    }

    #[test]
    fn a_scope_ends_where_it_says() {
        let target = device("a", "urn:x");
        let on = |scope| may(&principal(Role::Administrator, scope), OperationKind::Read, &target);
        assert!(on(Scope::Links(vec![Name::new("a").unwrap()])));
        assert!(!on(Scope::Links(vec![Name::new("b").unwrap()])));
        assert!(on(Scope::Devices(vec![target.id.clone()])));
        assert!(!on(Scope::Devices(Vec::new())));
    }

    #[test]
    fn only_an_administrator_registers_and_only_within_its_links() {
        let (all, link) = (Scope::All, Name::new("a").unwrap());
        let links = || Scope::Links(vec![Name::new("a").unwrap()]);
        assert!(may_register(&principal(Role::Administrator, all.clone()), None));
        assert!(!may_register(&principal(Role::Operator, all), Some(&link)));
        assert!(may_register(&principal(Role::Administrator, links()), Some(&link)));
        assert!(!may_register(&principal(Role::Administrator, links()), Some(&Name::new("b").unwrap())));
        assert!(!may_register(&principal(Role::Administrator, links()), None));
        assert!(!may_register(&principal(Role::Administrator, Scope::Devices(Vec::new())), None));
    }

    #[test]
    fn the_settings_are_changed_only_by_who_may_all() {
        assert!(may_configure(&principal(Role::Administrator, Scope::All)));
        assert!(!may_configure(&principal(Role::Operator, Scope::All)));
        assert!(!may_configure(&principal(Role::Administrator, Scope::Links(Vec::new()))));
    }

    #[test]
    fn a_command_is_recalled_by_who_asked_it_or_who_may_all() {
        let (me, other) = (Name::new("p").unwrap(), Name::new("q").unwrap());
        assert!(may_recall(&principal(Role::Viewer, Scope::Devices(Vec::new())), &me));
        assert!(may_recall(&principal(Role::Administrator, Scope::All), &other));
        assert!(!may_recall(&principal(Role::Operator, Scope::All), &other));
        assert!(!may_recall(&principal(Role::Administrator, Scope::Links(Vec::new())), &other));
    }
}
