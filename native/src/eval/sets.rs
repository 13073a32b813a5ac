//! Which images an evaluation learns from and which it is judged by.

use anyhow::{Result, bail, ensure};
use ibot_core::eval::knn::Labelled;

use crate::data::Dataset;
use crate::features::{FeatureStore, Readout};

/// Images to learn from and to judge by, where both come from one set and the settings set no limit.
const ONE_SET: (usize, usize) = (10_000, 2_000);

/// The most images of each kind; `None` takes all, or a default number where one set is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetLimits {
    pub train: Option<usize>,
    pub val: Option<usize>,
}

/// Labelled images of the same classes, no image in both sets.
pub struct Sets<'a> {
    pub train: Subset<'a>,
    pub val: Subset<'a>,
}

/// Images of a dataset by their indices.
pub struct Subset<'a> {
    pub data: &'a Dataset,
    pub indices: Vec<usize>,
}

impl SetLimits {
    /// Whether a limit leaves no image.
    pub fn is_empty(self) -> bool {
        self.train == Some(0) || self.val == Some(0)
    }
}

impl<'a> Sets<'a> {
    /// The images of both sets, spread evenly over classes up to the limits; without `val` both are
    /// parts of `train`.
    pub fn choose(train: &'a Dataset, val: Option<&'a Dataset>, limits: SetLimits) -> Result<Self> {
        require_labels(train)?;
        if let Some(val) = val {
            require_same_classes(train, val)?;
        }
        Self::choose_any(train, val, limits)
    }

    /// The same of images that need no labels.
    pub fn choose_any(
        train: &'a Dataset,
        val: Option<&'a Dataset>,
        limits: SetLimits,
    ) -> Result<Self> {
        let Some(val) = val else {
            return Self::of_one(train, limits);
        };
        Ok(Self {
            train: Subset {
                data: train,
                indices: train.subset(limits.train.unwrap_or(usize::MAX), 0),
            },
            val: Subset {
                data: val,
                indices: val.subset(limits.val.unwrap_or(usize::MAX), 0),
            },
        })
    }

    /// Both parts are different images of one set, fewer in proportion if it is small.
    fn of_one(data: &'a Dataset, limits: SetLimits) -> Result<Self> {
        let train = limits.train.unwrap_or(ONE_SET.0);
        let val = limits.val.unwrap_or(ONE_SET.1);
        ensure!(
            train > 0 && val > 0,
            "an evaluation needs at least one image to learn from and one to judge by"
        );
        ensure!(
            data.len() > 1,
            "an evaluation needs two images or more, one of them to judge by"
        );

        let wanted = train.saturating_add(val).min(data.len());
        // Limits may be close to the largest number, and their product beyond it.
        let total = train as u128 + val as u128;
        let count = (val as u128 * wanted as u128 / total) as usize;
        // Neither part may be empty.
        let count = count.clamp(1, wanted - 1);

        // In the order of images, a list that cycles through its classes can put all images of a
        // class at places to judge by.
        let mut chosen = data.subset(wanted, 0);
        chosen.sort_by_key(|index| data.label(*index));

        let mut learn = Vec::with_capacity(wanted - count);
        let mut judge = Vec::with_capacity(count);
        for (place, index) in chosen.into_iter().enumerate() {
            // Exactly `count` places of all, spread evenly, are those to judge by.
            let judges = (place + 1) * count / wanted > place * count / wanted;
            let indices = if judges { &mut judge } else { &mut learn };
            indices.push(index);
        }
        learn.sort_unstable();
        judge.sort_unstable();
        Ok(Self {
            train: Subset {
                data,
                indices: learn,
            },
            val: Subset {
                data,
                indices: judge,
            },
        })
    }
}

impl<'a> Subset<'a> {
    /// At most `count` images of `data`, spread evenly over its classes.
    pub fn labelled_of(data: &'a Dataset, count: usize) -> Result<Self> {
        require_labels(data)?;
        let indices = data.subset(count, 0);
        ensure!(
            !indices.is_empty(),
            "an evaluation needs at least one image"
        );
        Ok(Self { data, indices })
    }

    /// At most `count` of the images, spread evenly over them.
    pub fn evenly(&self, count: usize) -> Self {
        Self {
            data: self.data,
            indices: spread(&self.indices, count),
        }
    }

    /// What `readout` reads from the images that can be read, with their classes.
    pub fn labelled(&self, readout: Readout, features: &FeatureStore) -> Result<Labelled> {
        let rows = features.rows(readout, self.data, &self.indices)?;
        Ok(Labelled {
            labels: self.labels_of(&rows.indices),
            features: rows.tensor(features.device()),
        })
    }

    /// The class of each image of `indices`, which may be fewer than those of the subset.
    pub fn labels_of(&self, indices: &[usize]) -> Vec<usize> {
        let label = |index: &usize| self.data.label(*index).unwrap_or_default();
        indices.iter().map(label).collect()
    }
}

/// At most `limit` of the images, spread evenly.
pub fn spread(images: &[usize], limit: usize) -> Vec<usize> {
    let count = images.len().min(limit);
    // In 128 bits: the product may need more than the 32 that `usize` can have.
    let place = |n: usize| (n as u128 * images.len() as u128 / count as u128) as usize;
    (0..count).map(|n| images[place(n)]).collect()
}

fn require_same_classes(train: &Dataset, val: &Dataset) -> Result<()> {
    require_labels(val)?;
    if train.classes() != val.classes() {
        let (train_name, val_name) = (train.description(), val.description());
        let unknown = val
            .classes()
            .iter()
            .find(|class| !train.classes().contains(class))
            .map_or(String::new(), |class| {
                format!("; `{class}` is only in the second")
            });
        bail!("the classes of the two sets differ: {train_name} against {val_name}{unknown}");
    }
    Ok(())
}

fn require_labels(data: &Dataset) -> Result<()> {
    ensure!(
        !data.classes().is_empty(),
        "{} has no labels, which this evaluation needs: put the images of each class in a folder of its own",
        data.description()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_is_divided_class_by_class() {
        // The classes of builtin images cycle, and so would every fifth image.
        let data = Dataset::open("builtin:val").expect("builtin images");
        let limits = SetLimits {
            train: Some(200),
            val: Some(50),
        };
        let sets = Sets::choose(&data, None, limits).expect("images with labels");

        for (subset, expected) in [(&sets.train, 20), (&sets.val, 5)] {
            let labels = subset.labels_of(&subset.indices);
            for class in 0..data.classes().len() {
                let images = labels.iter().filter(|label| **label == class).count();
                assert_eq!(images, expected, "class {class}");
            }
        }
        let judges = |index: &usize| sets.val.indices.contains(index);
        assert!(!sets.train.indices.iter().any(judges));
    }
}
