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
    /// Why it was chosen.
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

/// The preferred device, or the CPU and the reason why not.
pub async fn choose(choice: DevicePreference) -> ComputeDevice {
    if choice == DevicePreference::Cpu {
        return ComputeDevice::cpu("The CPU, as chosen.");
    }
    match webgpu::adapter().await {
        Err(error) => ComputeDevice::cpu(format!(
            "The CPU: the browser's WebGPU fails ({}).",
            js::describe(&error)
        )),
        Ok(None) => ComputeDevice::cpu("The CPU: this browser offers no WebGPU here."),
        Ok(Some(adapter)) if adapter.software && choice == DevicePreference::Auto => {
            ComputeDevice::cpu(format!(
                "The CPU: WebGPU is only a software adapter here ({}), which is slower. You can choose it all the same.",
                adapter.name
            ))
        }
        Ok(Some(adapter)) => match try_webgpu(&adapter).await {
            Ok(compute) => compute,
            Err(reason) => {
                ComputeDevice::cpu(format!("The CPU: WebGPU ({}) {reason}.", adapter.name))
            }
        },
    }
}

/// WebGPU, if it passes the test.
async fn try_webgpu(adapter: &Adapter) -> Result<ComputeDevice, String> {
    port::send(&WorkerEvent::Progress(format!(
        "Testing WebGPU ({})…",
        adapter.name
    )));
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
    // The results of rejected kernels are usually not numbers. Such an error fails this test, too.
    if error <= selftest::TOLERANCE {
        let why = format!(
            "WebGPU on {}. Two training steps agree with the CPU to {error:.0e}; the test took {:.1} s.",
            adapter.name,
            (js::now() - start) / 1000.0
        );
        return Ok(ComputeDevice {
            device,
            webgpu: true,
            name: format!("WebGPU ({})", adapter.name),
            why,
        });
    }
    Err(format!(
        "computes wrong numbers: two training steps differ from the CPU's by {error:.0e}"
    ))
}
