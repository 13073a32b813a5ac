//! Workers that are processes, on one machine or many, through MPI.

use std::sync::Arc;

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Root as _};

use super::error::ExchangeError;
use super::launcher::Launch;
use super::operations::Exchange;

// MPI counts in 32 bits with a sign; a state can be larger.
const BROADCAST_BYTES: usize = 1 << 28;

/// One of several processes; all calls must come from the thread that made it, as MPI asks.
pub struct Mpi {
    world: SimpleCommunicator,
    // Dropped last: MPI ends with it.
    _universe: Universe,
}

impl Mpi {
    /// Connects this process with the others of its `launch`.
    pub fn connect(launch: Launch) -> Result<Self, ExchangeError> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| ExchangeError::NotConnected("MPI was initialised before".into()))?;

        let world = universe.world();
        let size = world.size() as usize;
        if size != launch.size {
            return Err(ExchangeError::NotConnected(format!(
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

    fn all_reduce(&mut self, values: Vec<f32>) -> Result<Vec<f32>, ExchangeError> {
        let mut sum = vec![0.0; values.len()];
        self.world
            .all_reduce_into(&values[..], &mut sum[..], SystemOperation::sum());
        Ok(sum)
    }

    fn broadcast(
        &mut self,
        root: usize,
        bytes: Arc<Vec<u8>>,
    ) -> Result<Arc<Vec<u8>>, ExchangeError> {
        let process = self.world.process_at_rank(root as i32);
        let mut length = bytes.len() as u64;
        process.broadcast_into(&mut length);

        // The root's bytes have this length already, and are not copied if nobody else has them.
        let mut bytes = Arc::unwrap_or_clone(bytes);
        bytes.resize(length as usize, 0);
        for piece in bytes.chunks_mut(BROADCAST_BYTES) {
            process.broadcast_into(piece);
        }
        Ok(Arc::new(bytes))
    }

    fn all_to_all(&mut self, words: Vec<u16>) -> Result<Vec<u16>, ExchangeError> {
        let mut received = vec![0; words.len()];
        self.world.all_to_all_into(&words[..], &mut received[..]);
        Ok(received)
    }

    fn all_gather(&mut self, words: Vec<u16>) -> Result<Vec<u16>, ExchangeError> {
        let mut gathered = vec![0; words.len() * self.size()];
        self.world.all_gather_into(&words[..], &mut gathered[..]);
        Ok(gathered)
    }
}
