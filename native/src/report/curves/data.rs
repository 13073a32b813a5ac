//! What a chart shows.

/// One set of axes with its curves.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub title: String,
    /// The unit of the vertical axis.
    pub unit: Option<String>,
    /// What runs along the horizontal axis.
    pub x_label: String,
    pub curves: Vec<ChartLine>,
    /// Labelled levels to compare with, drawn as dashed horizontal lines.
    pub references: Vec<(String, f64)>,
}

#[derive(Clone, Debug, Default)]
pub struct ChartLine {
    /// Its name in the legend.
    pub name: String,
    /// Its points in drawing order. A point that is not finite interrupts the curve.
    pub points: Vec<(f64, f64)>,
}

impl Chart {
    /// Adds a point to the curve `name`, which is made if it is missing.
    pub fn add_point(&mut self, name: String, point: (f64, f64)) {
        match self.curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push(point),
            None => self.curves.push(ChartLine {
                name,
                points: vec![point],
            }),
        }
    }
}
