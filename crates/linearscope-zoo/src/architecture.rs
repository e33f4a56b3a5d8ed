//! The networks by name: paper, sizes, preprocessing, and where weights are published.

use burn::tensor::Device;
use linearscope_preprocess::{Channels, Recipe};

use crate::{
    AlexNetConfig, Chain, CycleGanConfig, DenseNetConfig, EdsrConfig, Error, InceptionConfig,
    Model, ResNetConfig, Result, SqueezeNetConfig, SrResNetConfig, SubPixelConfig, VggConfig,
    layer::bicubic,
};

/// A published network.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Architecture {
    /// Its name here: torchvision's name if torchvision has the network.
    pub name: &'static str,
    /// The paper that describes it.
    pub paper: &'static str,
    /// Channels, height and width of the pictures it was made for. It also accepts other sizes.
    pub input: [usize; 3],
    /// The smallest accepted side of a picture.
    pub smallest: usize,
    /// Number of scores of the published weights; `None` if the outputs are pictures.
    pub classes: Option<usize>,
    /// Where its weights were published. The address is from the publishers' own code and *not verified*: nothing here
    /// has been downloaded.
    pub weights: Option<&'static str>,
    family: Family,
}

use Family::{
    AlexNet, Bicubic, CycleGan, DenseNet, Edsr, Inception, ResNet, SqueezeNet, SrResNet, SubPixel,
    Vgg,
};

/// How a network of the table is built.
#[derive(Clone, Copy, Debug)]
enum Family {
    AlexNet,
    /// Version 1.1 instead of 1.0.
    SqueezeNet(bool),
    /// Layers, batch norm.
    Vgg(usize, bool),
    ResNet(usize),
    DenseNet(usize),
    Inception,
    /// Baseline or full, scale.
    Edsr(bool, usize),
    SubPixel,
    /// The paper's or leftthomas'.
    SrResNet(bool),
    /// Blocks.
    CycleGan(usize),
    Bicubic(usize),
}

impl Architecture {
    /// All networks.
    pub fn all() -> &'static [Self] {
        ARCHITECTURES
    }

    /// The network of this name.
    ///
    /// # Errors
    /// [`Error::Unknown`], which lists all names.
    pub fn named(name: &str) -> Result<&'static Self> {
        let found = ARCHITECTURES.iter().find(|known| known.name == name);
        let names = || -> Vec<&str> { ARCHITECTURES.iter().map(|known| known.name).collect() };
        found.ok_or_else(|| Error::Unknown {
            name: name.into(),
            known: names().join(", "),
        })
    }

    /// Make the network with random weights, or with none if it needs none. Cost: nothing before weights
    /// are used or loaded.
    pub fn init(&self, device: &Device) -> Model {
        let classes = self.classes.unwrap_or(0);
        match self.family {
            AlexNet => AlexNetConfig { classes }.init(device).into(),
            SqueezeNet(version_1_1) => SqueezeNetConfig {
                version_1_1,
                classes,
            }
            .init(device)
            .into(),
            Vgg(layers, batch_norm) => {
                let config = VggConfig::layers(layers, batch_norm);
                config.expect("a VGG of the paper").init(device).into()
            }
            ResNet(layers) => {
                let config = ResNetConfig::layers(layers);
                config.expect("a ResNet of the paper").init(device).into()
            }
            DenseNet(layers) => {
                let config = DenseNetConfig::layers(layers);
                config.expect("a DenseNet of the paper").init(device).into()
            }
            Inception => InceptionConfig {
                transform_input: true,
                classes,
            }
            .init(device)
            .into(),
            Edsr(full, scale) => match full {
                true => EdsrConfig::full(scale),
                false => EdsrConfig::baseline(scale),
            }
            .init(device)
            .into(),
            SubPixel => SubPixelConfig {
                width: 64,
                scale: 3,
            }
            .init(device)
            .into(),
            SrResNet(paper) => match paper {
                true => SrResNetConfig::paper(4),
                false => SrResNetConfig::leftthomas(4),
            }
            .init(device)
            .into(),
            CycleGan(blocks) => CycleGanConfig::blocks(blocks).init(device).into(),
            Bicubic(scale) => Chain::new().then(bicubic(scale)).into(),
        }
    }

    /// The recipe by which pictures become inputs.
    pub fn recipe(&self) -> Recipe {
        let plain = Recipe::default();
        match self.family {
            AlexNet | SqueezeNet(_) | Vgg(..) | ResNet(_) | DenseNet(_) => Recipe::imagenet(),
            Inception => Recipe::imagenet().with_resize(342).with_crop(299),
            Edsr(..) => plain.with_range(255.0),
            SubPixel => plain.with_channels(Channels::Y),
            SrResNet(_) | Bicubic(_) => plain,
            CycleGan(_) => plain
                .with_mean([0.5])
                .with_std([0.5])
                .with_output_range(-1.0, 1.0),
        }
    }

    /// The first 8 hexadecimal digits of the SHA-256 of the published file, with which PyTorch's file names end.
    pub fn hash(&self) -> Option<&'static str> {
        let (stem, _) = self.weights?.rsplit_once('.')?;
        let (_, hash) = stem.rsplit_once('-')?;
        let hexadecimal = hash.len() == 8 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        hexadecimal.then_some(hash)
    }
}

