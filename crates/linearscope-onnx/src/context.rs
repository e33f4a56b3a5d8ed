//! What an op sees of a run: its operands, its attributes, and errors that name its node; and what it
//! gives back.

use std::collections::HashMap;

use burn_backend::{
    Backend, BoolDType, DType, IntDType, Shape, TensorData, TensorMetadata,
    get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};

use crate::{
    error::{COMPUTED, Error, Result},
    graph::{Attribute, Graph, Node},
    low_precision::LowPrecision,
    scope::{Environment, Scope},
    value::Value,
};

/// What an op sees: the node's operands, attributes and name.
pub(crate) struct Context<'a, B: Backend> {
    pub scope: &'a Scope<'a, B>,
    pub env: &'a Environment<B>,
    pub node: &'a Node,
}

impl<B: Backend> Context<'_, B> {
    /// "this op with {what} is not supported".
    pub(crate) fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::Unsupported {
            node: self.node.name.clone(),
            op: self.node.op.clone(),
            what: what.into(),
        }
    }

    /// "this op has {what}": sizes that do not fit each other, or leave nothing of the result.
    pub(crate) fn misfit(&self, what: impl Into<String>) -> Error {
        Error::Misfit {
            given: Box::default(),
            node: self.node.name.clone(),
            op: self.node.op.clone(),
            what: what.into(),
            hint: Box::default(),
        }
    }

    /// The error of an op that is not defined on inputs of these types, or not of these together.
    pub(crate) fn unsupported_types(&self, inputs: &[&Value<B>]) -> Error {
        let types: Vec<&str> = inputs.iter().map(|input| input.dtype().name()).collect();
        self.unsupported(match &types[..] {
            [only] => format!("an input of type {only}"),
            several => format!("inputs of types {}", several.join(" and ")),
        })
    }

    /// Version of the standard's operator set.
    pub(crate) fn opset(&self) -> i64 {
        self.node.opset
    }

    /// Whether operand number `index` is given.
    pub(crate) fn has(&self, index: usize) -> bool {
        let name = self.node.inputs.get(index);
        name.is_some_and(|name| !name.is_empty())
    }

    /// The type of operand number `index`, if it is one that Burn has no dtype for.
    pub(crate) fn low_precision(&self, index: usize) -> Option<LowPrecision> {
        self.node.low_precision.get(index).copied().flatten()
    }

    /// Whether output number `index` is requested.
    pub(crate) fn wants(&self, index: usize) -> bool {
        let name = self.node.outputs.get(index);
        name.is_some_and(|name| !name.is_empty())
    }

    fn name(&self, index: usize) -> Result<&str> {
        match self.node.inputs.get(index).filter(|name| !name.is_empty()) {
            Some(name) => Ok(name),
            None => Err(self.unsupported(format!("its input number {index} missing"))),
        }
    }

    fn made_by_no_node(&self, name: &str) -> Error {
        Error::Parse(format!(
            "in node \"{}\": no earlier node makes its input \"{name}\"",
            self.node.name
        ))
    }

    /// Operand number `index` as it is, on the device or a constant.
    pub(crate) fn raw(&self, index: usize) -> Result<Value<B>> {
        let name = self.name(index)?;
        let value = self.scope.get(name);
        value.ok_or_else(|| self.made_by_no_node(name))
    }

    /// Operand number `index` on the device.
    pub(crate) fn value(&self, index: usize) -> Result<Value<B>> {
        let name = self.name(index)?;
        let value = self.scope.on_device(name, self.env);
        value.ok_or_else(|| self.made_by_no_node(name))
    }

    /// Every operand on the device.
    pub(crate) fn all(&self) -> Result<Vec<Value<B>>> {
        (0..self.node.inputs.len()).map(|i| self.value(i)).collect()
    }

    /// The numbers of operand number `index` on the host. While a graph is captured it must be a
    /// constant: `role` names it in the error when it depends on the model's input.
    pub(crate) fn data(&self, index: usize, role: &str) -> Result<TensorData> {
        let value = self.raw(index)?;
        if self.env.capturing && !matches!(value, Value::Constant(_)) {
            return Err(self.unsupported(format!(
                "{role} {COMPUTED} (a fixed graph needs a constant there)"
            )));
        }
        self.read(value)
    }

    /// A value read from the device.
    pub(crate) fn read(&self, value: Value<B>) -> Result<TensorData> {
        value
            .into_data()
            .map_err(|error| self.unsupported(format!("a value that cannot be read ({error})")))
    }

    /// Integers of operand number `index`.
    pub(crate) fn ints(&self, index: usize, role: &str) -> Result<Vec<i64>> {
        Ok(self.data(index, role)?.iter::<i64>().collect())
    }

    /// Floats of operand number `index`.
    pub(crate) fn floats(&self, index: usize, role: &str) -> Result<Vec<f64>> {
        Ok(self.data(index, role)?.iter::<f64>().collect())
    }

    /// Integers from operand number `index` (newer opsets) or the attribute (older ones).
    pub(crate) fn ints_of(&self, index: usize, attribute: &str) -> Result<Option<Vec<i64>>> {
        if self.has(index) {
            return self.ints(index, attribute).map(Some);
        }
        self.attribute_ints(attribute)
    }

    /// Operand number `index`, a float tensor.
    pub(crate) fn float(&self, index: usize) -> Result<FloatTensor<B>> {
        match self.value(index)? {
            Value::Float(tensor) => Ok(tensor),
            other => Err(self.wrong_kind(index, &other, "floats")),
        }
    }

    /// Operand number `index`, a bool tensor.
    pub(crate) fn bool(&self, index: usize) -> Result<BoolTensor<B>> {
        match self.value(index)? {
            Value::Bool(tensor) => Ok(tensor),
            other => Err(self.wrong_kind(index, &other, "booleans")),
        }
    }

    fn wrong_kind(&self, index: usize, value: &Value<B>, wanted: &str) -> Error {
        let dtype = value.dtype().name();
        self.unsupported(format!("{dtype} for {wanted} as input number {index}"))
    }

    /// Operand number `index` if it is given.
    pub(crate) fn optional_float(&self, index: usize) -> Result<Option<FloatTensor<B>>> {
        self.has(index).then(|| self.float(index)).transpose()
    }

    /// Integers made on the host, on the device.
    pub(crate) fn indices(&self, values: Vec<i64>) -> IntTensor<B> {
        let count = values.len();
        let data = TensorData::new(values, [count]);
        match Value::<B>::Constant(data).upload(&self.env.device, self.env.capturing) {
            Value::Int(tensor) => tensor,
            _ => unreachable!("integers stay integers"),
        }
    }

    /// Floats made on the host, on the device in the dtype of `like`.
    pub(crate) fn constant(
        &self,
        values: Vec<f64>,
        dims: Vec<usize>,
        like: DType,
    ) -> FloatTensor<B> {
        let data = TensorData::new(values, dims).convert_dtype(like);
        B::float_from_data(data, &self.env.device)
    }

    /// The dtype of comparisons.
    pub(crate) fn bool_dtype(&self) -> BoolDType {
        get_or_init_device_settings::<B>(&self.env.device).bool_dtype
    }

    /// The dtype of indices: int64 where the backend has it.
    pub(crate) fn int_dtype(&self) -> IntDType {
        if !self.env.capturing && B::supports_dtype(&self.env.device, DType::I64) {
            IntDType::I64
        } else {
            get_or_init_device_settings::<B>(&self.env.device).int_dtype
        }
    }

    /// An axis counted from the front.
    pub(crate) fn axis(&self, axis: i64, rank: usize) -> Result<usize> {
        let from_front = if axis < 0 { axis + rank as i64 } else { axis };
        if (0..rank as i64).contains(&from_front) {
            return Ok(from_front as usize);
        }
        Err(self.unsupported(format!("axis {axis} of a tensor of rank {rank}")))
    }

    /// Axes counted from the front, each once.
    pub(crate) fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>> {
        let mut found = Vec::with_capacity(axes.len());
        for &axis in axes {
            let axis = self.axis(axis, rank)?;
            if found.contains(&axis) {
                return Err(self.unsupported(format!("axes {axes:?}, one of them twice")));
            }
            found.push(axis);
        }
        Ok(found)
    }

    /// An error if a tensor of this shape would have more elements than the run allows.
    pub(crate) fn check_size(&self, dims: &[usize]) -> Result<()> {
        let numel = dims
            .iter()
            .fold(1u128, |n, &size| n.saturating_mul(size as u128));
        if numel <= self.env.largest {
            return Ok(());
        }
        Err(self.unsupported(format!(
            "a result of shape {dims:?}, more than 2{} elements",
            if self.env.largest == 1 << 30 {
                "³⁰"
            } else {
                "²⁶"
            }
        )))
    }

    /// The attribute, if the node has it.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.node.attributes.get(name)
    }

    fn wrong_attribute(&self, name: &str, found: &Attribute) -> Error {
        let found = match found {
            Attribute::Other(kind) => kind.clone(),
            Attribute::Tensor(..) => "a tensor".into(),
            Attribute::Graph(_) => "a graph".into(),
            other => format!("{other:?}"),
        };
        self.unsupported(format!("{name} = {found}"))
    }

    /// An integer attribute.
    pub(crate) fn int_or(&self, name: &str, default: i64) -> Result<i64> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Int(value)) => Ok(*value),
            Some(other) => Err(self.wrong_attribute(name, other)),
        }
    }

    /// A switch.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.int_or(name, default.into())? != 0)
    }

    /// A float attribute.
    pub(crate) fn float_or(&self, name: &str, default: f32) -> Result<f64> {
        match self.attribute(name) {
            None => Ok(default.into()),
            Some(Attribute::Float(value)) => Ok((*value).into()),
            Some(other) => Err(self.wrong_attribute(name, other)),
        }
    }

    /// A text attribute.
    pub(crate) fn text_or<'b>(&'b self, name: &str, default: &'b str) -> Result<&'b str> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Text(value)) => Ok(value),
            Some(other) => Err(self.wrong_attribute(name, other)),
        }
    }

    /// A list of integers.
    pub(crate) fn attribute_ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values.clone())),
            Some(Attribute::Int(value)) => Ok(Some(vec![*value])),
            Some(other) => Err(self.wrong_attribute(name, other)),
        }
    }

    /// A list of sizes, none of them negative.
    pub(crate) fn sizes(&self, name: &str) -> Result<Option<Vec<usize>>> {
        let Some(values) = self.attribute_ints(name)? else {
            return Ok(None);
        };
        let sizes = values.iter().map(|&v| usize::try_from(v).ok()).collect();
        match sizes {
            Some(sizes) => Ok(Some(sizes)),
            None => Err(self.unsupported(format!("{name} {values:?}"))),
        }
    }

    /// The graph that an attribute holds: a branch of `If`, the body of `Loop`.
    pub(crate) fn body(&self, name: &str) -> Result<&Graph> {
        match self.attribute(name) {
            Some(Attribute::Graph(graph)) => Ok(graph),
            _ => Err(self.unsupported(format!("no graph {name}"))),
        }
    }

    /// Run a body on `inputs`, by its names for them. It sees the values around the node, too.
    pub(crate) fn run_body(
        &self,
        body: &Graph,
        inputs: HashMap<String, Value<B>>,
    ) -> Result<Vec<Value<B>>> {
        (self.env.run_body)(body, inputs, self.scope, self.env)
    }

    /// Rows `indices` of the flattened entries, in a new shape: any movement of entries at all.
    pub(crate) fn take(&self, x: Value<B>, indices: Vec<i64>, dims: &[usize]) -> Result<Value<B>> {
        self.check_size(dims)?;
        let numel = x.numel() as i64;
        if let Some(wrong) = indices.iter().find(|&&i| !(0..numel).contains(&i)) {
            return Err(self.unsupported(format!("entry {wrong} of {numel}")));
        }
        if indices.is_empty() {
            return Ok(empty(dims, x.dtype()));
        }
        let flat = x.reshape(&[numel as usize]);
        Ok(flat.select(0, self.indices(indices)).reshape(dims))
    }
}

