use ibot_core::picture::{ColorScale, Range};

use super::*;

fn plain(width: usize, height: usize, color: [u8; 3]) -> RgbImage {
    RgbImage::from_fn(width, height, |_, _| color)
}

#[test]
fn images_lie_in_rows_columns_and_stacks() {
    let (red, green) = ([200, 0, 0], [0, 200, 0]);
    let stack = Panel::new("", vec![plain(100, 80, red), plain(90, 60, green)]);
    let first = SheetRow {
        panels: vec![Panel::default(), stack],
        joined: false,
    };
    let second = SheetRow {
        panels: vec![Panel::new("", vec![plain(70, 70, red)])],
        joined: true,
    };
    let DrawnSheet { canvas, places } = Sheet {
        rows: vec![first, second],
        ..Sheet::default()
    }
    .draw();
    let place = |left, top, width, height| Rect {
        left,
        top,
        width,
        height,
    };
    let (right, below) = (MARGIN + 70 + GUTTER, MARGIN + 80 + GUTTER);
    assert_eq!(
        places[..2],
        [
            vec![],
            vec![place(right, MARGIN, 100, 80), place(right, below, 90, 60)]
        ]
    );
    assert_eq!(places[2], [place(MARGIN, below + 60 + GUTTER, 70, 70)]);
    let image = canvas.into_image();
    assert_eq!(image.width(), 2 * MARGIN + 70 + GUTTER + 100);
    assert_eq!(image.height(), 2 * MARGIN + 80 + GUTTER + 60 + GUTTER + 70);
    let count = |color: [u8; 3]| {
        image
            .pixels()
            .chunks(3)
            .filter(|pixel| *pixel == color)
            .count()
    };
    assert_eq!((count(red), count(green)), (100 * 80 + 70 * 70, 90 * 60));
}

#[test]
fn texts_make_room_for_themselves() {
    let bare = Panel::new("", vec![plain(300, 50, [9; 3])]);
    let titled = Panel {
        title: "title".to_owned(),
        caption: "caption".to_owned(),
        ..bare.clone()
    };
    let height = |panel: &Panel| {
        let rows = vec![SheetRow {
            panels: vec![panel.clone()],
            joined: false,
        }];
        Sheet {
            rows,
            ..Sheet::default()
        }
        .draw()
        .canvas
        .into_image()
        .height()
    };
    let texts = TextStyle::TITLE.height() + TextStyle::NOTE.height() + 2 * TEXT_GAP;
    assert_eq!(height(&titled), height(&bare) + texts);
}

#[test]
fn rows_are_of_equal_length() {
    let lengths = |count: usize, most: usize| -> Vec<usize> {
        wrap(vec![Panel::default(); count], most)
            .iter()
            .map(|row| row.panels.len())
            .collect()
    };
    assert_eq!(lengths(14, 8), [7, 7]);
    assert_eq!(lengths(18, 8), [6, 6, 6]);
    assert_eq!(lengths(5, 2), [2, 2, 1]);
    assert_eq!(lengths(2, 0), [1, 1]);
    assert!(lengths(0, 8).is_empty());
}

#[test]
fn any_sheet_is_drawn() {
    let key = |label: &str| LegendKey {
        color: [1; 3],
        label: label.to_owned(),
    };
    let text =
        "a text that is far too long for what it stands above and even for a whole page ".repeat(9);
    let panel = |images| Panel {
        images,
        title: text.clone(),
        caption: text.clone(),
    };
    let (one, tall) = (
        panel(vec![plain(1, 1, [0; 3])]),
        panel(vec![plain(1, 900, [0; 3]), plain(3, 1, [0; 3])]),
    );
    for panels in [
        vec![],
        vec![Panel::default()],
        vec![one.clone()],
        vec![one, panel(vec![]), tall],
    ] {
        for range in [
            Range {
                low: 0.0,
                high: 0.0,
            },
            Range {
                low: f32::NAN,
                high: f32::INFINITY,
            },
        ] {
            let row = SheetRow {
                panels: panels.clone(),
                joined: true,
            };
            let bar = ColorBar {
                range,
                scale: ColorScale::Viridis,
                label: text.clone(),
            };
            let legend = vec![key("a"), key(&text), key("")];
            for rows in [
                vec![],
                vec![row.clone()],
                vec![row.clone(), SheetRow::default(), row.clone()],
            ] {
                Sheet {
                    rows: rows.clone(),
                    ..Sheet::default()
                }
                .draw();
                let (title, note) = (text.clone(), text.clone());
                Sheet {
                    title,
                    note,
                    rows,
                    bar: Some(bar.clone()),
                    legend: legend.clone(),
                }
                .draw();
            }
        }
    }
}
