//! What devices hold for the server: the images of `tests/modbus/images`, as lines of its own.

use serde_json::Value;

use super::super::Gateway;
use super::folder;

/// The registers of the image `name` for a unit.
pub fn of(unit: u8, name: &str) -> String {
    let text = std::fs::read_to_string(folder().join(format!("images/{name}.toml"))).unwrap();
    let image: toml::Table = text.parse().unwrap();
    let mut lines = String::new();
    for table in ["coil", "discrete", "input", "holding"] {
        let rows = image.get(table).and_then(toml::Value::as_table).into_iter().flatten();
        for (at, values) in rows {
            let values = match values {
                toml::Value::Array(values) => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                bit => u8::from(bit.as_bool().unwrap()).to_string(),
            };
            lines += &format!("{unit} {table} {at} {values}\n");
        }
    }
    lines
}

/// Unit 3 is an SDM120, unit 5 an iEM3155 that tells more of itself than goes into one answer, of unit 9 nobody knows
/// what it is.
pub fn plant() -> String {
    let long = "x".repeat(200);
    let model = words("iEM3155", 20);
    [
        of(3, "eastron-sdm120"),
        "3 holding 0xFC00 0x0012 0xD687\n3 holding 0xFC02 0x0020\n3 holding 0xFC03 0x0119\n".into(),
        of(5, "schneider-iem3155"),
        format!("5 holding 49 {model}\n5 holding 129 0x0001 0xE240\n"),
        "5 identity 0 Schneider Electric\n5 identity 1 METSEIEM3155\n5 identity 2 V1.2\n".into(),
        format!("5 identity 4 iEM3155\n5 identity 0x80 {long}\n5 identity 0x81 {long}\n"),
        "9 input 0 7\n9 holding 0 7\n".into(),
    ]
    .concat()
}

/// A text as registers hold it.
fn words(text: &str, registers: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(2 * registers, 0);
    let words = bytes.chunks(2).map(|two| format!("{}", u16::from_be_bytes([two[0], two[1]])));
    words.collect::<Vec<_>>().join(" ")
}

/// The folder of the profiles that are shipped.
pub fn shipped() -> String {
    folder().join("../../config/profiles").display().to_string()
}

/// A gateway with these settings, and the profiles that are shipped.
pub fn started(settings: &str) -> Gateway {
    let mut gateway = Gateway::new(&format!("[clock]\ntrust = \"always\"\n{settings}"));
    gateway.start_with_env(&[("DMGW_PROFILES", &shipped())]);
    gateway
}

/// What was read last.
pub fn value(gateway: &Gateway, device: &str, path: &str) -> Value {
    let shown = gateway.get(&format!("/v1/devices/{device}")).body;
    let points = shown["detail"]["points"].as_array().cloned().unwrap_or_default();
    points.into_iter().find(|point| point["point"] == path).map_or(Value::Null, |point| point["value"].clone())
}
