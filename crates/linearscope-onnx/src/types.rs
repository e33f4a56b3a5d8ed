//! Which values of a graph are no floats, as far as its ops say so.
//!
//! Only floats have a derivative. An index, a mask or a count at the end of a network can so not be what an
//! interpretation is of, and has to be told from scores before anything is run.

use std::collections::{HashMap, HashSet};

use burn_backend::DType;

use crate::{
    graph::{Attribute, Graph, Node},
    initialiser::type_name,
};

/// Ops whose results are truth values.
const COMPARE: &[&str] = &[
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "And",
    "Or",
    "Xor",
    "Not",
    "IsNaN",
    "IsInf",
];

/// Ops whose results are indices or sizes.
const COUNT: &[&str] = &[
    "ArgMax",
    "ArgMin",
    "NonMaxSuppression",
    "NonZero",
    "Shape",
    "Size",
];

/// Ops whose first result is of their first operand's type and whose others are indices.
const WITH_INDICES: &[&str] = &["MaxPool", "TopK", "Unique"];

/// Ops whose results are of their first operand's type. What is not listed here is taken for floats: an integer
/// taken for floats is found when the graph is run, floats taken for an integer would be lost.
const OF_FIRST: &[&str] = &[
    "Abs",
    "Add",
    "BitShift",
    "Clip",
    "Compress",
    "Concat",
    "CumSum",
    "Div",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Identity",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Pad",
    "Range",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "Relu",
    "Reshape",
    "ScatterElements",
    "ScatterND",
    "Sign",
    "Slice",
    "Split",
    "Squeeze",
    "Sub",
    "Sum",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// Values that are no floats, each with its type as ONNX calls it.
pub(crate) type NoFloats = HashMap<String, String>;

impl Graph {
    /// The values that are no floats, by the ops that make them.
    pub(crate) fn no_floats(&self) -> NoFloats {
        let no_float = |(name, dtype): (&String, DType)| {
            (!dtype.is_float()).then(|| (name.clone(), type_of(dtype)))
        };
        let inputs = self.input_dtypes.iter().map(|(name, dtype)| (name, *dtype));
        let constants = self
            .constants
            .iter()
            .map(|(name, data)| (name, data.dtype()));
        let mut found: NoFloats = inputs.chain(constants).filter_map(no_float).collect();
        for node in &self.nodes {
            let types: Vec<Option<String>> = (0..node.outputs.len())
                .map(|at| made_by(node, at, &found))
                .collect();
            for (output, kind) in node.outputs.iter().zip(types) {
                found.extend(kind.map(|kind| (output.clone(), kind)));
            }
        }
        found
    }

    /// The floats that a value of another type is made of: the nearest on the way back from it, always along the
    /// first operand that an input of the graph reaches. None where there are none but inputs.
    pub(crate) fn floats_behind(&self, name: &str, no_floats: &NoFloats) -> Option<&str> {
        let inputs = self.inputs.iter().map(|input| &input.name[..]);
        let mut reached: HashSet<&str> = inputs.collect();
        for node in &self.nodes {
            if node.inputs.iter().any(|name| reached.contains(&name[..])) {
                reached.extend(node.outputs.iter().map(|output| &output[..]));
            }
        }
        let mut at = self
            .maker(name)?
            .outputs
            .iter()
            .find(|made| *made == name)?;
        while no_floats.contains_key(at) {
            let mut operands = self.maker(at)?.inputs.iter();
            at = operands.find(|operand| reached.contains(&operand[..]))?;
        }
        self.maker(at).map(|_| &at[..])
    }
}

/// A type as ONNX calls it.
pub(crate) fn type_of(dtype: DType) -> String {
    match dtype {
        DType::Bool(_) => "bool".into(),
        // "i64", "u8".
        dtype => (dtype.name().replacen('i', "int", 1)).replacen('u', "uint", 1),
    }
}

/// The type of a node's result, where it is none of floats.
fn made_by(node: &Node, at: usize, found: &NoFloats) -> Option<String> {
    let of = |operand: usize| found.get(node.inputs.get(operand)?).cloned();
    match (&node.op[..], at) {
        (op, _) if COMPARE.contains(&op) => Some("bool".into()),
        (op, _) if COUNT.contains(&op) => Some("int64".into()),
        (op, 1..) if WITH_INDICES.contains(&op) => Some("int64".into()),
        (op, _) if OF_FIRST.contains(&op) || WITH_INDICES.contains(&op) => of(0),
        ("Where", _) => of(1),
        ("CastLike", _) => of(1),
        ("OneHot", _) => of(2),
        ("Cast", _) => match node.attributes.get("to") {
            // 1 float, 10 float16, 11 double, 16 bfloat16; those of 8 and 4 bits are 17 to 20, 23 and 24.
            Some(Attribute::Int(1 | 10 | 11 | 16..=20 | 23 | 24)) => None,
            Some(Attribute::Int(to)) => i32::try_from(*to).ok().map(type_name),
            _ => None,
        },
        ("Constant" | "ConstantOfShape", _) => match node.attributes.get("value") {
            Some(Attribute::Tensor(data, None)) if !data.dtype().is_float() => {
                Some(type_of(data.dtype()))
            }
            _ => None,
        },
        _ => None,
    }
}
