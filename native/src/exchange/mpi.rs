//! Workers that are processes, on one machine or many, through MPI.

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _};

use super::launcher::Launch;
use super::{Exchange, ExchangeError};

/// One of several processes, each with a single worker. All calls must come from the thread that
/// made it, as MPI asks.
pub struct Mpi {
    world: SimpleCommunicator,
    /// Dropped last: MPI ends with it.
    _universe: Universe,
}

impl Mpi {
    /// Connects this process with the others of its `launch`.
    ///
    /// # Errors
    /// If MPI does not see all of them.
    pub fn connect(launch: Launch) -> Result<Self, ExchangeError> {
        let unconnected = |problem: String| ExchangeError::Unconnected(problem);
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| unconnected("MPI was initialised before".into()))?;
        let world = universe.world();
        let size = world.size() as usize;
        if size != launch.size {
            return Err(unconnected(format!(
                "the launcher started {} processes, MPI sees {size}: start them with the mpirun of the MPI library that \
                 this program was built with, or with srun --mpi=pmix",
                launch.size
            )));
        }
        Ok(Self {
            world,
            _universe: universe,
        })
    }
}

impl Exchange for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn sum(&mut self, values: Vec<f32>) -> Result<Vec<f32>, ExchangeError> {
        let mut sum = vec![0.0; values.len()];
        self.world
            .all_reduce_into(&values[..], &mut sum[..], SystemOperation::sum());
        Ok(sum)
    }

    fn all_to_all(&mut self, values: Vec<u16>) -> Result<Vec<u16>, ExchangeError> {
        let mut received = vec![0; values.len()];
        self.world.all_to_all_into(&values[..], &mut received[..]);
        Ok(received)
    }

    fn all_gather(&mut self, values: Vec<u16>) -> Result<Vec<u16>, ExchangeError> {
        let mut gathered = vec![0; values.len() * self.size()];
        self.world.all_gather_into(&values[..], &mut gathered[..]);
        Ok(gathered)
    }
}
