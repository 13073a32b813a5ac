//! Pictures as canvases: from files and from the worker, scaled, and back to pixels.

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, HtmlCanvasElement, ImageBitmap, ImageData};

use super::dom;
use super::problem::PageError;
use ibot_web::protocol::Picture;
use ibot_web::wire::Bytes;

// The longest side that is kept, in pixels: more than any network gets to see here.
pub const LONGEST: f64 = 1024.0;

/// A picture from a file of any format that the browser reads.
pub async fn from_blob(blob: &Blob, name: &str) -> Result<HtmlCanvasElement, PageError> {
    let decoded = dom::window().create_image_bitmap_with_blob(blob)?;
    let bitmap: ImageBitmap = JsFuture::from(decoded)
        .await
        .and_then(JsCast::dyn_into)
        .map_err(|_| no_image(blob, name))?;

    let (width, height) = fit(bitmap.width(), bitmap.height(), LONGEST);
    let canvas = dom::canvas(width as u32, height as u32)?;
    let context = dom::context(&canvas)?;

    // The network knows no transparency: transparent pixels become white.
    context.set_fill_style_str("white");
    context.fill_rect(0.0, 0.0, width, height);
    context.draw_image_with_image_bitmap_and_dw_and_dh(&bitmap, 0.0, 0.0, width, height)?;
    bitmap.close();
    Ok(canvas)
}

fn no_image(blob: &Blob, name: &str) -> PageError {
    let kind = match blob.type_() {
        kind if kind.is_empty() => "a file of unknown kind".to_owned(),
        kind => kind,
    };
    let name = name.to_owned();
    PageError::NoImage { name, kind }
}

pub fn from_pixels(picture: &Picture) -> Result<HtmlCanvasElement, PageError> {
    let canvas = dom::canvas(picture.width as u32, picture.height as u32)?;
    put(&canvas, &picture.rgba.0)?;
    Ok(canvas)
}

/// The picture with at most `longest` pixels a side.
pub fn shrunk(picture: &HtmlCanvasElement, longest: f64) -> Result<HtmlCanvasElement, PageError> {
    let (width, height) = fit(picture.width(), picture.height(), longest);
    let canvas = dom::canvas(width as u32, height as u32)?;
    dom::context(&canvas)?
        .draw_image_with_html_canvas_element_and_dw_and_dh(picture, 0.0, 0.0, width, height)?;
    Ok(canvas)
}

/// Width and height, scaled down in proportion until neither is more than `longest`.
pub fn fit(width: u32, height: u32, longest: f64) -> (f64, f64) {
    let scale = (longest / f64::from(width.max(height))).min(1.0);
    // A side of a very long picture may round to 0.
    let scaled = [width, height].map(|side| (f64::from(side) * scale).round().max(1.0));
    (scaled[0], scaled[1])
}

/// The largest square in the middle of a picture, scaled to `side` pixels.
pub fn square(picture: &HtmlCanvasElement, side: u32) -> Result<HtmlCanvasElement, PageError> {
    let width = f64::from(picture.width());
    let height = f64::from(picture.height());
    let shorter = width.min(height);

    let canvas = dom::canvas(side, side)?;
    dom::context(&canvas)?
        .draw_image_with_html_canvas_element_and_sw_and_sh_and_dx_and_dy_and_dw_and_dh(
            picture,
            (width - shorter) / 2.0,
            (height - shorter) / 2.0,
            shorter,
            shorter,
            0.0,
            0.0,
            f64::from(side),
            f64::from(side),
        )?;
    Ok(canvas)
}

/// The picture as a PNG file, without loss.
pub async fn png(picture: &HtmlCanvasElement) -> Result<Blob, PageError> {
    let file = Promise::new(&mut |resolve, reject| {
        if let Err(error) = picture.to_blob(&resolve) {
            // Rejecting cannot fail.
            let _ = reject.call1(&JsValue::UNDEFINED, &error);
        }
    });

    let file = JsFuture::from(file).await?;
    file.dyn_into()
        .map_err(|_| PageError::Browser("it has no memory for a picture".to_owned()))
}

pub fn pixels(canvas: &HtmlCanvasElement) -> Result<Picture, PageError> {
    let (width, height) = (canvas.width(), canvas.height());
    let data =
        dom::context(canvas)?.get_image_data(0.0, 0.0, f64::from(width), f64::from(height))?;

    Ok(Picture {
        width: width as usize,
        height: height as usize,
        rgba: Bytes(data.data().0),
    })
}

/// Fills a canvas with pixels of four bytes each.
pub fn put(canvas: &HtmlCanvasElement, rgba: &[u8]) -> Result<(), PageError> {
    let data = ImageData::new_with_u8_clamped_array(wasm_bindgen::Clamped(rgba), canvas.width())?;
    Ok(dom::context(canvas)?.put_image_data(&data, 0.0, 0.0)?)
}
