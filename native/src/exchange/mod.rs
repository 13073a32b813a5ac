//! How workers combine what each computed of a step, so that k workers give the result of one with
//! the whole batch.
//!
//! A worker is a device with a replica of the training state. It computes its share of a batch's
//! images. The workers add up gradients and the few numbers that the host reads, and nothing else;
//! each then makes the same update of its own replica. A run uses a [`Team`]; an
//! `Exchange` is one way to carry vectors between workers.

mod buckets;
mod connect;
mod connection;
mod error;
mod half;
pub mod launcher;
mod local;
#[cfg(feature = "mpi")]
mod mpi;
mod nccl;
mod operations;
mod rendezvous;
mod team;
mod vote;

pub use self::connect::connect;
pub use self::error::ExchangeError;
pub use self::nccl::Nccl;
pub use self::team::Team;
pub use self::vote::Stop;
