//! Secrets that were planted in every place of a route, and looked for in all that it shows.

use std::path::{Path, PathBuf};

use tempfile::tempdir;

use crate::authority::{Authority, NAME};
use crate::{refused, route, stranger};

const PLANTED: &str = "hunter2-planted";
/// "plant-7:hunter2-planted", as a proxy is told it.
const IN_BASE64: &str = "cGxhbnQtNzpodW50ZXIyLXBsYW50ZWQ=";

fn file(folder: &Path, name: &str, holds: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, holds).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

#[tokio::test]
async fn nothing_that_a_route_shows_has_a_secret_in_it() {
    let folder = tempdir().unwrap();
    let password = file(folder.path(), "password", PLANTED);
    let pair = Authority::new(folder.path(), "ours").signs(folder.path(), "own", NAME);
    // Somebody took the password for the key.
    let settings = |at: &str, proxy: &str, key: &Path| {
        format!(
            "url = \"{at}\"\nuser = \"plant-7\"\npassword = {{ file = {password:?} }}\n\
             proxy = {{ url = \"http://{proxy}\", user = \"plant-7\", password = {{ file = {password:?} }} }}\n\
             [tls]\nca = {:?}\ncertificate = {:?}\nkey = {{ file = {key:?} }}\n",
            folder.path().join("ours.pem"),
            pair.certificate,
        )
    };
    let (known, asked) = stranger::proxy(Some(IN_BASE64));
    let (wants, _) = stranger::proxy(Some("another"));
    // What it says back is what it was told.
    let echoes = stranger::says(
        b"HTTP/1.1 302 x\r\nLocation: http://p/?cGxhbnQtNzpodW50ZXIyLXBsYW50ZWQ=#hunter2-planted\r\n\r\n",
    );
    let mut shown = Vec::new();
    for proxy in [known, wants, echoes, stranger::silent()] {
        for key in [&pair.key, &password] {
            let text = format!("step = \"200ms\"\n{}", settings("mqtts://127.0.0.1:1", &proxy.to_string(), key));
            let why = refused(&text).await;
            shown.extend([why.to_string(), format!("{why:?}"), format!("{:?}", route(&text))]);
        }
    }
    let text = settings("mqtts://127.0.0.1:1", &known.to_string(), &pair.key);
    assert_eq!(route(&text).known().unwrap().unwrap().password.unwrap().reveal(), PLANTED, "it was planted");
    assert!(asked.lock().unwrap().iter().any(|head| head.contains(IN_BASE64)), "it was said to whoever may hear it");
    assert!(shown.iter().any(|shown| shown.contains("no private key")), "{shown:?}");
    let key = std::fs::read_to_string(&pair.key).unwrap();
    let key = key.lines().nth(1).unwrap();
    for secret in [PLANTED, IN_BASE64, key] {
        assert!(!shown.iter().any(|shown| shown.contains(secret)), "{secret}: {shown:?}");
    }
}