const KRIZHEVSKY: &str = "Krizhevsky, 2014, arXiv:1404.5997";
const IANDOLA: &str = "Iandola et al., 2016, arXiv:1602.07360";
const SIMONYAN: &str = "Simonyan and Zisserman, 2014, arXiv:1409.1556";
const HE: &str = "He et al., 2015, arXiv:1512.03385";
const HUANG: &str = "Huang et al., 2016, arXiv:1608.06993";
const SZEGEDY: &str = "Szegedy et al., 2015, arXiv:1512.00567";
const LIM: &str = "Lim et al., 2017, arXiv:1707.02921";
const SHI: &str = "Shi et al., 2016, arXiv:1609.05158";
const LEDIG: &str = "Ledig et al., 2017, arXiv:1609.04802";
const ZHU: &str = "Zhu et al., 2017, arXiv:1703.10593";
const KEYS: &str = "Keys, 1981, doi:10.1109/TASSP.1981.1163711";

const SUPER_RESOLUTION: Option<&str> =
    Some("https://s3.amazonaws.com/pytorch/test_data/export/superres_epoch100-44c6958e.pth");
const SRGAN: Option<&str> =
    Some("https://github.com/leftthomas/SRGAN/raw/master/epochs/netG_epoch_4_100.pth");
const CYCLEGAN: Option<&str> =
    Some("http://efrosgans.eecs.berkeley.edu/cyclegan/pretrained_models/horse2zebra.pth");

macro_rules! torchvision {
    ($file:literal) => {
        Some(concat!(
            "https://download.pytorch.org/models/",
            $file,
            ".pth"
        ))
    };
}

/// The authors' files.
macro_rules! edsr {
    ($file:literal) => {
        Some(concat!(
            "https://cv.snu.ac.kr/research/EDSR/models/",
            $file,
            ".pt"
        ))
    };
}

/// A row a network: the fields of [`Architecture`] in their order.
macro_rules! table {
    ($($name:literal, $paper:ident, $input:expr, $smallest:literal, $classes:expr, $weights:expr, $family:expr;)+) => {
        &[$(Architecture {
            name: $name,
            paper: $paper,
            input: $input,
            smallest: $smallest,
            classes: $classes,
            weights: $weights,
            family: $family,
        }),+]
    };
}

