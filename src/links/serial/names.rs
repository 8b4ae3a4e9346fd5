//! Names that stay with an adapter, or with the socket it is plugged into: those of udev, and where there is no udev those
//! that it would give (`60-serial.rules`, and its `usb_id` and `path_id`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Roots;
use super::found::{Found, Names, Step, Usb};

const MOST_LINKS: usize = 4_096;
/// Signs that udev leaves in a name, beside letters and digits.
const LEFT: &str = "#+-.:=@_";

/// As udev would name it.
pub(super) fn of(steps: &[Step], usb: Option<&Usb>) -> Names {
    let port = steps.iter().find(|step| step.is("usb-serial")).and_then(|step| step.says("port_number"));
    let port = port.map(|port| format!("-port{}", clean(&port))).unwrap_or_default();
    let by_id = usb.and_then(|usb| Some(format!("{}-if{}{port}", id(usb), clean(usb.interface.as_deref()?))));
    let by_path = usb.and(path(steps)).map(|path| format!("{path}{port}"));
    Names { by_id, by_path }
}

/// usb-FTDI_FT232R_USB_UART_A50285BI
fn id(usb: &Usb) -> String {
    let named = |text: &Option<String>, number: &str| match text.as_deref().map(clean) {
        Some(name) if !name.is_empty() => name,
        _ => number.to_owned(),
    };
    let (vendor, model) = (named(&usb.maker, &usb.vendor), named(&usb.model, &usb.product));
    match usb.serial.as_deref().filter(|serial| is_usable(serial)).map(clean) {
        Some(serial) if !serial.is_empty() => format!("usb-{vendor}_{model}_{serial}"),
        _ => format!("usb-{vendor}_{model}"),
    }
}

/// A serial number with other signs in it counts as none.
fn is_usable(serial: &str) -> bool {
    serial.bytes().all(|b| (0x20..0x80).contains(&b) && b != b',')
}

/// White space in a row becomes one `_`, and so does each sign that a shell could stumble over.
fn clean(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let kept = |c: char| c.is_ascii_alphanumeric() || LEFT.contains(c) || (!c.is_ascii() && c != '\u{fffd}');
    words.join("_").chars().map(|c| if kept(c) { c } else { '_' }).collect()
}

/// pci-0000:00:14.0-usb-0:1.2:1.0: each bus on the way, the nearest to the root first.
fn path(steps: &[Step]) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut above = "";
    for step in steps {
        let subsystem = step.subsystem.as_deref().unwrap_or_default();
        let part = match subsystem {
            // Of several of one bus in a row the nearest to the port says it all.
            _ if subsystem == above && !above.is_empty() => None,
            "usb" => step.name().split_once('-').map(|(_, port)| format!("usb-0:{port}")),
            "pci" | "platform" => Some(format!("{subsystem}-{}", step.name())),
            _ => None,
        };
        if part.is_some() {
            above = subsystem;
        }
        parts.extend(part);
    }
    parts.reverse();
    // Without the bus that the controller hangs on it is no place.
    parts.first().is_some_and(|first| !first.starts_with("usb-")).then(|| parts.join("-"))
}

/// The links of udev where there are any; else what they would be, where no two ports would have the same.
pub(super) fn give(found: &mut [Found], roots: &Roots) {
    let by_id = Given::look("by-id", roots, found, |names| names.by_id.as_ref());
    let by_path = Given::look("by-path", roots, found, |names| names.by_path.as_ref());
    for port in found {
        let by_id = by_id.name(port, port.would_be.by_id.as_ref());
        let by_path = by_path.name(port, port.would_be.by_path.as_ref());
        port.names = Names { by_id, by_path };
    }
}

/// The names of one folder below `/dev/serial`.
struct Given {
    folder: &'static str,
    /// By what they lead to. None: there is no such folder.
    links: Option<BTreeMap<PathBuf, String>>,
    /// How many ports would have a name.
    would_be: BTreeMap<String, usize>,
}

