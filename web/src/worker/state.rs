//! What the worker holds.

use std::rc::Rc;

use super::device::ComputeDevice;
use super::explore::slots::Slots;
use super::model::LoadedModel;
use super::port;
use super::problem::Problem;
use super::tune::tuner::Tuner;
use ibot_web::protocol::WorkerEvent;

pub struct WorkerState {
    pub compute: ComputeDevice,
    pub model: Option<Rc<LoadedModel>>,
    pub slots: Slots,
    pub tuner: Tuner,
}

impl WorkerState {
    pub fn new() -> Self {
        Self {
            compute: ComputeDevice::cpu("The CPU, until a device is chosen."),
            model: None,
            slots: Slots::default(),
            tuner: Tuner::default(),
        }
    }

    pub fn model(&self) -> Result<Rc<LoadedModel>, Problem> {
        // A reference of its own, so that an answer may change the rest of the state meanwhile.
        self.model.clone().ok_or(Problem::NoModel)
    }

    /// Reports that the device is lost, if that is the problem.
    pub fn report_loss(&self, problem: &Problem) {
        // The CPU is never lost: a failure there is one of this computation alone.
        if let (true, Some(reason)) = (self.compute.webgpu, problem.of_device()) {
            port::send(&WorkerEvent::DeviceLost(reason));
        }
    }
}
