//! What an operation costs.

use burn_ir::{
    BaseOperationIr, FloatOperationIr, ModuleOperationIr, NumericOperationIr, OperationIr, TensorIr,
};

fn numel(tensor: &TensorIr) -> u64 {
    tensor.shape.iter().map(|&size| size as u64).product()
}

/// Multiplications and additions of a product with a `[out, ..]` weight, per output entry.
fn convolution(weight: &TensorIr, bias: Option<&TensorIr>, out: &TensorIr) -> u64 {
    let each = numel(weight) / weight.shape[0].max(1) as u64;
    numel(out) * (2 * each + u64::from(bias.is_some()))
}

/// The same of a transposed convolution, whose weight is `[in, ..]`: each input entry is spread.
fn transposed(x: &TensorIr, weight: &TensorIr, bias: Option<&TensorIr>, out: &TensorIr) -> u64 {
    let each = numel(weight) / weight.shape[0].max(1) as u64;
    2 * numel(x) * each + u64::from(bias.is_some()) * numel(out)
}

/// Floating-point operations, a multiply-add counted as two: exact for products, one an entry (or
/// one an entry read, for pools and reductions) for everything that computes, 0 for what moves data.
pub(crate) fn flops(operation: &OperationIr) -> u64 {
    let read: u64 = operation.inputs().map(numel).max().unwrap_or(0);
    let made: u64 = operation.outputs().map(numel).sum();
    match operation {
        OperationIr::Module(module) => match module {
            ModuleOperationIr::Conv1d(op) => convolution(&op.weight, op.bias.as_ref(), &op.out),
            ModuleOperationIr::Conv2d(op) => convolution(&op.weight, op.bias.as_ref(), &op.out),
            ModuleOperationIr::Conv3d(op) => convolution(&op.weight, op.bias.as_ref(), &op.out),
            ModuleOperationIr::ConvTranspose1d(op) => {
                transposed(&op.x, &op.weight, op.bias.as_ref(), &op.out)
            }
            ModuleOperationIr::ConvTranspose2d(op) => {
                transposed(&op.x, &op.weight, op.bias.as_ref(), &op.out)
            }
            ModuleOperationIr::ConvTranspose3d(op) => {
                transposed(&op.x, &op.weight, op.bias.as_ref(), &op.out)
            }
            ModuleOperationIr::Linear(op) => {
                let inner = op.x.shape.last().copied().unwrap_or(0) as u64;
                numel(&op.out) * (2 * inner + u64::from(op.bias.is_some()))
            }
            ModuleOperationIr::MaxPool1d(op) => made * op.kernel_size as u64,
            ModuleOperationIr::MaxPool2d(op) => {
                made * op.kernel_size.iter().product::<usize>() as u64
            }
            ModuleOperationIr::AvgPool1d(op) => made * op.kernel_size as u64,
            ModuleOperationIr::AvgPool2d(op) => {
                made * op.kernel_size.iter().product::<usize>() as u64
            }
            _ => read.max(made),
        },
        OperationIr::Float(_, FloatOperationIr::Matmul(op)) => {
            2 * numel(&op.out) * op.lhs.shape.last().copied().unwrap_or(0) as u64
        }
        OperationIr::BaseFloat(BaseOperationIr::MaskWhere(_) | BaseOperationIr::MaskFill(_)) => {
            made
        }
        OperationIr::NumericFloat(
            _,
            NumericOperationIr::Mean(_)
            | NumericOperationIr::MeanDim(_)
            | NumericOperationIr::Sum(_)
            | NumericOperationIr::SumDim(_),
        ) => read,
        OperationIr::NumericFloat(_, NumericOperationIr::Full(_) | NumericOperationIr::Pad(_)) => 0,
        OperationIr::NumericFloat(..) | OperationIr::Float(..) | OperationIr::Activation(_) => made,
        _ => 0,
    }
}
