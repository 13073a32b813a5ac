//! Texts that say where objects and points of images are: what is accepted lies on its image.

use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::annotation::coco::CocoSet;
use ibot_core::annotation::keypoints::KeypointPair;
use ibot_core::annotation::voc::VocImage;
use rand::RngExt as _;

use super::engine;
use crate::support::damage::{Damage, mutate};

const TEXT: Damage = Damage {
    alphabet: b"[]{}<>/\",:-+.eE0123456789 &;\\\xff",
    big_endian: false,
};

const COCO: &str = r#"{"categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
    "images": [{"id": 5, "file_name": "a.jpg", "width": 40, "height": 30}, {"id": 3, "file_name": "b.jpg", "width": 2, "height": 2}],
    "annotations": [{"id": 1, "image_id": 5, "category_id": 9, "bbox": [0, 0, 20.5, 30], "area": 60.0, "iscrowd": 0,
        "segmentation": [[0, 0, 20, 0, 20, 30, 0, 30], [30.5, 1, 39, 2, 33, 25]]},
        {"id": 2, "image_id": 5, "category_id": 7, "bbox": [10, 0, 25, 35], "iscrowd": 1,
        "segmentation": {"size": [30, 40], "counts": [300, 600, 300]}},
        {"id": 4, "image_id": 3, "category_id": 7, "bbox": [0, 0, 1, 1], "segmentation": {"size": [2, 2], "counts": "112"}}]}"#;
const VOC: &str = "<?xml version=\"1.0\"?><annotation><size><width>40</width><height>30</height></size>
    <object><name>dog &amp; cat</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>40</xmax>
    <ymax>30.5</ymax></bndbox></object><object><name>cat</name><bndbox><xmin>4</xmin><ymin>0</ymin><xmax>8</xmax>
    <ymax>9</ymax></bndbox></object></annotation>";
const SPAIR: &str = r#"{"src_imname": "a.jpg", "trg_imname": "b.jpg", "src_imsize": [40, 30, 3], "trg_imsize": [40, 30, 3],
    "src_bndbox": [1, 2, 30, 20], "trg_bndbox": [1, 2, 30, 20], "category": "cat", "src_kps": [[15, 25], [9, 3.5]],
    "trg_kps": [[2, 3], [4, 5]]}"#;
const LIST: &str = r#"[{"source": "a.png", "target": "b.png", "source_points": [[1, 2.5]], "target_points": [[3, 4]]},
    {"source": "a.png", "target": "b.png", "category": "cup", "target_box": [0, 0, 9, 8], "source_points": [[1, 2]],
    "target_points": [[3, 4]]}]"#;

/// Larger masks are not drawn here: an image of that size would be there.
const DRAWN: usize = 1 << 20;

pub fn fuzz() {
    let corpus = [COCO, VOC, SPAIR, LIST];
    engine::run("annotations", 64 << 20, |random| {
        let which = random.random_range(..corpus.len());
        let other = corpus[random.random_range(..corpus.len())];
        let mut bytes = corpus[which].as_bytes().to_vec();
        mutate(&mut bytes, 0, other.as_bytes(), &TEXT, random);
        match which {
            0 => coco(&bytes),
            1 => voc(&bytes),
            2 => KeypointPair::of_spair(&bytes).is_ok(),
            _ => KeypointPair::list(&bytes).is_ok(),
        }
    });
}

fn coco(text: &[u8]) -> bool {
    let Ok(set) = CocoSet::read(text) else {
        return false;
    };
    for image in &set.images {
        let size = (image.width, image.height);
        for object in &image.objects {
            assert!(object.category < set.categories.len());
            is_inside(&object.bounds, size);
            let pixels = size.0.saturating_mul(size.1);
            let drawn = object.region.as_ref().filter(|_| pixels <= DRAWN);
            // A side may be longer than that of any image.
            if let Some(Ok(mask)) = drawn.map(|region| region.mask(size)) {
                assert_eq!((mask.columns(), mask.rows()), size);
            }
        }
    }
    true
}

fn voc(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Ok(image) = VocImage::read(&text) else {
        return false;
    };
    for object in &image.objects {
        is_inside(
            &object.bounds,
            image.size.unwrap_or((usize::MAX, usize::MAX)),
        );
    }
    true
}

fn is_inside(bounds: &BoundingBox, size: (usize, usize)) {
    let whole = BoundingBox::of_image(size);
    assert!(bounds.area() > 0.0, "{bounds:?}");
    assert_eq!(bounds.around(&whole), whole, "{bounds:?} on {size:?}");
}
