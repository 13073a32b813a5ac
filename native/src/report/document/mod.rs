//! A report of headings, texts, tables, charts and pictures, put together once and written as a
//! self-contained page and as Markdown.

mod element;
mod html;
mod markdown;

pub use self::element::{Column, Document, Element, ReportPicture, TextTable};
pub use self::html::page;
pub use self::markdown::markdown;

#[cfg(test)]
mod tests;
