//! The teacher as the moving average of the student.

use crate::model::Network;
use crate::pretrain::loss::ema;
use crate::weights::{flat_parameters, map_named};

/// `teacher = momentum * teacher + (1 - momentum) * student` for every parameter whose official
/// name both have.
pub fn update_teacher(teacher: Network, student: &Network, momentum: f64) -> Network {
    let mut student = flat_parameters(student);
    map_named(teacher, |parameter, old| {
        match student.remove(&parameter.name) {
            Some(new) => ema(old, new, momentum),
            None => old,
        }
    })
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
        let teacher = update_teacher(first.teacher(true), &second, 0.75);
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
