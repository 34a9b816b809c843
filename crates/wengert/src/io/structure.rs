//! Any value as a safetensors file: the tensors as such, and the rest as JSON in the metadata.
//!
//! Others read the tensors by names such as `model.0.weight`. In JSON a number with a fraction is `{"f": "0.1"}`, a
//! tensor `{"t": name}`, a dictionary `{"d": [[key, value], …]}`, a tuple `{"tuple": […]}`, a set `{"set": […]}`, bytes
//! the name of a tensor that holds them, `{"b": name}`, a dtype `{"dtype": "float32"}`; all else is itself.

use super::file::{Source, damaged};
use super::pickle;
use super::safetensors::{Header, write};
use super::value::Value;
use crate::nn::StateDict;
use crate::tensor::Tensor;
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::path::Path;
use wengert_array::{DType, Error, ErrorKind, Result};

const KEY: &str = "wengert.value";
/// Below what the JSON reader bears: a dictionary is three levels there.
const DEEPEST: usize = 32;

pub fn save_structure(path: &Path, value: &Value) -> Result<()> {
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    let json = encode(value, "", 0, &mut tensors, &mut names)?.to_string();
    let tensors: Vec<(&str, &Tensor)> = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
    write(path, &tensors, &[(KEY, &json)])
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
    let mut list = |items: &[Value]| -> Result<Json> {
        let items = items.iter().enumerate().map(|(i, v)| within(&i.to_string(), v));
        Ok(Json::Array(items.collect::<Result<_>>()?))
    };
    Ok(match value {
        Value::None => Json::Null,
        Value::Bool(v) => json!(v),
        Value::Int(v) => json!(v),
        // As text, which is the shortest that reads back to the same bits.
        Value::Float(v) => json!({ "f": v.to_string() }),
        Value::Str(v) => json!(v),
        Value::DType(v) => json!({ "dtype": v.name() }),
        Value::List(items) => list(items)?,
        Value::Tuple(items) => json!({ "tuple": list(items)? }),
        Value::Set(items) => json!({ "set": list(items)? }),
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
        Value::Bytes(v) => json!({ "b": called(path, Tensor::from_slice(v, [v.len()]), tensors, names) }),
        Value::Tensor(t) => json!({ "t": called(path, t.clone(), tensors, names) }),
    })
}

/// Puts a tensor to the others, under a name that none of them has.
fn called(path: &str, t: Tensor, tensors: &mut Vec<(String, Tensor)>, names: &mut HashSet<String>) -> String {
    let base = if path.is_empty() { "tensor" } else { path };
    let mut name = base.to_string();
    let mut number = 2;
    while name == "__metadata__" || !names.insert(name.clone()) {
        name = format!("{base}#{number}");
        number += 1;
    }
    tensors.push((name.clone(), t));
    name
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
    let list = |items: &[Json]| {
        items
            .iter()
            .map(|v| decode(v, tensors))
            .collect::<Result<Vec<Value>>>()
    };
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(v) => Value::Bool(*v),
        Json::Number(v) => Value::Int(v.as_i64().ok_or_else(wrong)?),
        Json::String(v) => Value::Str(v.clone()),
        Json::Array(items) => Value::List(list(items)?),
        Json::Object(map) => {
            let (kind, of) = map.iter().next().filter(|_| map.len() == 1).ok_or_else(wrong)?;
            match (kind.as_str(), of) {
                ("f", Json::String(text)) => Value::Float(text.parse().map_err(|_| wrong())?),
                ("t", Json::String(name)) => Value::Tensor(tensors.get(name).ok_or_else(wrong)?.clone()),
                ("b", Json::String(name)) => {
                    let bytes = tensors
                        .get(name)
                        .filter(|t| t.dtype() == DType::U8 && t.dim() == 1);
                    Value::Bytes(bytes.ok_or_else(wrong)?.to_vec())
                }
                ("dtype", Json::String(name)) => {
                    Value::DType(pickle::torch_dtype(&format!("torch.{name}")).ok_or_else(wrong)?)
                }
                ("tuple", Json::Array(items)) => Value::Tuple(list(items)?),
                ("set", Json::Array(items)) => Value::Set(list(items)?),
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
