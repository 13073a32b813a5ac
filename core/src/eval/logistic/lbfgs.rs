//! L-BFGS with backtracking, for smooth convex functions (Nocedal and Wright 2006, algorithms 7.4
//! and 3.1).

use std::collections::VecDeque;

use nalgebra::DMatrix;

/// Pairs of changes that approximate the curvature.
const MEMORY: usize = 10;
/// Share of the descent that the slope promises which a step must reach.
const SUFFICIENT: f64 = 1e-4;
const HALVINGS: usize = 30;

/// A point with the function's value and gradient there.
pub(in crate::eval) struct Point {
    pub at: DMatrix<f64>,
    pub value: f64,
    pub gradient: DMatrix<f64>,
}

pub(in crate::eval) struct Lbfgs {
    now: Point,
    /// The newest last.
    changes: VecDeque<LbfgsChange>,
}

struct LbfgsChange {
    point: DMatrix<f64>,
    gradient: DMatrix<f64>,
    /// Their dot product, which is positive.
    curvature: f64,
}

impl Lbfgs {
    pub fn new(start: Point) -> Self {
        Self {
            now: start,
            changes: VecDeque::with_capacity(MEMORY),
        }
    }

    pub fn now(&self) -> &Point {
        &self.now
    }

    pub fn into_now(self) -> Point {
        self.now
    }

    /// Goes on to a lower point; false if rounding hides any.
    pub async fn step<E>(
        &mut self,
        evaluate: impl AsyncFn(DMatrix<f64>) -> Result<Point, E>,
    ) -> Result<bool, E> {
        let direction = self.direction();
        let slope = direction.dot(&self.now.gradient);

        let mut length = 1.0;
        for _ in 0..HALVINGS {
            let next = evaluate(&self.now.at + &direction * length).await?;
            if next.value <= self.now.value + SUFFICIENT * length * slope {
                self.accept(next);
                return Ok(true);
            }
            length /= 2.0;
        }
        Ok(false)
    }

    /// The direction of descent: the negative gradient times the approximate inverse Hessian.
    fn direction(&self) -> DMatrix<f64> {
        let mut direction = -&self.now.gradient;
        let mut shares = Vec::with_capacity(self.changes.len());
        for change in self.changes.iter().rev() {
            let share = change.point.dot(&direction) / change.curvature;
            direction -= &change.gradient * share;
            shares.push(share);
        }

        // The newest curvature sets the scale, so that a step of length 1 is mostly accepted.
        if let Some(last) = self.changes.back() {
            direction *= last.curvature / last.gradient.norm_squared();
        }
        for (change, share) in self.changes.iter().zip(shares.into_iter().rev()) {
            let correction = share - change.gradient.dot(&direction) / change.curvature;
            direction += &change.point * correction;
        }
        direction
    }

    fn accept(&mut self, next: Point) {
        let point = &next.at - &self.now.at;
        let gradient = &next.gradient - &self.now.gradient;
        let curvature = point.dot(&gradient);

        // Rounding can hide the curvature of the last, tiny steps.
        if curvature > f64::EPSILON * gradient.norm_squared() {
            if self.changes.len() == MEMORY {
                self.changes.pop_front();
            }
            self.changes.push_back(LbfgsChange {
                point,
                gradient,
                curvature,
            });
        }
        self.now = next;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::test;

    /// `(x - 3)^2 + 100 (y + 1)^2 + x^4 / 10`.
    fn valley(at: DMatrix<f64>) -> Point {
        let (x, y) = (at[0], at[1]);
        let gradient = [2.0 * (x - 3.0) + 0.4 * x.powi(3), 200.0 * (y + 1.0)];
        Point {
            value: (x - 3.0).powi(2) + 100.0 * (y + 1.0).powi(2) + x.powi(4) / 10.0,
            gradient: DMatrix::from_column_slice(2, 1, &gradient),
            at,
        }
    }

    #[test]
    fn a_narrow_valley_is_left_at_its_lowest_point() {
        let mut descent = Lbfgs::new(valley(DMatrix::from_column_slice(2, 1, &[-5.0, 4.0])));
        let mut iterations = 0;
        let mut last = descent.now().value;
        while descent.now().gradient.norm() > 1e-9 {
            let went = block_on(descent.step(async |at| Ok::<_, Infallible>(valley(at))));
            assert_eq!(went, Ok(true), "no descent after {iterations} steps");
            assert!(descent.now().value <= last);
            last = descent.now().value;
            iterations += 1;
            assert!(iterations < 40);
        }
        // 2 (x - 3) + 0.4 x^3 = 0 has one root.
        let x = descent.now().at[0];
        assert!((2.0 * (x - 3.0) + 0.4 * x.powi(3)).abs() < 1e-9);
        assert!((descent.now().at[1] + 1.0).abs() < 1e-9);
    }
}
