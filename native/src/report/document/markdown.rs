//! A report as Markdown: its texts and tables. Charts and pictures are named, and are on the page.

use super::element::{Document, Element, TextTable};

/// The report as Markdown. `page` is the file that holds its charts and pictures.
pub fn markdown(document: &Document, page: &str) -> String {
    let mut text = format!("# {}\n", escape(&document.title));
    for element in &document.elements {
        text.push('\n');
        text += &match element {
            Element::Heading(heading) => format!("## {}\n", escape(heading)),
            Element::Text(words) => format!("{}\n", escape(words)),
            Element::Problem(problem) => format!("**{}**\n", escape(problem)),
            Element::Command(command) => format!("```\n{command}\n```\n"),
            Element::Table(table) => lines(table),
            Element::Charts(charts) => {
                let titles: Vec<String> = charts.iter().map(|chart| escape(&chart.title)).collect();
                format!("Charts in [{page}]({page}): {}.\n", titles.join(", "))
            }
            Element::Picture(picture) => {
                format!(
                    "Picture in [{page}]({page}): {}\n",
                    escape(&picture.caption)
                )
            }
        };
    }
    text
}

fn lines(table: &TextTable) -> String {
    let names: Vec<String> = table
        .columns
        .iter()
        .map(|column| escape(&column.name))
        .collect();
    let rules: Vec<&str> = table
        .columns
        .iter()
        .map(|column| if column.is_number { "---:" } else { "---" })
        .collect();

    let mut text = format!("| {} |\n| {} |\n", names.join(" | "), rules.join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// Text that Markdown shows as it is, on one line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '<' | '\\' | '[' | ']' | '#' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
