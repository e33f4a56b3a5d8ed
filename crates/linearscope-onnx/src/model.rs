//! A model file: loaded, checked, captured or run.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use burn_backend::{Backend, TensorData, ops::FloatTensorOps, tensor::FloatTensor};
use burn_capture::{CaptureBackend, CaptureDevice};
use linearscope::{Entry, Network, Rule, panic_message};
use onnx_ir::{Message as _, ModelProto};

use crate::{
    context::Environment,
    error::{Error, Result},
    execute,
    graph::Graph,
    initialiser::{Reader, Source, shared},
    local::{Functions, plain_domain},
    ops,
    skeleton::{Message, skeleton},
    value::Value,
};

/// The most elements a tensor may have on the device: 4 GiB in f32.
const LARGEST: u128 = 1 << 30;

/// The most nodes one run may take, passes through loops counted.
const BUDGET: u64 = 1 << 20;

/// Name and shape of an input or output; `Err(symbol)` for a dynamic axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The file's name.
    pub name: String,
    /// One entry per axis; none when the file declares no shape.
    pub dims: Vec<std::result::Result<usize, String>>,
}

impl Signature {
    /// The shape if no axis is dynamic.
    pub fn fixed(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|dim| dim.clone().ok()).collect()
    }

    /// Whether `shape` fits.
    pub fn fits(&self, shape: &[usize]) -> bool {
        let matches = |(dim, size): (&std::result::Result<usize, String>, &usize)| {
            dim.as_ref().map_or(true, |dim| dim == size)
        };
        self.dims.is_empty()
            || self.dims.len() == shape.len() && self.dims.iter().zip(shape).all(matches)
    }
}

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

/// A node of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// The file's name of it.
    pub name: String,
    /// The op, with its domain where that is not the standard's.
    pub op: String,
    /// Whether the table of supported ops has a row for it.
    pub supported: bool,
}

/// An ONNX model, read and checked; its graph is walked anew for each input shape.
///
/// Clones share the weights.
#[derive(Clone, Debug)]
pub struct Model {
    graph: Arc<Graph>,
}

impl Model {
    /// Read a model file. Cost: the file, once; memory: one copy of its weights, also while it is
    /// read, shared by the networks made of it.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotOnnx`], [`Error::Truncated`], [`Error::Initialiser`],
    /// [`Error::ExternalData`].
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

    /// A model from the bytes of a file; `path` is named in errors, and external data is looked
    /// for beside it. The model keeps a copy of the weights.
    ///
    /// # Errors
    /// As [`load`](Self::load), but for [`Error::Io`].
    pub fn from_bytes(bytes: &[u8], path: &str) -> Result<Self> {
        Self::from_source(&mut io::Cursor::new(bytes), path)
    }

