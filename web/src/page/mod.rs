//! The page: shows images, asks the worker, and shows its answers.

mod app;
mod blob;
mod camera;
mod client;
mod database;
mod dom;
mod events;
mod explore;
mod link;
mod model;
mod pictures;
mod problem;
mod status;
mod store;
mod tabs;
mod tune;

pub fn run() {
    std::panic::set_hook(Box::new(|info| {
        let text = format!("the page broke off: {info}; reload it");
        web_sys::console::error_1(&text.as_str().into());
        status::fail(&problem::PageError::Worker(text));
    }));
    events::start(app::App::run());
}
