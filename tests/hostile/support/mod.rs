//! What tests of hostile files share.

pub mod damage;
pub mod files;
pub mod memory;
