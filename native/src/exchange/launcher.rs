//! What a launcher of several processes, `mpirun` or Slurm's `srun`, tells this process about itself.

use std::env;

/// The place of this process among those that were started together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    pub rank: usize,
    pub size: usize,
    /// Number of this process among those of its machine: the number of its device.
    pub local_rank: usize,
}

/// Names of the number of processes, the rank and the rank on the machine.
const LAUNCHERS: [[&str; 3]; 3] = [
    // OpenMPI.
    [
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_LOCAL_RANK",
    ],
    // MPICH and Intel MPI.
    ["PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"],
    // Slurm. A batch script that `srun` does not start has no step.
    ["SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"],
];

impl Launch {
    /// Reads the environment; `None` for a process that was started alone.
    pub fn from_environment() -> Option<Self> {
        Self::from(|name| env::var(name).ok())
    }

    fn from(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        for [size, rank, local_rank] in LAUNCHERS {
            let size = number(variable(size));
            let rank = number(variable(rank));
            if let (Some(size), Some(rank)) = (size, rank)
                && size > 1
            {
                let local_rank = number(variable(local_rank)).unwrap_or(0);
                return Some(Self {
                    rank,
                    size,
                    local_rank,
                });
            }
        }
        None
    }
}

fn number(text: Option<String>) -> Option<usize> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(variables: &[(&str, &str)]) -> Option<Launch> {
        Launch::from(|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environments_of_launchers_are_read() {
        let third = Some(Launch {
            rank: 6,
            size: 8,
            local_rank: 2,
        });
        let openmpi = [
            ("OMPI_COMM_WORLD_SIZE", "8"),
            ("OMPI_COMM_WORLD_RANK", "6"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "2"),
        ];
        assert_eq!(launch(&openmpi), third);
        assert_eq!(
            launch(&[
                ("PMI_SIZE", "8"),
                ("PMI_RANK", "6"),
                ("MPI_LOCALRANKID", "2")
            ]),
            third
        );
        let slurm = [
            ("SLURM_STEP_NUM_TASKS", "8"),
            ("SLURM_PROCID", "6"),
            ("SLURM_LOCALID", "2"),
        ];
        assert_eq!(launch(&slurm), third);
        assert_eq!(
            launch(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")]),
            None,
            "a batch script is no step"
        );
        assert_eq!(
            launch(&[("OMPI_COMM_WORLD_SIZE", "1"), ("OMPI_COMM_WORLD_RANK", "0")]),
            None,
            "alone"
        );
        assert_eq!(launch(&[]), None);
    }
}
