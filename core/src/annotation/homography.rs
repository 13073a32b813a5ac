//! Homographies: how a plane moves between two pictures of it, as benchmarks of correspondence give
//! it.

/// A 3 x 3 matrix, row by row, that takes homogeneous pixel coordinates of the first image to those
/// of the second.
pub type Homography = [f64; 9];

/// Why a text is not a homography.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum HomographyError {
    #[error("a homography has 9 numbers, row by row, but the text has {0}")]
    Count(usize),
    #[error("`{0}` in the homography is not a finite number")]
    Number(String),
    #[error(
        "the homography has determinant 0 and cannot map an image: check the order of its numbers"
    )]
    Singular,
    #[error("the homography looks like XML but cannot be read as such: {0}")]
    Xml(#[from] roxmltree::Error),
    #[error(
        "the XML has no 3 x 3 matrix: expected an element with type_id=\"opencv-matrix\", rows 3 and cols 3"
    )]
    NoMatrix,
}

/// Reads a homography from nine numbers between white space, or from XML that OpenCV's
/// `FileStorage` wrote (its first 3 x 3 matrix).
///
/// # Errors
/// If there are not nine finite numbers, or the matrix is singular.
pub fn parse_homography(text: &str) -> Result<Homography, HomographyError> {
    // Some editors put a byte order mark before the text.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('<') {
        from_xml(text)
    } else {
        from_numbers(text)
    }
}

/// Where `homography` takes the point `(x, y)`; `None` if that is infinitely far.
pub fn transform(homography: &Homography, (x, y): (f64, f64)) -> Option<(f64, f64)> {
    let [x, y, w] =
        [0, 3, 6].map(|row| homography[row] * x + homography[row + 1] * y + homography[row + 2]);
    let point = (x / w, y / w);
    // With `w` of 0 the quotient is infinite or not a number.
    (point.0.is_finite() && point.1.is_finite()).then_some(point)
}

fn from_xml(text: &str) -> Result<Homography, HomographyError> {
    let document = roxmltree::Document::parse(text)?;
    let child = |node: roxmltree::Node<'_, '_>, name: &str| {
        let found = node.children().find(|child| child.has_tag_name(name))?;
        Some(found.text().unwrap_or_default().trim().to_owned())
    };
    let three = Some("3".to_owned());
    let numbers = document
        .descendants()
        .filter(|node| node.attribute("type_id") == Some("opencv-matrix"))
        .find(|node| child(*node, "rows") == three && child(*node, "cols") == three)
        .and_then(|node| child(node, "data"));
    from_numbers(&numbers.ok_or(HomographyError::NoMatrix)?)
}

fn from_numbers(text: &str) -> Result<Homography, HomographyError> {
    let mut numbers = Vec::with_capacity(9);
    for word in text.split_whitespace() {
        let number = word.parse().ok().filter(|number: &f64| number.is_finite());
        numbers.push(number.ok_or_else(|| HomographyError::Number(word.to_owned()))?);
    }
    let matrix: Homography = numbers
        .try_into()
        .map_err(|numbers: Vec<f64>| HomographyError::Count(numbers.len()))?;
    let [a, b, c, d, e, f, g, h, i] = matrix;
    // Exactly 0: a determinant has no scale by which a small one could be told.
    if a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) == 0.0 {
        return Err(HomographyError::Singular);
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const XML: &str = r#"<?xml version="1.0"?>
<opencv_storage>
<count>2</count>
<camera type_id="opencv-matrix"><rows>1</rows><cols>9</cols><dt>d</dt><data>1 2 3 4 5 6 7 8 9</data></camera>
<H13 type_id="opencv-matrix">
  <rows>3</rows>
  <cols>3</cols>
  <dt>d</dt>
  <data>
	1.  -2.5000000e-01   2.0000000e+02
	0. 5.0000000e-01  -7.5e+01
	0.  1.0e-03   1. </data></H13>
</opencv_storage>
"#;

    #[test]
    fn numbers_are_read_row_by_row() {
        let read = parse_homography("1 0 5\n0 1\t-7\r\n 0 0 1e0\n").expect("nine numbers");
        assert_eq!(read, [1.0, 0.0, 5.0, 0.0, 1.0, -7.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn xml_of_opencv_is_read_from_its_first_3_by_3_matrix() {
        assert_eq!(
            parse_homography(XML).expect("as OpenCV writes"),
            [1.0, -0.25, 200.0, 0.0, 0.5, -75.0, 0.0, 0.001, 1.0]
        );
    }

    #[test]
    fn what_is_no_homography_is_refused_with_the_reason() {
        assert!(matches!(
            parse_homography("1 2 3"),
            Err(HomographyError::Count(3))
        ));
        assert!(matches!(
            parse_homography(""),
            Err(HomographyError::Count(0))
        ));
        assert!(matches!(
            parse_homography("1 0 0 0 1 0 0 0 1 0"),
            Err(HomographyError::Count(10))
        ));
        assert!(
            matches!(parse_homography("1 0 0 0 x 0 0 0 1"), Err(HomographyError::Number(word)) if word == "x")
        );
        assert!(matches!(
            parse_homography("1 0 0 0 inf 0 0 0 1"),
            Err(HomographyError::Number(_))
        ));
        assert!(matches!(
            parse_homography("1 2 3 2 4 6 0 0 1"),
            Err(HomographyError::Singular)
        ));
        assert!(matches!(
            parse_homography("<a><b></a>"),
            Err(HomographyError::Xml(_))
        ));
        assert!(matches!(
            parse_homography("<a/>"),
            Err(HomographyError::NoMatrix)
        ));
        let transposed = XML.replace("<rows>3</rows>", "<rows>9</rows>");
        assert!(matches!(
            parse_homography(&transposed),
            Err(HomographyError::NoMatrix)
        ));
    }

    #[test]
    fn points_move_as_the_matrix_says() {
        let moved = [1.0, 0.0, 5.0, 0.0, 1.0, -7.0, 0.0, 0.0, 1.0];
        assert_eq!(transform(&moved, (10.0, 20.0)), Some((15.0, 13.0)));
        let scaled = [2.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(transform(&scaled, (10.0, 20.0)), Some((20.0, 60.0)));
        assert_eq!(
            transform(&scaled.map(|value| -4.0 * value), (10.0, 20.0)),
            Some((20.0, 60.0)),
            "a factor is nothing"
        );
        let projective = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.1, 0.0, 1.0];
        assert_eq!(transform(&projective, (10.0, 20.0)), Some((5.0, 10.0)));
        assert_eq!(
            transform(&projective, (-10.0, 20.0)),
            None,
            "on the vanishing line"
        );
    }
}
