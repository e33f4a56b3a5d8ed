//! Matrix products: Gemm, MatMul, Einsum.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

use super::arithmetic::broadcast;
use crate::{
    context::{Context, Outputs, at_rank, one, reshaped},
    error::Result,
    value::Value,
};

fn scaled<B: Backend>(x: FloatTensor<B>, by: f64) -> FloatTensor<B> {
    if by == 1.0 {
        x
    } else {
        B::float_mul_scalar(x, Scalar::Float(by))
    }
}

pub(super) fn gemm<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let matrix = |index: usize, turn: &str| -> Result<FloatTensor<B>> {
        let x = cx.float(index)?;
        if x.shape().num_dims() != 2 {
            return Err(cx.unsupported(format!("an input of shape {:?}", x.shape().to_vec())));
        }
        Ok(match cx.flag(turn, false)? {
            true => B::float_swap_dims(x, 0, 1),
            false => x,
        })
    };
    let (a, b) = (matrix(0, "transA")?, matrix(1, "transB")?);
    let y = scaled::<B>(multiplied(cx, a, b)?, cx.float_or("alpha", 1.0)?);
    match cx.optional_float(2)? {
        Some(c) => {
            broadcast(cx, &y.shape().to_vec(), &c.shape().to_vec())?;
            let beta = cx.float_or("beta", 1.0)?;
            one(B::float_add(y, scaled::<B>(at_rank::<B>(c, 2), beta)))
        }
        None => one(y),
    }
}

/// numpy's matmul: vectors are rows on the left and columns on the right, and lose that axis.
pub(super) fn multiplied<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    y: FloatTensor<B>,
) -> Result<FloatTensor<B>> {
    let (left, right) = (x.shape().to_vec(), y.shape().to_vec());
    let misfit = || cx.misfit(format!("inputs of shapes {left:?} and {right:?}"));
    let inner = match (left.last(), right.len()) {
        (Some(_), 0) | (None, _) => return Err(misfit()),
        (Some(&inner), 1) => (inner, right[0]),
        (Some(&inner), rank) => (inner, right[rank - 2]),
    };
    if inner.0 != inner.1 {
        return Err(misfit());
    }
    let x = at_rank::<B>(x, 2);
    let y = match right.len() {
        1 => reshaped::<B>(y, &[right[0], 1]),
        _ => y,
    };
    let (a, b) = (x.shape().to_vec(), y.shape().to_vec());
    let mut dims = broadcast(cx, &a[..a.len() - 2], &b[..b.len() - 2])?;
    let rank = dims.len() + 2;
    dims.extend([a[a.len() - 2], b[b.len() - 1]]);
    cx.check_size(&dims)?;
    let product = B::float_matmul(at_rank::<B>(x, rank), at_rank::<B>(y, rank));
    if left.len() == 1 {
        dims.remove(dims.len() - 2);
    }
    if right.len() == 1 {
        dims.pop();
    }
    Ok(reshaped::<B>(product, &dims))
}

pub(super) fn matmul<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    match (cx.value(0)?, cx.value(1)?) {
        (Value::Float(x), Value::Float(y)) => one(multiplied(cx, x, y)?),
        (x @ Value::Int(_), y @ Value::Int(_)) => {
            // Products of up to 26 bits are exact in f64.
            let to = x.dtype();
            let (Value::Float(x), Value::Float(y)) = (
                x.cast(burn_backend::DType::F64),
                y.cast(burn_backend::DType::F64),
            ) else {
                unreachable!("a cast to floats");
            };
            Ok(vec![Value::<B>::Float(multiplied(cx, x, y)?).cast(to)])
        }
        (x, y) => Err(cx.unsupported_types(&[&x, &y])),
    }
}

/// An operand of an einsum and the letter of each axis; the axes of "..." are '0', '1', ….
struct Labelled<B: Backend> {
    x: FloatTensor<B>,
    labels: Vec<char>,
}

