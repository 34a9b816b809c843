//! Python's pickle, as far as PyTorch's files need it: a stack machine whose instructions make values.
//!
//! An instruction may ask to call any function. Here nothing is called: a few names that PyTorch uses for tensors and
//! dictionaries are understood, and every other is an error. Objects live in one list and refer to each other by
//! number, so that a file can make neither deep recursion nor more objects than it has bytes.

use super::file::damaged;
use std::collections::HashMap;
use wengert_array::{DType, Error, Result};

const MOST_DIMENSIONS: usize = 64;

/// A number of an object.
pub type Id = u32;

/// What a pickle can make.
#[derive(Clone, Debug)]
pub enum Object {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// The name of a class or function.
    Name(String),
    /// Elements in a file of their own.
    Storage {
        key: String,
        dtype: Option<DType>,
        len: u64,
    },
    Tensor(View),
}

/// A tensor: which part of which storage.
#[derive(Clone, Debug)]
pub struct View {
    pub storage: Id,
    pub dtype: DType,
    pub offset: u64,
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
    pub requires_grad: bool,
}

/// All objects, and the one that the pickle is of.
pub struct Objects {
    pub all: Vec<Object>,
    pub root: Id,
}

struct Machine<'a> {
    bytes: &'a [u8],
    all: Vec<Object>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// How much more may be copied. Without a limit a small file could have one long text copied again and again.
    budget: usize,
}

fn cut_off() -> Error {
    damaged("the pickle is cut off")
}

fn senseless() -> Error {
    damaged("the pickle is damaged: an instruction makes no sense where it stands")
}

