//! What lies on the disk: keys of a former version, and keys of the seal that are not the right ones.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::Value;

use super::support::planted::{self, Search};
use super::support::{Gateway, Plant, eventually, told};
use super::{attach, device, gateway, is_up, plant, register};

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("keys");
const META: TableDefinition<&[u8], &[u8]> = TableDefinition::new("meta");

fn join(gateway: &mut Gateway, plant: &Plant, name: &str, key: &str) {
    gateway.start();
    gateway.post("/v1/ask", &register(name, key)).ok();
    gateway.kill();
    attach(gateway, plant);
    gateway.start();
    is_up(gateway, name);
}

/// As a version before sealing left them.
fn put_in_clear(store: &Path, key: &str) {
    let with_checksum = |row: &[u8], payload: &[u8]| {
        let crc = crc32c::crc32c_append(crc32c::crc32c(row), payload);
        [payload, &crc.to_le_bytes()].concat()
    };
    let db = redb::Database::open(store).unwrap();
    let rows = db.begin_read().unwrap().open_table(ROWS).unwrap();
    let rows: Vec<Vec<u8>> = rows.iter().unwrap().map(|row| row.unwrap().0.value().to_vec()).collect();
    assert_eq!(rows.len(), 1);
    let txn = db.begin_write().unwrap();
    for row in rows {
        let in_clear = with_checksum(&row, key.as_bytes());
        txn.open_table(ROWS).unwrap().insert(&row[..], &in_clear[..]).unwrap();
    }
    let name = &b"format.keys"[..];
    txn.open_table(META).unwrap().insert(name, &with_checksum(name, &[1])[..]).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_key_that_was_kept_in_clear_is_found_before_and_not_after_the_next_start_and_still_counts() {
    let key = planted::text();
    let plant = plant(&[device("one", "one", &key)]);
    let mut gateway = gateway();
    join(&mut gateway, &plant, "one", &key);
    gateway.terminate();
    let folder = gateway.folder.path().to_owned();
    let mut search = Search::default();
    search.add("key", key.as_bytes());
    assert_eq!(search.under(&folder), []);
    put_in_clear(&folder.join("state.redb"), &key);
    assert_eq!(search.under(&folder).len(), 1, "the search finds what is there");
    gateway.start();
    assert_eq!(search.under(&folder), []);
    is_up(&gateway, "one");
    gateway.kill();
    assert_eq!(search.under(&folder), []);
}

#[test]
fn another_key_of_the_seal_costs_the_secrets_and_nothing_else_and_the_right_one_brings_them_back() {
    let key = planted::text();
    let plant = plant(&[device("one", "one", &key)]);
    let mut gateway = gateway();
    join(&mut gateway, &plant, "one", &key);
    let public = gateway.get("/v1/status").ok()["public_key"].clone();
    assert_eq!(told(&gateway, &["secret", "public"]), (0, format!("{}\n", public.as_str().unwrap())));
    gateway.terminate();
    let (seal, away) = (gateway.folder.path().join("seal.key"), gateway.folder.path().join("away"));
    std::fs::rename(&seal, &away).unwrap();
    let own = std::fs::read(gateway.folder.path().join("gateway.key")).unwrap();

    gateway.start();
    assert_eq!(gateway.get("/v1/status").ok()["public_key"], Value::Null);
    let (code, says) = told(&gateway, &["secret", "public"]);
    assert!(code == 1 && says.contains("could not open its own key"), "{says}");
    assert!(told(&gateway, &["status"]).1.contains("cannot be opened"));
    eventually("nobody is believed", || {
        gateway.get("/v1/attempts").body.to_string().contains("unproven").then_some(())
    });
    for says in ["the gateway has no own key", "move it away and restart", "whoever shows one is not believed"] {
        assert!(gateway.log().contains(says), "{says}: {}", gateway.log());
    }
    gateway.terminate();

    assert_eq!(std::fs::read(gateway.folder.path().join("gateway.key")).unwrap(), own);
    std::fs::rename(&away, &seal).unwrap();
    gateway.start();
    assert_eq!(gateway.get("/v1/status").ok()["public_key"], public);
    is_up(&gateway, "one");
}

#[test]
fn a_key_that_others_may_read_stops_the_start_with_what_to_do() {
    let mut gateway = Gateway::new("");
    gateway.start();
    gateway.terminate();
    let key = gateway.folder.path().join("seal.key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    gateway.launch();
    assert!(!gateway.wait().success());
    assert!(gateway.log().contains(&format!("chmod 600 {}", key.display())), "{}", gateway.log());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    gateway.start();
}
