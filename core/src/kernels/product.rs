//! Products with a matrix that is packed once for many rows.
//!
//! burn's product packs both matrices each time and writes into a new tensor. Here weights are
//! packed once for a whole batch, rows are read where they are, and the product is added to what
//! is there: a bias, or the tokens that a branch is added to.

use pulp::{Arch, Simd, WithSimd};

use super::threads::for_each_chunk;

// Rows of the right matrix that are used at a time: a panel of so many stays near the processor.
const DEPTH: usize = 384;

/// Equally long rows, which do not have to touch.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// The first row begins here.
    pub values: &'a [f32],
    /// From the start of a row to that of the next.
    pub stride: usize,
    pub count: usize,
    pub columns: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `columns` values that fill `values`.
    pub fn dense(values: &'a [f32], columns: usize) -> Self {
        Self {
            values,
            stride: columns,
            count: values.len() / columns,
            columns,
        }
    }

    /// `columns` columns, from column `first` on.
    pub fn columns(self, first: usize, columns: usize) -> Self {
        Self {
            values: &self.values[first..],
            columns,
            ..self
        }
    }

    /// `count` rows, from row `first` on.
    pub fn rows(self, first: usize, count: usize) -> Self {
        Self {
            values: &self.values[first * self.stride..],
            count,
            ..self
        }
    }

    fn row(self, row: usize) -> &'a [f32] {
        &self.values[row * self.stride..][..self.columns]
    }
}

/// The right matrix of a product, cut into panels of a few columns. A panel holds row after row, in
/// the order in which the product reads it; the last panel is filled up with zeros.
pub(super) struct Panels {
    values: Vec<f32>,
    rows: usize,
    columns: usize,
    shape: PanelShape,
}

impl Panels {
    /// Packs a matrix.
    pub fn pack(matrix: Rows) -> Self {
        Self::fill(matrix.count, matrix.columns, |panel, width, first| {
            let count = width.min(matrix.columns - first);
            for (row, packed) in panel.chunks_exact_mut(width).enumerate() {
                packed[..count].copy_from_slice(&matrix.row(row)[first..][..count]);
            }
        })
    }

    /// Packs the transpose of a matrix.
    pub fn pack_transposed(matrix: Rows) -> Self {
        Self::fill(matrix.columns, matrix.count, |panel, width, first| {
            let count = width.min(matrix.count - first);
            for column in 0..count {
                let values = matrix.row(first + column);
                for (packed, value) in panel.chunks_exact_mut(width).zip(values) {
                    packed[column] = *value;
                }
            }
        })
    }

    /// A matrix whose panels `pack` fills; it gets zeros, the width of a panel and the panel's first
    /// column.
    fn fill(
        rows: usize,
        columns: usize,
        pack: impl Fn(&mut [f32], usize, usize) + Send + Sync,
    ) -> Self {
        let shape = PanelShape::of(columns);
        let width = shape.width();
        let mut values = vec![0.0; rows * columns.next_multiple_of(width)];

        for_each_chunk(&mut values, rows * width, |number, panel| {
            pack(panel, width, number * width);
        });
        Self {
            values,
            rows,
            columns,
            shape,
        }
    }
}

/// Width of a panel, in vectors of the processor at hand.
#[derive(Clone, Copy)]
struct PanelShape {
    vectors: usize,
    lanes: usize,
}

impl PanelShape {
    fn of(columns: usize) -> Self {
        Arch::new().dispatch(ShapeOf { columns })
    }

    fn width(self) -> usize {
        self.vectors * self.lanes
    }
}

struct ShapeOf {
    columns: usize,
}

impl WithSimd for ShapeOf {
    type Output = PanelShape;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> PanelShape {
        let lanes = S::F32_LANES;
        let padded = |vectors: usize| self.columns.next_multiple_of(vectors * lanes);
        // Three vectors a row, unless that pads more columns than two would.
        let vectors = if has_many_registers::<S>() && padded(3) <= padded(2) {
            3
        } else {
            2
        };
        PanelShape { vectors, lanes }
    }
}