impl Given {
    fn look(folder: &'static str, roots: &Roots, found: &[Found], of: fn(&Names) -> Option<&String>) -> Given {
        let mut would_be = BTreeMap::new();
        for name in found.iter().filter_map(|port| of(&port.would_be)) {
            *would_be.entry(name.clone()).or_default() += 1;
        }
        Given { folder, links: links(&roots.dev.join("serial").join(folder)), would_be }
    }

    fn name(&self, port: &Found, would_be: Option<&String>) -> Option<String> {
        let name = match &self.links {
            Some(links) => fs::canonicalize(&port.node).ok().and_then(|node| links.get(&node)),
            None => would_be.filter(|name| self.would_be.get(*name) == Some(&1)),
        };
        name.map(|name| format!("/dev/serial/{}/{name}", self.folder))
    }
}

fn links(folder: &Path) -> Option<BTreeMap<PathBuf, String>> {
    let entries = fs::read_dir(folder).ok()?.take(MOST_LINKS).filter_map(Result::ok);
    let leads =
        entries.filter_map(|link| Some((fs::canonicalize(link.path()).ok()?, link.file_name().into_string().ok()?)));
    Some(leads.filter(|(_, name)| !name.chars().any(char::is_control)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(folder: &str, subsystem: &str) -> Step {
        let subsystem = (!subsystem.is_empty()).then(|| subsystem.to_owned());
        Step { folder: folder.into(), subsystem }
    }

    #[test]
    fn an_adapter_is_named_as_udev_names_it() {
        let of = |maker: &str, model: &str, serial: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let (vendor, product) = ("1a86".to_owned(), "7523".to_owned());
            id(&Usb { vendor, product, maker: some(maker), model: some(model), serial: some(serial), interface: None })
        };
        // Names that udev gave on real machines.
        assert_eq!(of("FTDI", "FT232R USB UART", "A50285BI"), "usb-FTDI_FT232R_USB_UART_A50285BI");
        assert_eq!(of("", "USB Serial", ""), "usb-1a86_USB_Serial");
        assert_eq!(
            of("Prolific Technology Inc.", "USB-Serial Controller D", ""),
            "usb-Prolific_Technology_Inc._USB-Serial_Controller_D"
        );
        assert_eq!(of("QEMU", "QEMU USB SERIAL", "TB0001"), "usb-QEMU_QEMU_USB_SERIAL_TB0001");
        assert_eq!(of("a/b $(x)", "../c", "1,2"), "usb-a_b___x__.._c");
    }

    #[test]
    fn a_socket_is_named_by_the_buses_on_the_way() {
        let on_a_board = [
            step("/d/0/usb1/1-1/1-1.2/1-1.2:1.0/ttyUSB0", "usb-serial"),
            step("/d/0/usb1/1-1/1-1.2/1-1.2:1.0", "usb"),
            step("/d/0/usb1/1-1/1-1.2", "usb"),
            step("/d/0/usb1/1-1", "usb"),
            step("/d/0/usb1", "usb"),
            step("/d/3f980000.usb", "platform"),
            step("/d/soc", "platform"),
        ];
        assert_eq!(path(&on_a_board).as_deref(), Some("platform-3f980000.usb-usb-0:1.2:1.0"));
        let behind_pci = [
            step("/d/1-2:1.0", "usb"),
            step("/d/usb1", "usb"),
            step("/d/0000:01:00.0", "pci"),
            step("/d/0000:00:00.0", "pci"),
            step("/d/pci0000:00", ""),
            step("/d/fd500000.pcie", "platform"),
        ];
        let wanted = "platform-fd500000.pcie-pci-0000:01:00.0-usb-0:2:1.0";
        assert_eq!(path(&behind_pci).as_deref(), Some(wanted));
        assert_eq!(path(&behind_pci[..2]), None);
    }
}
