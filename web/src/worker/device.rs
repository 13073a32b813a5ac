//! Chooses the device that computes, after a test.

use burn::tensor::Device;
use ibot_web::js;
use ibot_web::protocol::{DevicePreference, Started, WorkerEvent};
use ibot_web::webgpu::{self, Adapter};

use super::{port, selftest};

pub struct ComputeDevice {
    pub device: Device,
    pub webgpu: bool,
    name: String,
    why: String,
}

impl ComputeDevice {
    /// The CPU, which needs no test.
    pub fn cpu(why: impl Into<String>) -> Self {
        Self {
            device: Device::flex(),
            webgpu: false,
            name: "CPU".to_owned(),
            why: why.into(),
        }
    }

    pub fn describe(&self) -> Started {
        Started {
            webgpu: self.webgpu,
            name: self.name.clone(),
            why: self.why.clone(),
        }
    }
}

pub async fn choose(preference: DevicePreference) -> ComputeDevice {
    if preference == DevicePreference::Cpu {
        return ComputeDevice::cpu("The CPU, as chosen.");
    }

    let adapter = match webgpu::adapter().await {
        Ok(Some(adapter)) => adapter,
        Ok(None) => return ComputeDevice::cpu("The CPU: this browser offers no WebGPU here."),
        Err(error) => {
            let reason = js::describe(&error);
            return ComputeDevice::cpu(format!("The CPU: the browser's WebGPU fails ({reason})."));
        }
    };
    let name = &adapter.name;
    if adapter.software && preference == DevicePreference::Auto {
        return ComputeDevice::cpu(format!(
            "The CPU: WebGPU is only a software adapter here ({name}), which is slower. You can choose it all the same.",
        ));
    }

    match try_webgpu(&adapter).await {
        Ok(compute) => compute,
        Err(reason) => ComputeDevice::cpu(format!("The CPU: WebGPU ({name}) {reason}.")),
    }
}

/// WebGPU, if it passes the test; else the predicate of a sentence on what is wrong with it.
async fn try_webgpu(adapter: &Adapter) -> Result<ComputeDevice, String> {
    let name = &adapter.name;
    let progress = format!("Testing WebGPU ({name})…");
    port::send(&WorkerEvent::Progress(progress));

    let start = js::now();
    webgpu::allow_subgroups()
        .map_err(|error| format!("is not as specified ({})", js::describe(&error)))?;
    let device = Device::wgpu_options()
        .init_async()
        .await
        .map_err(|error| format!("gives no device ({error})"))?;
    let error = selftest::error(&device)
        .await
        .map_err(|error| format!("failed its test ({error})"))?;
    let seconds = (js::now() - start) / 1000.0;

    // The results of rejected kernels are usually NaN, for which this comparison is false, too.
    if error <= selftest::TOLERANCE {
        Ok(ComputeDevice {
            device,
            webgpu: true,
            name: format!("WebGPU ({name})"),
            why: format!(
                "WebGPU on {name}. Two training steps agree with the CPU to {error:.0e}; the test took {seconds:.1} s.",
            ),
        })
    } else {
        Err(format!(
            "computes wrong numbers: two training steps differ from the CPU's by {error:.0e}"
        ))
    }
}
