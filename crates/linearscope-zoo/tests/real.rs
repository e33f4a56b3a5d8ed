//! Trained weights: three networks of the shared data are networks of the zoo, exported by others. Their weights, taken
//! from the files in order, must make the same output here as the files' own graphs.

use std::{path::PathBuf, process::ExitCode};

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use linearscope_analysis::FrozenNetwork;
use linearscope_onnx::Model;
use linearscope_test_support::{
    machine, needing, needs,
    numbers::{pseudo, relative},
};
use linearscope_zoo::Architecture;
use onnx_ir::{Message, ModelProto, TensorProto};

fn values(tensor: &TensorProto) -> Vec<f32> {
    match tensor.raw_data.is_empty() {
        true => tensor.float_data.clone(),
        false => tensor
            .raw_data
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
            .collect(),
    }
}

fn host(data: TensorData) -> Vec<f64> {
    data.iter::<f32>().map(f64::from).collect()
}

fn trained_weights_make_the_same_output(data: PathBuf) {
    for (name, file, shape) in [
        ("squeezenet1_1", "squeezenet1.1", [1, 3, 224, 224]),
        (
            "super_resolution_x3",
            "super_resolution_x3_dyn",
            [1, 1, 20, 31],
        ),
        ("srgan_x4_leftthomas", "srgan_x4_leftthomas", [1, 3, 14, 11]),
    ] {
        let path = data.join(format!("models/{file}.onnx"));
        let bytes = std::fs::read(&path).expect("a model");
        let proto = ModelProto::parse_from_bytes(&bytes).expect("an ONNX file");
        let graph = proto.graph.as_ref().expect("a graph");
        let mut model = Architecture::named(name)
            .expect("known")
            .init(&Device::flex());
        // Behind the weights come constants of the export.
        let floats = graph
            .initializer
            .iter()
            .filter(|tensor| tensor.data_type == 1);
        let weights: Vec<(String, TensorData)> = model
            .parameters()
            .into_iter()
            .zip(floats)
            .map(|(wanted, found)| {
                let values = values(found);
                let count: usize = wanted.shape.iter().product();
                assert_eq!(
                    values.len(),
                    count,
                    "{name}: {} is {}",
                    wanted.name,
                    found.name
                );
                (wanted.name, TensorData::new(values, wanted.shape))
            })
            .collect();
        let unused = model.load_tensors(weights).expect("every weight");
        assert_eq!(unused, Vec::<String>::new());

        let count = shape.iter().product();
        let x: Vec<f32> = (0..count).map(|i| pseudo(i) as f32).collect();
        let x = TensorData::new(x, shape);
        let here = host(
            model
                .forward(Tensor::<4>::from_data(x.clone(), &Device::flex()))
                .into_data(),
        );
        let network = Model::load(&path)
            .and_then(|file| file.network(&[shape.to_vec()]))
            .expect("a network");
        let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32).expect("loads");
        let there = host(FrozenNetwork::forward(&loaded, x).expect("runs"));
        assert_eq!(here.len(), there.len(), "{name}");
        let error = relative(&here, &there);
        println!("{name}: {error:.1e}");
        assert!(
            error <= 1e-5,
            "{name}: {error:e} from the file's own output"
        );
    }
}

fn main() -> ExitCode {
    needs::run(needing!(machine::shared_data => trained_weights_make_the_same_output))
}
