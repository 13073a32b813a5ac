//! Objects of an image in the XML of Pascal VOC.

use roxmltree::{Document, Node};

use super::boxes::{BoundingBox, BoxError};

/// An image with its boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct VocImage {
    /// Its width and height, if the file says them.
    pub size: Option<(usize, usize)>,
    /// In the order of the file.
    pub objects: Vec<VocObject>,
    /// Objects that were left out, by their number, counted from 1, and why.
    pub problems: Vec<(usize, ObjectProblem)>,
}

/// A box with the class of what is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct VocObject {
    /// The name of its class.
    pub class: String,
    /// The part of its box that lies on the image, if its size is known.
    pub bounds: BoundingBox,
    /// Whether it is hard to recognise: scores of detectors leave it out.
    pub difficult: bool,
    /// Whether a part of the object is not in the box.
    pub truncated: bool,
}

/// Why a file is none of VOC's.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum VocError {
    #[error("not XML: {0}")]
    Xml(#[from] roxmltree::Error),
    #[error("its outer element is <{0}>, not <annotation>")]
    Root(String),
}

/// Why an object has no box.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum ObjectProblem {
    #[error("<{0}> is missing")]
    Missing(&'static str),
    #[error("<{element}> is `{text}`, not a number")]
    Number { element: &'static str, text: String },
    #[error(transparent)]
    Box(#[from] BoxError),
}

impl VocImage {
    /// Reads the text of a file of `Annotations/`. Corners in the file are whole pixels, counted
    /// from 1, and belong to the box. Objects that are wrong are left out and named.
    ///
    /// # Errors
    /// If it is no XML, or XML of something else.
    pub fn read(text: &str) -> Result<Self, VocError> {
        let document = Document::parse(text)?;
        let root = document.root_element();
        let name = root.tag_name().name();
        if name != "annotation" {
            return Err(VocError::Root(name.to_owned()));
        }

        let mut image = Self {
            size: child(root, "size").and_then(size),
            objects: Vec::new(),
            problems: Vec::new(),
        };
        let objects = root.children().filter(|node| node.has_tag_name("object"));
        for (number, node) in (1..).zip(objects) {
            match object(node, image.size) {
                Ok(object) => image.objects.push(object),
                Err(problem) => image.problems.push((number, problem)),
            }
        }
        Ok(image)
    }
}

/// Width and height; `None` unless both are there and not zero, as some programs write.
fn size(node: Node) -> Option<(usize, usize)> {
    let side = |name| child(node, name)?.text()?.trim().parse().ok();
    let (width, height): (usize, usize) = (side("width")?, side("height")?);
    (width > 0 && height > 0).then_some((width, height))
}

fn object(node: Node, size: Option<(usize, usize)>) -> Result<VocObject, ObjectProblem> {
    let class = child(node, "name").and_then(|name| name.text());
    let class = class.ok_or(ObjectProblem::Missing("name"))?.trim();
    let corners = child(node, "bndbox").ok_or(ObjectProblem::Missing("bndbox"))?;
    // Pixel 1 reaches from 0 to 1, so that the last pixel of a box ends at its own number.
    let bounds = BoundingBox {
        left: number(corners, "xmin")? - 1.0,
        top: number(corners, "ymin")? - 1.0,
        right: number(corners, "xmax")?,
        bottom: number(corners, "ymax")?,
    };
    // Without a size no box lies outside; only wrong corners are found.
    let known = size.unwrap_or((usize::MAX, usize::MAX));
    Ok(VocObject {
        class: class.to_owned(),
        bounds: bounds.on_image(known)?,
        difficult: is_set(node, "difficult"),
        truncated: is_set(node, "truncated"),
    })
}

/// The first element of this name right inside `node`: parts of an object have boxes of their own.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn number(node: Node, element: &'static str) -> Result<f64, ObjectProblem> {
    let child = child(node, element).ok_or(ObjectProblem::Missing(element))?;
    let text = child.text().unwrap_or_default().trim();
    // As a fraction, which some programs write: `12.0`.
    text.parse().map_err(|_| ObjectProblem::Number {
        element,
        text: text.to_owned(),
    })
}

/// Whether an element is there and not 0.
fn is_set(node: Node, element: &str) -> bool {
    let text = child(node, element).and_then(|flag| flag.text());
    text.is_some_and(|text| !matches!(text.trim(), "" | "0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const TWO: &str = "<annotation><filename>a.jpg</filename>
        <size><width>640</width><height>480</height><depth>3</depth></size>
        <object><name>dog</name><difficult>1</difficult><truncated>0</truncated>
            <part><name>head</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>7</xmax><ymax>8</ymax></bndbox></part>
            <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>640</xmax><ymax>3</ymax></bndbox></object>
        <object><name>cat</name><truncated>1</truncated>
            <bndbox><xmin>45.70</xmin><ymin>0</ymin><xmax>641</xmax><ymax>20</ymax></bndbox></object>
        </annotation>";

    #[test]
    fn corners_are_pixels_that_belong_to_the_box() {
        let image = VocImage::read(TWO).expect("sound");
        assert_eq!(image.size, Some((640, 480)));
        let dog = &image.objects[0];
        let whole_row = BoundingBox {
            left: 0.0,
            top: 1.0,
            right: 640.0,
            bottom: 3.0,
        };
        assert_eq!(dog.bounds, whole_row, "two rows of pixels");
        assert!(dog.difficult && !dog.truncated);
        let cat = &image.objects[1];
        assert_eq!((cat.bounds.left, cat.bounds.right), (44.7, 640.0));
        assert!(!cat.difficult && cat.truncated);
        assert!(image.problems.is_empty());
    }

    #[test]
    fn a_broken_object_loses_no_other() {
        let broken = TWO
            .replace("<xmin>45.70</xmin>", "<xmin>left</xmin>")
            .replace("<width>640</width>", "<width>0</width>");
        let image = VocImage::read(&broken).expect("one is sound");
        assert_eq!((image.size, image.objects.len()), (None, 1));
        assert_eq!(image.problems[0].0, 2);
        let message = image.problems[0].1.to_string();
        assert_eq!(message, "<xmin> is `left`, not a number");

        let outside = TWO.replace("<xmin>45.70</xmin>", "<xmin>642</xmin>");
        let outside = outside.replace("<xmax>641</xmax>", "<xmax>660</xmax>");
        let image = VocImage::read(&outside).expect("one is sound");
        let message = image.problems[0].1.to_string();
        assert!(message.contains("outside of its image"), "{message}");
        let nameless = VocImage::read(&TWO.replace("<name>cat</name>", "")).expect("sound");
        let problem = &nameless.problems[0].1;
        assert_eq!(*problem, ObjectProblem::Missing("name"));
    }

    #[test]
    fn other_files_are_refused() {
        let message = |text: &str| VocImage::read(text).expect_err("none").to_string();
        assert!(message("{}").contains("not XML"));
        assert!(message("<html/>").contains("<html>"));
        assert!(message(&TWO[..200]).contains("not XML"));
    }
}
