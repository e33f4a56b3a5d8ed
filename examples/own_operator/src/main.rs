//! A second difference, never built: its rows, singular values and spectrum.
use burn::tensor::{Device, FloatDType, Tensor};
use linearscope_analysis::{LinearOperator, Result, progress::unobserved, projection, vectors};
use linearscope_analysis::{spectrum, svd};

struct SecondDifference([usize; 1], Device);

impl LinearOperator for SecondDifference {
    #[rustfmt::skip]    fn input_shape(&self) -> &[usize] { &self.0 }
    #[rustfmt::skip]    fn output_shape(&self) -> &[usize] { &self.0 }
    #[rustfmt::skip]    fn device(&self) -> &Device { &self.1 }
    #[rustfmt::skip]    fn dtype(&self) -> FloatDType { FloatDType::F64 }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        let next = x.clone().roll(&[-1], &[1]) + x.clone().roll(&[1], &[1]);
        Ok(x * 2.0 - next)
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        self.apply(y)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let f = SecondDifference([64], Device::flex());
    let row = vectors::read(projection::rows(&f, &[0])?)?;
    println!("row 0: {:?} … {:?}", &row[..3], &row[63..]);
    let found = svd::svd(&f, &svd::SvdConfig::new(4), unobserved)?;
    println!("σ = {:.6?}", found.sigma);
    let sizes = spectrum::moments(&f, &spectrum::MomentsConfig::default(), unobserved)?;
    println!(
        "‖F‖ = {:.3} ± {:.3}",
        sizes.frobenius.value, sizes.frobenius.error
    );
    Ok(())
}
