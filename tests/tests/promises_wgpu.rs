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
    the_suite_agrees_with_the_cpu,
    auto_prefers_the_cpu_to_a_software_driver,
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
    use std::time::Duration;

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
        device::{self, Class},
        training::Traced,
    };
    use linearscope_analysis::bench::suite::{Event, Row, Status, SuiteConfig, suite};
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

    /// Every row of `bench --gpu-suite` at a sixteenth of the widths and sizes.
    fn rows(device: &Device) -> Vec<Row> {
        let long = Duration::from_secs(24 * 3600);
        let config = SuiteConfig::new(device)
            .with_scale(16)
            .with_rounds(1)
            .with_row_limit(long)
            .with_limit(long);
        let mut rows = Vec::new();
        suite(&config, |event| {
            if let Event::Ended(row) = event {
                rows.push(row.clone());
            }
        })
        .expect("runs to its end");
        rows
    }

    /// The suite measures the same networks on a device as on the CPU: f(x₀) is theirs within 1e-5 (networks were up to 7.4e-7
    /// off), and singular values within 1e-3 of the largest: a unit within rounding of its kink may decide otherwise.
    pub(crate) fn the_suite_agrees_with_the_cpu() {
        let device = device::select("wgpu").expect("an adapter");
        let [found, expected] = [rows(&device), rows(&Device::flex())];
        assert_eq!(found.len(), expected.len());
        let mut compared = 0;
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.status, Status::Ok, "{found:?}");
            assert_eq!((found.row, found.network), (expected.row, expected.network));
            let norms = found
                .figures
                .reference_norm
                .zip(expected.figures.reference_norm);
            if let Some((norm, cpu)) = norms {
                assert!(
                    (norm - cpu).abs() <= 1e-5 * cpu,
                    "{norm} and {cpu}: {found:?}"
                );
                compared += 1;
            }
            let sigma = found
                .figures
                .sigma
                .as_ref()
                .zip(expected.figures.sigma.as_ref());
            if let Some((sigma, cpu)) = sigma {
                assert_eq!(sigma.len(), cpu.len(), "{found:?}");
                for (sigma, one) in sigma.iter().zip(cpu) {
                    assert!(
                        (sigma - one).abs() <= 1e-3 * cpu[0],
                        "{sigma} and {one}: {found:?}"
                    );
                }
                compared += 1;
            }
        }
        // f(x₀) of four networks, singular values of three.
        assert_eq!(compared, 7);
    }

    /// A real card comes before the CPU, and what imitates one after it; no graphics API computes in f64.
    pub(crate) fn auto_prefers_the_cpu_to_a_software_driver() {
        let wgpu = device::select("wgpu").expect("an adapter");
        let described = device::describe("wgpu", &wgpu).expect("opens");
        assert!(described.adapter.is_some(), "{described:?}");
        assert!(
            described
                .largest_tensor
                .is_some_and(|bytes| bytes >= 128 << 20),
            "{described:?}"
        );
        let chosen = device::auto(FloatDType::F32).expect("the cpu at least");
        let software = device::present().iter().all(|(name, device)| {
            let class = device::describe(name, device).map(|said| said.class);
            class.is_ok_and(|class| matches!(class, Class::Cpu | Class::Software))
        });
        assert_eq!(chosen.name == "cpu", software, "{chosen:?}");
        assert_eq!(device::auto(FloatDType::F64).expect("the cpu").name, "cpu");
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
