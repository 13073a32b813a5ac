//! Images that belong together because pairs of them are alike.

/// Two images that are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlikePair {
    /// The image with the lower number.
    pub first: usize,
    /// The other one.
    pub second: usize,
    /// The cosine of their features.
    pub cosine: f32,
}

/// Images that chains of `pairs` lead between, and the pairs among them; the group with the most
/// similar pair first. Every image is below `count`.
pub fn groups(count: usize, pairs: &[AlikePair]) -> Vec<(Vec<usize>, Vec<AlikePair>)> {
    let mut parents: Vec<usize> = (0..count).collect();
    for pair in pairs {
        let (a, b) = (
            root(&mut parents, pair.first),
            root(&mut parents, pair.second),
        );
        // The lowest number stands for the group.
        parents[a.max(b)] = a.min(b);
    }

    let mut sorted = pairs.to_vec();
    // The most similar pair of a group opens it, which puts the groups in order.
    sorted.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
    let mut places = vec![None; count];
    let mut groups: Vec<(Vec<usize>, Vec<AlikePair>)> = Vec::new();
    for pair in sorted {
        let group = root(&mut parents, pair.first);
        let place = *places[group].get_or_insert(groups.len());
        if place == groups.len() {
            groups.push((Vec::new(), Vec::new()));
        }
        groups[place].1.push(pair);
    }
    for image in 0..count {
        if let Some(place) = places[root(&mut parents, image)] {
            groups[place].0.push(image);
        }
    }
    groups
}

/// The image that stands for the group of `image`.
fn root(parents: &mut [usize], mut image: usize) -> usize {
    while parents[image] != image {
        // Each step halves the way for the next search.
        parents[image] = parents[parents[image]];
        image = parents[image];
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn chains_of_pairs_are_groups() {
        let pair = |first, second, cosine| AlikePair {
            first,
            second,
            cosine,
        };
        let pairs = [
            pair(4, 6, 0.91),
            pair(0, 5, 0.95),
            pair(1, 6, 0.99),
            pair(0, 2, 0.97),
        ];
        let groups = groups(8, &pairs);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0], (vec![1, 4, 6], vec![pairs[2], pairs[0]]));
        assert_eq!(groups[1], (vec![0, 2, 5], vec![pairs[3], pairs[1]]));
    }
}
