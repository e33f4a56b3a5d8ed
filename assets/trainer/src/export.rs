//! Trained modules as ONNX files.
//!
//! The classifiers go through burn-onnx's exporter. It has no ConvTranspose, and turns a pixel
//! shuffle of any size into computed shapes, so the other three are written node by node, with the
//! trained weights.

use std::{collections::HashMap, path::Path};

use burn::{
    module::Param,
    nn::{InstanceNorm, conv::Conv2d},
    tensor::{Device, Tensor},
};
use burn_onnx::export::OnnxExporter;
use onnx_ir::{
    AttributeProto, AttributeType, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};

use crate::{
    networks::{Edsr, Generator, PixelShuffle, Vgg},
    scenes,
};

type Any<T> = Result<T, Box<dyn std::error::Error>>;

const FLOAT: i32 = 1;
const INT64: i32 = 7;

/// The classifier by burn-onnx's exporter, its nodes named after their modules.
pub fn classifier(model: &Vgg, path: &Path) -> Any<()> {
    let x = Tensor::<4>::zeros([1, 3, scenes::SIDE, scenes::SIDE], &Device::flex());
    let exported = OnnxExporter::new().export(model, x, |model: &Vgg, x| model.forward(x))?;
    let mut proto = ModelProto::parse_from_bytes(exported.as_bytes())?;
    let graph = proto.graph.mut_or_insert_default();
    let ends = [
        (graph.input[0].name.clone(), "image"),
        (graph.output[0].name.clone(), "scores"),
    ];
    graph.input[0].name = "image".into();
    graph.output[0].name = "scores".into();
    let mut counts = HashMap::<String, usize>::new();
    for node in &mut graph.node {
        // "convs.0.weight" makes conv1, or its reshape conv1_reshape.
        let parameter = node.input.iter().find_map(|input| input.rsplit_once('.'));
        let module = parameter.map(|(module, _)| match module.split_once("s.") {
            Some((kind, index)) => format!("{kind}{}", index.parse::<usize>().unwrap_or(0) + 1),
            None => module.to_string(),
        });
        let kind = node.op_type.to_lowercase();
        let weighted = ["Conv", "BatchNormalization", "MatMul", "Gemm"];
        node.name = match module {
            Some(module) if weighted.contains(&node.op_type.as_str()) => module,
            Some(module) => format!("{module}_{kind}"),
            None => {
                let count = counts.entry(kind.clone()).or_default();
                *count += 1;
                format!("{kind}{count}")
            }
        };
        for (old, new) in &ends {
            for name in node.input.iter_mut().chain(&mut node.output) {
                if name == old {
                    *name = (*new).into();
                }
            }
        }
    }
    std::fs::write(path, proto.write_to_bytes()?)?;
    Ok(())
}

fn attribute(name: &str) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.into();
    attribute
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let mut attribute = attribute(name);
    attribute.type_ = AttributeType::INTS.into();
    attribute.ints = values.iter().map(|&v| v as i64).collect();
    attribute
}

fn int(name: &str, value: usize) -> AttributeProto {
    let mut attribute = attribute(name);
    attribute.type_ = AttributeType::INT.into();
    attribute.i = value as i64;
    attribute
}

fn text(name: &str, value: &str) -> AttributeProto {
    let mut attribute = attribute(name);
    attribute.type_ = AttributeType::STRING.into();
    attribute.s = value.as_bytes().to_vec().into();
    attribute
}

fn float(name: &str, value: f64) -> AttributeProto {
    let mut attribute = attribute(name);
    attribute.type_ = AttributeType::FLOAT.into();
    attribute.f = value as f32;
    attribute
}

/// A graph under construction.
#[derive(Default)]
struct Graph {
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl Graph {
    fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        name: &str,
        attributes: Vec<AttributeProto>,
    ) -> String {
        let mut node = NodeProto::new();
        node.op_type = op.into();
        node.name = name.into();
        node.input = inputs.iter().map(|input| (*input).into()).collect();
        let output = format!("{name}_out");
        node.output = vec![output.clone()];
        node.attribute = attributes;
        self.nodes.push(node);
        output
    }

    fn floats(&mut self, name: String, shape: &[usize], values: Vec<f32>) -> String {
        let mut tensor = TensorProto::new();
        tensor.name = name.clone();
        tensor.data_type = FLOAT;
        tensor.dims = shape.iter().map(|&d| d as i64).collect();
        tensor.raw_data = values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
            .into();
        self.weights.push(tensor);
        name
    }

