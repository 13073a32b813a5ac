//! "did you mean": the known name that is closest to a mistyped one.

/// `; did you mean ...?` for the known name closest to `name`, or nothing if none is close.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // Comparing takes the product of the lengths, and no long text is a typo.
    if name.len() > 64 {
        return String::new();
    }

    let mut best = (0.5, None);
    for key in known {
        let closeness = closeness(name, key);
        if closeness > best.0 {
            best = (closeness, Some(key));
        }
    }
    match best.1 {
        Some(key) => format!("; did you mean `{key}`?"),
        None => String::new(),
    }
}

/// Similarity of two dotted keys, from 0 to 1. The section may be missing or wrong.
fn closeness(name: &str, key: &str) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(name, key);
    let last = strsim::normalized_damerau_levenshtein(last_name(name), last_name(key));
    // At a small price, so that of equally close keys the whole ones come first.
    whole.max(last - 0.01)
}

fn last_name(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
