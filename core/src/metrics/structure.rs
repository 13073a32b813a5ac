//! The structure of patch tokens, without labels: how much they say of what is where in an image.

use crate::grid::GridShape;

// Variance below this share of the mean square is rounding.
const ROUNDING: f64 = 1e-12;

/// The patch tokens `x_ip` of images `i` at places `p`, taken apart by their variance, and the
/// spatial order of what depends on both.
///
/// The variance is the sum over images and places of `|x_ip - x|^2`, where `x` is the mean token.
/// With `a_i` the mean of image `i` and `b_p` that of place `p`, the residual is
/// `r_ip = x_ip - a_i - b_p + x`, and the three shares add up to 1. Tokens that are all the same
/// have shares of 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PatchStructure {
    /// Share of the variance between means of images: the same in all patches of an image, as CLS
    /// is.
    pub image: f64,
    /// Share of the variance between means of places: the same in all images.
    pub position: f64,
    /// Share of the variance of the residuals: what depends on image and place together.
    pub content: f64,
    /// Spatial order of the residuals: `(I - E) / (1 - E)`, where `I` is Moran's I, the mean of
    /// `r_ip . r_iq` over pairs of patches `p`, `q` that share an edge over the mean of `|r_ip|^2`,
    /// and `E = -1 / (P - 1)` its expectation if the P patches of an image are shuffled. So shuffled
    /// tokens have 0, and tokens that equal their neighbours close to 1.
    pub coherence: f64,
}

/// Tokens of which no structure can be told.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StructureError {
    #[error("{values} values are no whole images of {patches} patches with {dim} values each")]
    Shape {
        values: usize,
        patches: usize,
        dim: usize,
    },
    #[error(
        "the structure of patch tokens needs two images and two patches an image, not {images} and {patches}"
    )]
    TooFew { images: usize, patches: usize },
    #[error("the patch tokens hold values that are not finite")]
    NotFinite,
}

impl PatchStructure {
    /// The structure of `tokens`, `[images, rows * columns, dim]`.
    ///
    /// # Errors
    /// If the values are no whole images, there are less than two images or patches, or a value is
    /// not finite.
    pub fn of(tokens: &[f32], grid: GridShape, dim: usize) -> Result<Self, StructureError> {
        let patches = grid.count();
        let values = tokens.len();
        if dim == 0 || patches == 0 || !values.is_multiple_of(patches * dim) {
            return Err(StructureError::Shape {
                values,
                patches,
                dim,
            });
        }
        let images = values / (patches * dim);
        if images < 2 || patches < 2 {
            return Err(StructureError::TooFew { images, patches });
        }
        if tokens.iter().any(|value| !value.is_finite()) {
            return Err(StructureError::NotFinite);
        }

        let means = Means::of(tokens, patches, dim);
        let square: f64 = tokens.iter().map(|value| f64::from(*value).powi(2)).sum();
        Ok(means.structure(tokens, grid, square))
    }

    /// The share of the variance that is content in spatial order: content times coherence. It
    /// falls to 0 if patches lose their place in the image, copy what the whole image is, or say
    /// only where they are.
    pub fn local(&self) -> f64 {
        self.content * self.coherence
    }
}

struct Means {
    dim: usize,
    /// `[images, dim]`.
    images: Vec<f64>,
    /// `[patches, dim]`.
    places: Vec<f64>,
    /// `[dim]`.
    all: Vec<f64>,
}

impl Means {
    fn of(tokens: &[f32], patches: usize, dim: usize) -> Self {
        let count = tokens.len() / (patches * dim);
        let mut images = vec![0.0; count * dim];
        let mut places = vec![0.0; patches * dim];
        let mut all = vec![0.0; dim];
        for (index, token) in tokens.chunks_exact(dim).enumerate() {
            add(&mut images[index / patches * dim..][..dim], token);
            add(&mut places[index % patches * dim..][..dim], token);
            add(&mut all, token);
        }

        divide(&mut images, patches);
        divide(&mut places, count);
        divide(&mut all, count * patches);
        Self {
            dim,
            images,
            places,
            all,
        }
    }

    /// The structure of the tokens with these means; the sum of their squares is `square`.
    fn structure(&self, tokens: &[f32], grid: GridShape, square: f64) -> PatchStructure {
        let patches = grid.count();
        let images = self.images.len() / self.dim;
        let image = patches as f64 * self.variance_of(&self.images);
        let position = images as f64 * self.variance_of(&self.places);

        let mut content = 0.0;
        let mut between_neighbours = 0.0;
        for (image, tokens) in tokens.chunks_exact(patches * self.dim).enumerate() {
            let residuals = self.residuals(image, tokens);
            content += residuals.iter().map(|value| value * value).sum::<f64>();
            between_neighbours += neighbour_products(&residuals, grid, self.dim);
        }

        let total = image + position + content;
        // A sum of squares around means has an error in proportion to the squares themselves.
        let rounding = ROUNDING * square;
        if total <= rounding {
            return PatchStructure::default();
        }
        PatchStructure {
            image: image / total,
            position: position / total,
            content: content / total,
            coherence: if content <= rounding {
                0.0
            } else {
                let pairs = (images * edges(grid)) as f64;
                let tokens = (images * patches) as f64;
                let moran = (between_neighbours / pairs) / (content / tokens);
                let shuffled = -1.0 / (patches as f64 - 1.0);
                (moran - shuffled) / (1.0 - shuffled)
            },
        }
    }

    fn variance_of(&self, means: &[f64]) -> f64 {
        let mut sum = 0.0;
        for mean in means.chunks_exact(self.dim) {
            for (value, all) in mean.iter().zip(&self.all) {
                sum += (value - all).powi(2);
            }
        }
        sum
    }

    /// The residuals of an image, `[patches, dim]`.
    fn residuals(&self, image: usize, tokens: &[f32]) -> Vec<f64> {
        let of_image = &self.images[image * self.dim..][..self.dim];
        let mut residuals = Vec::with_capacity(tokens.len());
        for (index, value) in tokens.iter().enumerate() {
            let d = index % self.dim;
            residuals.push(f64::from(*value) - of_image[d] - self.places[index] + self.all[d]);
        }
        residuals
    }
}

/// Pairs of patches that share an edge.
fn edges(grid: GridShape) -> usize {
    grid.rows * (grid.columns - 1) + grid.columns * (grid.rows - 1)
}

/// Sum of the products of residuals over pairs of patches that share an edge.
fn neighbour_products(residuals: &[f64], grid: GridShape, dim: usize) -> f64 {
    let token = |patch: usize| &residuals[patch * dim..][..dim];
    let mut sum = 0.0;
    for patch in 0..grid.count() {
        let (row, column) = grid.position(patch);
        if column + 1 < grid.columns {
            sum += dot(token(patch), token(patch + 1));
        }
        if row + 1 < grid.rows {
            sum += dot(token(patch), token(patch + grid.columns));
        }
    }
    sum
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(sums: &mut [f64], token: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(token) {
        *sum += f64::from(*value);
    }
}

fn divide(sums: &mut [f64], count: usize) {
    for sum in sums {
        *sum /= count as f64;
    }
}

#[cfg(test)]
mod tests;
