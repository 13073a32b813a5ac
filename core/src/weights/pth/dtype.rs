//! Number types of tensors, and how torch names them.

/// Type of a tensor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dtype {
    /// 64-bit floats; their values are rounded to 32 bits.
    F64,
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 16-bit floats with the range of 32-bit ones.
    Bf16,
    /// A type that weights do not have, under torch's name. Its values cannot be read.
    Other(&'static str),
}

/// Torch's name of a type, that of its storages before torch 2, bytes in an element, our type.
type Row = (&'static str, &'static str, usize, Dtype);

const TABLE: [Row; 24] = [
    ("float64", "DoubleStorage", 8, Dtype::F64),
    ("float32", "FloatStorage", 4, Dtype::F32),
    ("float16", "HalfStorage", 2, Dtype::F16),
    ("bfloat16", "BFloat16Storage", 2, Dtype::Bf16),
    ("int64", "LongStorage", 8, Dtype::Other("int64")),
    ("int32", "IntStorage", 4, Dtype::Other("int32")),
    ("int16", "ShortStorage", 2, Dtype::Other("int16")),
    ("int8", "CharStorage", 1, Dtype::Other("int8")),
    ("uint8", "ByteStorage", 1, Dtype::Other("uint8")),
    ("bool", "BoolStorage", 1, Dtype::Other("bool")),
    (
        "complex128",
        "ComplexDoubleStorage",
        16,
        Dtype::Other("complex128"),
    ),
    (
        "complex64",
        "ComplexFloatStorage",
        8,
        Dtype::Other("complex64"),
    ),
    ("qint8", "QInt8Storage", 1, Dtype::Other("qint8")),
    ("qint32", "QInt32Storage", 4, Dtype::Other("qint32")),
    ("quint8", "QUInt8Storage", 1, Dtype::Other("quint8")),
    ("quint4x2", "QUInt4x2Storage", 1, Dtype::Other("quint4x2")),
    ("quint2x4", "QUInt2x4Storage", 1, Dtype::Other("quint2x4")),
    // Newer types have untyped storages only.
    ("uint16", "", 2, Dtype::Other("uint16")),
    ("uint32", "", 4, Dtype::Other("uint32")),
    ("uint64", "", 8, Dtype::Other("uint64")),
    ("float8_e4m3fn", "", 1, Dtype::Other("float8_e4m3fn")),
    ("float8_e5m2", "", 1, Dtype::Other("float8_e5m2")),
    ("float8_e4m3fnuz", "", 1, Dtype::Other("float8_e4m3fnuz")),
    ("float8_e5m2fnuz", "", 1, Dtype::Other("float8_e5m2fnuz")),
];

impl Dtype {
    /// The type of a class such as `torch.FloatStorage` or `torch.cuda.HalfStorage`, and the bytes
    /// of an element.
    pub(super) fn of_storage((module, class): (&str, &str)) -> Option<(Self, usize)> {
        match (module, class) {
            // Untyped storages count bytes.
            ("torch" | "torch.storage", "UntypedStorage" | "_UntypedStorage") => {
                Some((Self::Other("uint8"), 1))
            }
            ("torch" | "torch.cuda", class) => TABLE
                .iter()
                .find(|row| row.1 == class && !class.is_empty())
                .map(|row| (row.3, row.2)),
            _ => None,
        }
    }

    /// The type `torch.<name>`.
    pub(super) fn of_name((module, name): (&str, &str)) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| module == "torch" && row.0 == name)
            .map(|row| row.3)
    }

    /// Bytes in an element; 0 of types that cannot be read.
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other(_) => 0,
        }
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Self::F64 => "float64",
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn storages_and_names_agree() {
        assert_eq!(
            Dtype::of_storage(("torch.cuda", "HalfStorage")),
            Some((Dtype::F16, 2))
        );
        assert_eq!(
            Dtype::of_storage(("torch.storage", "UntypedStorage")),
            Some((Dtype::Other("uint8"), 1))
        );
        assert_eq!(Dtype::of_storage(("torch", "")), None);
        assert_eq!(Dtype::of_storage(("os", "FloatStorage")), None);
        assert_eq!(Dtype::of_name(("torch", "bfloat16")), Some(Dtype::Bf16));
        for (name, _, size, dtype) in TABLE {
            assert_eq!(dtype.to_string(), name);
            assert!(matches!(dtype, Dtype::Other(_)) || dtype.size() == size);
        }
    }
}