/// A tensor without elements.
pub(crate) fn empty<B: Backend>(dims: &[usize], dtype: DType) -> Value<B> {
    let none = TensorData::zeros::<f32, _>(dims.to_vec());
    Value::Constant(none.convert_dtype(dtype))
}

/// Leading axes of size 1 up to `rank`.
pub(crate) fn at_rank<B: Backend>(x: FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    let shape = x.shape();
    if shape.num_dims() >= rank {
        return x;
    }
    let mut dims = vec![1; rank - shape.num_dims()];
    dims.extend(shape.iter());
    B::float_reshape(x, Shape::from(dims))
}

/// Another shape of as many entries.
pub(crate) fn reshaped<B: Backend>(x: FloatTensor<B>, dims: &[usize]) -> FloatTensor<B> {
    if x.shape().to_vec() == dims {
        return x;
    }
    B::float_reshape(x, Shape::from(dims.to_vec()))
}

/// The row type of the op table.
pub(crate) type Outputs<B> = Result<Vec<Value<B>>>;

/// One float result.
pub(crate) fn one<B: Backend>(tensor: FloatTensor<B>) -> Outputs<B> {
    Ok(vec![Value::Float(tensor)])
}

/// One result that is a constant.
pub(crate) fn one_constant<B: Backend>(data: TensorData) -> Outputs<B> {
    Ok(vec![Value::Constant(data)])
}
