//! Everything that a step of fine-tuning reads and changes.

use burn::module::Module as _;
use burn::tensor::Device;

use crate::finetune::config::FinetuneConfig;
use crate::finetune::layer_rates::LayerRates;
use crate::finetune::lora;
use crate::finetune::network::ClassifierNetwork;
use crate::model::{Backbone, ComputePrecision};
use crate::optim::{AdamW, LossScale};
use crate::pretrain::Snapshot;
use crate::pretrain::snapshot::{LOSS_SCALE, add, loss_scale_of, loss_scale_weight, take};
use crate::rng::{Purpose, stream};
use crate::weights::{self, Weights, WeightsError};

/// The network, its optimiser and the loss scale.
#[derive(Clone, Debug)]
pub struct FinetuneState {
    /// The network, on an autodiff device.
    pub network: ClassifierNetwork,
    /// Moments of its parameters.
    pub optimizer: AdamW,
    /// The scale of the loss; `Some` only in f16.
    pub loss_scale: Option<LossScale>,
    /// What differs from layer to layer.
    pub layers: LayerRates,
    /// Whether an update is under way. After a panic in it the state is that of no step.
    pub(super) updating: bool,
}

impl FinetuneState {
    /// The state before the first step: `backbone` with a new classifier of `classes` classes.
    ///
    /// `config` must fit the backbone, see [`FinetuneConfig::check_for`].
    pub fn new(
        backbone: Backbone,
        classes: usize,
        config: &FinetuneConfig,
        seed: u64,
        device: &Device,
    ) -> Self {
        let device = device.clone().autodiff();
        let model = &config.model;
        // A stream of its own: the draws of an untrained backbone do not reach into it.
        let rng = &mut stream(seed, Purpose::Init, 1, 0);

        let backbone = backbone.valid().train().without_mask_token();
        let backbone = match (model.lora_rank, model.last_blocks) {
            (0, 0) => backbone,
            (0, blocks) => backbone.train_last(blocks),
            (rank, _) => lora::adapt(backbone, rank, rng),
        };
        let network = ClassifierNetwork::new(
            backbone,
            model.readout,
            classes,
            model.classifier_scale,
            &device,
            rng,
        );

        let precision = config.optim.precision;
        Self {
            layers: LayerRates::new(&network, &config.optim),
            network: network.with_precision(precision),
            optimizer: AdamW::default(),
            // bf16 has the exponents of f32, so its gradients do not become zero.
            loss_scale: (precision == ComputePrecision::F16).then(LossScale::default),
            updating: false,
        }
    }

    /// Reads the whole state from the device: tensors `network/...`, `exp_avg/...`,
    /// `exp_avg_sq/...`, and in f16 `loss_scale`.
    ///
    /// # Errors
    /// If the device fails, or failed in the middle of an update.
    pub async fn snapshot(&self) -> Result<Snapshot, WeightsError> {
        if self.updating {
            return Err(WeightsError::HalfUpdated);
        }

        let mut tensors = Weights::new();
        add(&mut tensors, "network", weights::read(&self.network).await?);

        let updates = self.optimizer.keep(&self.network, &mut tensors).await?;

        if let Some(scale) = self.loss_scale {
            tensors.insert(LOSS_SCALE.to_owned(), loss_scale_weight(scale));
        }
        Ok(Snapshot { tensors, updates })
    }

    /// This state with everything replaced by `snapshot`; the networks must be of the same
    /// dimensions.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(self, snapshot: Snapshot) -> Result<Self, WeightsError> {
        let Snapshot {
            mut tensors,
            updates,
        } = snapshot;
        let network = weights::write(self.network, &take(&mut tensors, "network"))?;

        let optimizer = AdamW::kept(&network, &mut tensors, &updates)?;

        Ok(Self {
            network,
            optimizer,
            loss_scale: loss_scale_of(self.loss_scale, &tensors),
            layers: self.layers,
            updating: false,
        })
    }
}
