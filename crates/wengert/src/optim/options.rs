//! The options of optimizers: their types, their checks, and the macro that makes an optimizer of its options and its step.

use crate::io::Value;
use wengert_array::{Error, ErrorKind, Result};

/// An option's type: how it looks in a state dict.
pub trait Setting: Sized {
    fn save(&self) -> Value;
    fn load(name: &str, value: &Value) -> Result<Self>;
}

impl Setting for f64 {
    fn save(&self) -> Value {
        (*self).into()
    }
    fn load(name: &str, value: &Value) -> Result<f64> {
        number(name, value)
    }
}

impl Setting for bool {
    fn save(&self) -> Value {
        (*self).into()
    }
    fn load(name: &str, value: &Value) -> Result<bool> {
        value.as_bool().ok_or_else(|| {
            let message = format!("`{name}` must be true or false, and is {value}");
            Error::new(ErrorKind::Value, "load_state_dict", message)
        })
    }
}

impl Setting for usize {
    fn save(&self) -> Value {
        (*self).into()
    }
    fn load(name: &str, value: &Value) -> Result<usize> {
        let count = value.as_i64().and_then(|v| usize::try_from(v).ok());
        count.ok_or_else(|| {
            let message = format!("`{name}` must be a count, and is {value}");
            Error::new(ErrorKind::Value, "load_state_dict", message)
        })
    }
}

impl<const N: usize> Setting for [f64; N] {
    fn save(&self) -> Value {
        Value::List(self.iter().map(|v| Value::Float(*v)).collect())
    }
    fn load(name: &str, value: &Value) -> Result<[f64; N]> {
        let numbers = value
            .items()
            .and_then(|v| v.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
        numbers.and_then(|v| v.try_into().ok()).ok_or_else(|| {
            let message = format!("`{name}` must be {N} numbers, and is {value}");
            Error::new(ErrorKind::Value, "load_state_dict", message)
        })
    }
}

impl Setting for (f64, f64) {
    fn save(&self) -> Value {
        (*self).into()
    }
    fn load(name: &str, value: &Value) -> Result<(f64, f64)> {
        <[f64; 2]>::load(name, value).map(|[a, b]| (a, b))
    }
}

/// A number among saved options.
pub fn number(name: &str, value: &Value) -> Result<f64> {
    value.as_f64().ok_or_else(|| {
        let message = format!("`{name}` must be a number, and is {value}");
        Error::new(ErrorKind::Value, "load_state_dict", message)
    })
}

/// A value that must be finite and not negative.
pub fn at_least_zero(op: &str, what: &str, value: f64) -> Result<f64> {
    if !(value >= 0.0 && value.is_finite()) {
        let message = format!("the {what} must be a number that is not negative, and is {value}");
        return Err(Error::new(ErrorKind::Value, op, message));
    }
    Ok(value)
}

/// A decay rate: in [0, 1).
pub fn rate(op: &str, what: &str, value: f64) -> Result<f64> {
    if !(0.0..1.0).contains(&value) {
        let message = format!("{what} must be at least 0 and below 1, and is {value}");
        return Err(Error::new(ErrorKind::Value, op, message));
    }
    Ok(value)
}

/// Writes an optimizer: its options with their checks, and the methods that set them.
macro_rules! optimizer {
    (
        $(#[$doc:meta])*
        $name:ident, $options:ident, arrays [$($array:literal),*] $(, counts $counts:literal)?;
        options {$(
            $(#[$field_doc:meta])*
            $field:ident: $type:ty = $default:expr, ($($argument:ident: $argument_type:ty),*) $make:expr;
        )*}
        check |$checked:ident| $check:expr;
        $(takes |$parameter:ident| $takes:expr;)?
        step |$this:ident, $rate:ident, $p:ident, $gradient:ident, $state:ident| $step:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($crate::optim::core::Core<$options>);

        #[doc = concat!("The options of [`", stringify!($name), "`] but for the learning rate.")]
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct $options {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $options {
            fn default() -> $options {
                $options { $($field: $default,)* }
            }
        }

        impl $crate::optim::core::Method for $options {
            const NAME: &'static str = stringify!($name);
            const ARRAYS: &'static [&'static str] = &[$($array),*];
            $(const COUNTS: bool = $counts;)?
            fn check(&self) -> wengert_array::Result<()> {
                let $checked = self;
                $check
            }
            fn options(&self) -> Vec<(&'static str, $crate::io::Value)> {
                vec![$((stringify!($field), $crate::optim::options::Setting::save(&self.$field)),)*]
            }
            fn set(&mut self, name: &str, value: &$crate::io::Value) -> wengert_array::Result<bool> {
                match name {
                    $(stringify!($field) => self.$field = $crate::optim::options::Setting::load(name, value)?,)*
                    _ => return Ok(false),
                }
                Ok(true)
            }
            $(fn takes(&self, $parameter: &$crate::Tensor) -> wengert_array::Result<()> {
                $takes
            })?
            fn step(
                &self,
                $rate: f64,
                $p: &$crate::Tensor,
                $gradient: wengert_array::Array,
                $state: &mut $crate::optim::core::State,
            ) {
                let $this = self;
                $step
            }
        }

        impl $name {
            /// With this learning rate and the defaults of the options.
            ///
            /// # Panics
            /// If there are no parameters, one is there twice or is not a leaf, or the learning rate is negative.
            #[track_caller]
            pub fn new(
                parameters: impl IntoIterator<Item = $crate::Tensor>,
                learning_rate: f64,
            ) -> $name {
                $name($crate::optim::core::Core::new(parameters, learning_rate, $options::default()))
            }

            /// With one more group of parameters, whose learning rate and options are those of the first group
            /// but for what `change` changes.
            ///
            /// # Panics
            /// As [`new`](Self::new), and if the options make no sense.
            #[must_use]
            #[track_caller]
            pub fn group(
                mut self,
                parameters: impl IntoIterator<Item = $crate::Tensor>,
                change: impl FnOnce(&mut f64, &mut $options),
            ) -> $name {
                self.0.group(parameters, change);
                self
            }

            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](", stringify!($options), "::", stringify!($field),
                    ") of all groups.")]
                ///
                /// # Panics
                /// If the value makes no sense.
                #[must_use]
                #[track_caller]
                pub fn $field(self, $($argument: $argument_type),*) -> $name {
                    $name(self.0.options(|o| o.$field = $make))
                }
            )*
        }

        impl $crate::optim::Optimizer for $name {
            fn step(&mut self) {
                self.0.step();
            }
            fn parameters(&self) -> &[$crate::Tensor] {
                self.0.parameters()
            }
            fn num_groups(&self) -> usize {
                self.0.groups().len()
            }
            fn option(&self, group: usize, name: &str) -> Option<$crate::io::Value> {
                self.0.get(group, name)
            }
            fn set_option(
                &mut self,
                group: usize,
                name: &str,
                value: &$crate::io::Value,
            ) -> wengert_array::Result<()> {
                self.0.set(group, name, value)
            }
            fn state_dict(&self) -> $crate::io::Value {
                self.0.state_dict()
            }
            fn load_state_dict(&mut self, state: &$crate::io::Value) -> wengert_array::Result<()> {
                self.0.load_state_dict(state)
            }
        }
    };
}
pub(super) use optimizer;
