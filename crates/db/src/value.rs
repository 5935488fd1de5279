//! What a statement can be given.

/// One value of a statement. A null has a type, because PostgreSQL wants to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A `BIGINT`.
    Int(i64),
    /// A `TEXT`; it may not hold a NUL character, which PostgreSQL cannot store.
    Text(String),
    /// A `BYTEA` (a `BLOB` in SQLite's words).
    Bytes(Vec<u8>),
    /// A null where a `BIGINT` belongs.
    NullInt,
    /// A null where a `TEXT` belongs.
    NullText,
    /// A null where a `BYTEA` belongs.
    NullBytes,
}

/// A Rust type that a [`Value`] can be made of, and the null that stands for its absence.
pub trait Nullable: Into<Value> {
    /// The null of this type.
    const NULL: Value;
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Value::Text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Value::Bytes(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Value::Bytes(value.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Value::Bytes(value.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Value::Bytes(value.to_vec())
    }
}

impl Nullable for i64 {
    const NULL: Value = Value::NullInt;
}

impl Nullable for String {
    const NULL: Value = Value::NullText;
}

impl Nullable for &str {
    const NULL: Value = Value::NullText;
}

impl Nullable for &String {
    const NULL: Value = Value::NullText;
}

impl Nullable for Vec<u8> {
    const NULL: Value = Value::NullBytes;
}

impl Nullable for &[u8] {
    const NULL: Value = Value::NullBytes;
}

impl<const N: usize> Nullable for [u8; N] {
    const NULL: Value = Value::NullBytes;
}

impl<const N: usize> Nullable for &[u8; N] {
    const NULL: Value = Value::NullBytes;
}

impl<T: Nullable> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(T::NULL, Into::into)
    }
}

/// A statement's values: `values![id.bytes(), name, 5_i64]` is a `Vec<Value>`, each made by [`Into`].
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$($crate::Value::from($value)),*]
    };
}
