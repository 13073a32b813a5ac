//! The devices that a user asks for.

use std::str::FromStr;

/// What the user asks for with `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A hardware GPU if there is one, else the CPU.
    Auto,
    Cpu,
    /// The hardware GPU of this number.
    Gpu(usize),
    /// A software implementation of a GPU; slow, for tests.
    Software,
    /// An NVIDIA GPU through CUDA, in builds with the `cuda` feature.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number)),
            None => (text, None),
        };
        let unknown =
            format!("`{text}` is not a device; use auto, cpu, gpu, gpu:N, software or cuda:N");
        if number.is_some() && !["cpu", "gpu", "cuda"].contains(&kind) {
            return Err(unknown);
        }

        let number = number.unwrap_or("0");
        let number: usize = number
            .parse()
            .map_err(|_| format!("`{number}` is not a device number; write for example gpu:0"))?;
        match kind {
            "auto" => Ok(Self::Auto),
            // There is one CPU; numbers tell its workers apart.
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu(number)),
            "software" => Ok(Self::Software),
            "cuda" => Ok(Self::Cuda(number)),
            _ => Err(unknown),
        }
    }
}

/// What the user asks for with `--devices`: one worker for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Devices {
    /// Every hardware GPU, or the CPU if there is none.
    All,
    Of(Vec<DeviceChoice>),
}

impl FromStr for Devices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self::Of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_and_mistakes_explained() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("gpu".parse(), Ok(DeviceChoice::Gpu(0)));
        assert_eq!("gpu:3".parse(), Ok(DeviceChoice::Gpu(3)));
        assert!(
            "gpu:x"
                .parse::<DeviceChoice>()
                .expect_err("no number")
                .contains("gpu:0")
        );
        assert_eq!("cpu:1".parse(), Ok(DeviceChoice::Cpu));
        assert_eq!("all".parse(), Ok(Devices::All));
        assert_eq!(
            "gpu:0,gpu:1".parse(),
            Ok(Devices::Of(vec![
                DeviceChoice::Gpu(0),
                DeviceChoice::Gpu(1)
            ]))
        );
        assert!("cpu,,cpu".parse::<Devices>().is_err());
        assert!(
            "tpu"
                .parse::<DeviceChoice>()
                .expect_err("no device")
                .contains("auto, cpu, gpu")
        );
    }
}
