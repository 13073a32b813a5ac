//! Exponential moving averages: the teacher of the student, the centers of the teacher's logits.

use burn::tensor::Tensor;

use crate::model::Network;
use crate::optim::change_in_place;
use crate::weights::{flat_parameters, map_named};

/// `teacher = momentum * teacher + (1 - momentum) * student` for every parameter whose official
/// name both have.
pub fn update_teacher(teacher: &mut Network, student: &Network, momentum: f64) {
    let mut student = flat_parameters(student);
    change_in_place(teacher, |teacher| {
        map_named(teacher, |parameter, old| {
            // By name, because only the student has a mask token.
            match student.remove(&parameter.name) {
                Some(new) => moving_average(old, new, momentum),
                None => old,
            }
        })
    });
}

/// `momentum * old + (1 - momentum) * new`.
pub(crate) fn moving_average<const D: usize>(
    old: Tensor<D>,
    new: Tensor<D>,
    momentum: f64,
) -> Tensor<D> {
    old * momentum + new * (1.0 - momentum)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::{small_network, test};
    use crate::weights;

    #[test]
    fn every_shared_parameter_moves_by_the_momentum() {
        let device = Device::flex().autodiff();
        let (first, second) = (small_network(1, &device), small_network(2, &device));
        let mut teacher = first.teacher(true);
        update_teacher(&mut teacher, &second, 0.75);
        let read = |network: &Network| block_on(weights::read(network)).expect("flex reads");
        let (old, student, new) = (read(&first), read(&second), read(&teacher));
        assert!(
            student.contains_key("backbone.masked_embed")
                && !new.contains_key("backbone.masked_embed")
        );
        assert!(new.len() > 20);
        for (name, weight) in &new {
            for (i, value) in weight.values.iter().enumerate() {
                let expected = 0.75 * old[name].values[i] + 0.25 * student[name].values[i];
                assert!((value - expected).abs() < 1e-6, "{name}[{i}]");
            }
        }
    }
}