static ARCHITECTURES: &[Architecture] = table! {
    "alexnet", KRIZHEVSKY, [3, 224, 224], 63, Some(1000), torchvision!("alexnet-owt-7be5be79"), AlexNet;
    "squeezenet1_0", IANDOLA, [3, 224, 224], 21, Some(1000), torchvision!("squeezenet1_0-b66bff10"), SqueezeNet(false);
    "squeezenet1_1", IANDOLA, [3, 224, 224], 17, Some(1000), torchvision!("squeezenet1_1-b8a52dc0"), SqueezeNet(true);
    "vgg11", SIMONYAN, [3, 224, 224], 32, Some(1000), torchvision!("vgg11-8a719046"), Vgg(11, false);
    "vgg13", SIMONYAN, [3, 224, 224], 32, Some(1000), torchvision!("vgg13-19584684"), Vgg(13, false);
    "vgg16", SIMONYAN, [3, 224, 224], 32, Some(1000), torchvision!("vgg16-397923af"), Vgg(16, false);
    "vgg19", SIMONYAN, [3, 224, 224], 32, Some(1000), torchvision!("vgg19-dcbb9e9d"), Vgg(19, false);
    "vgg11_bn", SIMONYAN, [3, 224, 224], 32, Some(1000), torchvision!("vgg11_bn-6002323d"), Vgg(11, true);
    "vgg13_bn", SIMONYAN, [3, 224, 224], 32, Some(1000), torchvision!("vgg13_bn-abd245e5"), Vgg(13, true);
    "vgg16_bn", SIMONYAN, [3, 224, 224], 32, Some(1000), torchvision!("vgg16_bn-6c64b313"), Vgg(16, true);
    "vgg19_bn", SIMONYAN, [3, 224, 224], 32, Some(1000), torchvision!("vgg19_bn-c79401a0"), Vgg(19, true);
    "resnet18", HE, [3, 224, 224], 1, Some(1000), torchvision!("resnet18-f37072fd"), ResNet(18);
    "resnet34", HE, [3, 224, 224], 1, Some(1000), torchvision!("resnet34-b627a593"), ResNet(34);
    "resnet50", HE, [3, 224, 224], 1, Some(1000), torchvision!("resnet50-0676ba61"), ResNet(50);
    "resnet101", HE, [3, 224, 224], 1, Some(1000), torchvision!("resnet101-63fe2227"), ResNet(101);
    "resnet152", HE, [3, 224, 224], 1, Some(1000), torchvision!("resnet152-394f9c45"), ResNet(152);
    "densenet121", HUANG, [3, 224, 224], 29, Some(1000), torchvision!("densenet121-a639ec97"), DenseNet(121);
    "densenet161", HUANG, [3, 224, 224], 29, Some(1000), torchvision!("densenet161-8d451a50"), DenseNet(161);
    "inception_v3", SZEGEDY, [3, 299, 299], 75, Some(1000), torchvision!("inception_v3_google-0cc3c7bd"), Inception;
    "edsr_baseline_x2", LIM, [3, 48, 48], 1, None, edsr!("edsr_baseline_x2-1bc95232"), Edsr(false, 2);
    "edsr_baseline_x3", LIM, [3, 48, 48], 1, None, edsr!("edsr_baseline_x3-abf2a44e"), Edsr(false, 3);
    "edsr_baseline_x4", LIM, [3, 48, 48], 1, None, edsr!("edsr_baseline_x4-6b446fab"), Edsr(false, 4);
    "edsr_x2", LIM, [3, 48, 48], 1, None, edsr!("edsr_x2-0edfb8a3"), Edsr(true, 2);
    "edsr_x3", LIM, [3, 48, 48], 1, None, edsr!("edsr_x3-ea3ef2c6"), Edsr(true, 3);
    "edsr_x4", LIM, [3, 48, 48], 1, None, edsr!("edsr_x4-4f62e9ef"), Edsr(true, 4);
    "super_resolution_x3", SHI, [1, 224, 224], 1, None, SUPER_RESOLUTION, SubPixel;
    "srresnet_x4", LEDIG, [3, 24, 24], 1, None, None, SrResNet(true);
    "srgan_x4_leftthomas", LEDIG, [3, 24, 24], 1, None, SRGAN, SrResNet(false);
    "cyclegan_6blocks", ZHU, [3, 128, 128], 5, None, None, CycleGan(6);
    "cyclegan_9blocks", ZHU, [3, 256, 256], 5, None, CYCLEGAN, CycleGan(9);
    "bicubic_x2", KEYS, [3, 48, 48], 1, None, None, Bicubic(2);
    "bicubic_x3", KEYS, [3, 48, 48], 1, None, None, Bicubic(3);
    "bicubic_x4", KEYS, [3, 48, 48], 1, None, None, Bicubic(4);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_unknown_ones_are_told() {
        for known in Architecture::all() {
            let found = Architecture::named(known.name).expect("a name of the table");
            assert!(std::ptr::eq(found, known), "{} is there twice", known.name);
        }
        let error = Architecture::named("resnet19").unwrap_err().to_string();
        assert!(error.starts_with("no network is named \"resnet19\"; available are alexnet, "));
    }

    #[test]
    fn hashes_are_those_of_the_file_names() {
        let hash = |name| Architecture::named(name).expect("known").hash();
        assert_eq!(hash("vgg19_bn"), Some("c79401a0"));
        assert_eq!(hash("edsr_x4"), Some("4f62e9ef"));
        assert_eq!(hash("cyclegan_9blocks"), None);
        assert_eq!(hash("bicubic_x4"), None);
    }
}
