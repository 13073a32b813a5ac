//! The first few of many names, for messages.

const SHOWN: usize = 3;

/// The first names, with `...` where there are more.
pub fn examples<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}
