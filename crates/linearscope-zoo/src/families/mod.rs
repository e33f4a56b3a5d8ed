//! One file a family: its sizes as a config, and its description.

mod alexnet;
mod cyclegan;
mod densenet;
mod edsr;
mod inception;
mod resnet;
mod squeezenet;
mod srresnet;
mod subpixel;
mod vgg;

pub use alexnet::AlexNetConfig;
pub use cyclegan::CycleGanConfig;
pub use densenet::DenseNetConfig;
pub use edsr::EdsrConfig;
pub use inception::InceptionConfig;
pub use resnet::ResNetConfig;
pub use squeezenet::SqueezeNetConfig;
pub use srresnet::SrResNetConfig;
pub use subpixel::SubPixelConfig;
pub use vgg::VggConfig;
