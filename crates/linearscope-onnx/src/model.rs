//! A model file: loaded, checked, captured or run.

use std::{
    collections::HashMap,
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use burn_backend::{Backend, DType, TensorData, ops::FloatTensorOps, tensor::FloatTensor};
use burn_capture::{CaptureBackend, CaptureDevice};
use linearscope::{Entry, Network, Rule, panic_message};
use onnx_ir::{Message as _, ModelProto};

use crate::{
    error::{CANNOT_VARY, Error, Result},
    execute,
    foreign::{AGAIN, recognise},
    graph::{Graph, default_opset},
    initialiser::{Reader, Source, shared},
    inliner::LocalFunctions,
    names::name_nodes,
    ops,
    scope::Environment,
    signature::Signature,
    skeleton::{Message, skeleton},
    value::Value,
};

/// A capture that fails faster than this is tried at other sizes.
const QUICK: Duration = Duration::from_millis(200);

/// A node of the graph: what [`Model::nodes`] lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its name: that of the module it came from if the file says which (`layer1.0.conv1`), otherwise the file's
    /// own. Names are unique.
    pub name: String,
    /// Its name in the file, or that of its first output if it has none.
    pub file_name: String,
    /// Its op: `Conv`, or `domain::Op` if the domain is not the standard's.
    pub op: String,
    /// Whether the table of supported ops has a row for it.
    pub supported: bool,
}

/// The least and the largest number of a type of whole numbers.
fn whole_numbers(dtype: DType) -> [i128; 2] {
    let signed = |bits: u32| [-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1];
    let unsigned = |bits: u32| [0, (1i128 << bits) - 1];
    match dtype {
        DType::I8 => signed(8),
        DType::I16 => signed(16),
        DType::I32 => signed(32),
        DType::U8 => unsigned(8),
        DType::U16 => unsigned(16),
        DType::U32 => unsigned(32),
        DType::U64 => unsigned(64),
        DType::Bool(_) => [0, 1],
        _ => signed(64),
    }
}

/// An ONNX model that has been read and checked. Its graph is walked again for each input shape.
///
/// Clones share the weights.
///
/// ```
/// use linearscope_onnx::Model;
///
/// # fn main() -> linearscope_onnx::Result<()> {
/// let model = Model::load("../../assets/tiny_sr/tiny_sr.onnx")?;
/// assert_eq!(model.inputs()[0].to_string(), "[N, 1, H, W]");
/// let network = model.network(&[vec![1, 1, 12, 10]])?;
/// assert_eq!(network.parameters(), 3316);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Model {
    graph: Arc<Graph>,
}

