//! A picture of a terminal, drawn from what tmux captured: lines of text with their colours, as SVG.

use std::fmt::Write;

const LETTER: f32 = 8.4;
const LINE: f32 = 18.0;

/// Bright enough on dark ground.
fn colour(code: &str) -> &'static str {
    match code {
        "31" => "#ff7b72",
        "32" => "#7ee787",
        "33" => "#e3b341",
        _ => "#d6deeb",
    }
}

pub fn svg(screen: &str, columns: usize) -> String {
    let lines: Vec<&str> = screen.lines().collect();
    let (width, height) = ((columns + 4) as f32 * LETTER, (lines.len() + 2) as f32 * LINE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-size=\"14\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    let mut ink = colour("");
    for (no, line) in lines.iter().enumerate() {
        let (mut column, y) = (0, (no as f32 + 1.7) * LINE);
        for (part, text) in line.split('\u{1b}').enumerate() {
            let (code, text) = if part == 0 { ("", text) } else { text.split_once('m').unwrap_or(("", text)) };
            if part > 0 {
                ink = colour(code.trim_start_matches('['));
            }
            let x = (column as f32 + 2.0) * LETTER;
            let wide = text.chars().count();
            if !text.trim().is_empty() {
                let shown = text.replace('&', "&amp;").replace('<', "&lt;");
                let long = wide as f32 * LETTER;
                let _ = writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{ink}\" textLength=\"{long:.1}\" xml:space=\"preserve\">{shown}</text>"
                );
            }
            column += wide;
        }
    }
    svg + "</svg>\n"
}
