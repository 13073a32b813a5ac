//! The memory allocator of the command.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};
use mimalloc::MiMalloc;

// A training step on the CPU allocates and frees many large tensors. The system's allocator returns
// each to the kernel, which then clears new pages for the next.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

// mimalloc's `mi_option_purge_delay`, for which its bindings have no name: milliseconds after which
// freed pages go back to the kernel, -1 for never.
const PURGE_DELAY: mi_option_t = 15;

/// Keeps freed pages. Call before starting threads.
#[expect(unsafe_code, reason = "mimalloc's options are set by a C function")]
pub fn keep_pages() {
    // The next step needs as many pages, and clearing new ones took a tenth of its processor time.
    // `MIMALLOC_PURGE_DELAY` can override this.
    // SAFETY: the function must not run beside itself or other changes of options; only this one
    // thread runs yet.
    unsafe { mi_option_set_default(PURGE_DELAY, -1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "mimalloc's options are read by a C function")]
    fn the_option_is_the_purge_delay() {
        // SAFETY: reading an option has no conditions.
        let value = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
            return;
        }
        // mimalloc's default, which no option beside it has.
        assert_eq!(value(), 1000);
        keep_pages();
        assert_eq!(value(), -1);
    }
}