impl Model {
    /// Read a model file. Ops are looked up only when the model is captured or run.
    ///
    /// Cost: the file is read once. Memory: one copy of its weights, even while it is read, shared by
    /// all networks made from it.
    ///
    /// # Errors
    /// - [`Error::Io`]: the file cannot be opened or read.
    /// - [`Error::NotOnnx`]: it is not an ONNX protobuf, ends too early, or contains no nodes. Other formats
    ///   of networks are recognised, and the hint says how to convert them.
    /// - [`Error::Truncated`], [`Error::Initialiser`]: a weight does not contain what its shape and
    ///   type promise, or has a type that cannot be read.
    /// - [`Error::ExternalData`]: external weights are missing, or in a place where they are not
    ///   allowed.
    /// - [`Error::Parse`]: functions of the model call themselves or grow without bound, or nodes depend on
    ///   each other in a circle.
    ///
    /// ```
    /// use linearscope_onnx::{Error, Model};
    ///
    /// let error = Model::load("nowhere.onnx").expect_err("there is no such file");
    /// assert!(matches!(error, Error::Io { .. }));
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let shown = path.display().to_string();
        let system = |source| Error::Io {
            path: shown.clone(),
            source,
        };
        let mut file = File::open(path).map_err(system)?;
        if file.metadata().map_err(system)?.is_dir() {
            return Err(system(io::ErrorKind::IsADirectory.into()));
        }
        Self::from_source(&mut file, &shown)
    }

    /// Read a model from the bytes of a file. Errors name `path`, and external data is looked for
    /// next to it. The model keeps a copy of the weights, not the bytes.
    ///
    /// # Errors
    /// As [`load`](Self::load), except [`Error::Io`].
    ///
    /// ```
    /// use linearscope_onnx::{Error, Model};
    ///
    /// let error = Model::from_bytes(b"<html>", "net.onnx").expect_err("that is a web page");
    /// assert!(matches!(error, Error::NotOnnx { .. }));
    /// assert!(error.to_string().starts_with("net.onnx"));
    /// ```
    pub fn from_bytes(bytes: &[u8], path: &str) -> Result<Self> {
        Self::from_source(&mut io::Cursor::new(bytes), path)
    }

    fn from_source(mut source: &mut dyn Source, path: &str) -> Result<Self> {
        let foreign = recognise(source).map_err(|source| Error::Io {
            path: path.into(),
            source,
        })?;
        let not_onnx = |because: String| match foreign {
            Some((what, hint)) => Error::NotOnnx {
                path: path.into(),
                because: what.into(),
                hint: hint.into(),
            },
            None => Error::NotOnnx {
                path: path.into(),
                because,
                hint: AGAIN.into(),
            },
        };
        let skeleton =
            skeleton(&mut source, Message::Model).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => not_onnx(error.to_string()),
                _ => Error::Io {
                    path: path.into(),
                    source: error,
                },
            })?;
        let parse = || ModelProto::parse_from_bytes(&skeleton.bytes);
        let mut proto = catch_unwind(AssertUnwindSafe(parse))
            .map_err(|_| not_onnx("the protobuf parser stopped".into()))?
            .map_err(|error| match error.to_string() {
                error if error.to_lowercase().contains("utf") => {
                    not_onnx("a name in it is not UTF-8".into())
                }
                error => not_onnx(error),
            })?;
        if proto.graph.node.is_empty() {
            return Err(not_onnx("it contains no graph nodes".into()));
        }
        let imports = proto.opset_import.iter();
        let imports = imports.map(|import| (&import.domain[..], import.version));
        let opset = default_opset(imports).unwrap_or(1);
        let mut reader = Reader::new(Path::new(path), source, skeleton.places);
        let read = || {
            let mut functions = LocalFunctions::read(&mut proto, &mut reader, opset)?;
            let mut graph = Graph::read(proto.graph.mut_or_insert_default(), &mut reader, opset)?;
            functions.inline(&mut graph)?;
            graph.finish()?;
            name_nodes(&mut graph);
            Ok::<_, Error>(Self::with_layouts(graph))
        };
        let graph = catch_unwind(AssertUnwindSafe(read))
            .map_err(|panic| not_onnx(panic_message(panic.as_ref())))??;
        Ok(Self::of(graph))
    }

    pub(crate) fn of(graph: Graph) -> Self {
        Self {
            graph: Arc::new(graph),
        }
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The inputs that the user gives, in the file's order. Weights that old files list among them are
    /// left out, and so are inputs fixed by [`with_constant`](Self::with_constant).
    pub fn inputs(&self) -> &[Signature] {
        &self.graph.inputs
    }

    /// The outputs, in the file's order.
    pub fn outputs(&self) -> &[Signature] {
        &self.graph.outputs
    }

    /// The same model with input `name` fixed to numbers, such as indices, shapes or a noise level. It is
    /// no longer an input, and what is computed from it alone is folded away. The numbers are converted
    /// to the dtype that the file declares. The weights are shared.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape of `numbers` does not fit; [`Error::Input`] if no input is
    /// called `name`, or if floats are given for integers or the reverse.
    pub fn with_constant(&self, name: &str, numbers: TensorData) -> Result<Self> {
        let refused = |because: String| Error::Input {
            input: name.into(),
            because,
        };
        let inputs = self.inputs();
        let at = inputs.iter().position(|input| input.name == name);
        let at = at.ok_or_else(|| {
            let names: Vec<&str> = inputs.iter().map(|input| &input.name[..]).collect();
            refused(format!(
                "is not one of the inputs, which are {}",
                names.join(", ")
            ))
        })?;
        let shape = numbers.shape().to_vec();
        if !inputs[at].fits(&shape) {
            return Err(Error::Shape {
                input: name.into(),
                got: shape,
                expected: inputs[at].to_string(),
                hint: String::new(),
            });
        }
        let mut graph = Graph::clone(&self.graph);
        let numbers = match graph.input_dtypes.remove(name) {
            Some(dtype) if dtype.is_float() != numbers.dtype().is_float() => {
                let got = numbers.dtype().name();
                return Err(refused(format!("holds {}, not {got}", dtype.name())));
            }
            Some(dtype) => {
                let [least, most] = whole_numbers(dtype);
                let out = |number: &i64| !(least..=most).contains(&i128::from(*number));
                if let Some(number) = numbers
                    .iter::<i64>()
                    .find(out)
                    .filter(|_| !dtype.is_float())
                {
                    return Err(refused(format!(
                        "holds {}, with values from {least} to {most}; {number} is outside",
                        dtype.name()
                    )));
                }
                numbers.convert_dtype(dtype)
            }
            None => numbers,
        };
        graph.inputs.remove(at);
        graph.constants.insert(name.into(), shared(numbers));
        Ok(Self::of(graph))
    }

    /// Neither empty nor absurd, whatever the file declares.
    fn check_sizes(&self, shapes: &[Vec<usize>]) -> Result<()> {
        for (input, shape) in self.inputs().iter().zip(shapes) {
            linearscope::check_input(&input.name, shape)?;
        }
        Ok(())
    }

    fn check_inputs(&self, shapes: &[Vec<usize>]) -> Result<()> {
        if shapes.len() != self.inputs().len() {
            return Err(Error::Shape {
                input: format!("the list of {} inputs", self.inputs().len()),
                got: vec![shapes.len()],
                expected: format!("[{}]", self.inputs().len()),
                hint: String::new(),
            });
        }
        for (input, shape) in self.inputs().iter().zip(shapes) {
            if !input.fits(shape) {
                return Err(Error::Shape {
                    input: input.name.clone(),
                    got: shape.clone(),
                    expected: input.to_string(),
                    hint: input.advice(shape),
                });
            }
        }
        Ok(())
    }

    /// The graph's nodes. Each comes after those it reads; otherwise they are in the file's order. Calls of model-local
    /// functions are replaced by the functions' nodes. Nodes in the bodies of `If` and `Loop` are not listed.
    ///
    /// ```
    /// # fn main() -> linearscope_onnx::Result<()> {
    /// let model = linearscope_onnx::Model::load("../../assets/tiny_sr/tiny_sr.onnx")?;
    /// let ops: Vec<String> = model.nodes().map(|node| node.op).collect();
    /// assert_eq!(ops, ["Conv", "Relu", "Conv", "Relu", "Conv", "DepthToSpace"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn nodes(&self) -> impl Iterator<Item = NodeInfo> + '_ {
        self.graph.nodes.iter().map(|node| NodeInfo {
            name: node.name.clone(),
            file_name: node.file_name.clone(),
            op: ops::kind(node),
            supported: ops::supported(node),
        })
    }

    /// Nodes whose op is not in [`SUPPORTED_OPS`](crate::SUPPORTED_OPS): name and op of each. An empty
    /// list does not promise that every attribute is supported; [`network`](Self::network) checks
    /// that. `shapes` are checked first, one for each of [`inputs`](Self::inputs).
    ///
    /// # Errors
    /// [`Error::Shape`] if a shape does not fit; [`Error::Capture`] if one has no elements, or more
    /// than any network takes.
    pub fn unsupported(&self, shapes: &[Vec<usize>]) -> Result<Vec<(String, String)>> {
        self.check_sizes(shapes)?;
        self.check_inputs(shapes)?;
        let unknown = self.graph.nodes.iter().filter(|node| !ops::supported(node));
        Ok(unknown
            .map(|node| (node.name.clone(), ops::kind(node)))
            .collect())
    }

    /// Capture the graph for concrete input shapes, one for each of [`inputs`](Self::inputs). The network
    /// keeps the file's names of inputs and outputs. Its nodes have the names that [`nodes`](Self::nodes)
    /// lists, and are also found by the file's own. It is f32 throughout.
    ///
    /// Cost: the graph is run once on Burn's capture backend, which computes only what depends on
    /// constants alone. Memory: the weights are shared with this model.
    ///
    /// # Errors
    /// - [`Error::Shape`]: a shape does not fit, or the number of shapes is not the number of
    ///   inputs.
    /// - [`Error::Input`]: an input contains no floats; [`with_constant`](Self::with_constant) fixes it.
    /// - [`Error::UnsupportedOp`], [`Error::Unsupported`]: an op, or its form, is not supported. This
    ///   includes shapes, indices and branches computed from an input.
    /// - [`Error::Misfit`]: sizes do not fit each other in a node; the hint suggests sizes that fit,
    ///   if trying some is quick.
    /// - [`Error::Empty`]: an output has no elements.
    /// - [`Error::NoFloats`]: an output contains integers or booleans;
    ///   [`with_outputs`](Self::with_outputs) ends the graph before it.
    /// - [`Error::Parse`]: the graph contradicts itself.
    /// - [`Error::Panicked`]: Burn stopped in a node.
    /// - [`Error::Capture`]: a shape has no elements, or more than any network takes, or the
    ///   captured graph is not a valid network.
    ///
    /// ```
    /// use linearscope_onnx::{Error, Model};
    ///
    /// # fn main() -> linearscope_onnx::Result<()> {
    /// let model = Model::load("../../assets/tiny_sr/tiny_sr.onnx")?;
    /// let network = model.network(&[vec![1, 1, 12, 10]])?;
    /// assert_eq!(network.outputs()[0].name, "output");
    ///
    /// let error = model.network(&[vec![1, 3, 12, 10]]).expect_err("it takes one channel");
    /// assert!(matches!(error, Error::Shape { .. }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn network(&self, shapes: &[Vec<usize>]) -> Result<Network> {
        self.check_sizes(shapes)?;
        self.check_inputs(shapes)?;
        for input in self.inputs() {
            let dtype = self.graph.input_dtypes.get(&input.name);
            if let Some(dtype) = dtype.filter(|dtype| !dtype.is_float()) {
                return Err(Error::Input {
                    input: input.name.clone(),
                    because: format!("holds {}, {CANNOT_VARY}", dtype.name()),
                });
            }
        }
        let begun = Instant::now();
        self.captured(shapes)
            .map_err(|error| self.with_advice(error, shapes, begun.elapsed()))
    }

    /// A misfit with the shapes that were given, and with sizes that would do where they are found fast.
    fn with_advice(&self, error: Error, shapes: &[Vec<usize>], took: Duration) -> Error {
        let Error::Misfit { node, op, what, .. } = error else {
            return error;
        };
        let sizes = |shape: &[usize]| {
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            sizes.join("×")
        };
        let given: Vec<String> = shapes.iter().map(|shape| sizes(shape)).collect();
        let hint = match took < QUICK {
            true => self.sizes_that_do(shapes).unwrap_or_default(),
            false => String::new(),
        };
        Error::Misfit {
            given: format!("this network does not take {}: ", given.join(" and ")).into(),
            node,
            op,
            what,
            hint: hint.into(),
        }
    }

    /// Sizes near those of the first input that the graph takes, by trying: one picture alone, other
    /// channels never, heights and widths that powers of two divide, larger ones.
    fn sizes_that_do(&self, shapes: &[Vec<usize>]) -> Option<String> {
        let (input, shape) = (self.inputs().first()?, shapes.first()?);
        let takes = |tried: &[usize]| {
            let all = [&[tried.to_vec()], &shapes[1..]].concat();
            let small = tried.iter().product::<usize>() <= 1 << 26;
            small && input.fits(tried) && self.captured(&all).is_ok()
        };
        if shape.first().is_some_and(|&batch| batch > 1) {
            let alone = [&[1], &shape[1..]].concat();
            if takes(&alone) {
                return Some("its batch size is 1: give it one picture at a time".into());
            }
        }
        // Axes that the file leaves open: of a picture, all behind the channels.
        let free: Vec<usize> = (2..shape.len())
            .filter(|&axis| input.dims.get(axis).is_none_or(|dim| dim.is_err()))
            .collect();
        let with = |size: &dyn Fn(usize) -> usize| {
            let mut tried = shape.clone();
            free.iter()
                .for_each(|&axis| tried[axis] = size(tried[axis]));
            tried
        };
        let shown = |tried: &[usize]| {
            let sizes: Vec<String> = tried[2..].iter().map(usize::to_string).collect();
            sizes.join("×")
        };
        if free.is_empty() {
            return None;
        }
        for step in (1..=7).map(|power| 1usize << power) {
            let below = with(&|size| (size / step).max(1) * step);
            let above = with(&|size| size.div_ceil(step) * step);
            if below != above && takes(&below) && takes(&above) {
                return Some(format!(
                    "try sizes divisible by {step}, such as {} or {}",
                    shown(&below),
                    shown(&above)
                ));
            }
        }
        let larger = (1..=8).map(|power| with(&|size| size << power));
        let larger = larger.into_iter().find(|tried| takes(tried))?;
        Some(format!("try a larger size, such as {}", shown(&larger)))
    }

    /// [`network`](Self::network) for shapes that fit what the file declares.
    fn captured(&self, shapes: &[Vec<usize>]) -> Result<Network> {
        let device = CaptureDevice::default();
        let mut failed = None;
        let mut quantisers = Vec::new();
        let mut nodes = HashMap::new();
        let captured = catch_unwind(AssertUnwindSafe(|| {
            device.capture_scope(|scope| {
                let inputs: Vec<FloatTensor<CaptureBackend>> = shapes
                    .iter()
                    .map(|shape| {
                        let data = TensorData::zeros::<f32, _>(shape.clone());
                        CaptureBackend::float_from_data(data, &device)
                    })
                    .collect();
                let input_ids: Vec<_> = inputs.iter().map(|input| input.id()).collect();
                let inputs = inputs.into_iter().map(Value::Float).collect();
                let env = execute::environment::<CaptureBackend>(device, true);
                let outputs = self.floats(inputs, &env);
                quantisers = env.quantisers.take();
                for (node, value) in env.made.take() {
                    let id = match value {
                        Value::Float(tensor) => tensor.id(),
                        Value::Int(tensor) => tensor.id(),
                        Value::Bool(tensor) => tensor.id(),
                        Value::Constant(_) => continue,
                    };
                    nodes.entry(id).or_insert(node);
                }
                match outputs {
                    Ok(outputs) => {
                        let ids: Vec<_> = outputs.iter().map(|output| output.id()).collect();
                        scope.complete(input_ids, ids)
                    }
                    Err(error) => {
                        failed = Some(error);
                        scope.complete([], [])
                    }
                }
            })
        }));
        if let Some(error) = failed {
            return Err(error);
        }
        let captured = captured
            .map_err(|panic| Error::Parse(panic_message(panic.as_ref())))?
            .map_err(|error| linearscope::Error::Capture(error.to_string()))?;
        let name = |signature: &Signature| signature.name.clone();
        let inputs: Vec<String> = self.inputs().iter().map(name).collect();
        let outputs: Vec<String> = self.outputs().iter().map(name).collect();
        let network = Network::new(captured, &inputs, &outputs, |id| nodes.get(&id).cloned())?;
        let network = network.with_aliases(self.graph.aliases());
        let straight = |node: String| Entry::new(Rule::StraightThrough).op("round").node(node);
        let entries = quantisers.into_iter().map(straight);
        Ok(entries.fold(network, Network::with_default))
    }

    /// Run the model on any backend. It takes one float tensor for each of [`inputs`](Self::inputs), and
    /// returns one for each of [`outputs`](Self::outputs). Weights keep their dtype if the backend supports
    /// it. Shapes, indices and branches may depend on the inputs; they are then read from the device.
    ///
    /// Cost: weights are uploaded at each call; to run often, capture a [`network`](Self::network). A value
    /// is freed after its last use.
    ///
    /// # Errors
    /// As [`network`](Self::network), except [`Error::Input`].
    ///
    /// ```
    /// use burn_backend::{TensorData, TensorMetadata, ops::FloatTensorOps};
    /// use burn_flex::{Flex, FlexDevice};
    ///
    /// # fn main() -> linearscope_onnx::Result<()> {
    /// let model = linearscope_onnx::Model::load("../../assets/tiny_sr/tiny_sr.onnx")?;
    /// let x = Flex::float_from_data(TensorData::zeros::<f32, _>([1, 1, 12, 10]), &FlexDevice);
    /// let y = model.run::<Flex>(vec![x], &FlexDevice)?;
    /// assert_eq!(y[0].shape().to_vec(), [1, 1, 24, 20]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<B: Backend>(
        &self,
        inputs: Vec<FloatTensor<B>>,
        device: &B::Device,
    ) -> Result<Vec<FloatTensor<B>>> {
        let inputs = inputs.into_iter().map(Value::<B>::Float).collect();
        self.floats(inputs, &execute::environment(device.clone(), false))
    }

    /// Like [`run`](Self::run), for inputs and outputs of any kind. An input may be a
    /// [`Value::Constant`]; whatever depends on constants alone is computed on the host. Outputs are on
    /// the device.
    ///
    /// # Errors
    /// As [`run`](Self::run); outputs need not be floats.
    pub fn run_values<B: Backend>(
        &self,
        inputs: Vec<Value<B>>,
        device: &B::Device,
    ) -> Result<Vec<Value<B>>> {
        let outputs = self.values(inputs, &execute::environment(device.clone(), false))?;
        Ok(outputs
            .into_iter()
            .map(|value| value.upload(device, false))
            .collect())
    }

    fn values<B: Backend>(
        &self,
        inputs: Vec<Value<B>>,
        env: &Environment<B>,
    ) -> Result<Vec<Value<B>>> {
        let shapes: Vec<Vec<usize>> = inputs.iter().map(Value::shape).collect();
        self.check_inputs(&shapes)?;
        let names = self.inputs().iter().map(|input| input.name.clone());
        let inputs: HashMap<String, Value<B>> = names.zip(inputs).collect();
        let outputs = execute::run(&self.graph, inputs, env)?;
        for (output, value) in self.outputs().iter().zip(&outputs) {
            if env.capturing && value.numel() == 0 {
                return Err(Error::Empty {
                    output: output.name.clone(),
                    shape: value.shape(),
                });
            }
        }
        Ok(outputs)
    }

    /// [`values`](Self::values), all of them floats.
    fn floats<B: Backend>(
        &self,
        inputs: Vec<Value<B>>,
        env: &Environment<B>,
    ) -> Result<Vec<FloatTensor<B>>> {
        let outputs = self.values(inputs, env)?;
        self.outputs()
            .iter()
            .zip(outputs)
            .map(
                |(output, value)| match value.upload(&env.device, env.capturing) {
                    Value::Float(tensor) => Ok(tensor),
                    other => Err(self.no_floats(&output.name, other.dtype())),
                },
            )
            .collect()
    }
}
