//! The JSON files of iNaturalist: images, the category of each, and what categories are called.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::data::examples::examples;

/// What `train2018.json` and `val2018.json` hold.
#[derive(Deserialize)]
pub struct Listing {
    pub images: Vec<ListedImage>,
    pub annotations: Vec<Annotation>,
    #[serde(default)]
    pub categories: Vec<Category>,
}

#[derive(Deserialize)]
pub struct ListedImage {
    pub id: u64,
    /// Its path in the set.
    pub file_name: String,
}

#[derive(Deserialize)]
pub struct Annotation {
    pub image_id: u64,
    pub category_id: u64,
}

/// A species: `name`, `family`, `order` and so on, and its `id`.
pub type Category = Map<String, Value>;

/// Classes, numbered as the official loader does: in the order in which they come first among the
/// annotations of the images to train on.
#[derive(Debug)]
pub struct NumberedClasses {
    pub names: Vec<String>,
    /// The class of each category by its id; `None` if no image to train on has it.
    of_categories: HashMap<u64, Option<u32>>,
}

impl NumberedClasses {
    /// The classes of categories that have the same `field`.
    ///
    /// # Errors
    /// If an annotation has a category that is not there, or the categories have no such field.
    pub fn new(
        annotations: &[Annotation],
        categories: &[Category],
        field: &str,
    ) -> Result<Self, String> {
        let mut fields: HashMap<u64, String> = HashMap::new();
        for (place, category) in (0..).zip(categories) {
            let id = category.get("id").and_then(Value::as_u64).unwrap_or(place);
            fields.insert(id, field_of(category, field)?);
        }

        let mut names: Vec<String> = Vec::new();
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut unknown: Vec<String> = Vec::new();
        for annotation in annotations {
            let Some(name) = fields.get(&annotation.category_id) else {
                unknown.push(annotation.category_id.to_string());
                continue;
            };
            numbers.entry(name.as_str()).or_insert_with(|| {
                names.push(name.clone());
                (names.len() - 1) as u32
            });
        }
        if !unknown.is_empty() {
            return Err(format!(
                "{} annotations have a category that is not listed: {}",
                unknown.len(),
                examples(&unknown)
            ));
        }

        let number = |(&id, name): (&u64, &String)| (id, numbers.get(name.as_str()).copied());
        let of_categories = fields.iter().map(number).collect();
        Ok(Self {
            names,
            of_categories,
        })
    }

    /// The class of each image of `listing`.
    ///
    /// # Errors
    /// If an image has no annotation or two, an annotation no image, or a class is not among those
    /// to train on.
    pub fn of_images(&self, listing: &Listing) -> Result<Vec<u32>, String> {
        let mut categories: HashMap<u64, u64> = HashMap::new();
        for annotation in &listing.annotations {
            let earlier = categories.insert(annotation.image_id, annotation.category_id);
            if earlier.is_some_and(|earlier| earlier != annotation.category_id) {
                return Err(format!("image {} has two classes", annotation.image_id));
            }
        }

        let mut classes = Vec::with_capacity(listing.images.len());
        let mut unlabelled: Vec<&str> = Vec::new();
        for image in &listing.images {
            let Some(category) = categories.remove(&image.id) else {
                unlabelled.push(&image.file_name);
                continue;
            };
            match self.of_categories.get(&category) {
                Some(Some(class)) => classes.push(*class),
                Some(None) => {
                    return Err(format!(
                        "{} is of category {category}, of which there is no image to train on",
                        image.file_name
                    ));
                }
                None => {
                    return Err(format!(
                        "{} is of category {category}, which is not listed",
                        image.file_name
                    ));
                }
            }
        }

        if !unlabelled.is_empty() {
            return Err(format!(
                "{} of {} images have no annotation: {}",
                unlabelled.len(),
                listing.images.len(),
                examples(&unlabelled)
            ));
        }
        let mut left: Vec<u64> = categories.into_keys().collect();
        if !left.is_empty() {
            left.sort_unstable();
            let left: Vec<String> = left.iter().map(u64::to_string).collect();
            return Err(format!(
                "{} annotations are of images that are not listed: {}",
                left.len(),
                examples(&left)
            ));
        }
        Ok(classes)
    }
}

fn field_of(category: &Category, field: &str) -> Result<String, String> {
    match category.get(field) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => {
            let known: Vec<&str> = category.keys().map(String::as_str).collect();
            Err(format!(
                "a category has no `{field}`; it has {}",
                known.join(", ")
            ))
        }
    }
}
