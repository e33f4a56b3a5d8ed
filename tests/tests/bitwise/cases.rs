//! The networks whose bits are compared.

use std::{path::PathBuf, sync::Arc};

use burn::tensor::{Device, FloatDType, TensorData};
use burn_backend::DType;
use burn_flex::{Flex, FlexDevice};
use linearscope::{Loaded, Recorded, RuleSet};
use linearscope_analysis::FrozenNetwork;
use linearscope_test_support::machine::{self, Found};
use linearscope_tests::*;

pub const DEVICE: FlexDevice = FlexDevice;

/// A network and how to feed it.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub path: PathBuf,
    pub shape: Vec<usize>,
    pub scale: f64,
    pub dtype: DType,
}

/// Bundled networks of every kind of map.
pub fn bundled() -> Found<Vec<Case>> {
    let networks: &[(&str, &[usize])] = &[
        ("tiny_ops/tiny_ops.onnx", &[1, 3, 11, 13]),
        ("pixelshuffle/pixelshuffle.onnx", &[1, 1, 17, 14]),
        ("edsr/edsr.onnx", &[1, 3, 12, 13]),
        ("vgg_bn/vgg_bn.onnx", &[1, 3, 48, 48]),
        ("facade/facade.onnx", &[1, 3, 16, 16]),
        ("graphs/bicubic.onnx", &[1, 1, 11, 9]),
        ("graphs/cyclegan.onnx", &[1, 3, 32, 32]),
    ];
    let case = |(model, shape): &(&str, &[usize]), dtype| Case {
        name: model.to_string(),
        path: assets().join(model),
        shape: shape.to_vec(),
        scale: 1.0,
        dtype,
    };
    Ok(networks
        .iter()
        .flat_map(|network| [DType::F32, DType::F64].map(|dtype| case(network, dtype)))
        .collect())
}

/// Real networks.
pub fn real() -> Found<Vec<Case>> {
    let data = machine::shared_data()?;
    let networks: &[(&str, &[usize], f64)] = &[
        ("super_resolution_x3_dyn", &[1, 1, 19, 16], 1.0),
        ("resnet20_cifar10", &[1, 3, 32, 32], 1.0),
        ("mnist_cnn", &[1, 1, 28, 28], 1.0),
        ("fsrcnn_x3", &[1, 1, 15, 14], 1.0),
        ("carn_m_x4", &[1, 3, 12, 14], 1.0),
        ("fns_mosaic", &[1, 3, 32, 36], 255.0),
        ("style_lengstrom_wave", &[1, 3, 32, 32], 255.0),
        ("tiny_style_starry-night", &[1, 3, 24, 24], 255.0),
        ("waifu2x_upconv7_photo_x2", &[1, 3, 26, 24], 1.0),
        ("waifu2x_cunet_x2", &[1, 3, 44, 44], 1.0),
        ("srgan_x4_leftthomas", &[1, 3, 9, 8], 1.0),
        ("squeezenet1.1", &[1, 3, 224, 224], 1.0),
        ("efficientnet_lite0", &[1, 3, 224, 224], 1.0),
        ("light/light_shufflenet", &[1, 3, 224, 224], 1.0),
    ];
    let case = |(name, shape, scale): &(&str, &[usize], f64), dtype| Case {
        name: name.to_string(),
        path: data.join("models").join(format!("{name}.onnx")),
        shape: shape.to_vec(),
        scale: *scale,
        dtype,
    };
    let cases = networks
        .iter()
        .flat_map(|network| [DType::F32, DType::F64].map(|dtype| case(network, dtype)));
    // In f64 the large classifiers take long, and have no map of their own.
    Ok(cases
        .filter(|case| case.dtype == DType::F32 || case.shape[2] <= 100)
        .collect())
}

impl Case {
    pub fn what(&self) -> String {
        format!("{} {:?}", self.name, self.dtype)
    }

    pub fn x0(&self) -> TensorData {
        pseudo_input(&self.shape, self.scale, 3)
    }

    pub fn loaded(&self) -> Arc<Loaded<Flex>> {
        load::<Flex>(&self.path, &self.shape, &DEVICE, self.dtype)
    }

    pub fn recorded(&self) -> Recorded<Flex> {
        let x0 = upload::<Flex>(&self.x0(), &DEVICE, self.dtype);
        Recorded::new(self.loaded(), vec![x0], RuleSet::default()).expect("freezes")
    }

    pub fn frozen(&self) -> FrozenNetwork {
        let network = network(&self.path, &self.shape);
        let dtype: FloatDType = self.dtype.into();
        let loaded = FrozenNetwork::load(network, &Device::flex(), dtype).expect("loads");
        FrozenNetwork::new(loaded, self.x0(), RuleSet::default()).expect("freezes")
    }
}