    fn parameter<const D: usize>(
        &mut self,
        name: String,
        parameter: &Param<Tensor<D>>,
    ) -> Any<String> {
        let data = parameter.val().into_data();
        let shape: Vec<usize> = data.shape().iter().copied().collect();
        let values = data
            .try_to_vec::<f32>()
            .map_err(|error| format!("{error:?}"))?;
        Ok(self.floats(name, &shape, values))
    }

    fn conv(
        &mut self,
        x: &str,
        name: &str,
        conv: &Conv2d,
        stride: usize,
        pad: usize,
    ) -> Any<String> {
        let weight = self.parameter(format!("{name}.weight"), &conv.weight)?;
        let bias = conv.bias.as_ref().ok_or("a bias")?;
        let bias = self.parameter(format!("{name}.bias"), bias)?;
        let attributes = vec![
            ints("kernel_shape", &conv.kernel_size),
            ints("strides", &[stride; 2]),
            ints("pads", &[pad; 4]),
        ];
        Ok(self.node("Conv", &[x, &weight, &bias], name, attributes))
    }

    fn relu(&mut self, x: &str, name: &str) -> String {
        self.node("Relu", &[x], name, vec![])
    }

    fn reflect(&mut self, x: &str, name: &str, pad: i64) -> String {
        let mut pads = TensorProto::new();
        pads.name = format!("{name}.pads");
        pads.data_type = INT64;
        pads.dims = vec![8];
        pads.int64_data = vec![0, 0, pad, pad, 0, 0, pad, pad];
        let pads_name = pads.name.clone();
        self.weights.push(pads);
        self.node("Pad", &[x, &pads_name], name, vec![text("mode", "reflect")])
    }

    fn norm(&mut self, x: &str, name: &str, norm: &InstanceNorm) -> Any<String> {
        let (gamma, beta) = (
            norm.gamma.as_ref().ok_or("a gamma")?,
            norm.beta.as_ref().ok_or("a beta")?,
        );
        let gamma = self.parameter(format!("{name}.gamma"), gamma)?;
        let beta = self.parameter(format!("{name}.beta"), beta)?;
        let epsilon = vec![float("epsilon", norm.epsilon)];
        Ok(self.node("InstanceNormalization", &[x, &gamma, &beta], name, epsilon))
    }

    /// `input` and `output` of `channels` at any batch, height and width.
    fn save(mut self, name: &str, channels: [usize; 2], path: &Path) -> Any<()> {
        let last = self.nodes.last_mut().ok_or("a graph has nodes")?;
        last.output = vec!["output".into()];
        let value = |name: &str, channels: usize, marks: [&str; 3]| {
            let mut value = ValueInfoProto::new();
            value.name = name.into();
            let tensor = value.type_.mut_or_insert_default().mut_tensor_type();
            tensor.elem_type = FLOAT;
            let dims = &mut tensor.shape.mut_or_insert_default().dim;
            for axis in 0..4 {
                dims.push(Default::default());
                let dim = dims.last_mut().expect("just pushed");
                match axis {
                    0 => dim.set_dim_param(marks[0].into()),
                    1 => dim.set_dim_value(channels as i64),
                    axis => dim.set_dim_param(marks[axis - 1].into()),
                }
            }
            value
        };
        let mut model = ModelProto::new();
        model.ir_version = 8;
        model.producer_name = "linearscope-assets".into();
        model.opset_import.push(Default::default());
        model.opset_import[0].version = 16;
        let graph = model.graph.mut_or_insert_default();
        graph.name = name.into();
        graph.input = vec![value("input", channels[0], ["N", "H", "W"])];
        graph.output = vec![value("output", channels[1], ["N", "H_out", "W_out"])];
        graph.node = self.nodes;
        graph.initializer = self.weights;
        std::fs::write(path, model.write_to_bytes()?)?;
        Ok(())
    }
}

