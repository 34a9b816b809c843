//! Short lists of numbers, one for each dimension.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

const FEW: usize = 4;

/// A list of which up to four numbers lie in place: copying and comparing such a one, which each operation does several
/// times, is a few instructions.
#[derive(Clone)]
pub enum Small<T> {
    /// So many, and zeros behind.
    Few(u8, [T; FEW]),
    /// More than that.
    Many(Box<[T]>),
}

impl<T: Copy + Default> Small<T> {
    /// `n` times `value`.
    #[inline]
    pub(crate) fn from_elem(value: T, n: usize) -> Small<T> {
        if n > FEW {
            return Small::Many(vec![value; n].into());
        }
        let mut few = [T::default(); FEW];
        few[..n].fill(value);
        Small::Few(n as u8, few)
    }

    #[inline]
    pub(crate) fn from_slice(values: &[T]) -> Small<T> {
        values.iter().copied().collect()
    }

    pub(crate) fn push(&mut self, value: T) {
        self.insert(self.len(), value);
    }

    pub(crate) fn insert(&mut self, at: usize, value: T) {
        let (before, after) = self.split_at(at);
        *self = before.iter().chain([&value]).chain(after).copied().collect();
    }

    #[inline]
    pub(crate) fn remove(&mut self, at: usize) {
        match self {
            Small::Few(n, few) => {
                *n -= 1;
                for i in at..FEW {
                    few[i] = few.get(i + 1).copied().unwrap_or_default();
                }
            }
            Small::Many(many) => {
                let (before, after) = many.split_at(at);
                *self = before.iter().chain(&after[1..]).copied().collect();
            }
        }
    }

    /// The numbers at these places, in their order.
    #[inline]
    pub(crate) fn picked(&self, places: &[usize]) -> Small<T> {
        match self {
            Small::Few(n, few) if places.len() == *n as usize => {
                let mut picked = [T::default(); FEW];
                for (to, &place) in picked.iter_mut().zip(places) {
                    *to = few[place];
                }
                Small::Few(*n, picked)
            }
            _ => places.iter().map(|&place| self[place]).collect(),
        }
    }
}

impl<T: Copy + Default> FromIterator<T> for Small<T> {
    #[inline]
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Small<T> {
        let (mut few, mut n) = ([T::default(); FEW], 0);
        let mut values = values.into_iter();
        while let Some(value) = values.next() {
            if n == FEW {
                return Small::Many(few.into_iter().chain([value]).chain(values).collect());
            }
            few[n] = value;
            n += 1;
        }
        Small::Few(n as u8, few)
    }
}

impl<T> Deref for Small<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Small::Few(n, few) => &few[..*n as usize],
            Small::Many(many) => many,
        }
    }
}

impl<T> DerefMut for Small<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Small::Few(n, few) => &mut few[..*n as usize],
            Small::Many(many) => many,
        }
    }
}

impl<'a, T> IntoIterator for &'a Small<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    #[inline]
    fn into_iter(self) -> std::slice::Iter<'a, T> {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for Small<T> {
    #[inline]
    fn eq(&self, other: &Small<T>) -> bool {
        match (self, other) {
            (Small::Few(n, a), Small::Few(m, b)) => n == m && a == b,
            (Small::Many(a), Small::Many(b)) => a == b,
            _ => false,
        }
    }
}

impl<T: Eq> Eq for Small<T> {}

impl<T: Hash> Hash for Small<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: Copy + Default> Default for Small<T> {
    #[inline]
    fn default() -> Small<T> {
        Small::Few(0, [T::default(); FEW])
    }
}

impl<T: fmt::Debug> fmt::Debug for Small<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_vector() {
        for n in 0..7 {
            let mut model: Vec<usize> = (1..=n).collect();
            let mut list = Small::from_slice(&model);
            assert_eq!((&*list, list.len()), (&model[..], n));
            assert!(list == model.iter().copied().collect() && list == list.clone());
            assert_eq!(Small::from_elem(7, n)[..], vec![7; n]);
            for at in 0..=n {
                let mut longer = list.clone();
                longer.insert(at, 9);
                model.insert(at, 9);
                assert!(longer[..] == model[..] && longer != list);
                longer[at] = 8;
                assert_eq!(longer[at], 8);
                longer.remove(at);
                model.remove(at);
                assert!(longer == list);
            }
            list.push(5);
            model.push(5);
            assert_eq!(list[..], model[..]);
            let longer = (0..9).map(|_| 0).collect::<Small<usize>>();
            assert!(list != longer);
        }
    }
}
