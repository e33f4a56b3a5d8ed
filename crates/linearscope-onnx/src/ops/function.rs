//! Mathematical functions, entry by entry.

use burn_backend::{Backend, Scalar, TensorMetadata};

use crate::{
    context::{Context, Outputs, one},
    value::Value,
};

macro_rules! functions {
    ($($name:ident => $function:ident;)*) => {$(
        pub(super) fn $name<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
            one(B::$function(cx.float(0)?))
        }
    )*};
}

functions! {
    acos => float_acos;
    acosh => float_acosh;
    asin => float_asin;
    asinh => float_asinh;
    atan => float_atan;
    atanh => float_atanh;
    ceil => float_ceil;
    cos => float_cos;
    cosh => float_cosh;
    erf => float_erf;
    exp => float_exp;
    floor => float_floor;
    log => float_log;
    reciprocal => float_recip;
    round => float_round;
    sin => float_sin;
    sinh => float_sinh;
    sqrt => float_sqrt;
    tan => float_tan;
    tanh => float_tanh;
}

pub(super) fn abs<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![match cx.value(0)? {
        Value::Float(x) => Value::Float(B::float_abs(x)),
        Value::Int(x) if x.dtype().is_uint() => Value::Int(x),
        Value::Int(x) => Value::Int(B::int_abs(x)),
        x => return Err(cx.unsupported_types(&[&x])),
    }])
}

pub(super) fn sign<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![match cx.value(0)? {
        Value::Float(x) => Value::Float(B::float_sign(x)),
        Value::Int(x) => Value::Int(B::int_sign(x)),
        x => return Err(cx.unsupported_types(&[&x])),
    }])
}

pub(super) fn is_nan<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let found = B::float_is_nan(cx.float(0)?, cx.bool_dtype());
    Ok(vec![Value::Bool(found)])
}

pub(super) fn is_inf<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let (negative, positive) = (
        cx.flag("detect_negative", true)?,
        cx.flag("detect_positive", true)?,
    );
    let infinite = B::float_is_inf(x.clone(), cx.bool_dtype());
    let zero = Scalar::Float(0.0);
    let sided = match (negative, positive) {
        (true, true) => return Ok(vec![Value::Bool(infinite)]),
        (true, false) => B::float_lower_elem(x, zero, cx.bool_dtype()),
        (false, true) => B::float_greater_elem(x, zero, cx.bool_dtype()),
        (false, false) => B::float_not_equal(x.clone(), x, cx.bool_dtype()),
    };
    Ok(vec![Value::Bool(B::bool_and(infinite, sided))])
}

/// The determinant of the last two axes, by elimination on the host.
pub(super) fn det<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.data(0, "a matrix")?;
    let dims = x.shape().to_vec();
    let [lead @ .., rows, columns] = &dims[..] else {
        return Err(cx.unsupported(format!("an input of shape {dims:?}")));
    };
    if rows != columns || *rows == 0 {
        return Err(cx.unsupported(format!("matrices of shape [{rows}, {columns}]")));
    }
    let n = *rows;
    let values: Vec<f64> = x.iter::<f64>().collect();
    let determinants: Vec<f64> = values
        .chunks(n * n)
        .map(|matrix| determinant(matrix.to_vec(), n))
        .collect();
    let data = burn_backend::TensorData::new(determinants, lead.to_vec());
    crate::context::one_constant(data.convert_dtype(x.dtype()))
}

/// Gaussian elimination with row pivots.
fn determinant(mut a: Vec<f64>, n: usize) -> f64 {
    let mut product = 1.0;
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|&i, &j| a[i * n + column].abs().total_cmp(&a[j * n + column].abs()))
            .unwrap_or(column);
        if a[pivot * n + column] == 0.0 {
            return 0.0;
        }
        if pivot != column {
            for k in 0..n {
                a.swap(pivot * n + k, column * n + k);
            }
            product = -product;
        }
        product *= a[column * n + column];
        for row in column + 1..n {
            let factor = a[row * n + column] / a[column * n + column];
            for k in column..n {
                a[row * n + k] -= factor * a[column * n + k];
            }
        }
    }
    product
}
