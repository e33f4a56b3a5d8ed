//! Ops that move entries about.

use burn_backend::{Backend, Shape, Slice, TensorMetadata};
use onnx_ir::{
    concat::ConcatNode,
    constant::ConstantNode,
    depth_to_space::{DepthToSpaceMode, DepthToSpaceNode},
    dropout::DropoutNode,
    flatten::FlattenNode,
    identity::IdentityNode,
    reshape::{ReshapeInput, ReshapeNode},
    slice::{SliceInput, SliceNode},
    space_to_depth::SpaceToDepthNode,
    squeeze::{SqueezeInput, SqueezeNode},
    transpose::TransposeNode,
    unsqueeze::{UnsqueezeConfig, UnsqueezeNode},
};

use crate::context::{Context, Outputs, Value, one};

pub(super) fn concat<B: Backend>(cx: &Context<'_, B>, node: &ConcatNode) -> Outputs<B> {
    one(B::float_cat(cx.floats()?, node.config.axis))
}

/// Constants sit in their readers' arguments; a constant node has nothing to do.
pub(super) fn constant<B: Backend>(_: &Context<'_, B>, _: &ConstantNode) -> Outputs<B> {
    Ok(Vec::<Value<B>>::new())
}

/// At inference dropout does nothing.
pub(super) fn dropout<B: Backend>(cx: &Context<'_, B>, _: &DropoutNode) -> Outputs<B> {
    one(cx.float(0)?)
}

pub(super) fn identity<B: Backend>(cx: &Context<'_, B>, _: &IdentityNode) -> Outputs<B> {
    one(cx.float(0)?)
}

pub(super) fn flatten<B: Backend>(cx: &Context<'_, B>, node: &FlattenNode) -> Outputs<B> {
    let x = cx.float(0)?;
    let shape = x.shape();
    let (head, tail) = shape.split_at(node.config.axis);
    let dims: Vec<usize> = vec![head.iter().product(), tail.iter().product()];
    one(B::float_reshape(x, Shape::from(dims)))
}

pub(super) fn reshape<B: Backend>(cx: &Context<'_, B>, node: &ReshapeNode) -> Outputs<B> {
    let ReshapeInput::Static(target) = &node.config.shape else {
        return Err(cx.unsupported("a computed shape"));
    };
    let x = cx.float(0)?;
    let shape = x.shape();
    // 0 copies the input's size, -1 takes what is left.
    let copied: Vec<i64> = target
        .iter()
        .enumerate()
        .map(|(axis, &size)| match size {
            0 => shape.get(axis).map_or(0, |&size| size as i64),
            size => size,
        })
        .collect();
    let known: usize = copied
        .iter()
        .filter(|&&d| d > 0)
        .map(|&d| d as usize)
        .product();
    let dims: Vec<usize> = copied
        .iter()
        .map(|&size| {
            if size > 0 {
                size as usize
            } else {
                shape.num_elements() / known.max(1)
            }
        })
        .collect();
    if dims.iter().product::<usize>() != shape.num_elements() {
        return Err(cx.unsupported(format!(
            "shape {target:?} for an input of shape {:?}",
            shape.to_vec()
        )));
    }
    one(B::float_reshape(x, Shape::from(dims)))
}

