//! Colors of numbers and of kinds, as the worker sent them.

use std::cell::RefCell;

use ibot_web::protocol::Colorings;

thread_local! {
    static COLORS: RefCell<Colorings> = RefCell::default();
}

/// Takes the colors to paint with from now on.
pub fn take(colors: Colorings) {
    COLORS.set(colors);
}

/// The color at `position`, 0 to 1, of a scale; the first scale if there is none of this name.
pub fn scale(name: &str, position: f32) -> [u8; 3] {
    COLORS.with_borrow(|colors| {
        let scale = colors
            .scales
            .iter()
            .find(|(known, _)| known == name)
            .or(colors.scales.first());
        let table = scale.map_or(&[][..], |(_, table)| table.0.as_chunks::<3>().0);
        // What is not a number counts as 0.
        let step = (position.clamp(0.0, 1.0) * table.len().saturating_sub(1) as f32) as usize;
        table.get(step).copied().unwrap_or_default()
    })
}

/// The color of kind `index`; after the last one they repeat.
pub fn kind(index: usize) -> [u8; 3] {
    COLORS.with_borrow(|colors| {
        let table = colors.kinds.0.as_chunks::<3>().0;
        table
            .get(index % table.len().max(1))
            .copied()
            .unwrap_or_default()
    })
}

/// A color as CSS writes it.
pub fn css([r, g, b]: [u8; 3]) -> String {
    format!("rgb({r}, {g}, {b})")
}
