//! The promises on wgpu (WGSL; in CI on Mesa's software Vulkan): 25 random networks from a small
//! palette of shapes, and the small bundled graphs. Without the feature `wgpu` all are ignored.

/// Every test of this file, in `mod wgpu`; without the feature nothing of it is compiled.
macro_rules! all_of {
    ($($test:ident),+ $(,)?) => {
        fn main() -> std::process::ExitCode {
            linearscope_tests::needs::run(vec![$(linearscope_tests::needs::trial(
                concat!("wgpu::", stringify!($test)),
                found,
                |()| {
                    #[cfg(feature = "wgpu")]
                    wgpu::$test();
                },
            )),+])
        }
    };
}

all_of!(
    random_networks,
    bundled_networks,
    gradients_of_training_are_the_cpus,
    f64_is_refused,
    an_adapter_that_is_not_there_is_an_error,
);

fn found() -> Result<(), String> {
    if cfg!(not(feature = "wgpu")) {
        return Err("needs --features linearscope-tests/wgpu: cargo xtask test compiles it".into());
    }
    linearscope_tests::machine::vulkan()
}

#[cfg(feature = "wgpu")]
mod wgpu {
    use burn::{
        module::Param,
        nn::conv::Conv2dConfig,
        tensor::{Device, FloatDType, Tensor, activation},
    };
    use burn_backend::DType;
    use burn_dispatch::Dispatch;
    use linearscope::{
        RuleSet,
        conformance::{Allowed, Floor},
        device,
        training::Traced,
    };
    use linearscope_tests::{BUNDLED, assets, network, promises::Platform, pseudo_input, relative};

    /// The first adapter. None is a failure: whoever compiles this has one.
    fn wgpu() -> Platform<Dispatch> {
        let device = device::select("wgpu").expect("an adapter (apt install mesa-vulkan-drivers)");
        device::check_dtype("wgpu", &device, FloatDType::F32).expect("computes in f32");
        Platform {
            device: device.as_dispatch().clone(),
            dtype: DType::F32,
            // Fusion and autotuning choose other kernels.
            allowed: Allowed {
                reference: 1e-6,
                exact: 1e-4,
                other: 1e-4,
                floor: Floor::Zero,
            },
            kernels: linearscope::Kernels::Burn,
        }
    }

    pub(crate) fn random_networks() {
        wgpu().keeps_on_random_networks(25, 2);
    }

    pub(crate) fn bundled_networks() {
        for (file, shape) in BUNDLED {
            let network = network(&assets().join(file), shape);
            let x0 = pseudo_input(shape, 1.0, 0);
            wgpu()
                .keeps(network, &x0, RuleSet::default())
                .unwrap_or_else(|broken| panic!("{file}: {broken}"));
        }
    }

    /// The gradient of Σ r² + Σ column² at the weights of a convolution with `unit` behind it.
    fn gradient(device: &Device, unit: fn(Tensor<4>) -> Tensor<4>) -> Vec<f64> {
        let mut module = Conv2dConfig::new([2, 3], [3, 3]).init(&Device::flex().autodiff());
        let weight = Tensor::<4>::from_data(pseudo_input(&[3, 2, 3, 3], 1.0, 9), device) - 0.5;
        module.weight = Param::from_tensor(weight.detach().require_grad());
        let bias = Tensor::<1>::from_data(pseudo_input(&[3], 1.0, 70), device) - 0.5;
        module.bias = Some(Param::from_tensor(bias.detach().require_grad()));
        let traced = Traced::capture(&module, |module, ports| {
            let x = ports.input("x", [1, 2, 6, 6]);
            ports.output("y", unit(module.forward(x)));
        })
        .expect("captures");
        let x0 = Tensor::<4>::from_data(pseudo_input(&[1, 2, 6, 6], 1.0, 5), device);
        let bound = traced.bind(&module).expect("binds");
        let step = bound.freeze(x0, RuleSet::default()).expect("freezes");
        let columns = step.columns::<5>(&[&[1, 2, 3]]).expect("a column");
        let r = step.residual::<4>().expect("r");
        let gradients = (columns.square().sum() + r.square().sum()).backward();
        let gradient = module.weight.val().grad(&gradients).expect("a gradient");
        let data = gradient.into_data().convert_dtype(DType::F64);
        data.try_to_vec().expect("floats")
    }

    /// A loss on r and a column has the CPU's gradients. Those through a secant near 0 are differences
    /// of large terms, and shaders' tanh is coarse: 4.5·10⁻³ off on Mesa's, where the CPU in f32 is
    /// 3·10⁻⁶ off the CPU in f64.
    pub(crate) fn gradients_of_training_are_the_cpus() {
        let wgpu = device::select("wgpu").expect("an adapter").autodiff();
        let cpu = Device::flex().autodiff();
        let units: [(fn(Tensor<4>) -> Tensor<4>, f64); 2] = [
            (|x| activation::leaky_relu(x, 0.1), 1e-5),
            (|x| activation::tanh(x), 2e-2),
        ];
        for (unit, limit) in units {
            let off = relative(&gradient(&wgpu, unit), &gradient(&cpu, unit));
            assert!(off < limit, "{off:e} is over {limit:e}");
        }
    }

    pub(crate) fn f64_is_refused() {
        let device = device::select("wgpu").expect("an adapter");
        let error = device::check_dtype("wgpu", &device, FloatDType::F64).expect_err("no f64");
        assert!(
            error.to_string().contains("does not support f64"),
            "{error}"
        );
    }

    pub(crate) fn an_adapter_that_is_not_there_is_an_error() {
        let error = device::select("wgpu:99").expect_err("99").to_string();
        assert!(error.contains("there are: cpu, wgpu"), "{error}");
    }
}
