//! The nine super-classes of IN-9.

use std::ops::RangeInclusive;

/// Number of super-classes of IN-9.
pub const IN9_CLASSES: usize = 9;

/// The classes of ImageNet of each super-class of IN-9, as ranges with both ends.
const IN9: [&[RangeInclusive<usize>]; IN9_CLASSES] = [
    // Dogs.
    &[151..=170, 173..=268],
    // Birds.
    &[7..=24, 87..=100, 127..=146],
    // Wheeled vehicles.
    &[
        407..=408,
        428..=428,
        436..=436,
        444..=444,
        468..=468,
        511..=511,
        547..=547,
        555..=555,
        561..=561,
        565..=565,
        569..=569,
        573..=573,
        586..=586,
        603..=603,
        609..=609,
        612..=612,
        627..=627,
        656..=656,
        661..=661,
        665..=665,
        670..=671,
        675..=675,
        690..=690,
        705..=705,
        717..=717,
        734..=734,
        751..=751,
        757..=757,
        791..=791,
        802..=803,
        817..=817,
        820..=820,
        829..=829,
        847..=847,
        864..=864,
        866..=867,
        870..=870,
        880..=880,
    ],
    // Reptiles.
    &[33..=68],
    // Carnivores that are no dogs.
    &[269..=280, 286..=299, 356..=362, 387..=388],
    // Insects.
    &[300..=326],
    // Musical instruments.
    &[
        401..=402,
        420..=420,
        432..=432,
        486..=486,
        494..=494,
        513..=513,
        541..=541,
        546..=546,
        558..=558,
        566..=566,
        577..=577,
        579..=579,
        593..=594,
        641..=642,
        683..=684,
        687..=687,
        699..=699,
        776..=776,
        822..=822,
        875..=875,
        881..=881,
        889..=889,
    ],
    // Primates.
    &[365..=384],
    // Fish.
    &[0..=6, 389..=397],
];

/// The super-class of IN-9 of a class of ImageNet; `None` for the 630 classes that have none.
pub fn in9_class(class: usize) -> Option<usize> {
    IN9.iter()
        .position(|ranges| ranges.iter().any(|range| range.contains(&class)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn super_classes_have_their_numbers_of_classes() {
        let mut counts = [0; IN9_CLASSES];
        let mut none = 0;
        for class in 0..1000 {
            match in9_class(class) {
                Some(found) => counts[found] += 1,
                None => none += 1,
            }
        }
        assert_eq!(counts, [116, 52, 42, 36, 35, 27, 26, 20, 16]);
        assert_eq!(none, 630);
        assert_eq!((in9_class(151), in9_class(171)), (Some(0), None));
    }
}
