//! How often objects were found: as measures and as a table.

use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::eval::discovery::CorLoc;

use super::super::measures::Measures;
use crate::report::figures::BoxPicture;

pub const CORLOC: &str = "corloc";
pub const MEAN_IOU: &str = "mean_iou";
pub const WHOLE: &str = "corloc_whole";

/// What was found on an image.
pub struct Discovered {
    pub found: Option<BoundingBox>,
    pub objects: Vec<BoundingBox>,
    pub size: (usize, usize),
    /// Only of the images that are drawn.
    pub picture: Option<BoxPicture>,
}

/// How often objects were found.
pub struct DiscoveryScore {
    pub model: CorLoc,
    /// Of a box around the whole image.
    whole: CorLoc,
    /// Images whose patches are all alike.
    uncut: usize,
    /// Images without an object.
    empty: usize,
}

impl DiscoveryScore {
    pub fn of(results: &[Discovered]) -> Self {
        let mut score = Self {
            model: CorLoc::default(),
            whole: CorLoc::default(),
            uncut: 0,
            empty: 0,
        };
        for result in results {
            if result.objects.is_empty() {
                score.empty += 1;
                continue;
            }
            score.model.add(result.found.as_ref(), &result.objects);
            // Objects that fill their image are found by a box around everything: the floor to
            // compare with.
            let whole = BoundingBox::of_image(result.size);
            score.whole.add(Some(&whole), &result.objects);
            score.uncut += usize::from(result.found.is_none());
        }
        score
    }

    pub fn measures(&self) -> Measures {
        let mut measures = Measures::default();
        measures.push(CORLOC.to_owned(), self.model.share());
        measures.push(MEAN_IOU.to_owned(), self.model.mean_iou());
        measures.push(WHOLE.to_owned(), self.whole.share());
        measures.push("uncut".to_owned(), self.uncut as f64);
        measures
    }

    pub fn table(&self) -> String {
        let share = |value: f64| format!("{:5.1} %", 100.0 * value);
        let mut table = format!(
            "CorLoc       {}  of {} images: the box overlaps an object by half or more\n\
             mean IoU     {}  with the object that the box overlaps most\n\
             whole image  {}  CorLoc of a box around all of the image",
            share(self.model.share()),
            self.model.images,
            share(self.model.mean_iou()),
            share(self.whole.share()),
        );
        if self.uncut > 0 {
            table += &format!(
                "\nno box       {:5}    images whose patches are all alike",
                self.uncut
            );
        }
        if self.empty > 0 {
            table += &format!(
                "\nleft out     {:5}    images without an object",
                self.empty
            );
        }
        table
    }
}
