//! Errors on corrupted images as measures and as a table.

use ibot_core::eval::corruptions::{CorruptionErrors, MeanError};
use ibot_core::image::corrupt::{Corruption, Severity};

use super::super::measures::Measures;

/// Measures are `error_clean`, `error_fog` and so on: means over severities.
pub const ERROR: &str = "error_";
/// The mean over the 15 standard corruptions.
pub const STANDARD: &str = "error_mean15";

pub struct ErrorReport {
    /// Share of clean images that are classified wrongly.
    pub clean: f64,
    pub errors: CorruptionErrors,
    /// The standard mCE, where it means something.
    pub mce: Option<f64>,
}

impl ErrorReport {
    pub fn measures(&self) -> Measures {
        let mut measures = Measures::default();
        measures.push(format!("{ERROR}clean"), self.clean);
        for corruption in Corruption::ALL {
            if let Some((error, _)) = self.errors.of(corruption) {
                measures.push(format!("{ERROR}{corruption}"), error);
            }
        }

        if let Some(mean) = self.errors.mean() {
            measures.push(format!("{ERROR}mean"), mean.error);
        }
        if let Some(mean) = self.errors.standard_mean() {
            measures.push(STANDARD.to_owned(), mean.error);
        }
        if let Some(mce) = self.mce {
            measures.push("mce".to_owned(), mce);
        }
        measures
    }

    /// A row for each corruption, a column for each severity, then the means.
    pub fn table(&self) -> String {
        let mut table = format!("error    clean {}\n", percent(Some(self.clean)));
        table += &format!("\n{:18}", "severity");
        for severity in Severity::ALL {
            table += &format!("{severity:>8}");
        }
        table += "    mean";

        for corruption in Corruption::ALL {
            let Some((mean, _)) = self.errors.of(corruption) else {
                continue;
            };
            table += &format!("\n{:18}", corruption.name());
            for severity in Severity::ALL {
                table += &percent(self.errors.at(corruption, severity));
            }
            table += &percent(Some(mean));
        }

        table += "\n";
        if let Some(mean) = self.errors.standard_mean() {
            table += &mean_line("mean of the standard corruptions", mean);
        }
        if let Some(mean) = self.errors.mean() {
            table += &mean_line("mean of all, which the official code calls mCE", mean);
        }
        if let Some(mce) = self.mce {
            let mce = percent(Some(mce));
            table += &format!("\n{mce}  standard mCE: errors divided by those of AlexNet");
        }
        table
    }
}

fn mean_line(name: &str, mean: MeanError) -> String {
    let MeanError {
        error,
        corruptions,
        severities,
    } = mean;
    let error = percent(Some(error));
    format!("\n{error}  {name}: {corruptions} corruptions, {severities} settings")
}

fn percent(share: Option<f64>) -> String {
    match share {
        Some(share) => format!("{:6.1} %", 100.0 * share),
        None => format!("{:>8}", "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_settings_are_dashes_and_means_say_over_what_they_are() {
        let mut errors = CorruptionErrors::default();
        errors.add(Corruption::Fog, Severity::ALL[1], 0.25);
        errors.add(Corruption::Saturate, Severity::ALL[4], 0.75);
        let found = ErrorReport {
            clean: 0.1,
            errors,
            mce: None,
        };

        let table = found.table();
        let fog = table.lines().find(|line| line.starts_with("fog"));
        let cells: Vec<&str> = fog.expect("a row").split_whitespace().collect();
        assert_eq!(cells, ["fog", "-", "25.0", "%", "-", "-", "-", "25.0", "%"]);
        assert!(table.contains("50.0 %  mean of all"), "{table}");
        assert!(table.contains("2 corruptions, 2 settings"), "{table}");

        let measures = found.measures();
        assert_eq!(measures.get("error_clean"), Some(0.1));
        assert_eq!(measures.get("error_fog"), Some(0.25));
        assert_eq!(measures.get("error_mean"), Some(0.5));
        assert_eq!(measures.get(STANDARD), Some(0.25));
        assert_eq!(measures.get("mce"), None);
    }
}
