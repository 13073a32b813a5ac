//! What an annotation leaves out, as a person reads it.

/// Problems that are printed one by one.
const PRINTED: usize = 5;

/// Prints the first of `problems`, and how many more there are.
pub fn warn_of(problems: &[String]) {
    for problem in problems.iter().take(PRINTED) {
        eprintln!("warning: {problem}");
    }
    let more = problems.len().saturating_sub(PRINTED);
    if more > 0 {
        eprintln!("warning: and {more} more problems like these");
    }
}
