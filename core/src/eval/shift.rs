//! Natural distribution shifts: images of some of the classes of a classifier, as ImageNet-A and
//! ImageNet-R have them.

use super::judge::Logits;
use crate::learn::most_likely;
use crate::metrics::calibration::Answer;

const IMAGENET_A: [usize; 200] = [
    6, 11, 13, 15, 17, 22, 23, 27, 30, 37, 39, 42, 47, 50, 57, 70, 71, 76, 79, 89, 90, 94, 96, 97,
    99, 105, 107, 108, 110, 113, 124, 125, 130, 132, 143, 144, 150, 151, 207, 234, 235, 254, 277,
    283, 287, 291, 295, 298, 301, 306, 307, 308, 309, 310, 311, 313, 314, 315, 317, 319, 323, 324,
    326, 327, 330, 334, 335, 336, 347, 361, 363, 372, 378, 386, 397, 400, 401, 402, 404, 407, 411,
    416, 417, 420, 425, 428, 430, 437, 438, 445, 456, 457, 461, 462, 470, 472, 483, 486, 488, 492,
    496, 514, 516, 528, 530, 539, 542, 543, 549, 552, 557, 561, 562, 569, 572, 573, 575, 579, 589,
    606, 607, 609, 614, 626, 627, 640, 641, 642, 643, 658, 668, 677, 682, 684, 687, 701, 704, 719,
    736, 746, 749, 752, 758, 763, 765, 768, 773, 774, 776, 779, 780, 786, 792, 797, 802, 803, 804,
    813, 815, 820, 823, 831, 833, 835, 839, 845, 847, 850, 859, 862, 870, 879, 880, 888, 890, 897,
    900, 907, 913, 924, 932, 933, 934, 937, 943, 945, 947, 951, 954, 956, 957, 959, 971, 972, 980,
    981, 984, 986, 987, 988,
];

const IMAGENET_R: [usize; 200] = [
    1, 2, 4, 6, 8, 9, 11, 13, 22, 23, 26, 29, 31, 39, 47, 63, 71, 76, 79, 84, 90, 94, 96, 97, 99,
    100, 105, 107, 113, 122, 125, 130, 132, 144, 145, 147, 148, 150, 151, 155, 160, 161, 162, 163,
    171, 172, 178, 187, 195, 199, 203, 207, 208, 219, 231, 232, 234, 235, 242, 245, 247, 250, 251,
    254, 259, 260, 263, 265, 267, 269, 276, 277, 281, 288, 289, 291, 292, 293, 296, 299, 301, 308,
    309, 310, 311, 314, 315, 319, 323, 327, 330, 334, 335, 337, 338, 340, 341, 344, 347, 353, 355,
    361, 362, 365, 366, 367, 368, 372, 388, 390, 393, 397, 401, 407, 413, 414, 425, 428, 430, 435,
    437, 441, 447, 448, 457, 462, 463, 469, 470, 471, 472, 476, 483, 487, 515, 546, 555, 558, 570,
    579, 583, 587, 593, 594, 596, 609, 613, 617, 621, 629, 637, 657, 658, 701, 717, 724, 763, 768,
    774, 776, 779, 780, 787, 805, 812, 815, 820, 824, 833, 847, 852, 866, 875, 883, 889, 895, 907,
    928, 931, 932, 933, 934, 936, 937, 943, 945, 947, 948, 949, 951, 953, 954, 957, 963, 965, 967,
    980, 981, 983, 988,
];

/// A set of images of some of ImageNet's classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageNetSubset {
    /// ImageNet-A: photographs that mislead classifiers (arXiv 1907.07174).
    A,
    /// ImageNet-R: renditions, such as paintings and toys (arXiv 2006.16241).
    R,
}

impl ImageNetSubset {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::A, Self::R];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "ImageNet-A",
            Self::R => "ImageNet-R",
        }
    }

    /// Its 200 classes, as places among those of ImageNet, ascending.
    pub fn places(self) -> &'static [usize] {
        match self {
            Self::A => &IMAGENET_A,
            Self::R => &IMAGENET_R,
        }
    }
}

/// The answers of a classifier to images, each of which has one of the classes `places`, `labels`
/// being indices into these. The classifier chooses among these classes, and its confidence is the
/// softmax over them.
pub fn answers(logits: &Logits, places: &[usize], labels: &[usize]) -> Vec<Answer> {
    let among = logits.among(places);
    let mut answers = Vec::with_capacity(labels.len());
    for (row, label) in among.rows().zip(labels) {
        let found = most_likely(row);
        let largest = f64::from(row.get(found).copied().unwrap_or_default());
        let sum: f64 = row.iter().map(|v| (f64::from(*v) - largest).exp()).sum();
        answers.push(Answer {
            confidence: 1.0 / sum.max(1.0),
            is_right: found == *label,
        });
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn subsets_are_two_hundred_ascending_classes() {
        for (subset, sum) in ImageNetSubset::ALL.into_iter().zip([102_178, 86_135]) {
            let places = subset.places();
            assert_eq!(places.len(), 200);
            assert!(places.is_sorted_by(|a, b| a < b) && places[199] < 1000);
            assert_eq!(places.iter().sum::<usize>(), sum, "{}", subset.name());
        }
    }

    #[test]
    fn an_answer_is_among_the_classes_that_occur() {
        // Class 0 is the likeliest, but no image has it.
        let logits = Logits::new(4, vec![9.0, 1.0, 2.0, 0.0, 9.0, 1.0, 0.0, 1.0]);
        let answers = answers(&logits, &[1, 2, 3], &[1, 2]);
        let sum = 1.0 + (-1.0_f64).exp() + (-2.0_f64).exp();
        assert!(answers[0].is_right && (answers[0].confidence - 1.0 / sum).abs() < 1e-12);
        // Of equal ones the first.
        assert!(!answers[1].is_right);
    }
}
