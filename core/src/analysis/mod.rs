//! What the patch tokens of a network show (paper section 4.3 and appendices): numbers from tokens
//! on the host, for the command line and the browser alike.
//!
//! [`features::encode`](crate::features::encode) shows an image to a network; everything here works
//! on its result, a [`TokenGrid`](crate::features::TokenGrid) and a
//! [`ClsAttention`](crate::features::ClsAttention), without a network.

pub mod affinity;
pub mod agreement;
pub mod attention;
pub mod correspondence;
pub mod foreground;
pub mod kmeans;
pub mod lanczos;
pub mod ncut;
pub mod nearest;
pub mod patterns;
pub mod pca;
pub mod predict;
pub mod prototypes;
pub mod rows;
pub mod similarity;
