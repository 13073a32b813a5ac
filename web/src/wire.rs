//! Messages between page and worker: serde to JavaScript objects, large arrays by transfer.

use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wasm_bindgen::{JsCast, JsValue};

/// Bytes that are sent as one array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// Numbers that are sent as one array.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Floats(pub Vec<f32>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteBuf::deserialize(deserializer).map(|bytes| Self(bytes.into_vec()))
    }
}

impl Serialize for Floats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As bytes, because serde would send the numbers one by one.
        let bytes = self.0.iter().flat_map(|value| value.to_le_bytes());
        serializer.serialize_bytes(&bytes.collect::<Vec<u8>>())
    }
}

impl<'de> Deserialize<'de> for Floats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let (values, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(D::Error::custom("floats take four bytes each"));
        }

        let values = values.iter().map(|value| f32::from_le_bytes(*value));
        Ok(Self(values.collect()))
    }
}

pub fn to_js<T: Serialize>(value: &T) -> Result<JsValue, serde_wasm_bindgen::Error> {
    // Objects, not `Map`s, whose properties `property` would not find.
    value.serialize(&serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true))
}

pub fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, serde_wasm_bindgen::Error> {
    serde_wasm_bindgen::from_value(value)
}

/// The buffers of all byte arrays in a message. They are transferred instead of copied.
pub fn transfers(message: &JsValue) -> Array {
    let buffers = Array::new();
    collect(message, &buffers);
    buffers
}

fn collect(value: &JsValue, buffers: &Array) {
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        buffers.push(&bytes.buffer());
    } else if let Some(list) = value.dyn_ref::<Array>() {
        // All elements of a list are of one kind, except for `null` in place of some: if neither
        // end is an object, there is nothing to transfer, and a long list of numbers is skipped.
        if list.get(0).is_object() || list.get(list.length().saturating_sub(1)).is_object() {
            list.iter().for_each(|value| collect(&value, buffers));
        }
    } else if value.is_object() && !value.is_instance_of::<ArrayBuffer>() {
        Object::values(value.unchecked_ref::<Object>())
            .iter()
            .for_each(|value| collect(&value, buffers));
    }
}

/// A message: a number, which an answer repeats, and a value under `key`.
pub fn message(id: u32, key: &str, value: &JsValue) -> JsValue {
    let message = Object::new();
    // Setting a property of a new object cannot fail.
    let _ = Reflect::set(&message, &"id".into(), &id.into());
    let _ = Reflect::set(&message, &key.into(), value);
    message.into()
}

/// Undefined if there is none.
pub fn property(message: &JsValue, key: &str) -> JsValue {
    Reflect::get(message, &key.into()).unwrap_or(JsValue::UNDEFINED)
}

/// The number of a message; 0 if it has none.
pub fn id(message: &JsValue) -> u32 {
    property(message, "id").as_f64().map_or(0, |id| id as u32)
}
