//! Points: of all devices, of some, and one.

use super::args::PointArgs;
use super::client::{Client, escaped};
use super::device::{self, of_filter, point_row};
use super::pages::{self, after};
use super::status::seconds;
use super::table::{pairs, table, width};
use super::told::word;
use super::watch::{self, How};
use super::{CliError, Exit};
use crate::api::points::{PointOf, PointsShown};
use crate::model::PointPath;
use crate::nearest::nearest;

pub async fn list(client: &Client, args: &PointArgs, json: bool) -> Result<Exit, CliError> {
    let of = args.of.as_deref().map(of_filter).transpose()?.unwrap_or_default();
    let point = args.point.as_ref().map(|glob| format!("&point={}", escaped(glob))).unwrap_or_default();
    let look = async || all(client, &format!("{of}{point}")).await;
    watch::show(How { json, watch: args.watch }, look, |found| told(found, width())).await
}

async fn all(client: &Client, only: &str) -> Result<PointsShown, CliError> {
    let uri = format!("/v1/points?{}", only.trim_start_matches('&')).trim_end_matches('?').to_owned();
    let points = pages::all(client, "points", &uri, |page: PointsShown| (page.points, after(page.after))).await?;
    Ok(PointsShown { points, after: None })
}

fn told(found: &PointsShown, width: usize) -> String {
    if found.points.is_empty() {
        return "no point is so; dmgw device list shows which devices there are".into();
    }
    let row = |of: &PointOf| {
        let device = of.name.as_ref().map_or_else(|| of.device.to_string(), ToString::to_string);
        [vec![device], point_row(&of.point)].concat()
    };
    let rows: Vec<Vec<String>> = found.points.iter().map(row).collect();
    table(&["DEVICE", "POINT", "VALUE", "UNIT", "QUALITY", "AGE", "ACCESS"], &rows, width)
}

pub async fn show(client: &Client, device: &str, point: &str, how: How) -> Result<Exit, CliError> {
    let path: PointPath = point.parse().map_err(|error: crate::model::point::BadPath| CliError::Usage {
        says: error.to_string(),
        hint: format!("dmgw device show {device} shows its points"),
    })?;
    watch::show(how, async || one(client, device, &path).await, |point| page(point, width())).await
}

async fn one(client: &Client, asked: &str, path: &PointPath) -> Result<PointOf, CliError> {
    let device = device::one(client, asked).await?;
    let points = device.detail.map(|detail| detail.points).unwrap_or_default();
    let near = nearest(
        &path.to_string(),
        points.iter().map(|point| point.point.to_string()).collect::<Vec<_>>().iter().map(String::as_str),
    )
    .map(str::to_owned);
    let found = points.into_iter().find(|point| point.point == *path);
    let point = found.ok_or_else(|| CliError::NotFound {
        says: format!("{} has no point {path}", device.id),
        hint: near.map_or_else(
            || format!("dmgw device show {asked} shows its points"),
            |near| format!("did you mean {near}?"),
        ),
    })?;
    Ok(PointOf { device: device.id, name: device.name, point })
}

fn page(of: &PointOf, width: usize) -> String {
    let point = &of.point;
    let row = point_row(point);
    let at = |column: usize| row.get(column).cloned().unwrap_or_default();
    let limits = point.limits.as_ref().map(|limits| serde_json::to_string(limits).unwrap_or_default());
    let rows = [
        ("device", of.device.to_string()),
        ("name", of.name.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("point", at(0)),
        ("value", format!("{} {}", at(1), at(2)).trim_end().to_owned()),
        ("quality", at(3)),
        ("age", point.age.map(seconds).unwrap_or_default()),
        ("kind", word(&point.kind)),
        ("access", at(5)),
        ("limits", limits.unwrap_or_default()),
    ];
    let rows: Vec<(&str, String)> = rows.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    pairs(&rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_many_devices_stand_in_one_table() {
        let found: PointsShown = serde_json::from_value(serde_json::json!({ "points": [
            { "device": "urn:a", "name": "hall", "point": "power.0.active", "kind": "float", "unit": "W", "access": "read",
              "value": 5.5, "quality": "good", "age": 2.0 },
            { "device": "urn:b", "point": "relay.0.on", "kind": "bool", "access": "read-write" },
        ] }))
        .unwrap();
        let told = told(&found, 80);
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[1].starts_with("hall    power.0.active  5.5") && lines[1].contains("good"), "{told}");
        assert!(lines[2].starts_with("urn:b   relay.0.on      -"), "{told}");
        assert!(page(&found.points[0], 80).contains("value    5.5 W"), "{}", page(&found.points[0], 80));
    }
}
