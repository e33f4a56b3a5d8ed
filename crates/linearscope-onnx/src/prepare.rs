//! Work on the protobuf before `onnx-ir` sees it: sizes checked, what it cannot parse rewritten.

use onnx_ir::{AttributeProto, AttributeType, ModelProto, NodeProto, TensorProto};

use crate::error::{Error, Result};

const INT64: i32 = 7;

/// Bytes per element of an ONNX data type; `None` for strings and unknown ones.
fn element_size(data_type: i32) -> Option<u128> {
    Some(match data_type {
        1 | 6 | 12 => 4,       // float, int32, uint32
        2 | 3 | 9 => 1,        // uint8, int8, bool
        4 | 5 | 10 | 16 => 2,  // uint16, int16, float16, bfloat16
        7 | 11 | 13 | 14 => 8, // int64, double, uint64, complex64
        _ => return None,
    })
}

/// Every initialiser must hold the data its shape promises; nothing is allocated for a lying one.
pub(crate) fn check_sizes(model: &ModelProto) -> Result<()> {
    for tensor in &model.graph.initializer {
        if !tensor.external_data.is_empty() {
            return Err(Error::ExternalData {
                tensor: tensor.name.clone(),
            });
        }
        let numel = tensor.dims.iter().try_fold(1u128, |n, &d| {
            u128::try_from(d).ok().map(|d| n.saturating_mul(d))
        });
        let (Some(numel), Some(size)) = (numel, element_size(tensor.data_type)) else {
            continue;
        };
        // Data sits in raw_data or in one typed list (narrow integers and halves in int32_data).
        let listed = tensor.float_data.len()
            + tensor.int32_data.len()
            + tensor.int64_data.len()
            + tensor.double_data.len()
            + tensor.uint64_data.len();
        let got = if listed > 0 {
            listed * size as usize
        } else {
            tensor.raw_data.len()
        };
        let expected = numel.saturating_mul(size);
        if (got as u128) < expected {
            return Err(Error::Truncated {
                tensor: tensor.name.clone(),
                expected,
                got,
            });
        }
    }
    Ok(())
}

/// Write the epsilon that a batch norm leaves to the standard's default: `onnx-ir` takes 0 for it.
pub(crate) fn write_epsilons(model: &mut ModelProto) {
    for node in &mut model.graph.mut_or_insert_default().node {
        let norm = node.op_type == "BatchNormalization" && node.domain.is_empty();
        if norm && node.attribute.iter().all(|a| a.name != "epsilon") {
            let mut epsilon = AttributeProto::new();
            epsilon.name = "epsilon".into();
            epsilon.type_ = AttributeType::FLOAT.into();
            epsilon.f = 1e-5;
            node.attribute.push(epsilon);
        }
    }
}

fn constant(name: String, values: &[i64]) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.name = name;
    tensor.data_type = INT64;
    tensor.dims = vec![values.len() as i64];
    tensor.int64_data = values.to_vec();
    tensor
}

fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.into();
    attribute.type_ = AttributeType::INTS.into();
    attribute.ints = values;
    attribute
}

/// ConvTranspose with unequal pads before and after, which `onnx-ir` refuses, becomes one without
/// pads and a Slice that cuts them off: the same numbers, by the op's definition.
pub(crate) fn rewrite_transposed_convolutions(model: &mut ModelProto) -> Result<()> {
    let opset = model
        .opset_import
        .iter()
        .find(|import| import.domain.is_empty())
        .map_or(13, |import| import.version);
    let mut nodes = Vec::with_capacity(model.graph.node.len());
    for mut node in std::mem::take(&mut model.graph.mut_or_insert_default().node) {
        let pads = node
            .attribute
            .iter()
            .find(|a| node.op_type == "ConvTranspose" && a.name == "pads")
            .map(|a| a.ints.clone())
            .unwrap_or_default();
        let axes = pads.len() / 2;
        let (before, after) = pads.split_at(axes);
        if !pads.len().is_multiple_of(2) || pads.iter().any(|&pad| pad < 0) {
            return Err(Error::Unsupported {
                node: node.name.clone(),
                op: "ConvTranspose",
                what: format!("pads {pads:?}"),
            });
        }
        if before == after || node.output.is_empty() {
            nodes.push(node);
            continue;
        }
        node.attribute.retain(|a| a.name != "pads");
        let result = node.output[0].clone();
        let padded = format!("{result}_before_cropping");
        node.output[0] = padded.clone();

        let starts: Vec<i64> = before.to_vec();
        // A negative end counts from the back; 0 would mean the front.
        let ends: Vec<i64> = after
            .iter()
            .map(|&p| if p == 0 { i64::MAX } else { -p })
            .collect();
        let spatial: Vec<i64> = (0..axes as i64).map(|a| a + 2).collect();
        let mut crop = NodeProto::new();
        crop.op_type = "Slice".into();
        crop.name = node.name.clone();
        crop.input.push(padded.clone());
        crop.output.push(result);
        if opset < 10 {
            crop.attribute = vec![
                ints("starts", starts),
                ints("ends", ends),
                ints("axes", spatial),
            ];
        } else {
            for (role, values) in [("starts", starts), ("ends", ends), ("axes", spatial)] {
                let name = format!("{padded}_{role}");
                crop.input.push(name.clone());
                model
                    .graph
                    .mut_or_insert_default()
                    .initializer
                    .push(constant(name, &values));
            }
        }
        nodes.push(node);
        nodes.push(crop);
    }
    model.graph.mut_or_insert_default().node = nodes;
    Ok(())
}

/// Replace the shapes of the inputs by concrete ones, so that inference knows every size.
pub(crate) fn set_input_shapes(model: &mut ModelProto, shapes: &[(String, Vec<usize>)]) {
    for input in &mut model.graph.mut_or_insert_default().input {
        let Some((_, shape)) = shapes.iter().find(|(name, _)| *name == input.name) else {
            continue;
        };
        let tensor = input.type_.mut_or_insert_default().mut_tensor_type();
        let dims = &mut tensor.shape.mut_or_insert_default().dim;
        // An input without a declared shape gets one.
        while dims.len() < shape.len() {
            dims.push(Default::default());
        }
        for (dim, size) in dims.iter_mut().zip(shape) {
            dim.set_dim_value(*size as i64);
        }
    }
    // Stale shapes of intermediate values would contradict the new ones.
    model.graph.mut_or_insert_default().value_info.clear();
}
