//! Which classes are taken for which.

/// How often images, or pixels, of each class were taken for each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[classes, classes]`, a row for each true class.
    counts: Vec<usize>,
}

impl Confusion {
    /// The matrix of (true class, predicted class) `pairs`; pairs with a class beyond `classes` are
    /// left out.
    pub fn new(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut confusion = Self {
            classes,
            counts: vec![0; classes * classes],
        };
        for (truth, predicted) in pairs {
            confusion.add(truth, predicted);
        }
        confusion
    }

    /// Counts a pair; one with a class beyond `classes` is left out.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        // IGNORED is beyond all classes, too.
        if truth < self.classes && predicted < self.classes {
            self.counts[truth * self.classes + predicted] += 1;
        }
    }

    /// For each class the pairs that have it on both sides, divided by those that have it on
    /// either; `None` for a class that does not occur.
    pub fn iou(&self) -> Vec<Option<f64>> {
        let mut predicted = vec![0; self.classes];
        for truth in 0..self.classes {
            for (sum, count) in predicted.iter_mut().zip(self.row(truth)) {
                *sum += count;
            }
        }

        let mut shares = Vec::with_capacity(self.classes);
        for (class, predicted) in predicted.into_iter().enumerate() {
            let row = self.row(class);
            let hits = row[class];
            let truth: usize = row.iter().sum();
            shares.push(share(hits, truth + predicted - hits));
        }
        shares
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How often each class was predicted for images of class `truth`.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn row(&self, truth: usize) -> &[usize] {
        &self.counts[truth * self.classes..][..self.classes]
    }

    /// Share of images whose class was found; `None` without images.
    pub fn accuracy(&self) -> Option<f64> {
        let hits = (0..self.classes).map(|class| self.row(class)[class]).sum();
        share(hits, self.counts.iter().sum())
    }

    /// Share of the images of each class that were found; `None` for a class without images.
    pub fn recall(&self) -> Vec<Option<f64>> {
        (0..self.classes)
            .map(|class| share(self.row(class)[class], self.row(class).iter().sum()))
            .collect()
    }

    /// Share of each class's predictions that were right; `None` for a class that was never
    /// predicted.
    pub fn precision(&self) -> Vec<Option<f64>> {
        let predicted = |class| (0..self.classes).map(|truth| self.row(truth)[class]).sum();
        (0..self.classes)
            .map(|class| share(self.row(class)[class], predicted(class)))
            .collect()
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn shares_are_those_of_rows_and_columns() {
        let pairs = [
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 1),
            (1, 0),
            (1, 1),
            (9, 0),
            (0, 9),
        ];
        let confusion = Confusion::new(3, pairs);
        assert_eq!(
            (confusion.row(0), confusion.row(1), confusion.row(2)),
            (&[3, 1, 0][..], &[1, 1, 0][..], &[0; 3][..])
        );
        assert_eq!(confusion.accuracy(), Some(4.0 / 6.0));
        assert_eq!(confusion.recall(), [Some(0.75), Some(0.5), None]);
        assert_eq!(confusion.precision(), [Some(0.75), Some(0.5), None]);
        assert_eq!(Confusion::new(2, []).accuracy(), None);
    }
}
