//! What a graph declares about its inputs and outputs.

use onnx_ir::ValueInfoProto;

/// Name and shape of an input or output, as the file declares them.
///
/// ```
/// use linearscope_onnx::Signature;
///
/// let images = Signature::new("images", vec![Err("N".into()), Ok(3), Ok(32), Ok(32)]);
/// assert_eq!(images.to_string(), "[N, 3, 32, 32]");
/// assert_eq!(images.fixed(), None);
/// assert!(images.fits(&[5, 3, 32, 32]));
/// assert!(!images.fits(&[5, 1, 32, 32]));
///
/// let undeclared = Signature::new("x", vec![]);
/// assert_eq!(undeclared.to_string(), "[not declared]");
/// assert_eq!(undeclared.fixed(), None);
/// assert!(undeclared.fits(&[2, 7]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// The file's name of the value.
    pub name: String,
    /// One entry per axis: its size, or `Err(symbol)` for a dynamic one. Empty if the file declares
    /// no shape, and for a scalar.
    pub dims: Vec<std::result::Result<usize, String>>,
    /// Channels are on the last axis, as in Keras and TensorFlow, not on the axis after the batch. This is
    /// inferred from the graph; [`Model::channels_first`](crate::Model::channels_first) transposes such inputs and
    /// outputs.
    pub channels_last: bool,
    /// The file takes integers here and immediately converts them to floats, such as bytes of a
    /// picture: see [`Model::from_floats`](crate::Model::from_floats).
    pub integers: bool,
    /// How many axes, where the graph says so and the declaration does not.
    pub(crate) rank: Option<usize>,
}

impl Signature {
    /// A name and a shape, channels first.
    pub fn new(name: impl Into<String>, dims: Vec<std::result::Result<usize, String>>) -> Self {
        Self {
            name: name.into(),
            dims,
            channels_last: false,
            integers: false,
            rank: None,
        }
    }

    /// Its channels moved from the last axis to the one behind the batch.
    pub(crate) fn turn(&mut self) {
        if self.dims.len() >= 3 {
            self.dims[1..].rotate_right(1);
        }
        self.channels_last = false;
    }

    /// What a value declares. A size of 0 is taken as dynamic, and a dynamic axis without a symbol is
    /// called `d` and its number.
    pub(crate) fn read(value: &ValueInfoProto) -> Self {
        let tensor = value
            .type_
            .as_ref()
            .filter(|kind| kind.has_tensor_type())
            .map(|kind| kind.tensor_type());
        let dims = tensor
            .map(|tensor| {
                tensor
                    .shape
                    .dim
                    .iter()
                    .enumerate()
                    .map(|(axis, dim)| {
                        if dim.has_dim_value() && dim.dim_value() > 0 {
                            Ok(dim.dim_value() as usize)
                        } else if dim.dim_param().is_empty() {
                            Err(format!("d{axis}"))
                        } else {
                            Err(dim.dim_param().to_string())
                        }
                    })
                    .collect()
            })
            .unwrap_or_default();
        Self::new(value.name.clone(), dims)
    }

    /// The shape, if one is declared and none of its axes is dynamic.
    pub fn fixed(&self) -> Option<Vec<usize>> {
        if self.dims.is_empty() {
            return None;
        }
        self.dims.iter().map(|dim| dim.clone().ok()).collect()
    }

    /// What to do where `shape` does not fit.
    pub(crate) fn advice(&self, shape: &[usize]) -> String {
        if self.dims.len() != shape.len() {
            return format!("it has {} axes, batch first", self.dims.len());
        }
        let pairs = self.dims.iter().zip(shape).enumerate();
        let wrong = pairs.filter_map(|(axis, (dim, got))| match dim {
            Ok(size) if size != got => Some((axis, *size, *got)),
            _ => None,
        });
        let wrong: Vec<(usize, usize, usize)> = wrong.collect();
        match wrong[..] {
            [(0, batch, _)] if shape.len() > 1 => format!(
                "the batch is {batch}: give as many pictures, or export the model with a dynamic batch"
            ),
            [(1, channels, got)] if shape.len() > 2 => {
                format!("it takes {channels} channels, but got {got}")
            }
            _ => "resize the picture, or export the model with dynamic axes".into(),
        }
    }

    /// Whether a tensor of this shape fits: the number of axes is equal, and so is the size of
    /// every fixed axis. If no shape is declared, any shape fits.
    pub fn fits(&self, shape: &[usize]) -> bool {
        let matches = |(dim, size): (&std::result::Result<usize, String>, &usize)| {
            dim.as_ref().map_or(true, |dim| dim == size)
        };
        self.dims.is_empty()
            || self.dims.len() == shape.len() && self.dims.iter().zip(shape).all(matches)
    }
}

/// The shape as errors and reports show it: `[N, 3, 224, 224]`, or `[not declared]`.
impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.dims.is_empty() {
            return f.write_str("[not declared]");
        }
        let dims: Vec<String> = self
            .dims
            .iter()
            .map(|dim| match dim {
                Ok(size) => size.to_string(),
                Err(symbol) => symbol.clone(),
            })
            .collect();
        write!(f, "[{}]", dims.join(", "))
    }
}