    fn from_source(mut source: &mut dyn Source, path: &str) -> Result<Self> {
        let not_onnx = |because: String| Error::NotOnnx {
            path: path.into(),
            because,
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
            .map_err(|error| not_onnx(error.to_string()))?;
        if proto.graph.node.is_empty() {
            return Err(not_onnx("it holds no graph nodes".into()));
        }
        let opset = proto
            .opset_import
            .iter()
            .find(|import| plain_domain(&import.domain).is_empty())
            .map_or(1, |import| import.version);
        let mut reader = Reader::new(Path::new(path), source, skeleton.places);
        let read = || {
            let mut functions = Functions::read(&mut proto, &mut reader, opset)?;
            let mut graph = Graph::read(proto.graph.mut_or_insert_default(), &mut reader, opset)?;
            functions.inline(&mut graph)?;
            graph.finish();
            Ok::<_, Error>(graph)
        };
        let graph = catch_unwind(AssertUnwindSafe(read))
            .map_err(|panic| not_onnx(panic_message(panic.as_ref())))??;
        Ok(Self {
            graph: Arc::new(graph),
        })
    }

    /// The inputs the user gives, in order.
    pub fn inputs(&self) -> &[Signature] {
        &self.graph.inputs
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> &[Signature] {
        &self.graph.outputs
    }

    /// The same with input `name` fixed to numbers: indices, shapes, a noise level. It is an input no
    /// longer, and what rests on it folds away.
    ///
    /// # Errors
    /// [`Error::Shape`] when the numbers do not fit, [`Error::Input`] when there is no such input or
    /// they are of another kind.
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
                "is none of the inputs, which are {}",
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
            Some(dtype) => numbers.convert_dtype(dtype),
            None => numbers,
        };
        graph.inputs.remove(at);
        graph.constants.insert(name.into(), shared(numbers));
        Ok(Self {
            graph: Arc::new(graph),
        })
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
                    hint: if input.dims.len() == shape.len() {
                        "resize the picture, or export the model with dynamic axes".into()
                    } else {
                        format!("it has {} axes, batch first", input.dims.len())
                    },
                });
            }
        }
        Ok(())
    }

    /// The graph's nodes in the file's order, functions of the model's own resolved.
    pub fn nodes(&self) -> impl Iterator<Item = NodeInfo> + '_ {
        self.graph.nodes.iter().map(|node| NodeInfo {
            name: node.name.clone(),
            op: ops::kind(node),
            supported: ops::supported(node),
        })
    }

    /// Nodes whose op has no row in the table of supported ops: their names, and the ops. None does
    /// not promise that every attribute is supported; [`network`](Self::network) tells.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn unsupported(&self, shapes: &[Vec<usize>]) -> Result<Vec<(String, String)>> {
        self.check_sizes(shapes)?;
        self.check_inputs(shapes)?;
        let unknown = self.graph.nodes.iter().filter(|node| !ops::supported(node));
        Ok(unknown
            .map(|node| (node.name.clone(), ops::kind(node)))
            .collect())
    }

    /// Capture the graph for concrete input shapes, one each for [`inputs`](Self::inputs): run once on Burn's capture backend, which
    /// executes nothing but what rests on constants alone. Memory: the weights are shared with
    /// this model.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::UnsupportedOp`], [`Error::Unsupported`], [`Error::Parse`].
    pub fn network(&self, shapes: &[Vec<usize>]) -> Result<Network> {
        self.check_sizes(shapes)?;
        self.check_inputs(shapes)?;
        for input in self.inputs() {
            let dtype = self.graph.input_dtypes.get(&input.name);
            if let Some(dtype) = dtype.filter(|dtype| !dtype.is_float()) {
                return Err(Error::Input {
                    input: input.name.clone(),
                    because: format!("holds {}, which no interpreter varies", dtype.name()),
                });
            }
        }
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
                let env = self.environment::<CaptureBackend>(&device, true);
                let outputs = self.floats(inputs, &env);
                quantisers = env.quantisers.take();
                for (node, value) in env.made.take() {
                    let id = match value {
                        Value::Float(tensor) => tensor.id(),
                        Value::Int(tensor) => tensor.id(),
                        Value::Bool(tensor) => tensor.id(),
                        Value::Known(_) => continue,
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
        let straight = |node: String| Entry::new(Rule::StraightThrough).op("round").node(node);
        let entries = quantisers.into_iter().map(straight);
        Ok(entries.fold(network, Network::with_default))
    }

    /// Run the model on any backend. Weights are uploaded at each call; to run often, capture a
    /// [`network`](Self::network).
    ///
    /// # Errors
    /// As [`network`](Self::network).
    pub fn run<B: Backend>(
        &self,
        inputs: Vec<FloatTensor<B>>,
        device: &B::Device,
    ) -> Result<Vec<FloatTensor<B>>> {
        let inputs = inputs.into_iter().map(Value::<B>::Float).collect();
        self.floats(inputs, &self.environment(device, false))
    }

    /// Run the model on inputs of any kind, and get outputs of any kind, each on the device.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_values<B: Backend>(
        &self,
        inputs: Vec<Value<B>>,
        device: &B::Device,
    ) -> Result<Vec<Value<B>>> {
        let outputs = self.values(inputs, &self.environment(device, false))?;
        Ok(outputs
            .into_iter()
            .map(|value| value.upload(device, false))
            .collect())
    }

    fn environment<B: Backend>(&self, device: &B::Device, capturing: bool) -> Environment<B> {
        Environment {
            device: device.clone(),
            capturing,
            largest: LARGEST,
            budget: Cell::new(BUDGET),
            made: RefCell::default(),
            quantisers: RefCell::default(),
        }
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
        execute::run(&self.graph, inputs, None, env)
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
                    _ => Err(Error::Parse(format!(
                        "output \"{}\" is no float tensor",
                        output.name
                    ))),
                },
            )
            .collect()
    }
}