fn has_many_registers<S: Simd>() -> bool {
    // A tile of eight rows and three vectors needs more than 16. WebAssembly has as many as one
    // likes, but the processors below have 16.
    S::REGISTER_COUNT >= 32 && !cfg!(target_family = "wasm")
}

/// Adds a product to `out`, whose rows are `right.columns` long: `out += left * right[from..]`, of
/// which as many rows are taken as `left` has columns.
pub(super) fn add_product(left: Rows, right: &Panels, from: usize, out: &mut [f32]) {
    // Without rows there is no last one for a tile to repeat.
    if left.count > 0 {
        Arch::new().dispatch(AddProduct {
            left,
            right,
            from,
            out,
        });
    }
}

struct AddProduct<'a> {
    left: Rows<'a>,
    right: &'a Panels,
    from: usize,
    out: &'a mut [f32],
}

impl WithSimd for AddProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The sums of a tile, a vector of each row of the panel and one value of the left matrix
        // fill the registers.
        if !has_many_registers::<S>() {
            self.in_tiles::<S, 6, 2>(simd);
        } else if self.right.shape.vectors == 3 {
            self.in_tiles::<S, 8, 3>(simd);
        } else {
            self.in_tiles::<S, 8, 2>(simd);
        }
    }
}

impl AddProduct<'_> {
    #[inline(always)]
    fn in_tiles<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S) {
        let Self {
            left, right, out, ..
        } = self;
        let width = VECTORS * S::F32_LANES;
        let parts = left.columns.div_ceil(DEPTH);
        // Parts of equal depth, so that the last is no short one.
        let depth = left.columns.div_ceil(parts);
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];

        for first in (0..left.columns).step_by(depth) {
            let depth = depth.min(left.columns - first);
            for (number, panel) in right.values.chunks_exact(right.rows * width).enumerate() {
                let panel = &panel[(self.from + first) * width..][..depth * width];
                let (panel, _) = S::as_simd_f32s(panel);
                let (panel, _) = panel.as_chunks::<VECTORS>();
                let column = number * width;
                let columns = width.min(right.columns - column);

                for start in (0..left.count).step_by(ROWS) {
                    // The last tile repeats the last row; what is too much is not stored.
                    let rows: [&[f32]; ROWS] = std::array::from_fn(|i| {
                        &left.row((start + i).min(left.count - 1))[first..][..depth]
                    });
                    tile(simd, rows, panel, &mut sums);
                    for (i, sums) in sums.iter().enumerate().take(left.count - start) {
                        let at = (start + i) * right.columns + column;
                        add_sums(simd, sums, &mut out[at..][..columns]);
                    }
                }
            }
        }
    }
}

/// A few rows times a panel. The loops over rows and vectors disappear: all sums are in registers.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    panel: &[[S::f32s; VECTORS]],
    out: &mut [[S::f32s; VECTORS]; ROWS],
) {
    // Slices of a known length spare the loop its bounds checks.
    let rows = rows.map(|row| &row[..panel.len()]);
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (k, right) in panel.iter().enumerate() {
        for i in 0..ROWS {
            let left = simd.splat_f32s(rows[i][k]);
            for j in 0..VECTORS {
                sums[i][j] = simd.mul_add_e_f32s(left, right[j], sums[i][j]);
            }
        }
    }

    // The compiler keeps `sums` in registers only if nothing takes rows of it by their number.
    for i in 0..ROWS {
        for j in 0..VECTORS {
            out[i][j] = sums[i][j];
        }
    }
}

/// Adds the sums of a row to `out`, which may end earlier.
#[inline(always)]
fn add_sums<S: Simd, const VECTORS: usize>(simd: S, sums: &[S::f32s; VECTORS], out: &mut [f32]) {
    let (whole, rest) = S::as_mut_simd_f32s(out);
    let count = whole.len();
    for (out, sums) in whole.iter_mut().zip(sums) {
        *out = simd.add_f32s(*out, *sums);
    }
    if !rest.is_empty() {
        let old = simd.partial_load_f32s(rest);
        simd.partial_store_f32s(rest, simd.add_f32s(old, sums[count]));
    }
}

#[cfg(test)]
mod tests;
