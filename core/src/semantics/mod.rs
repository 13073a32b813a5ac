//! What the patch tokens know (paper section 4.3 and appendices): from tokens on the host to
//! numbers, for the command line and the browser alike.
//!
//! [`tokens::encode`] shows an image to a network; everything else works on what that gives, a
//! [`grid::TokenGrid`] and a [`attention::ClsAttention`], without a network.

pub mod affinity;
pub mod agreement;
pub mod attention;
pub mod correspondence;
pub mod foreground;
pub mod geometry;
pub mod grid;
pub mod ground_truth;
pub mod homography;
mod hungarian;
pub mod kmeans;
pub mod labels;
pub mod lanczos;
mod lloyd;
pub mod ncut;
pub mod nearest;
pub mod patterns;
pub mod pca;
pub mod pck;
pub mod pfm;
pub mod predict;
pub mod prototypes;
pub mod rows;
pub mod scores;
pub mod similarity;
pub mod tokens;
