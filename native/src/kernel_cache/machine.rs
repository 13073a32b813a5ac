//! What measurements depend on, and where the user's caches are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig as _};
use burn::cubecl::wgpu::wgpu::{AdapterInfo, Backends, Instance, InstanceDescriptor};
use futures_lite::future::block_on;

/// Names another folder, or is `off`.
pub const VARIABLE: &str = "IBOT_KERNEL_CACHE";

/// `IBOT_KERNEL_CACHE`, else `ibot/kernels` among the user's caches; `None` if it is `off`, or the
/// user has no caches.
pub fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| {
        Some(PathBuf::from(
            variable(name).filter(|value| !value.is_empty())?,
        ))
    };
    if let Some(folder) = path(VARIABLE) {
        return (folder != Path::new("off")).then_some(folder);
    }

    // The XDG specification says to ignore relative paths.
    let xdg = path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let caches = xdg.or_else(|| Some(path("HOME")?.join(".cache")))?;
    Some(caches.join("ibot/kernels"))
}

pub fn autotune() -> String {
    format!("{:?}", CubeClRuntimeConfig::get().autotune.level)
}

/// Every adapter in order, with its driver.
pub fn adapters() -> Vec<String> {
    let backends = Backends::all();
    let instance = Instance::new(InstanceDescriptor {
        backends,
        ..InstanceDescriptor::new_without_display_handle()
    });
    block_on(instance.enumerate_adapters(backends))
        .iter()
        .map(|adapter| describe(&adapter.get_info()))
        .collect()
}

fn describe(adapter: &AdapterInfo) -> String {
    let AdapterInfo {
        name,
        vendor,
        device,
        backend,
        driver,
        driver_info,
        ..
    } = adapter;
    format!("{name} {vendor:x}:{device:x} {backend} {driver} {driver_info}")
}
