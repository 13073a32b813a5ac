//! Text in an SVG.

// Of a letter of 11 pixels in most system fonts: an SVG cannot be measured before it is shown.
const LETTER: f64 = 6.2;

pub(super) fn no_data(x: f64, y: f64) -> String {
    format!("<text class=\"quiet\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">no data yet</text>\n")
}

/// An estimate of the width of `text`, in pixels.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

/// At most `most` characters of `text`.
pub(super) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// Escapes text for XML, which cannot hold most control characters at all.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
