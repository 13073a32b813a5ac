//! The order of paths that a person expects.

use std::cmp::Ordering;

/// Orders paths as a person would: folder by folder, `2.jpg` before `10.jpg`.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let mut others = b.split('/');
    for part in a.split('/') {
        let Some(other) = others.next() else {
            return Ordering::Greater;
        };

        // Ties such as `1` and `01` are decided folder by folder: otherwise the images of a folder
        // would not stay together.
        let order =
            natural_part_order(part.as_bytes(), other.as_bytes()).then_with(|| part.cmp(other));
        if order.is_ne() {
            return order;
        }
    }
    if others.next().is_some() {
        Ordering::Less
    } else {
        Ordering::Equal
    }
}

fn natural_part_order(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while let (Some(&first), Some(&other)) = (a.first(), b.first()) {
        if first.is_ascii_digit() && other.is_ascii_digit() {
            let (number, after) = split_number(a);
            let (other_number, other_after) = split_number(b);

            // Without leading zeros a longer number is a larger one, whatever its length.
            let order = number
                .len()
                .cmp(&other_number.len())
                .then_with(|| number.cmp(other_number));
            if order.is_ne() {
                return order;
            }
            (a, b) = (after, other_after);
        } else if first != other {
            return first.cmp(&other);
        } else {
            (a, b) = (&a[1..], &b[1..]);
        }
    }
    a.len().cmp(&b.len())
}

/// The leading digits without leading zeros, and what follows.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    let start = digits
        .iter()
        .position(|&digit| digit != b'0')
        .unwrap_or(digits.len());
    (&digits[start..], after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_ordered_as_a_person_would() {
        let expected = [
            "1.jpg",
            "2.jpg",
            "10.jpg",
            "a/1.jpg",
            "a/b/1.jpg",
            "a-b/1.jpg",
            "a01/3.jpg",
            "a1/1.jpg",
            "a1/9.jpg",
            "b",
            "b2",
            "b02x",
            "c/99999999999999999999999",
            "c/100000000000000000000000",
        ];
        let mut sorted = expected;
        sorted.reverse();
        sorted.sort_by(|a, b| natural_order(a, b));
        assert_eq!(sorted, expected);
        for a in expected {
            for b in expected {
                assert_eq!(
                    natural_order(a, b),
                    natural_order(b, a).reverse(),
                    "{a} and {b}"
                );
                assert_eq!(natural_order(a, b).is_eq(), a == b);
            }
        }
    }
}
