//! A report as a page: one file without scripts that needs no other file and no network, light or
//! dark as its reader prefers.
//!
//! maud escapes every text unless it is told otherwise, so that a name of a file or of a class can
//! change nothing on the page, and checks the markup when the program is compiled.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::element::{Document, Element, ReportPicture, TextTable};
use crate::report::curves::curves_svg;

const STYLE: &str = include_str!("style.css");

pub fn page(document: &Document) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (document.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (document.title) }
                    @for element in &document.elements { (draw(element)) "\n" }
                }
            }
        }
    };
    page.into_string()
}

fn draw(element: &Element) -> Markup {
    match element {
        Element::Heading(text) => html! { h2 { (text) } },
        Element::Text(text) => html! { p { (text) } },
        Element::Problem(text) => html! { p.problem role="note" { (text) } },
        Element::Command(text) => html! { pre { code { (text) } } },
        Element::Table(table) => draw_table(table),
        Element::Charts(charts) => html! {
            div.charts {
                @for chart in charts {
                    // The SVG escapes its own texts.
                    (PreEscaped(curves_svg("", std::slice::from_ref(chart))))
                }
            }
        },
        Element::Picture(picture) => draw_picture(picture),
    }
}

fn draw_table(table: &TextTable) -> Markup {
    html! {
        // A phone scrolls a wide table by itself, not the page.
        div.wide {
            table {
                thead {
                    tr {
                        @for column in &table.columns {
                            th scope="col" class=[class(column.is_number)] { (column.name) }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (cell, column) in row.iter().zip(&table.columns) {
                                td class=[class(column.is_number)] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn class(is_number: bool) -> Option<&'static str> {
    is_number.then_some("number")
}

fn draw_picture(picture: &ReportPicture) -> Markup {
    let source = format!("data:image/png;base64,{}", STANDARD.encode(&picture.png));
    html! {
        figure {
            img src=(source) alt=(picture.caption);
            figcaption { (picture.caption) }
        }
    }
}
