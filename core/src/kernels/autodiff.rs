//! The kernels under autodiff: the tensors that each keeps of its forward pass, and its gradient.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Shape;

use super::extension::Kernels;
use super::numeric::{changed, columns, contiguous, new, values};
use super::rows::Rearrangement;
use super::window_softmax::Regions;
use super::{cross_entropy, gelu, layer_norm, softmax, window_softmax};

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn exact_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match Gelu.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let mut y = Vec::new();
                let derivative = changed(x, |x| y = gelu::forward_and_derivative(x));
                let shape = derivative.layout().shape().clone();
                prepared.finish(derivative, new(y, shape))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(Flex::exact_gelu(x)),
        }
    }

    fn scaled_softmax(x: FloatTensor<Self>, scale: f32) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = Flex::scaled_softmax(x, scale);
        match Softmax.prepare::<C>([node]).compute_bound().stateful() {
            // The result alone gives the gradient: the input is free to go.
            OpsKind::Tracked(prepared) => prepared.finish((y.clone(), scale), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn affine_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let [(x, x_node), (gamma, gamma_node), (beta, beta_node)] =
            [x, gamma, beta].map(|input| input.into_parts());

        match Norm
            .prepare::<C>([x_node, gamma_node, beta_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                let [x, gamma, beta] = [x, gamma, beta].map(contiguous);
                let (y, moments) =
                    layer_norm::forward(values(&x), values(&gamma), values(&beta), epsilon);
                let y = new(y, x.layout().shape().clone());
                prepared.finish((x, gamma, moments), y)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(Flex::affine_norm(x, gamma, beta, epsilon))
            }
        }
    }

    fn soft_cross_entropy(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self> {
        let (logits, node) = logits.into_parts();
        // Targets are constants of the loss: their graph, if they have one, ends here.
        let targets = targets.into_primitive();

        match CrossEntropy.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [logits, targets] = [logits, targets].map(contiguous);
                let (losses, rows) = cross_entropy::forward(
                    values(&logits),
                    values(&targets),
                    columns(&logits),
                    scale,
                );
                let losses = new(losses, [rows.len(), 1]);
                prepared.finish((logits, targets, rows, scale), losses)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(Flex::soft_cross_entropy(logits, targets, scale))
            }
        }
    }

    fn rearranged(x: FloatTensor<Self>, order: Rearrangement) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let moved = Flex::rearranged(x, order.clone());
        match Rows.prepare::<C>([node]).compute_bound().stateful() {
            // The gradient of a reordering is the way back.
            OpsKind::Tracked(prepared) => prepared.finish(order.inverse(), moved),
            OpsKind::UnTracked(prepared) => prepared.finish(moved),
        }
    }

    fn windowed_softmax(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        regions: Option<Regions>,
        scale: f32,
    ) -> FloatTensor<Self> {
        let [(x, x_node), (bias, bias_node)] = [x, bias].map(|input| input.into_parts());
        let shape = bias.layout().shape().clone();
        let y = Flex::windowed_softmax(x, bias, regions, scale);

        let prepared = WindowSoftmax.prepare::<C>([x_node, bias_node]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((y.clone(), shape, scale), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

/// Keeps the derivative.
#[derive(Debug)]
struct Gelu;

impl Backward<Flex, 1> for Gelu {
    type State = FloatTensor<Flex>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let derivative = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            changed(gradient, |gradient| {
                gelu::backward(gradient, values(&derivative))
            })
        });
    }
}

/// Keeps the result and the scale.
#[derive(Debug)]
struct Softmax;

impl Backward<Flex, 1> for Softmax {
    type State = (FloatTensor<Flex>, f32);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (y, scale) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            changed(gradient, |gradient| {
                softmax::backward(gradient, values(&y), columns(&y), scale)
            })
        });
    }
}

/// Keeps the input, the gain and each row's moments.
#[derive(Debug)]
struct Norm;

impl Backward<Flex, 3> for Norm {
    type State = (
        FloatTensor<Flex>,
        FloatTensor<Flex>,
        Vec<layer_norm::RowMoments>,
    );

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (x, gamma, moments) = ops.state;
        let mut affine = [const { Vec::new() }; 2];
        let of_x = changed(gradients.consume::<Flex>(&ops.node), |gradient| {
            affine = layer_norm::backward(gradient, values(&x), values(&gamma), &moments);
        });
        let [of_gamma, of_beta] = affine.map(|gradient| new(gradient, [columns(&x)]));
        // A parent that needs no gradient, such as a frozen gain, is not there.
        for (parent, gradient) in ops.parents.into_iter().zip([of_x, of_gamma, of_beta]) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Keeps the logits, the targets, two numbers of each row, and the scale.
#[derive(Debug)]
struct CrossEntropy;

impl Backward<Flex, 1> for CrossEntropy {
    type State = (
        FloatTensor<Flex>,
        FloatTensor<Flex>,
        Vec<cross_entropy::Row>,
        f32,
    );

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (logits, targets, rows, scale) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = contiguous(gradient);
            let columns = columns(&logits);
            changed(logits, |logits| {
                cross_entropy::backward(
                    logits,
                    values(&gradient),
                    values(&targets),
                    &rows,
                    columns,
                    scale,
                );
            })
        });
    }
}

/// Keeps the way back.
#[derive(Debug)]
struct Rows;

impl Backward<Flex, 1> for Rows {
    type State = Rearrangement;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let back = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            Flex::rearranged(gradient, back)
        });
    }
}

/// Keeps the result, the bias's shape and the scale.
#[derive(Debug)]
struct WindowSoftmax;

impl Backward<Flex, 2> for WindowSoftmax {
    type State = (FloatTensor<Flex>, Shape, f32);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (y, shape, scale) = ops.state;
        let pairs = shape.num_elements();
        let mut of_bias = Vec::new();
        let of_x = changed(gradients.consume::<Flex>(&ops.node), |gradient| {
            of_bias = window_softmax::backward(gradient, values(&y), columns(&y), pairs, scale);
        });

        let of_bias = new(of_bias, shape);
        for (parent, gradient) in ops.parents.into_iter().zip([of_x, of_bias]) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
