//! A model file: loaded, checked, captured.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use burn_backend::{Backend, TensorData, ops::FloatTensorOps, tensor::FloatTensor};
use burn_capture::{CaptureBackend, CaptureDevice};
use linearscope::{Network, panic_message};
use onnx_ir::{Message, ModelProto, OnnxGraph, OnnxGraphBuilder};

use crate::{
    context::Value,
    error::{Error, Result},
    execute,
    names::Names,
    ops, prepare,
};

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
        if self.dims.is_empty() {
            return shape.iter().all(|size| *size > 0);
        }
        self.dims.len() == shape.len()
            && self
                .dims
                .iter()
                .zip(shape)
                .all(|(dim, size)| dim.as_ref().map_or(*size > 0, |dim| dim == size))
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

/// An ONNX model, read and checked; its graph is understood anew for each input shape.
#[derive(Clone, Debug)]
pub struct Model {
    proto: ModelProto,
    inputs: Vec<Signature>,
    outputs: Vec<Signature>,
}

impl Model {
    /// Read a model file. Cost: the file, once; memory: one copy of its weights.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotOnnx`], [`Error::Truncated`], [`Error::ExternalData`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| Error::Io {
            path: shown.clone(),
            source,
        })?;
        Self::from_bytes(&bytes, &shown)
    }

    /// A model from the bytes of a file; `path` is named in errors only.
    ///
    /// # Errors
    /// As [`load`](Self::load), but for [`Error::Io`].
    pub fn from_bytes(bytes: &[u8], path: &str) -> Result<Self> {
        let not_onnx = |because: String| Error::NotOnnx {
            path: path.into(),
            because,
        };
        let mut proto = catch_unwind(|| ModelProto::parse_from_bytes(bytes))
            .map_err(|_| not_onnx("the protobuf parser stopped".into()))?
            .map_err(|error| not_onnx(error.to_string()))?;
        if proto.graph.node.is_empty() {
            return Err(not_onnx("it holds no graph nodes".into()));
        }
        prepare::check_sizes(&proto)?;
        prepare::rewrite_transposed_convolutions(&mut proto)?;
        prepare::write_epsilons(&mut proto);
        // Old files list the weights among the inputs.
        let weights: Vec<&String> = proto.graph.initializer.iter().map(|t| &t.name).collect();
        let inputs = proto
            .graph
            .input
            .iter()
            .filter(|input| !weights.contains(&&input.name))
            .map(signature)
            .collect();
        let outputs = proto.graph.output.iter().map(signature).collect();
        Ok(Self {
            proto,
            inputs,
            outputs,
        })
    }

    /// The inputs the user gives, in order.
    pub fn inputs(&self) -> &[Signature] {
        &self.inputs
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> &[Signature] {
        &self.outputs
    }

    /// The graph for concrete input shapes, and the names of its nodes.
    fn graph(&self, shapes: &[Vec<usize>]) -> Result<(OnnxGraph, Names)> {
        if shapes.len() != self.inputs.len() {
            return Err(Error::Shape {
                input: format!("the list of {} inputs", self.inputs.len()),
                got: vec![shapes.len()],
                expected: format!("[{}]", self.inputs.len()),
                hint: String::new(),
            });
        }
        for (input, shape) in self.inputs.iter().zip(shapes) {
            linearscope::check_input(&input.name, shape)?;
            if !input.fits(shape) {
                return Err(Error::Shape {
                    input: input.name.clone(),
                    got: shape.clone(),
                    expected: input.to_string(),
                    hint: if input.dims.len() == shape.len() {
                        "; resize the picture, or use a model exported with dynamic axes".into()
                    } else {
                        String::new()
                    },
                });
            }
        }
        let named: Vec<(String, Vec<usize>)> = self
            .inputs
            .iter()
            .map(|input| input.name.clone())
            .zip(shapes.iter().cloned())
            .collect();
        let mut proto = self.proto.clone();
        prepare::set_input_shapes(&mut proto, &named);
        let bytes = proto
            .write_to_bytes()
            .map_err(|error| Error::Parse(error.to_string()))?;
        // Without simplification: nodes keep their identity (two alike are not merged into one),
        // and no constant rests on inferred shapes that ignore auto_pad.
        let parse = || OnnxGraphBuilder::new().simplify(false).parse_bytes(&bytes);
        let graph = catch_unwind(AssertUnwindSafe(parse))
            .map_err(|panic| panic_message(panic.as_ref()))
            .and_then(|graph| graph.map_err(|error| error.to_string()))
            .map_err(|message| Error::Parse(Names::new(&proto, &[]).in_message(&message)))?;
        let names = Names::new(&proto, &graph.nodes);
        Ok((graph, names))
    }

    /// Nodes whose op has no row in the table of supported ops: their names, and the ops. None does
    /// not promise that every attribute is supported; [`network`](Self::network) tells.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Parse`].
    pub fn unsupported(&self, shapes: &[Vec<usize>]) -> Result<Vec<(String, String)>> {
        let (graph, names) = self.graph(shapes)?;
        let unknown = graph.nodes.iter().filter(|node| !ops::supported(node));
        Ok(unknown
            .map(|node| (names.get(node.name()), ops::kind(node)))
            .collect())
    }

    /// Capture the graph for concrete input shapes: run once on Burn's capture backend, which
    /// executes nothing. Cost: parsing; memory: one copy of the weights in the network.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::UnsupportedOp`], [`Error::Unsupported`], [`Error::Parse`].
    pub fn network(&self, shapes: &[Vec<usize>]) -> Result<Network> {
        let (graph, names) = self.graph(shapes)?;
        let device = CaptureDevice::default();
        let mut failed = None;
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
                let made = |node: &str, value: &Value<CaptureBackend>| {
                    if let Value::Float(tensor) = value {
                        nodes.entry(tensor.id()).or_insert_with(|| node.to_string());
                    }
                };
                match execute::run::<CaptureBackend>(&graph, &names, inputs, &device, made) {
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
        let inputs: Vec<String> = self.inputs.iter().map(name).collect();
        let outputs: Vec<String> = self.outputs.iter().map(name).collect();
        Ok(Network::new(captured, &inputs, &outputs, |id| {
            nodes.get(&id).cloned()
        })?)
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
        use burn_backend::TensorMetadata;
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|x| x.shape().to_vec()).collect();
        let (graph, names) = self.graph(&shapes)?;
        execute::run::<B>(&graph, &names, inputs, device, |_, _| {})
    }
}

fn signature(value: &onnx_ir::ValueInfoProto) -> Signature {
    let dims = value
        .type_
        .as_ref()
        .filter(|t| t.has_tensor_type())
        .map(|t| {
            t.tensor_type()
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
    Signature {
        name: value.name.clone(),
        dims,
    }
}
