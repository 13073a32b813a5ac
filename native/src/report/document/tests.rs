use super::*;
use crate::report::curves::{Chart, ChartLine};

const HOSTILE: &str = "</style><script>alert(1)</script> a|b \"c\" & `d`";

fn document() -> Document {
    let mut table = TextTable::new(1, &["name".to_owned(), HOSTILE.to_owned()]);
    table
        .rows
        .push(vec![HOSTILE.to_owned(), "73.6 %".to_owned()]);
    let chart = Chart {
        title: HOSTILE.to_owned(),
        curves: vec![ChartLine {
            name: HOSTILE.to_owned(),
            points: vec![(0.0, 1.0), (1.0, 2.0)],
        }],
        ..Chart::default()
    };
    Document {
        title: HOSTILE.to_owned(),
        elements: vec![
            Element::Heading(HOSTILE.to_owned()),
            Element::Text(HOSTILE.to_owned()),
            Element::Problem(HOSTILE.to_owned()),
            Element::Command(HOSTILE.to_owned()),
            Element::Table(table),
            Element::Charts(vec![chart]),
            Element::Picture(ReportPicture {
                caption: HOSTILE.to_owned(),
                png: vec![1, 2, 3],
            }),
        ],
    }
}

#[test]
fn no_text_can_change_the_page() {
    let page = page(&document());
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(
        page.matches("</style>").count(),
        2,
        "that of the page and of a chart"
    );
    assert!(page.contains("73.6 %") && page.contains("data:image/png;base64,AQID"));
    assert!(page.contains("class=\"number\"") && page.contains("<svg"));
    let outside = ["http://", "https://", "src=\"/", "url("];
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for address in outside {
        assert!(!page.contains(address), "{address}");
    }
}

#[test]
fn markdown_keeps_rows_on_their_lines() {
    let text = markdown(&document(), "report.html");
    let row = text
        .lines()
        .find(|line| line.contains("73.6 %"))
        .expect("a row");
    assert!(row.starts_with("| ") && row.contains("a\\|b"), "{row}");
    assert!(text.contains("| --- | ---: |"), "{text}");
    assert!(text.contains("[report.html](report.html)"), "{text}");
}
