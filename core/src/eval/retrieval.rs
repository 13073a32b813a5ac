//! Search by the cosine of features: the ranked list of a query.

use burn::tensor::{Device, ExecutionError, Tensor, TensorData};

/// Numbers of a part of the database on the device, and cosines on the host: 32 MB each.
const BLOCK: usize = 8 << 20;
/// Most queries that are compared at a time.
const QUERIES: usize = 64;

/// An image that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedImage {
    /// Its row.
    pub index: usize,
    /// The cosine of its feature with that of the query.
    pub cosine: f32,
}

/// Scales every row of `rows` `[N, dim]` to length 1; rows of zeros stay.
pub fn normalize(rows: &mut [f32], dim: usize) {
    for row in rows.chunks_exact_mut(dim.max(1)) {
        let mut sum = 0.0;
        for value in row.iter() {
            sum += f64::from(*value) * f64::from(*value);
        }
        let norm = sum.sqrt().max(1e-12) as f32;
        row.iter_mut().for_each(|value| *value /= norm);
    }
}

/// Compares `queries` `[Q, dim]` with `database` `[N, dim]`, all of length 1, and hands each query's
/// number and its cosines with all rows to `take`, in order. `device` computes; it holds a part of
/// the database at a time.
pub async fn compare(
    database: &[f32],
    queries: &[f32],
    dim: usize,
    device: &Device,
    mut take: impl FnMut(usize, &[f32]),
) -> Result<(), ExecutionError> {
    if database.is_empty() || dim == 0 {
        return Ok(());
    }
    let count = database.len() / dim;
    let part = (BLOCK / dim).max(1);
    let together = (BLOCK / count).clamp(1, QUERIES);

    for (chunk, rows) in queries.chunks(together * dim).enumerate() {
        let mut cosines = vec![0.0; rows.len() / dim * count];
        let rows = matrix(rows, dim, device);
        for (number, images) in database.chunks(part * dim).enumerate() {
            let products = rows.clone().matmul(matrix(images, dim, device).transpose());
            let products = products.into_data_async().await?;
            let mut products = products.iter::<f32>();
            for row in cosines.chunks_exact_mut(count) {
                for cosine in &mut row[number * part..][..images.len() / dim] {
                    *cosine = products.next().unwrap_or(f32::NAN);
                }
            }
        }

        for (place, cosines) in cosines.chunks_exact(count).enumerate() {
            take(chunk * together + place, cosines);
        }
    }
    Ok(())
}

fn matrix(rows: &[f32], dim: usize, device: &Device) -> Tensor<2> {
    let shape = [rows.len() / dim, dim];
    Tensor::from_data(TensorData::new(rows.to_vec(), shape), device)
}

/// The `most` rows with the highest cosines, the best first; the lower index among equals. Cosines
/// that are no numbers come last.
pub fn best(cosines: &[f32], most: usize) -> Vec<RankedImage> {
    let mut matches: Vec<RankedImage> = Vec::with_capacity(cosines.len());
    for (index, cosine) in cosines.iter().enumerate() {
        matches.push(RankedImage {
            index,
            cosine: *cosine,
        });
    }

    let most = most.min(matches.len());
    if 0 < most && most < matches.len() {
        matches.select_nth_unstable_by(most - 1, better);
    }
    matches.truncate(most);
    matches.sort_unstable_by(better);
    matches
}

fn better(a: &RankedImage, b: &RankedImage) -> std::cmp::Ordering {
    let value = |cosine: f32| match cosine.is_nan() {
        true => f32::NEG_INFINITY,
        false => cosine,
    };
    // Zero and minus zero are equal for a person.
    let by_cosine = value(b.cosine).partial_cmp(&value(a.cosine));
    let by_cosine = by_cosine.unwrap_or(std::cmp::Ordering::Equal);
    by_cosine.then(a.index.cmp(&b.index))
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::test;

    #[test]
    fn blocks_of_queries_change_nothing() {
        let dim = 5;
        let row = |i: usize| (0..dim).map(move |d| ((i * 7 + d * 3) as f32).sin());
        let mut database: Vec<f32> = (0..70).flat_map(row).collect();
        normalize(&mut database, dim);

        // More queries than a chunk has; each finds itself, with all cosines as computed by hand.
        let mut seen = Vec::new();
        let device = Device::flex();
        let comparison = compare(&database, &database, dim, &device, |query, cosines| {
            assert_eq!(cosines.len(), 70);
            let own = &database[query * dim..][..dim];
            for (image, cosine) in database.chunks_exact(dim).zip(cosines) {
                let product: f32 = own.iter().zip(image).map(|(a, b)| a * b).sum();
                assert!((product - cosine).abs() < 1e-5);
            }
            assert!((best(cosines, 1)[0].cosine - 1.0).abs() < 1e-5);
            seen.push(query);
        });
        block_on(comparison).expect("flex");
        assert_eq!(seen, (0..70).collect::<Vec<_>>());
    }

    #[test]
    fn the_best_come_first_and_equals_in_their_order() {
        let cosines = [0.2, 0.9, f32::NAN, 0.2, -0.0, 0.0, 0.9];
        let indices = |most| {
            let matches = best(&cosines, most);
            matches.iter().map(|found| found.index).collect::<Vec<_>>()
        };
        assert_eq!(indices(9), [1, 6, 0, 3, 4, 5, 2]);
        assert_eq!(indices(3), [1, 6, 0]);
        assert_eq!(indices(1), [1]);
        assert!(indices(0).is_empty());
        assert_eq!(best(&[], 4), []);
    }

    #[test]
    fn rows_get_length_one() {
        let mut rows = [3.0, 4.0, 0.0, 0.0];
        normalize(&mut rows, 2);
        assert_eq!(rows, [0.6, 0.8, 0.0, 0.0]);
    }
}