impl<'a> Machine<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(n).ok_or_else(cut_off)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<u64> {
        let mut whole = [0; 8];
        whole[..N].copy_from_slice(self.take(N)?);
        Ok(u64::from_le_bytes(whole))
    }

    fn text(&mut self, n: u64) -> Result<String> {
        let n = usize::try_from(n).map_err(|_| cut_off())?;
        let bytes = self.take(n)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| damaged("the pickle has text that is no UTF-8"))
    }

    fn line(&mut self) -> Result<&'a str> {
        let n = self.bytes.iter().position(|b| *b == b'\n').ok_or_else(cut_off)?;
        let line = std::str::from_utf8(&self.take(n + 1)?[..n]);
        line.map_err(|_| senseless())
    }

    /// The object, if what it holds may be copied.
    fn paid(&mut self, object: Object) -> Result<Object> {
        let cost = match &object {
            Object::Str(v) | Object::Name(v) | Object::Storage { key: v, .. } => v.len(),
            Object::Bytes(v) => v.len(),
            Object::List(v) | Object::Tuple(v) | Object::Set(v) => v.len(),
            Object::Dict(v) => v.len() * 2,
            Object::Tensor(v) => v.shape.len() + v.strides.len(),
            _ => 0,
        };
        let left = self.budget.checked_sub(cost);
        self.budget = left.ok_or_else(|| damaged("the pickle grows beyond measure"))?;
        Ok(object)
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.all.len() as Id);
        self.all.push(object);
    }

    /// The top of the stack, which must lie above the last mark.
    fn pop(&mut self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(senseless());
        }
        self.stack.pop().ok_or_else(senseless)
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or_else(senseless)
    }

    /// All above the last mark.
    fn above_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self
            .marks
            .pop()
            .filter(|m| *m <= self.stack.len())
            .ok_or_else(senseless)?;
        Ok(self.stack.split_off(mark))
    }

    fn integer(&mut self, n: u64) -> Result<()> {
        let bytes = self.take(usize::try_from(n).map_err(|_| cut_off())?)?;
        if bytes.len() > 8 {
            return Err(damaged("the pickle has an integer of more than 64 bits"));
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut whole = [if negative { 0xFF } else { 0 }; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        self.push(Object::Int(i64::from_le_bytes(whole)));
        Ok(())
    }

    fn remember(&mut self, at: u64) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(at as u32, top);
        Ok(())
    }

    fn recall(&mut self, at: u64) -> Result<()> {
        let id = self.memo.get(&(at as u32)).copied().ok_or_else(senseless)?;
        self.stack.push(id);
        Ok(())
    }

    fn get(&self, id: Id) -> &Object {
        &self.all[id as usize]
    }

    fn tuple(&self, id: Id) -> Result<&[Id]> {
        match self.get(id) {
            Object::Tuple(items) | Object::List(items) => Ok(items),
            _ => Err(senseless()),
        }
    }

    fn str(&self, id: Id) -> Result<&str> {
        match self.get(id) {
            Object::Str(text) | Object::Name(text) => Ok(text),
            _ => Err(senseless()),
        }
    }

    fn count(&self, id: Id) -> Result<u64> {
        match self.get(id) {
            Object::Int(n) => u64::try_from(*n).map_err(|_| senseless()),
            _ => Err(senseless()),
        }
    }

    fn extend(&mut self, items: Vec<Id>) -> Result<()> {
        let top = self.top()? as usize;
        match &mut self.all[top] {
            Object::List(list) | Object::Set(list) => list.extend(items),
            _ => return Err(senseless()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<()> {
        let top = self.top()? as usize;
        let Object::Dict(entries) = &mut self.all[top] else {
            return Err(senseless());
        };
        if !items.len().is_multiple_of(2) {
            return Err(senseless());
        }
        entries.extend(items.chunks_exact(2).map(|kv| (kv[0], kv[1])));
        Ok(())
    }

    /// What PyTorch's name for a storage's class says of its elements.
    fn storage(&self, id: Id) -> Result<Object> {
        let parts = self.tuple(id)?;
        let [kind, class, key, _, len] = parts else {
            return Err(senseless());
        };
        if self.str(*kind)? != "storage" {
            return Err(senseless());
        }
        let class = self.str(*class)?;
        let dtype = match class.rsplit('.').next().unwrap_or(class) {
            "FloatStorage" => Some(DType::F32),
            "DoubleStorage" => Some(DType::F64),
            "ComplexFloatStorage" => Some(DType::C64),
            "ComplexDoubleStorage" => Some(DType::C128),
            "HalfStorage" => Some(DType::F16),
            "BFloat16Storage" => Some(DType::BF16),
            "LongStorage" => Some(DType::I64),
            "IntStorage" => Some(DType::I32),
            "ShortStorage" => Some(DType::I16),
            "CharStorage" => Some(DType::I8),
            "ByteStorage" => Some(DType::U8),
            "BoolStorage" => Some(DType::Bool),
            "UntypedStorage" => None,
            _ => {
                return Err(damaged(format!(
                    "the file has elements of the kind {class}, which cannot be read"
                )));
            }
        };
        Ok(Object::Storage {
            key: self.str(*key)?.to_string(),
            dtype,
            len: self.count(*len)?,
        })
    }

    fn view(&self, args: &[Id], dtype: Option<DType>) -> Result<Object> {
        let [storage, offset, shape, strides, rest @ ..] = args else {
            return Err(senseless());
        };
        let Object::Storage { dtype: stored, .. } = self.get(*storage) else {
            return Err(senseless());
        };
        let counts = |id: Id| match self.tuple(id)? {
            list if list.len() <= MOST_DIMENSIONS => {
                list.iter().map(|i| self.count(*i)).collect::<Result<Vec<u64>>>()
            }
            list => Err(damaged(format!(
                "the file has a tensor of {} dimensions",
                list.len()
            ))),
        };
        Ok(Object::Tensor(View {
            storage: *storage,
            dtype: dtype.or(*stored).ok_or_else(senseless)?,
            offset: self.count(*offset)?,
            shape: counts(*shape)?,
            strides: counts(*strides)?,
            requires_grad: rest
                .first()
                .is_some_and(|id| matches!(self.get(*id), Object::Bool(true))),
        }))
    }

    /// What a call of `function` would give, for the few that are understood.
    fn call(&self, function: &str, args: &[Id]) -> Result<Object> {
        match (function, args) {
            ("torch._utils._rebuild_tensor_v2", args) => self.view(args, None),
            ("torch._utils._rebuild_tensor_v3", [_, _, _, _, _, _, dtype, ..]) => {
                let name = self.str(*dtype)?;
                let dtype = torch_dtype(name);
                self.view(
                    args,
                    Some(dtype.ok_or_else(|| damaged(format!("elements of {name} cannot be read")))?),
                )
            }
            (
                "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state",
                [tensor, rest @ ..],
            ) => match self.get(*tensor) {
                Object::Tensor(view) => Ok(Object::Tensor(View {
                    requires_grad: rest
                        .first()
                        .is_some_and(|id| matches!(self.get(*id), Object::Bool(true))),
                    ..view.clone()
                })),
                _ => Err(senseless()),
            },
            ("torch._tensor._rebuild_from_type_v2", [function, _, args, ..]) => {
                // One level is all that PyTorch writes; more would be recursion that the file decides on.
                match self.str(*function)? {
                    "torch._tensor._rebuild_from_type_v2" => Err(senseless()),
                    function => self.call(function, self.tuple(*args)?),
                }
            }
            ("collections.OrderedDict", []) | ("collections.defaultdict" | "collections.Counter", _) => {
                Ok(Object::Dict(Vec::new()))
            }
            ("collections.OrderedDict" | "builtins.dict" | "__builtin__.dict", [items]) => {
                let pair = |id: &Id| match self.tuple(*id)? {
                    [key, value] => Ok((*key, *value)),
                    _ => Err(senseless()),
                };
                Ok(Object::Dict(
                    self.tuple(*items)?.iter().map(pair).collect::<Result<_>>()?,
                ))
            }
            ("torch.Size", [items]) => Ok(Object::Tuple(self.tuple(*items)?.to_vec())),
            ("torch.device", [kind, ..]) => Ok(Object::Str(self.str(*kind)?.to_string())),
            (
                "builtins.set" | "__builtin__.set" | "builtins.frozenset" | "__builtin__.frozenset",
                [items],
            ) => Ok(Object::Set(self.tuple(*items)?.to_vec())),
            ("builtins.list" | "__builtin__.list", [items]) => Ok(Object::List(self.tuple(*items)?.to_vec())),
            ("builtins.tuple" | "__builtin__.tuple", [items]) => {
                Ok(Object::Tuple(self.tuple(*items)?.to_vec()))
            }
            ("_codecs.encode", [text, ..]) => {
                // Bytes as text whose characters are all below 256.
                let bytes = self.str(*text)?.chars().map(|c| u8::try_from(u32::from(c)).ok());
                Ok(Object::Bytes(bytes.collect::<Option<_>>().ok_or_else(senseless)?))
            }
            _ => Err(damaged(format!(
                "the file asks to call `{function}`, and nothing in a file is ever called"
            ))
            .note("it holds more than tensors, numbers, text, lists and dictionaries")
            .help("from PyTorch, save `model.state_dict()` rather than the model")),
        }
    }

    fn run(&mut self) -> Result<Id> {
        loop {
            let [code] = *self.take(1)? else {
                return Err(cut_off());
            };
            match code {
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.above_mark()?),
                b'2' => {
                    let top = self.top()?;
                    self.stack.push(top);
                }
                b'N' => self.push(Object::None),
                0x88 => self.push(Object::Bool(true)),
                0x89 => self.push(Object::Bool(false)),
                b'J' => {
                    let n = self.number::<4>()? as u32 as i32;
                    self.push(Object::Int(n.into()));
                }
                b'K' => {
                    let n = self.number::<1>()?;
                    self.push(Object::Int(n as i64));
                }
                b'M' => {
                    let n = self.number::<2>()?;
                    self.push(Object::Int(n as i64));
                }
                0x8a => {
                    let n = self.number::<1>()?;
                    self.integer(n)?;
                }
                0x8b => {
                    let n = self.number::<4>()?;
                    self.integer(n)?;
                }
                b'G' => {
                    let bits: [u8; 8] = self.take(8)?.try_into().map_err(|_| cut_off())?;
                    self.push(Object::Float(f64::from_be_bytes(bits)));
                }
                b'X' | b'T' | b'U' | 0x8c | 0x8d => {
                    let n = match code {
                        b'U' | 0x8c => self.number::<1>()?,
                        0x8d => self.number::<8>()?,
                        _ => self.number::<4>()?,
                    };
                    let text = self.text(n)?;
                    self.push(Object::Str(text));
                }
                b'B' | b'C' | 0x8e => {
                    let n = match code {
                        b'B' => self.number::<4>()?,
                        b'C' => self.number::<1>()?,
                        _ => self.number::<8>()?,
                    };
                    let bytes = self.take(usize::try_from(n).map_err(|_| cut_off())?)?.to_vec();
                    self.push(Object::Bytes(bytes));
                }
                b']' => self.push(Object::List(Vec::new())),
                0x8f => self.push(Object::Set(Vec::new())),
                b')' => self.push(Object::Tuple(Vec::new())),
                b'}' => self.push(Object::Dict(Vec::new())),
                b't' => {
                    let items = self.above_mark()?;
                    self.push(Object::Tuple(items));
                }
                b'l' => {
                    let items = self.above_mark()?;
                    self.push(Object::List(items));
                }
                0x91 => {
                    let items = self.above_mark()?;
                    self.push(Object::Set(items));
                }
                b'd' => {
                    let items = self.above_mark()?;
                    self.push(Object::Dict(Vec::new()));
                    self.set_items(&items)?;
                }
                0x85..=0x87 => {
                    let mut items = (0..code - 0x84)
                        .map(|_| self.pop())
                        .collect::<Result<Vec<Id>>>()?;
                    items.reverse();
                    self.push(Object::Tuple(items));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend(vec![item])?;
                }
                b'e' | 0x90 => {
                    let items = self.above_mark()?;
                    self.extend(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(&[key, value])?;
                }
                b'u' => {
                    let items = self.above_mark()?;
                    self.set_items(&items)?;
                }
                b'q' => {
                    let at = self.number::<1>()?;
                    self.remember(at)?;
                }
                b'r' => {
                    let at = self.number::<4>()?;
                    self.remember(at)?;
                }
                0x94 => self.remember(self.memo.len() as u64)?,
                b'h' => {
                    let at = self.number::<1>()?;
                    self.recall(at)?;
                }
                b'j' => {
                    let at = self.number::<4>()?;
                    self.recall(at)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Object::Name(format!("{module}.{name}")));
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let name = Object::Name(format!("{}.{}", self.str(module)?, self.str(name)?));
                    let name = self.paid(name)?;
                    self.push(name);
                }
                b'Q' => {
                    let id = self.pop()?;
                    let storage = self.storage(id)?;
                    let storage = self.paid(storage)?;
                    self.push(storage);
                }
                b'R' | 0x81 => {
                    let (args, function) = (self.pop()?, self.pop()?);
                    let Object::Name(name) = self.get(function) else {
                        return Err(senseless());
                    };
                    let made = self.call(name, self.tuple(args)?)?;
                    let made = self.paid(made)?;
                    self.push(made);
                }
                b'b' => {
                    // Attributes of a dictionary, such as the versions of modules, tell nothing about its entries.
                    self.pop()?;
                    if !matches!(self.get(self.top()?), Object::Dict(_)) {
                        return Err(senseless());
                    }
                }
                other => {
                    return Err(damaged(format!(
                        "the pickle has the instruction {other:#04x}, which no tensor needs"
                    )));
                }
            }
        }
    }
}

/// The dtype that PyTorch calls `torch.float32` and so on.
pub fn torch_dtype(name: &str) -> Option<DType> {
    let name = name.strip_prefix("torch.")?;
    DType::ALL.into_iter().find(|d| d.name() == name)
}

/// Runs a pickle.
pub fn read(bytes: &[u8]) -> Result<Objects> {
    if bytes.len() > u32::MAX as usize {
        return Err(damaged("the pickle is too long"));
    }
    let mut machine = Machine {
        bytes,
        all: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        budget: bytes.len() * 8 + 1000,
    };
    let root = machine.run()?;
    Ok(Objects {
        all: machine.all,
        root,
    })
}
