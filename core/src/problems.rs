//! Checks of settings that collect every mistake, so that one run of a program names them all.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    /// Section and name, as written in a configuration file.
    pub key: String,
    /// The value.
    pub value: String,
    /// What is wrong, and which values would do.
    pub problem: String,
}

impl Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} = {}: {}", self.key, self.value, self.problem)
    }
}

/// The mistakes found so far.
///
/// Every check returns whether it holds, so that checks which depend on it can be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    section: &'static str,
    found: Vec<InvalidSetting>,
}

impl Problems {
    /// Names the section that the next checks are about; their keys begin with it.
    pub fn section(&mut self, name: &'static str) -> &mut Self {
        self.section = name;
        self
    }

    /// Records `problem` unless the condition `holds`.
    pub fn require(
        &mut self,
        holds: bool,
        key: &str,
        value: impl Display,
        problem: impl Into<String>,
    ) -> bool {
        if !holds {
            let key = match self.section {
                "" => key.to_owned(),
                section => format!("{section}.{key}"),
            };
            self.found.push(InvalidSetting {
                key,
                value: value.to_string(),
                problem: problem.into(),
            });
        }
        holds
    }

    /// Requires a value in `range`, both ends included.
    pub fn within<T>(&mut self, key: &str, value: T, range: RangeInclusive<T>) -> bool
    where
        T: PartialOrd + Display,
    {
        let holds = range.contains(&value);
        let problem = format!("must lie between {} and {}", range.start(), range.end());
        self.require(holds, key, value, problem)
    }

    /// Requires a finite number of 0 or more.
    pub fn not_negative(&mut self, key: &str, value: f64) -> bool {
        let holds = value.is_finite() && value >= 0.0;
        self.require(holds, key, value, "must be zero or more")
    }

    /// Requires a finite number above 0.
    pub fn positive(&mut self, key: &str, value: f64) -> bool {
        let holds = value.is_finite() && value > 0.0;
        self.require(holds, key, value, "must be more than zero")
    }

    /// Requires two numbers that end a range: both above 0 and at most `most`, the smaller first.
    pub fn ordered(
        &mut self,
        key: &str,
        [low, high]: [f64; 2],
        most: f64,
        problem: impl Into<String>,
    ) -> bool {
        // A NaN fails every comparison.
        let holds = low > 0.0 && low <= high && high <= most;
        self.require(holds, key, format!("[{low}, {high}]"), problem)
    }

    /// The mistakes, in the order of the checks.
    pub fn found(&self) -> &[InvalidSetting] {
        &self.found
    }

    /// Ends the checks.
    ///
    /// # Errors
    /// All mistakes, if there are any.
    pub fn into_result(self) -> Result<(), Self> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(self)
        }
    }
}

/// One mistake a line.
impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, setting) in self.found.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{setting}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn all_mistakes_are_named_with_their_sections() {
        let mut problems = Problems::default();
        problems.section("loss").positive("student_temp", 0.0);
        let at = problems.section("optim");
        assert!(at.within("epochs", 1, 1..=10) && !at.within("beta1", f64::NAN, 0.0..=1.0));
        at.not_negative("lr", -1.0);
        problems
            .section("")
            .ordered("scale", [2.0, 1.0], 3.0, "must rise");
        let error = problems.into_result().expect_err("four mistakes");
        assert_eq!(
            error.to_string(),
            "loss.student_temp = 0: must be more than zero\n\
             optim.beta1 = NaN: must lie between 0 and 1\n\
             optim.lr = -1: must be zero or more\n\
             scale = [2, 1]: must rise"
        );
        assert_eq!(Problems::default().into_result(), Ok(()));
    }
}
