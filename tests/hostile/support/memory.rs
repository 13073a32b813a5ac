//! How much memory a piece of code takes at most: an allocator that counts, for each thread.
#![expect(unsafe_code, reason = "an allocator cannot be counted otherwise")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(change: impl Fn(usize) -> usize) {
    // Without thread locals, while a thread ends, nothing is measured.
    let _ = LIVE.try_with(|live| {
        live.set(change(live.get()));
        PEAK.try_with(|peak| peak.set(peak.get().max(live.get())))
    });
}

// SAFETY: every call goes to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|live| live.wrapping_add(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(|live| live.wrapping_sub(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Counted as if the old block lived until the new one is filled, as it may.
        count(|live| live.wrapping_add(size));
        count(|live| live.wrapping_sub(layout.size()));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What `f` gives, and the most memory that this thread had allocated meanwhile, beyond what it had
/// before.
pub fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = f();
    (result, PEAK.get() - before)
}
