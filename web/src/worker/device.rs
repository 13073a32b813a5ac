//! Which device computes, and whether it can be trusted.

use burn::tensor::Device;
use ibot_core::picture::ColorScale;
use ibot_core::picture::colormap::PALETTE;
use ibot_web::js;
use ibot_web::protocol::{Colorings, DevicePreference, Started, WorkerEvent};
use ibot_web::webgpu::{self, Adapter};
use ibot_web::wire::Bytes;

use super::{say, selftest};

/// The device and what is known of it.
pub struct Compute {
    /// Where tensors are.
    pub device: Device,
    /// Whether it is WebGPU.
    pub webgpu: bool,
    name: String,
    why: String,
}

impl Compute {
    /// The CPU, which needs no test, and why it was taken.
    pub fn cpu(why: impl Into<String>) -> Self {
        Self {
            device: Device::flex(),
            webgpu: false,
            name: "CPU".to_owned(),
            why: why.into(),
        }
    }

    /// In words.
    pub fn describe(&self) -> Started {
        Started {
            webgpu: self.webgpu,
            name: self.name.clone(),
            why: self.why.clone(),
            colors: colorings(),
        }
    }
}

/// The device of this choice, or the CPU and the reason.
pub async fn choose(choice: DevicePreference) -> Compute {
    if choice == DevicePreference::Cpu {
        return Compute::cpu("The CPU, as chosen.");
    }
    match webgpu::adapter().await {
        Err(error) => Compute::cpu(format!(
            "The CPU: the browser's WebGPU fails ({}).",
            js::describe(&error)
        )),
        Ok(None) => Compute::cpu("The CPU: this browser offers no WebGPU here."),
        Ok(Some(adapter)) if adapter.software && choice == DevicePreference::Auto => {
            Compute::cpu(format!(
                "The CPU: WebGPU is only a software adapter here ({}), which is slower. You can choose it all the same.",
                adapter.name
            ))
        }
        Ok(Some(adapter)) => match try_webgpu(&adapter).await {
            Ok(compute) => compute,
            Err(reason) => Compute::cpu(format!("The CPU: WebGPU ({}) {reason}.", adapter.name)),
        },
    }
}

/// WebGPU, if it passes the test.
async fn try_webgpu(adapter: &Adapter) -> Result<Compute, String> {
    say(&WorkerEvent::Progress(format!(
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
    // Garbage of rejected kernels is usually not a number, which is no error below a tolerance
    // either.
    if error <= selftest::TOLERANCE {
        let why = format!(
            "WebGPU on {}. Two training steps agree with the CPU to {error:.0e}; the test took {:.1} s.",
            adapter.name,
            (js::now() - start) / 1000.0
        );
        return Ok(Compute {
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

/// The colors that the page paints with.
fn colorings() -> Colorings {
    let scales = [
        ("viridis", ColorScale::Viridis),
        ("inferno", ColorScale::Inferno),
        ("magma", ColorScale::Magma),
        ("cividis", ColorScale::Cividis),
        ("turbo", ColorScale::Turbo),
    ];
    let colors = |scale: ColorScale| {
        (0..256)
            .flat_map(|step| scale.color(step as f32 / 255.0))
            .collect()
    };
    Colorings {
        scales: scales
            .into_iter()
            .map(|(name, scale)| (name.to_owned(), Bytes(colors(scale))))
            .collect(),
        kinds: Bytes(PALETTE.into_iter().flatten().collect()),
    }
}