/// Sums of products, by letters: operands are joined two at a time, each time by one batched
/// matrix product.
pub(super) fn einsum<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let equation: String = cx
        .text_or("equation", "")?
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left.to_string(), Some(right.to_string())),
        None => (equation.clone(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != cx.node.inputs.len() {
        return Err(cx.unsupported(format!("equation {equation:?}")));
    }
    let mut operands = Vec::new();
    let mut dots = 0;
    for (index, term) in terms.iter().enumerate() {
        let x = cx.float(index)?;
        let letters = term.replace("...", "").chars().count();
        let hidden = x.shape().num_dims().checked_sub(letters);
        let hidden = hidden.filter(|hidden| *hidden == 0 || term.contains("..."));
        let hidden = hidden.ok_or_else(|| {
            cx.unsupported(format!(
                "{term:?} for an input of rank {}",
                x.shape().num_dims()
            ))
        })?;
        dots = dots.max(hidden);
        operands.push((x, *term, hidden));
    }
    // Axes of "..." are aligned at the right.
    let ellipsis = |hidden: usize| (dots - hidden..dots).map(|i| char::from(b'0' + i as u8));
    let spelled = |term: &str, hidden: usize| -> Vec<char> {
        let mut labels = Vec::new();
        let mut rest = term;
        while let Some(c) = rest.chars().next() {
            if rest.starts_with("...") {
                labels.extend(ellipsis(hidden));
                rest = &rest[3..];
            } else {
                labels.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        labels
    };
    let mut joined: Vec<Labelled<B>> = Vec::new();
    for (x, term, hidden) in operands {
        joined.push(diagonal(cx, x, spelled(term, hidden))?);
    }
    let target = match right {
        Some(term) => spelled(&term, dots),
        None => {
            let all: Vec<char> = terms
                .iter()
                .flat_map(|term| term.chars().filter(|c| c.is_alphabetic()))
                .collect();
            let mut once: Vec<char> = all
                .iter()
                .filter(|c| all.iter().filter(|other| other == c).count() == 1)
                .copied()
                .collect();
            once.sort_unstable();
            ellipsis(dots).chain(once).collect()
        }
    };
    while joined.len() > 1 {
        let second = joined.remove(1);
        let first = joined.remove(0);
        let needed: Vec<char> = target
            .iter()
            .copied()
            .chain(joined.iter().flat_map(|other| other.labels.iter().copied()))
            .collect();
        joined.insert(0, join(cx, first, second, &needed)?);
    }
    let last = joined.remove(0);
    let Labelled { x, labels } = summed(last, &target);
    let axes: Option<Vec<usize>> = target
        .iter()
        .map(|label| labels.iter().position(|other| other == label))
        .collect();
    match axes {
        Some(axes) if axes.len() == labels.len() => one(match axes.is_sorted() {
            true => x,
            false => B::float_permute(x, &axes),
        }),
        _ => Err(cx.unsupported(format!("equation {equation:?}"))),
    }
}

/// A letter that stands twice takes the diagonal.
fn diagonal<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    labels: Vec<char>,
) -> Result<Labelled<B>> {
    let dims = x.shape().to_vec();
    let mut distinct: Vec<(char, usize)> = Vec::new();
    for (label, size) in labels.iter().zip(&dims) {
        match distinct.iter().find(|(other, _)| other == label) {
            Some((_, other)) if other != size => {
                return Err(cx.unsupported(format!("a diagonal of an input of shape {dims:?}")));
            }
            Some(_) => {}
            None => distinct.push((*label, *size)),
        }
    }
    if distinct.len() == labels.len() {
        return Ok(Labelled { x, labels });
    }
    let sizes: Vec<usize> = distinct.iter().map(|(_, size)| *size).collect();
    let mut strides = vec![0i64; distinct.len()];
    let mut stride = 1i64;
    for (label, size) in labels.iter().zip(&dims).rev() {
        let at = distinct.iter().position(|(other, _)| other == label);
        strides[at.unwrap_or(0)] += stride;
        stride *= *size as i64;
    }
    let numel: usize = sizes.iter().product();
    let indices = (0..numel)
        .map(|mut at| {
            let mut index = 0;
            for (size, stride) in sizes.iter().zip(&strides).rev() {
                index += (at % size) as i64 * stride;
                at /= size;
            }
            index
        })
        .collect();
    match cx.take(Value::Float(x), indices, &sizes)? {
        Value::Float(x) => Ok(Labelled {
            x,
            labels: distinct.into_iter().map(|(label, _)| label).collect(),
        }),
        _ => Err(cx.unsupported("an input without elements")),
    }
}

/// Axes that nobody needs, summed away.
fn summed<B: Backend>(operand: Labelled<B>, needed: &[char]) -> Labelled<B> {
    let Labelled { mut x, labels } = operand;
    for (axis, label) in labels.iter().enumerate() {
        if !needed.contains(label) {
            x = B::float_sum_dim(x, axis);
        }
    }
    let dims = x.shape().to_vec();
    let kept: Vec<usize> = (0..labels.len())
        .filter(|&axis| needed.contains(&labels[axis]))
        .collect();
    let shape: Vec<usize> = kept.iter().map(|&axis| dims[axis]).collect();
    Labelled {
        x: reshaped::<B>(x, &shape),
        labels: kept.iter().map(|&axis| labels[axis]).collect(),
    }
}

/// Two operands into one: letters of both that are needed are a batch, those that are not are
/// contracted.
fn join<B: Backend>(
    cx: &Context<'_, B>,
    left: Labelled<B>,
    right: Labelled<B>,
    needed: &[char],
) -> Result<Labelled<B>> {
    let of = |operand: &Labelled<B>, more: &Labelled<B>| -> Vec<char> {
        needed
            .iter()
            .chain(&more.labels)
            .copied()
            .filter(|c| operand.labels.contains(c))
            .collect()
    };
    let (keep_left, keep_right) = (of(&left, &right), of(&right, &left));
    let (left, right) = (summed(left, &keep_left), summed(right, &keep_right));
    let size = |operand: &Labelled<B>, label: char| {
        let axis = operand.labels.iter().position(|other| *other == label);
        axis.map(|axis| operand.x.shape()[axis])
    };
    let shared: Vec<char> = left
        .labels
        .iter()
        .copied()
        .filter(|label| right.labels.contains(label))
        .collect();
    let (batch, inner): (Vec<char>, Vec<char>) =
        shared.iter().partition(|label| needed.contains(label));
    let rest = |operand: &Labelled<B>| -> Vec<char> {
        operand
            .labels
            .iter()
            .copied()
            .filter(|label| !shared.contains(label))
            .collect()
    };
    let (rows, columns) = (rest(&left), rest(&right));
    let mut extents = Vec::new();
    for &label in &shared {
        match (size(&left, label), size(&right, label)) {
            (Some(a), Some(b)) if a == b || a == 1 || b == 1 => extents.push((label, a.max(b))),
            _ => return Err(cx.unsupported(format!("axes {label:?} of different sizes"))),
        }
    }
    let extent = |operand: &Labelled<B>, label: char| {
        let shared = extents.iter().find(|(other, _)| *other == label);
        shared.map_or_else(|| size(operand, label).unwrap_or(1), |(_, size)| *size)
    };
    let arranged = |operand: &Labelled<B>, order: [&[char]; 3]| {
        let axes: Vec<usize> = order
            .concat()
            .iter()
            .filter_map(|label| operand.labels.iter().position(|other| other == label))
            .collect();
        let x = match axes.is_sorted() {
            true => operand.x.clone(),
            false => B::float_permute(operand.x.clone(), &axes),
        };
        let full: Vec<usize> = order.concat().iter().map(|&l| extent(operand, l)).collect();
        let x = match Value::<B>::Float(x).expand(&full) {
            Value::Float(x) => x,
            _ => unreachable!("floats stay floats"),
        };
        let sizes = order.map(|part| part.iter().map(|&l| extent(operand, l)).product());
        reshaped::<B>(x, &sizes)
    };
    let x = arranged(&left, [&batch, &rows, &inner]);
    let y = arranged(&right, [&batch, &inner, &columns]);
    let labels = [&batch[..], &rows[..], &columns[..]].concat();
    let dims: Vec<usize> = [
        batch.iter().map(|&l| extent(&left, l)).collect::<Vec<_>>(),
        rows.iter().map(|&l| extent(&left, l)).collect(),
        columns.iter().map(|&l| extent(&right, l)).collect(),
    ]
    .concat();
    cx.check_size(&dims)?;
    let product = B::float_matmul(x, y);
    Ok(Labelled {
        x: reshaped::<B>(product, &dims),
        labels,
    })
}
