//! What a checkpoint is made of.

use crate::nn::StateDict;
use crate::tensor::Tensor;
use std::fmt;
use wengert_array::{DType, Error, ErrorKind, Result};

/// Tensors, numbers and text in lists and dictionaries: what state dicts and checkpoints are made of.
///
/// ```
/// use wengert::io::Value;
///
/// let v = Value::dict([("epoch", 3.into()), ("betas", Value::List(vec![0.9.into(), 0.999.into()]))]);
/// assert_eq!(v.get("epoch").unwrap().as_i64(), Some(3));
/// assert_eq!(v.get("betas").unwrap().items().unwrap()[1].as_f64(), Some(0.999));
/// ```
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing, Python's `None`.
    #[default]
    None,
    /// Yes or no.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Str(String),
    /// A tensor.
    Tensor(Tensor),
    /// Values in order.
    List(Vec<Value>),
    /// Values in order that belong together, as Python's tuples.
    Tuple(Vec<Value>),
    /// Values in no order, as Python's sets.
    Set(Vec<Value>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The name of a type of elements.
    DType(DType),
    /// Values by key, in the order they were put in.
    Dict(Vec<(Value, Value)>),
}

impl Value {
    /// A dictionary with these keys.
    pub fn dict<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        let entries = entries.into_iter();
        Value::Dict(entries.map(|(k, v)| (Value::Str(k.into()), v)).collect())
    }

    /// The entry of a dictionary.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Value::Dict(entries) = self else { return None };
        let is_it = |k: &Value| matches!(k, Value::Str(k) if k == key);
        entries.iter().find(|(k, _)| is_it(k)).map(|(_, v)| v)
    }

    /// The entry of a dictionary under a number.
    pub fn get_number(&self, key: i64) -> Option<&Value> {
        let Value::Dict(entries) = self else { return None };
        let is_it = |k: &Value| matches!(k, Value::Int(k) if *k == key);
        entries.iter().find(|(k, _)| is_it(k)).map(|(_, v)| v)
    }

    /// The entry of a dictionary, or an error that lists what it has.
    pub fn entry(&self, key: &str) -> Result<&Value> {
        self.get(key).ok_or_else(|| {
            let error = Error::new(
                ErrorKind::Value,
                "entry",
                format!("there is no `{key}` in {self}"),
            );
            match self {
                Value::Dict(_) => error,
                _ => error.note("only a dictionary has entries"),
            }
        })
    }

    /// The entries of a dictionary.
    pub fn entries(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list, tuple or set.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => Some(items),
            _ => None,
        }
    }

    /// As a number: also that in a tensor of one element.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(v) => Some(*v),
            Value::Int(v) => Some(*v as f64),
            Value::Tensor(t) => t.array().item(),
            _ => None,
        }
    }

    /// As an integer: also a float or a tensor that holds one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(v) => Some(*v),
            other => other
                .as_f64()
                .filter(|v| v.fract() == 0.0 && v.abs() < 9e15)
                .map(|v| v as i64),
        }
    }

    /// As a yes or no.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(v) => Some(*v),
            _ => None,
        }
    }

    /// As text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(v) => Some(v),
            _ => None,
        }
    }

    /// As a tensor.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        match self {
            Value::Tensor(t) => Some(t),
            _ => None,
        }
    }

    /// The tensors by name, as a model takes them; those in dictionaries within this one get names such as
    /// `encoder.weight`. What is neither a tensor nor a dictionary is left out.
    ///
    /// # Errors
    /// If this is not a dictionary, or if two tensors have the same name.
    pub fn to_state_dict(&self) -> Result<StateDict> {
        fn collect(value: &Value, prefix: &str, state: &mut StateDict) -> Result<()> {
            for (key, value) in value.entries().unwrap_or_default() {
                let key = match key {
                    Value::Str(key) => key.clone(),
                    Value::Int(key) => key.to_string(),
                    _ => continue,
                };
                let name = if prefix.is_empty() {
                    key
                } else {
                    format!("{prefix}.{key}")
                };
                let again = match value {
                    Value::Tensor(t) => state.insert(name.clone(), t.clone()),
                    Value::Dict(_) => {
                        collect(value, &name, state)?;
                        None
                    }
                    _ => None,
                };
                if again.is_some() {
                    let message = format!("two tensors are called `{name}`");
                    return Err(Error::new(ErrorKind::Value, "to_state_dict", message));
                }
            }
            Ok(())
        }
        if self.entries().is_none() {
            let message = format!("needs a dictionary of tensors, and got {self}");
            return Err(Error::new(ErrorKind::Value, "to_state_dict", message));
        }
        let mut state = StateDict::default();
        collect(self, "", &mut state)?;
        Ok(state)
    }
}

macro_rules! from {
    ($($t:ty => $variant:ident $(as $as:ty)?),*) => {$(
        impl From<$t> for Value {
            fn from(v: $t) -> Value {
                Value::$variant(v $(as $as)?)
            }
        }
    )*};
}
from!(bool => Bool, i64 => Int, i32 => Int as i64, usize => Int as i64, f64 => Float, String => Str, Tensor => Tensor,
    Vec<Value> => List);

impl From<&str> for Value {
    fn from(v: &str) -> Value {
        Value::Str(v.to_string())
    }
}

impl From<(f64, f64)> for Value {
    fn from((a, b): (f64, f64)) -> Value {
        Value::Tuple(vec![a.into(), b.into()])
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Value {
        v.map_or(Value::None, Into::into)
    }
}

impl From<StateDict> for Value {
    fn from(state: StateDict) -> Value {
        Value::dict(state.into_iter().map(|(name, t)| (name, Value::Tensor(t))))
    }
}

/// Briefly: tensors by dtype and shape, containers by size.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Bool(v) => write!(f, "{v}"),
            Value::Int(v) => write!(f, "{v}"),
            Value::Float(v) => write!(f, "{v}"),
            Value::Str(v) => write!(f, "{v:?}"),
            Value::Tensor(t) => write!(f, "a {} tensor of shape {}", t.dtype(), t.shape()),
            Value::List(items) => write!(f, "a list of {}", items.len()),
            Value::Tuple(items) => write!(f, "a tuple of {}", items.len()),
            Value::Set(items) => write!(f, "a set of {}", items.len()),
            Value::Bytes(v) => write!(f, "{} bytes", v.len()),
            Value::DType(v) => write!(f, "{v}"),
            Value::Dict(entries) => {
                f.write_str("a dictionary of ")?;
                for (i, (key, _)) in entries.iter().take(8).enumerate() {
                    write!(f, "{}{key}", if i > 0 { ", " } else { "" })?;
                }
                if entries.len() > 8 {
                    write!(f, ", … ({} entries)", entries.len())?;
                }
                if entries.is_empty() {
                    f.write_str("nothing")
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                f.debug_list().entries(items).finish()
            }
            Value::Dict(entries) => f
                .debug_map()
                .entries(entries.iter().map(|(k, v)| (k, v)))
                .finish(),
            other => fmt::Display::fmt(other, f),
        }
    }
}
