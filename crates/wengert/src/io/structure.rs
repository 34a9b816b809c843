//! Any value as a safetensors file: the tensors as such, and the rest as JSON in the metadata.
//!
//! Others read the tensors by names such as `model.0.weight`. In JSON a number with a fraction is `{"f": "0.1"}`, a
//! tensor `{"t": name}`, and a dictionary `{"d": [[key, value], …]}`; all else is itself.

use super::file::{Source, damaged};
use super::safetensors::{Header, write};
use super::value::Value;
use crate::nn::StateDict;
use crate::tensor::Tensor;
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::path::Path;
use wengert_array::{Error, ErrorKind, Result};

const KEY: &str = "wengert.value";
/// Below what the JSON reader bears: a dictionary is three levels there.
const DEEPEST: usize = 32;

/// Writes a value: a state dict, or a whole checkpoint of nested dictionaries. [`load`](super::load) reads it back,
/// to the bit.
///
/// # Errors
/// If it cannot be written; then an old file of that name is as it was.
pub fn save(path: impl AsRef<Path>, value: &Value) -> Result<()> {
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    let json = encode(value, "", 0, &mut tensors, &mut names)?.to_string();
    let tensors: Vec<(&str, &Tensor)> = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
    write(path.as_ref(), &tensors, &[(KEY, &json)])
}

fn encode(
    value: &Value,
    path: &str,
    depth: usize,
    tensors: &mut Vec<(String, Tensor)>,
    names: &mut HashSet<String>,
) -> Result<Json> {
    if depth > DEEPEST {
        let message = format!("values within each other more than {DEEPEST} deep");
        return Err(Error::new(ErrorKind::Value, "save", message));
    }
    let mut within = |key: &str, value: &Value| {
        let path = if path.is_empty() {
            key.to_string()
        } else {
            format!("{path}.{key}")
        };
        encode(value, &path, depth + 1, tensors, names)
    };
    Ok(match value {
        Value::None => Json::Null,
        Value::Bool(v) => json!(v),
        Value::Int(v) => json!(v),
        // As text, which is the shortest that reads back to the same bits.
        Value::Float(v) => json!({ "f": v.to_string() }),
        Value::Str(v) => json!(v),
        Value::List(items) => {
            let items = items.iter().enumerate().map(|(i, v)| within(&i.to_string(), v));
            Json::Array(items.collect::<Result<_>>()?)
        }
        Value::Dict(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let name = match key {
                    Value::Str(key) => key.clone(),
                    other => other.to_string(),
                };
                Ok(json!([within("", key)?, within(&name, value)?]))
            });
            json!({ "d": entries.collect::<Result<Vec<Json>>>()? })
        }
        Value::Tensor(t) => {
            let base = if path.is_empty() { "tensor" } else { path };
            let mut name = base.to_string();
            let mut number = 2;
            while name == "__metadata__" || !names.insert(name.clone()) {
                name = format!("{base}#{number}");
                number += 1;
            }
            tensors.push((name.clone(), t.clone()));
            json!({ "t": name })
        }
    })
}

pub(super) fn read(source: &mut dyn Source) -> Result<Value> {
    let header = Header::read(source)?;
    let tensors = header.tensors(source)?;
    match header.metadata.iter().find(|(key, _)| key == KEY) {
        None => Ok(tensors.into()),
        Some((_, json)) => {
            let json =
                serde_json::from_str(json).map_err(|e| damaged(format!("the structure is no JSON: {e}")))?;
            decode(&json, &tensors)
        }
    }
}

fn decode(json: &Json, tensors: &StateDict) -> Result<Value> {
    let wrong = || {
        let text: String = json.to_string().chars().take(60).collect();
        damaged(format!("the structure has an unknown part: {text}"))
    };
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(v) => Value::Bool(*v),
        Json::Number(v) => Value::Int(v.as_i64().ok_or_else(wrong)?),
        Json::String(v) => Value::Str(v.clone()),
        Json::Array(items) => Value::List(items.iter().map(|v| decode(v, tensors)).collect::<Result<_>>()?),
        Json::Object(map) => {
            let (kind, of) = map.iter().next().filter(|_| map.len() == 1).ok_or_else(wrong)?;
            match (kind.as_str(), of) {
                ("f", Json::String(text)) => Value::Float(text.parse().map_err(|_| wrong())?),
                ("t", Json::String(name)) => Value::Tensor(tensors.get(name).ok_or_else(wrong)?.clone()),
                ("d", Json::Array(entries)) => {
                    let entry = |e: &Json| match e.as_array().map(Vec::as_slice) {
                        Some([key, value]) => Ok((decode(key, tensors)?, decode(value, tensors)?)),
                        _ => Err(wrong()),
                    };
                    Value::Dict(entries.iter().map(entry).collect::<Result<_>>()?)
                }
                _ => return Err(wrong()),
            }
        }
    })
}