pub(super) fn slice<B: Backend>(cx: &Context<'_, B>, node: &SliceNode) -> Outputs<B> {
    let fixed = |input: &SliceInput| match input {
        SliceInput::Static(values) => Ok(values.clone()),
        SliceInput::Runtime(_) => Err(cx.unsupported("computed bounds")),
    };
    let config = &node.config;
    let x = cx.float(0)?;
    let shape = x.shape();
    let rank = shape.num_dims() as i64;
    let (starts, ends) = (fixed(&config.starts)?, fixed(&config.ends)?);
    let axes = match &config.axes {
        Some(axes) => fixed(axes)?,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = match &config.steps {
        Some(steps) => fixed(steps)?,
        None => vec![1; starts.len()],
    };
    let mut ranges: Vec<Slice> = shape.iter().map(|&size| Slice::from(0..size)).collect();
    for (((start, end), axis), step) in starts.iter().zip(ends).zip(axes).zip(steps) {
        let axis = if axis < 0 { axis + rank } else { axis } as usize;
        if step < 1 {
            return Err(cx.unsupported(format!("step {step}")));
        }
        let size = shape[axis] as i64;
        // Negative bounds count from the end; bounds outside are clamped.
        let bound = |b: i64| (if b < 0 { b.saturating_add(size) } else { b }).clamp(0, size);
        let (start, end) = (bound(*start), bound(end));
        if end <= start {
            return Err(cx.unsupported(format!("an empty range on axis {axis}")));
        }
        ranges[axis] = Slice::new(start as isize, Some(end as isize), step as isize);
    }
    one(B::float_slice(x, &ranges))
}

pub(super) fn transpose<B: Backend>(cx: &Context<'_, B>, node: &TransposeNode) -> Outputs<B> {
    let axes: Vec<usize> = node.config.perm.iter().map(|&axis| axis as usize).collect();
    one(B::float_permute(cx.float(0)?, &axes))
}

pub(super) fn squeeze<B: Backend>(cx: &Context<'_, B>, node: &SqueezeNode) -> Outputs<B> {
    let x = cx.float(0)?;
    let shape = x.shape();
    let rank = shape.num_dims() as i64;
    let gone: Vec<usize> = match &node.config.axes {
        None => (0..shape.num_dims())
            .filter(|&axis| shape[axis] == 1)
            .collect(),
        Some(SqueezeInput::Static(axes)) => axes
            .iter()
            .map(|&axis| if axis < 0 { axis + rank } else { axis } as usize)
            .collect(),
        Some(SqueezeInput::Runtime(_)) => return Err(cx.unsupported("computed axes")),
    };
    let dims: Vec<usize> = (0..shape.num_dims())
        .filter(|axis| !gone.contains(axis))
        .map(|axis| shape[axis])
        .collect();
    let dims = if dims.is_empty() { vec![1] } else { dims };
    one(B::float_reshape(x, Shape::from(dims)))
}

pub(super) fn unsqueeze<B: Backend>(cx: &Context<'_, B>, node: &UnsqueezeNode) -> Outputs<B> {
    let UnsqueezeConfig::Static(axes) = &node.config else {
        return Err(cx.unsupported("computed axes"));
    };
    let x = cx.float(0)?;
    let mut dims = x.shape().to_vec();
    let rank = (dims.len() + axes.len()) as i64;
    let mut axes: Vec<usize> = axes
        .iter()
        .map(|&axis| if axis < 0 { axis + rank } else { axis } as usize)
        .collect();
    axes.sort_unstable();
    for axis in axes {
        dims.insert(axis, 1);
    }
    one(B::float_reshape(x, Shape::from(dims)))
}

/// `[n, c·b², h, w] → [n, c, h·b, w·b]` (pixel shuffle); DCR and CRD order the channels.
pub(super) fn depth_to_space<B: Backend>(
    cx: &Context<'_, B>,
    node: &DepthToSpaceNode,
) -> Outputs<B> {
    let x = cx.float(0)?;
    let [n, c, h, w] = x.shape().dims();
    let b = node.config.block_size;
    let inner = c / (b * b);
    let (split, axes) = match node.config.mode {
        DepthToSpaceMode::Dcr => ([n, b, b, inner, h, w], [0, 3, 4, 1, 5, 2]),
        DepthToSpaceMode::Crd => ([n, inner, b, b, h, w], [0, 1, 4, 2, 5, 3]),
    };
    let x = B::float_reshape(x, Shape::from(split.to_vec()));
    let x = B::float_permute(x, &axes);
    one(B::float_reshape(
        x,
        Shape::from(vec![n, inner, h * b, w * b]),
    ))
}

/// `[n, c, h·b, w·b] → [n, c·b², h, w]`.
pub(super) fn space_to_depth<B: Backend>(
    cx: &Context<'_, B>,
    node: &SpaceToDepthNode,
) -> Outputs<B> {
    let x = cx.float(0)?;
    let [n, c, h, w] = x.shape().dims();
    let b = node.config.block_size;
    let x = B::float_reshape(x, Shape::from(vec![n, c, h / b, b, w / b, b]));
    let x = B::float_permute(x, &[0, 3, 5, 1, 2, 4]);
    one(B::float_reshape(
        x,
        Shape::from(vec![n, c * b * b, h / b, w / b]),
    ))
}
