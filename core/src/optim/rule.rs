//! How an optimiser treats one parameter.

/// How a parameter is updated in a step. Callers choose it by the parameter's official name and its
/// rank: layer-wise learning rates, frozen stages and groups without weight decay are all rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Learning rate.
    pub lr: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether the parameter and its moments stay as they are.
    pub frozen: bool,
}

impl Rule {
    /// The two groups of the official code: vectors (biases and norms) are not decayed; everything
    /// else is, the tokens and the position embeddings included.
    pub fn by_rank(lr: f64, weight_decay: f64, rank: usize) -> Self {
        Self {
            lr,
            weight_decay: if rank > 1 { weight_decay } else { 0.0 },
            frozen: false,
        }
    }
}