pub fn pixel_shuffle(model: &PixelShuffle, path: &Path) -> Any<()> {
    let mut g = Graph::default();
    let mut x = "input".to_string();
    for (i, conv) in model.convs.iter().enumerate() {
        x = g.conv(
            &x,
            &format!("conv{}", i + 1),
            conv,
            1,
            conv.kernel_size[0] / 2,
        )?;
        if i < 3 {
            x = g.relu(&x, &format!("relu{}", i + 1));
        }
    }
    let attributes = vec![int("blocksize", PixelShuffle::FACTOR), text("mode", "CRD")];
    g.node("DepthToSpace", &[&x], "shuffle", attributes);
    g.save("pixelshuffle", [1, 1], path)
}

pub fn edsr(model: &Edsr, path: &Path) -> Any<()> {
    let mut g = Graph::default();
    let mean = g.floats("mean".into(), &[1, 1, 1, 1], vec![Edsr::MEAN as f32]);
    let x = g.node("Sub", &["input", &mean], "subtract_mean", vec![]);
    let head = g.conv(&x, "head", &model.head, 1, 1)?;
    let mut x = head.clone();
    for (i, (first, second)) in model.first.iter().zip(&model.second).enumerate() {
        let block = |part: &str| format!("block{}_{part}", i + 1);
        let y = g.conv(&x, &block("conv1"), first, 1, 1)?;
        let y = g.relu(&y, &block("relu"));
        let y = g.conv(&y, &block("conv2"), second, 1, 1)?;
        x = g.node("Add", &[&y, &x], &block("add"), vec![]);
    }
    let x = g.conv(&x, "body", &model.body, 1, 1)?;
    let x = g.node("Add", &[&x, &head], "skip", vec![]);
    let x = g.conv(&x, "upsample", &model.upsample, 1, 1)?;
    let attributes = vec![int("blocksize", Edsr::FACTOR), text("mode", "CRD")];
    let x = g.node("DepthToSpace", &[&x], "shuffle", attributes);
    let x = g.conv(&x, "tail", &model.tail, 1, 1)?;
    g.node("Add", &[&x, &mean], "add_mean", vec![]);
    g.save("edsr", [3, 3], path)
}

pub fn generator(model: &Generator, path: &Path) -> Any<()> {
    let mut g = Graph::default();
    let x = g.reflect("input", "enter_pad", 3);
    let x = g.conv(&x, "enter", &model.enter, 1, 0)?;
    let x = g.norm(&x, "enter_norm", &model.enter_norm)?;
    let mut x = g.relu(&x, "enter_relu");
    for (i, (conv, norm)) in model.down.iter().zip(&model.down_norms).enumerate() {
        let part = |part: &str| format!("down{}{part}", i + 1);
        x = g.conv(&x, &part(""), conv, 2, 1)?;
        x = g.norm(&x, &part("_norm"), norm)?;
        x = g.relu(&x, &part("_relu"));
    }
    for i in 0..Generator::BLOCKS {
        let part = |part: &str| format!("block{}_{part}", i + 1);
        let y = g.reflect(&x, &part("pad1"), 1);
        let y = g.conv(&y, &part("conv1"), &model.first[i], 1, 0)?;
        let y = g.norm(&y, &part("norm1"), &model.first_norms[i])?;
        let y = g.relu(&y, &part("relu"));
        let y = g.reflect(&y, &part("pad2"), 1);
        let y = g.conv(&y, &part("conv2"), &model.second[i], 1, 0)?;
        let y = g.norm(&y, &part("norm2"), &model.second_norms[i])?;
        x = g.node("Add", &[&x, &y], &part("add"), vec![]);
    }
    for (i, (conv, norm)) in model.up.iter().zip(&model.up_norms).enumerate() {
        let part = |part: &str| format!("up{}{part}", i + 1);
        let weight = g.parameter(part(".weight"), &conv.weight)?;
        let bias = g.parameter(part(".bias"), conv.bias.as_ref().ok_or("a bias")?)?;
        let attributes = vec![
            ints("kernel_shape", &[3, 3]),
            ints("strides", &[2, 2]),
            ints("pads", &[1; 4]),
            ints("output_padding", &[1, 1]),
        ];
        x = g.node(
            "ConvTranspose",
            &[&x, &weight, &bias],
            &part(""),
            attributes,
        );
        x = g.norm(&x, &part("_norm"), norm)?;
        x = g.relu(&x, &part("_relu"));
    }
    let x = g.reflect(&x, "leave_pad", 3);
    let x = g.conv(&x, "leave", &model.leave, 1, 0)?;
    g.node("Tanh", &[&x], "tanh", vec![]);
    g.save("facade", [3, 3], path)
}
